/* quantize.cl - a row a work-item, after a norm for rmsnorm_i8 and layernorm_i8. Global id: row. */
#include "contract.h"

/* The values of columns i to i + 15 that become int8: as they are, or normalised as rmsnorm (no
 * bias) and layernorm do. Lanes past `cols` are zero. */
static inline float16 quantize_value(__global const float *x, float mean, float inverse,
                                     __global const float *weight, __global const float *bias,
                                     int i, int cols)
{
	float16 value = tile_load(x + i, cols - i);
	if (weight)
		value = (value - mean) * inverse * tile_load(weight + i, cols - i);
	if (bias)
		value += tile_load(bias + i, cols - i);
	return value;
}

static inline void quantize_row(__global const float *x, float mean, float inverse,
                                __global const float *weight, __global const float *bias, int cols,
                                int ldo, __global uchar *out, __global float *scale)
{
	float16 lanes = 0.0f;
	for (int i = 0; i < cols; i += TILE_N)
		lanes = fmax(lanes, fabs(quantize_value(x, mean, inverse, weight, bias, i, cols)));
	const float most = tile_max(lanes), factor = most > 0.0f ? 127.0f / most : 0.0f;
	for (int i = 0; i < ldo; i += TILE_N) {
		const float16 value = quantize_value(x, mean, inverse, weight, bias, i, cols);
		/* Not rint(): Intel's compiler 2025.0 aborts on it for AVX-512. */
		const uchar16 bytes = as_uchar16(convert_char16(convert_int16_rte(value * factor)));
		if (ldo - i >= TILE_N) {
			vstore16(bytes, 0, out + i);
		} else {
			uchar rest[TILE_N];
			vstore16(bytes, 0, rest);
			for (int j = 0; j < ldo - i; j++)
				out[i + j] = rest[j];
		}
	}
	*scale = most / 127.0f;
}

__kernel OMT_ALONE void quantize(OMT_ARGS(OMT_QUANTIZE))
{
	const int row = get_global_id(0);
	if (row < rows)
		quantize_row(x + (size_t)row * ldx, 0.0f, 1.0f, 0, 0, cols, ldo,
		             out + (size_t)row * ldo, scale + row);
}
