/* layernorm.cl - a row a work-item, mean first, then the squares around it. Global id: row. */
#include "contract.h"

__kernel void layernorm(OMT_ARGS(OMT_LAYERNORM))
{
	const int row = get_global_id(0);
	if (row >= rows)
		return;
	__global const float *from = x + (size_t)row * ldx;
	__global float *to = out + (size_t)row * ldo;
	float sum = 0.0f, squares = 0.0f;
	for (int i = 0; i < cols; i++)
		sum += from[i];
	const float mean = sum / (float)cols;
	for (int i = 0; i < cols; i++)
		squares = fma(from[i] - mean, from[i] - mean, squares);
	const float inverse = 1.0f / sqrt(squares / (float)cols + eps);
	for (int i = 0; i < cols; i++)
		to[i] = (from[i] - mean) * inverse * weight[i] + bias[i];
}
