/* l2norm_hls.c - out = x / max(|x|, eps), row by row.
 *
 * A row is read once into on-chip memory while its squares are summed in HLS_PARTIALS sums of
 * HLS_WIDTH lanes each, then written back. Rows of HLS_COLS elements at most.
 *   II 1; with steps = ceil(cols / WIDTH), a row takes steps (load) + PARTIALS (compute) + steps
 *   (store) cycles; memory: COLS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 16384
#endif
#include "portable.h"

#define STEPS (HLS_COLS / HLS_WIDTH)

HLS_KERNEL(l2norm, OMT_L2NORM)
{
	HLS_PORTS(OMT_L2NORM)
	float line[STEPS][HLS_WIDTH], partial[HLS_PARTIALS][HLS_WIDTH];
	HLS_PARTITION(line, 2)
	HLS_PARTITION(partial, 2)
	const int steps = HLS_DIVIDED(cols, HLS_WIDTH);
	for (int row = 0; row < rows; row++) {
		for (int i = 0; i < HLS_PARTIALS; i++) {
			HLS_PIPELINE
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++)
				partial[i][w] = 0;
		}
		HLS_NO_CONFLICT
		for (int i = 0; i < steps; i++) {
			HLS_PIPELINE
			HLS_INDEPENDENT(partial)
			HLS_TRIP(HLS_LOAD);
			HLS_READ(4 * HLS_MIN(HLS_WIDTH, cols - i * HLS_WIDTH));
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++) {
				const int at = i * HLS_WIDTH + w;
				const float value = at < cols ? x[(hls_at)row * ldx + at] : 0;
				line[i][w] = value;
				partial[i % HLS_PARTIALS][w] += value * value;
			}
		}
		float sum = 0;
		for (int i = 0; i < HLS_PARTIALS; i++) {
			HLS_PIPELINE
			HLS_TRIP(HLS_COMPUTE);
			float lanes = 0;
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++)
				lanes += partial[i][w];
			sum += lanes;
		}
		const float length = HLS_MAX(hls_sqrtf(sum), eps);
		HLS_NO_CONFLICT
		for (int i = 0; i < steps; i++) {
			HLS_PIPELINE
			HLS_TRIP(HLS_STORE);
			HLS_WRITE(4 * HLS_MIN(HLS_WIDTH, cols - i * HLS_WIDTH));
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++) {
				const int at = i * HLS_WIDTH + w;
				if (at < cols)
					out[(hls_at)row * ldo + at] = line[i][w] / length;
			}
		}
	}
}
