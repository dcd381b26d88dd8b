/* l2norm_hls.c - out = x / max(|x|, eps), row by row.
 *
 * While a row is read into on-chip memory and its squares are added to HLS_PARTIALS sums of
 * HLS_WIDTH lanes, the row before it is written back: a step of both takes a vector from the memory
 * and puts the next row's in its place. One division a row. Rows of HLS_COLS elements at most.
 *   II 1; with steps = ceil(cols / WIDTH), (rows + 1) x steps (load and store at once) + rows x
 *   PARTIALS (compute) cycles; memory: COLS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 8192
#endif
#include "portable.h"

#define STEPS (HLS_COLS / HLS_WIDTH)

HLS_KERNEL(l2norm, OMT_L2NORM)
{
	HLS_PORTS(OMT_L2NORM)
	float line[STEPS][HLS_WIDTH], partial[HLS_PARTIALS][HLS_WIDTH], inverse = 0;
	HLS_PARTITION(line, 2)
	HLS_PARTITION(partial, 2)
	const int steps = HLS_DIVIDED(cols, HLS_WIDTH);
	for (int row = 0; row <= rows; row++) {
		HLS_NO_CONFLICT
		for (int i = 0; i < steps; i++) {
			HLS_PIPELINE
			HLS_INDEPENDENT(line)
			HLS_APART(partial, HLS_PARTIALS)
			const int at = i * HLS_WIDTH;
			float vector[HLS_WIDTH];
			if (row > 0) {
				HLS_TRIP(HLS_STORE);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++)
					vector[w] = line[i][w] * inverse;
				hls_store(vector, out, (hls_at)(row - 1) * ldo + at, cols - at);
			}
			if (row < rows) {
				HLS_TRIP(HLS_LOAD);
				hls_load(x, (hls_at)row * ldx + at, cols - at, vector);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++) {
					line[i][w] = vector[w];
					HLS_ADD(partial, i, w, vector[w] * vector[w]);
				}
			}
		}
		if (row < rows) {
			const float length = hls_sqrtf(hls_sum(partial, steps));
			inverse = 1.0f / HLS_MAX(length, eps);
		}
	}
}
