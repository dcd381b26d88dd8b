/* quantize.cl - a row a work-item. Global id: row. */
#include "contract.h"

__kernel void quantize(OMT_ARGS(OMT_QUANTIZE))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	__global uchar *to = out + (size_t)row * ldo;
	float16 lanes = 0.0f;
	int i = 0;
	for (; i + TILE_N <= cols; i += TILE_N)
		lanes = fmax(lanes, fabs(vload16(0, from + i)));
	lanes = fmax(lanes, fabs(tile_load(from + i, cols - i)));
	const float most = tile_max(lanes), inverse = most > 0.0f ? 127.0f / most : 0.0f;
	/* Not rint(): Intel's compiler 2025.0 aborts on it for AVX-512. */
	for (i = 0; i + TILE_N <= cols; i += TILE_N)
		vstore16(convert_char16(convert_int16_rte(vload16(0, from + i) * inverse)), 0,
		         (__global char *)to + i);
	for (; i < ldo; i++)
		to[i] = i < cols ? as_uchar(convert_char(convert_int_rte(from[i] * inverse))) : 0;
	scale[row] = most / 127.0f;
}
