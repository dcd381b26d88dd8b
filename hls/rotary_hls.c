/* rotary_hls.c - rotates pairs (i, i + head_dim / 2) of every head by the row's angles.
 *
 * A row's angles are read once and stay on the chip for all its heads; each head's pairs are read,
 * rotated and written back, HLS_WIDTH pairs a step. head_dim of 2 x HLS_COLS at most.
 *   II 2: two vectors come and go through one port; with steps = ceil(head_dim / 2 / WIDTH), a row
 *   takes 2 x steps (load) + 2 x heads x steps (compute) cycles; memory: 2 x COLS x 32 bits. */
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
			HLS_PIPELINE_EVERY(2)
			HLS_TRIP(HLS_LOAD);
			const int at = i * HLS_WIDTH;
			hls_load(cosines, (hls_at)row * pairs + at, pairs - at, cosine[i]);
			hls_load(sines, (hls_at)row * pairs + at, pairs - at, sine[i]);
		}
		int head = 0, i = 0; /* counted, not divided */
		HLS_NO_CONFLICT
		for (int step = 0; step < heads * steps; step++) {
			HLS_PIPELINE_EVERY(2)
			HLS_INDEPENDENT(x)
			HLS_TRIP(HLS_COMPUTE);
			const int left = pairs - i * HLS_WIDTH;
			const hls_at at = (hls_at)row * ldx + head * head_dim + i * HLS_WIDTH;
			float lower[HLS_WIDTH], upper[HLS_WIDTH];
			hls_load(x, at, left, lower);
			hls_load(x, at + pairs, left, upper);
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++) {
				const float a = lower[w], b = upper[w];
				lower[w] = a * cosine[i][w] - b * sine[i][w];
				upper[w] = b * cosine[i][w] + a * sine[i][w];
			}
			hls_store(lower, x, at, left);
			hls_store(upper, x, at + pairs, left);
			i++;
			if (i == steps) {
				i = 0;
				head++;
			}
		}
	}
}
