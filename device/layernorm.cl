/* layernorm.cl - a row a work-item, mean first, then the squares around it. Global id: row. */
#include "contract.h"

/* Sums go in eight columns at a time, as in rmsnorm.cl: their order depends on cols alone. */
static inline float layernorm_mean(__global const float *x, int cols)
{
	float8 sums = 0.0f;
	int i = 0;
	for (; i + 8 <= cols; i += 8)
		sums += vload8(0, x + i);
	const float4 four = sums.lo + sums.hi;
	const float2 two = four.lo + four.hi;
	float sum = two.x + two.y;
	for (; i < cols; i++)
		sum += x[i];
	return sum / (float)cols;
}

static inline float layernorm_inverse(__global const float *x, float mean, int cols, float eps)
{
	float8 sums = 0.0f;
	int i = 0;
	for (; i + 8 <= cols; i += 8) {
		const float8 v = vload8(0, x + i) - mean;
		sums = fma(v, v, sums);
	}
	const float4 four = sums.lo + sums.hi;
	const float2 two = four.lo + four.hi;
	float sum = two.x + two.y;
	for (; i < cols; i++)
		sum = fma(x[i] - mean, x[i] - mean, sum);
	return 1.0f / sqrt(sum / (float)cols + eps);
}

__kernel OMT_ALONE void layernorm(OMT_ARGS(OMT_LAYERNORM))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	__global float *to = out + (size_t)row * ldo;
	const float mean = layernorm_mean(from, cols);
	const float inverse = layernorm_inverse(from, mean, cols, eps);
	for (int i = 0; i < cols; i++)
		to[i] = (from[i] - mean) * inverse * weight[i] + bias[i];
}
