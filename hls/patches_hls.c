/* patches_hls.c - patches of pictures as rows: the three values of a pixel part to three planes.
 *
 * The table of what 8-bit values stand for is read once. A patch is read pixel by pixel, line by
 * line, into three planes on the chip, then written plane by plane, HLS_WIDTH values a cycle. A
 * plane (frames x side x side) has HLS_COLS values at most.
 *   II 1, of loads 3: a pixel's values come through one port; 3 x 256 cycles (load) at the start,
 *   then for each patch 3 x frames x side^2 (load) + 3 x ceil(frames x side^2 / WIDTH) (store);
 *   memory: 3 x (COLS + 256) x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 1024
#endif
#include "portable.h"

HLS_KERNEL(patches, OMT_PATCHES)
{
	HLS_PORTS(OMT_PATCHES)
	float shade[3][256], plane[3][HLS_COLS / HLS_WIDTH][HLS_WIDTH];
	HLS_PARTITION(shade, 1)
	HLS_PARTITION(plane, 1)
	HLS_PARTITION(plane, 3)
	const int count = frames * side * side, steps = HLS_DIVIDED(count, HLS_WIDTH);
	for (int v = 0; v < 256; v++) {
		HLS_PIPELINE_EVERY(3)
		HLS_TRIP(HLS_LOAD);
		HLS_READ(12);
		HLS_UNROLL
		for (int c = 0; c < 3; c++)
			shade[c][v] = table[c * 256 + v];
	}
	for (int row = 0; row < rows; row++) {
		const hls_at place = (hls_at)order[row] * (frames + 2);
		const int width = places[place + frames], format = places[place + frames + 1];
		HLS_READ(4 * (frames + 3));
		int p = 0; /* of the plane */
		for (int t = 0; t < frames; t++) {
			const int at = places[place + t];
			int x = 0, y = 0; /* counted, not divided */
			for (int i = 0; i < side * side; i++) {
				HLS_PIPELINE_EVERY(3)
				HLS_TRIP(HLS_LOAD);
				HLS_READ(format == OMT_U8 ? 3 : 12);
				const hls_at pixel = at + (hls_at)y * width + x;
				HLS_UNROLL
				for (int c = 0; c < 3; c++)
					plane[c][p / HLS_WIDTH][p % HLS_WIDTH] =
						format == OMT_U8 ? shade[c][pixels[3 * pixel + c]]
								 : hls_number(pixels, OMT_F32,
					                                      3 * pixel + c);
				p++;
				x++;
				if (x == side) {
					x = 0;
					y++;
				}
			}
		}
		for (int c = 0; c < 3; c++)
			for (int i = 0; i < steps; i++) {
				HLS_PIPELINE
				HLS_TRIP(HLS_STORE);
				const int from = i * HLS_WIDTH;
				hls_store(plane[c][i], out, (hls_at)row * ldo + c * count + from,
				          count - from);
			}
	}
}
