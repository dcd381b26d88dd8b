/* l2norm.cl - a row a work-item. Global id: row. Uses rmsnorm.cl's sum. */
#include "contract.h"

__kernel OMT_ALONE void l2norm(OMT_ARGS(OMT_L2NORM))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	__global float *to = out + (size_t)row * ldo;
	const float length = fmax(sqrt(rmsnorm_squares(from, cols)), eps);
	for (int i = 0; i < cols; i++)
		to[i] = from[i] / length;
}
