/* pool_hls.c - one row for each sequence: mean of its rows, its last or its first row.
 *
 * A sequence's rows are read one after another and added to a row of sums on the chip, HLS_WIDTH
 * columns a cycle; narrow rows take HLS_PARTIALS cycles, so that a sum is ready before it is needed
 * again. Rows of HLS_COLS elements at most.
 *   II 1; with steps = ceil(cols / WIDTH), max(steps, PARTIALS) cycles (load) for each row that
 *   counts, steps (store) for each sequence; memory: COLS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 8192
#endif
#include "portable.h"

HLS_KERNEL(pool, OMT_POOL)
{
	HLS_PORTS(OMT_POOL)
	float sums[HLS_COLS / HLS_WIDTH][HLS_WIDTH];
	HLS_PARTITION(sums, 2)
	const int steps = HLS_DIVIDED(cols, HLS_WIDTH), period = HLS_MAX(steps, HLS_PARTIALS);
	for (int s = 0; s < sequences; s++) {
		const int first = cu_seqlens[s], end = cu_seqlens[s + 1];
		const int begin = mode == OMT_POOL_LAST ? end - 1 : first;
		const int count = mode == OMT_POOL_MEAN ? end - first : 1;
		const float part = 1.0f / (float)count;
		HLS_READ(8);
		for (int row = 0; row < count; row++) {
			HLS_NO_CONFLICT
			for (int i = 0; i < period; i++) {
				HLS_PIPELINE
				HLS_APART(sums, HLS_PARTIALS)
				HLS_TRIP(HLS_LOAD);
				const int at = i * HLS_WIDTH;
				float vector[HLS_WIDTH];
				hls_load(x, (hls_at)(begin + row) * ldx + at, cols - at, vector);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++)
					if (i < steps)
						sums[i][w] = (row ? sums[i][w] : 0) + vector[w];
			}
		}
		for (int i = 0; i < steps; i++) {
			HLS_PIPELINE
			HLS_TRIP(HLS_STORE);
			const int at = i * HLS_WIDTH;
			float vector[HLS_WIDTH];
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++)
				vector[w] = sums[i][w] * part;
			hls_store(vector, out, (hls_at)s * ldo + at, cols - at);
		}
	}
}
