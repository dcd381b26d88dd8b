/* quantize_hls.c - rows to int8 with a scale each: scale = max|x| / 127, out = x / scale rounded to
 * nearest even, zeros up to ldo.
 *
 * While a row is read into on-chip memory and its largest magnitude found, lane by lane, the row
 * before it is written: a step of both takes a vector from the memory and puts the next row's in
 * its place. Rows of HLS_COLS elements at most.
 *   II 1; (rows + 1) x ceil(ldo / WIDTH) cycles (load and store at once); memory: COLS x 32 bits.
 */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 16384
#endif
#include "portable.h"

#define STEPS (HLS_COLS / HLS_WIDTH)

HLS_KERNEL(quantize, OMT_QUANTIZE)
{
	HLS_PORTS(OMT_QUANTIZE)
	float line[STEPS][HLS_WIDTH], factor = 0;
	hls_u32 most[HLS_WIDTH] = {0};
	HLS_PARTITION(line, 2)
	HLS_PARTITION(most, 0)
	const int steps = HLS_DIVIDED(cols, HLS_WIDTH), out_steps = HLS_DIVIDED(ldo, HLS_WIDTH);
	for (int row = 0; row <= rows; row++) {
		HLS_NO_CONFLICT
		for (int i = 0; i < out_steps; i++) {
			HLS_PIPELINE
			HLS_INDEPENDENT(line)
			const int at = i * HLS_WIDTH;
			if (row > 0) {
				HLS_TRIP(HLS_STORE);
				hls_store_i8(line[i], factor, out, (hls_at)(row - 1) * ldo + at,
				             cols - at, ldo - at);
			}
			if (row < rows && i < steps) {
				float vector[HLS_WIDTH];
				HLS_TRIP(HLS_LOAD);
				hls_load(x, (hls_at)row * ldx + at, cols - at, vector);
				hls_measure(vector, i, most);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++)
					line[i][w] = vector[w];
			}
		}
		if (row < rows) {
			const float largest = hls_largest(most);
			factor = HLS_I8_FACTOR(largest);
			HLS_WRITE(4);
			scale[row] = largest / 127.0f;
		}
	}
}
