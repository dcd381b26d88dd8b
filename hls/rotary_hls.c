/* rotary_hls.c - rotates pairs (i, i + head_dim / 2) of every head by the row's angles.
 *
 * A row's angles are read once and stay on the chip for all its heads; each head's pairs are read,
 * rotated and written back, HLS_WIDTH pairs a cycle. head_dim of 2 x HLS_COLS at most.
 *   II 1; with steps = ceil(head_dim / 2 / WIDTH), a row takes steps (load) + heads x steps
 *   (compute) cycles; memory: 2 x COLS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 128
#endif
#include "portable.h"

HLS_KERNEL(rotary, OMT_ROTARY)
{
	HLS_PORTS(OMT_ROTARY)
	float cosine[HLS_COLS / HLS_WIDTH][HLS_WIDTH], sine[HLS_COLS / HLS_WIDTH][HLS_WIDTH];
	HLS_PARTITION(cosine, 2)
	HLS_PARTITION(sine, 2)
	const int pairs = head_dim / 2, steps = HLS_DIVIDED(pairs, HLS_WIDTH);
	for (int row = 0; row < rows; row++) {
		for (int i = 0; i < steps; i++) {
			HLS_PIPELINE
			HLS_TRIP(HLS_LOAD);
			HLS_READ(8 * HLS_MIN(HLS_WIDTH, pairs - i * HLS_WIDTH));
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++) {
				const int at = i * HLS_WIDTH + w;
				cosine[i][w] = at < pairs ? cosines[(hls_at)row * pairs + at] : 0;
				sine[i][w] = at < pairs ? sines[(hls_at)row * pairs + at] : 0;
			}
		}
		HLS_NO_CONFLICT
		for (int step = 0; step < heads * steps; step++) {
			HLS_PIPELINE
			HLS_INDEPENDENT(x)
			const int head = step / steps, i = step % steps;
			HLS_TRIP(HLS_COMPUTE);
			HLS_READ(8 * HLS_MIN(HLS_WIDTH, pairs - i * HLS_WIDTH));
			HLS_WRITE(8 * HLS_MIN(HLS_WIDTH, pairs - i * HLS_WIDTH));
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++) {
				const int at = i * HLS_WIDTH + w;
				if (at < pairs) {
					const hls_at lower =
						(hls_at)row * ldx + head * head_dim + at;
					const float a = x[lower], b = x[lower + pairs];
					x[lower] = a * cosine[i][w] - b * sine[i][w];
					x[lower + pairs] = b * cosine[i][w] + a * sine[i][w];
				}
			}
		}
	}
}
