/* rmsnorm_i8.cl - a row a work-item. Global id: row. Uses rmsnorm.cl and quantize.cl. */
#include "contract.h"

__kernel OMT_ALONE void rmsnorm_i8(OMT_ARGS(OMT_RMSNORM_I8))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	quantize_row(from, 0.0f, rmsnorm_inverse(from, cols, eps), weight, 0, cols, ldo,
	             out + (size_t)row * ldo, scale + row);
}
