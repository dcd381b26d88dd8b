/* layernorm_i8.cl - a row a work-item. Global id: row. Uses layernorm.cl and quantize.cl. */
#include "contract.h"

__kernel OMT_ALONE void layernorm_i8(OMT_ARGS(OMT_LAYERNORM_I8))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	const float mean = layernorm_mean(from, cols);
	quantize_row(from, mean, layernorm_inverse(from, mean, cols, eps), weight, bias, cols, ldo,
	             out + (size_t)row * ldo, scale + row);
}
