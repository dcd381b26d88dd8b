/* rmsnorm.cl - a row a work-item. Global id: row. */
#include "contract.h"

/* Sums of eight columns apart, added at the end: the order depends on cols alone. */
static inline float rmsnorm_squares(__global const float *x, int cols)
{
	float8 sums = 0.0f;
	int i = 0;
	for (; i + 8 <= cols; i += 8) {
		const float8 v = vload8(0, x + i);
		sums = fma(v, v, sums);
	}
	float4 four = sums.lo + sums.hi;
	float2 two = four.lo + four.hi;
	float sum = two.x + two.y;
	for (; i < cols; i++)
		sum = fma(x[i], x[i], sum);
	return sum;
}

static inline float rmsnorm_inverse(__global const float *x, int cols, float eps)
{
	return 1.0f / sqrt(rmsnorm_squares(x, cols) / (float)cols + eps);
}

__kernel OMT_ALONE void rmsnorm(OMT_ARGS(OMT_RMSNORM))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	__global float *to = out + (size_t)row * ldo;
	const float inverse = rmsnorm_inverse(from, cols, eps);
	for (int i = 0; i < cols; i++)
		to[i] = from[i] * inverse * weight[i];
}
