/* layernorm_hls.c - out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, row by row;
 * layernorm_i8: to int8 with a scale a row, as quantize would write it.
 *
 * Weights and biases are read once. While a row is read into on-chip memory and added up in
 * HLS_PARTIALS sums of HLS_WIDTH lanes, the row before it is written: a step of both takes a vector
 * from the memory and puts the next row's in its place. A pass over the memory between the two adds
 * up the squares of what differs from the mean; to int8, a second one normalises the row and finds
 * its largest value. Rows of HLS_COLS elements at most.
 *   II 1, of weights and biases 2; with steps = ceil(cols / WIDTH): 2 x steps (these) + (rows + 1)
 * x steps (load and store at once) + rows x (2 x PARTIALS + steps) (compute) cycles. layernorm_i8:
 * (rows + 1) x ceil(ldo / WIDTH) and rows x (2 x PARTIALS + 2 x steps). Memory: 3 x COLS x 32 bits.
 */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_COLS
#define HLS_COLS 8192
#endif
#include "portable.h"

#define STEPS (HLS_COLS / HLS_WIDTH)

/* The sum of squares of what differs from the mean. */
static inline float squares(float line[STEPS][HLS_WIDTH], int steps, int cols, float mean)
{
	float partial[HLS_PARTIALS][HLS_WIDTH];
	HLS_PARTITION(partial, 2)
	HLS_NO_CONFLICT
	for (int i = 0; i < steps; i++) {
		HLS_PIPELINE
		HLS_APART(partial, HLS_PARTIALS)
		HLS_TRIP(HLS_COMPUTE);
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++) {
			const float off = i * HLS_WIDTH + w < cols ? line[i][w] - mean : 0;
			HLS_ADD(partial, i, w, off * off);
		}
	}
	return hls_sum(partial, steps);
}

/* Vector i, normalised. */
static inline void scaled(float line[STEPS][HLS_WIDTH], float weights[STEPS][HLS_WIDTH],
                          float biases[STEPS][HLS_WIDTH], int i, float mean, float inverse,
                          float to[HLS_WIDTH])
{
	HLS_INLINE
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++)
		to[w] = (line[i][w] - mean) * inverse * weights[i][w] + biases[i][w];
}

#ifdef HLS_OP_layernorm_i8
/* The row in memory, normalised in place; returns its largest value. */
static inline float normalise(float line[STEPS][HLS_WIDTH], float weights[STEPS][HLS_WIDTH],
                              float biases[STEPS][HLS_WIDTH], int steps, float mean, float inverse)
{
	hls_u32 most[HLS_WIDTH] = {0};
	HLS_PARTITION(most, 0)
	HLS_NO_CONFLICT
	for (int i = 0; i < steps; i++) {
		HLS_PIPELINE
		HLS_INDEPENDENT(line)
		HLS_TRIP(HLS_COMPUTE);
		float vector[HLS_WIDTH];
		scaled(line, weights, biases, i, mean, inverse, vector);
		hls_measure(vector, i, most);
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			line[i][w] = vector[w];
	}
	return hls_largest(most);
}

HLS_KERNEL(layernorm_i8, OMT_LAYERNORM_I8)
{
	HLS_PORTS(OMT_LAYERNORM_I8)
	const int out_steps = HLS_DIVIDED(ldo, HLS_WIDTH);
	float factor = 0;
#else /* HLS_OP_layernorm */
HLS_KERNEL(layernorm, OMT_LAYERNORM)
{
	HLS_PORTS(OMT_LAYERNORM)
	const int out_steps = HLS_DIVIDED(cols, HLS_WIDTH);
#endif
	float line[STEPS][HLS_WIDTH], weights[STEPS][HLS_WIDTH], biases[STEPS][HLS_WIDTH];
	float partial[HLS_PARTIALS][HLS_WIDTH], mean = 0, inverse = 0;
	HLS_PARTITION(line, 2)
	HLS_PARTITION(weights, 2)
	HLS_PARTITION(biases, 2)
	HLS_PARTITION(partial, 2)
	const int steps = HLS_DIVIDED(cols, HLS_WIDTH);
	for (int i = 0; i < steps; i++) {
		HLS_PIPELINE_EVERY(2)
		HLS_TRIP(HLS_LOAD);
		hls_load(weight, i * HLS_WIDTH, cols - i * HLS_WIDTH, weights[i]);
		hls_load(bias, i * HLS_WIDTH, cols - i * HLS_WIDTH, biases[i]);
	}
	for (int row = 0; row <= rows; row++) {
		HLS_NO_CONFLICT
		for (int i = 0; i < out_steps; i++) {
			HLS_PIPELINE
			HLS_INDEPENDENT(line)
			HLS_APART(partial, HLS_PARTIALS)
			const int at = i * HLS_WIDTH;
			const hls_at to = (hls_at)(row - 1) * ldo + at;
			float vector[HLS_WIDTH];
			if (row > 0) {
				HLS_TRIP(HLS_STORE);
#ifdef HLS_OP_layernorm_i8
				hls_store_i8(line[i], factor, out, to, cols - at, ldo - at);
#else
				scaled(line, weights, biases, i, mean, inverse, vector);
				hls_store(vector, out, to, cols - at);
#endif
			}
			if (row < rows && i < steps) {
				HLS_TRIP(HLS_LOAD);
				hls_load(x, (hls_at)row * ldx + at, cols - at, vector);
				HLS_UNROLL
				for (int w = 0; w < HLS_WIDTH; w++) {
					line[i][w] = vector[w];
					HLS_ADD(partial, i, w, vector[w]);
				}
			}
		}
		if (row < rows) {
			mean = hls_sum(partial, steps) / (float)cols;
			inverse = hls_rsqrtf(squares(line, steps, cols, mean) / (float)cols + eps);
#ifdef HLS_OP_layernorm_i8
			const float most = normalise(line, weights, biases, steps, mean, inverse);
			factor = HLS_I8_FACTOR(most);
			HLS_WRITE(4);
			scale[row] = most / 127.0f;
#endif
		}
	}
}
