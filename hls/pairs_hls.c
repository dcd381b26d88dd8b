/* pairs_hls.c - row t of output sequence s is the mean of rows 2t and 2t + 1 of input sequence s.
 *
 * Two rows are read and one is written in one pass, HLS_WIDTH columns a step.
 *   II 2: both rows come through one port; 2 x ceil(cols / WIDTH) cycles (load and store at once)
 *   for each output row; no memory. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#include "portable.h"

HLS_KERNEL(pairs, OMT_PAIRS)
{
	HLS_PORTS(OMT_PAIRS)
	(void)out_rows;
	for (int s = 0; s < sequences; s++) {
		const int from = cu_in[s], begin = cu_out[s], end = cu_out[s + 1];
		HLS_READ(12);
		for (int row = begin; row < end; row++) {
			const hls_at at = (hls_at)(from + 2 * (row - begin)) * ldx;
			HLS_NO_CONFLICT
			for (int i = 0; i < cols; i += HLS_WIDTH) {
				HLS_PIPELINE_EVERY(2)
				HLS_TRIP(HLS_STORE);
				float a[HLS_WIDTH], b[HLS_WIDTH];
				hls_load(x, at + i, cols - i, a);
				hls_load(x, at + ldx + i, cols - i, b);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++)
					a[w] = 0.5f * (a[w] + b[w]);
				hls_store(a, out, (hls_at)row * ldo + i, cols - i);
			}
		}
	}
}
