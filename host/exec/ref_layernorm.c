#include <math.h>

#include "exec/ref.h"

void ref_layernorm(OMT_REF_ARGS(OMT_LAYERNORM))
{
	for (int32_t row = 0; row < rows; row++) {
		const float *from = x + (size_t)row * (size_t)ldx;
		float *to = out + (size_t)row * (size_t)ldo, sum = 0, squares = 0;
		for (int32_t i = 0; i < cols; i++)
			sum += from[i];
		float mean = sum / (float)cols;
		for (int32_t i = 0; i < cols; i++)
			squares += (from[i] - mean) * (from[i] - mean);
		float inverse = 1.0f / sqrtf(squares / (float)cols + eps);
		for (int32_t i = 0; i < cols; i++)
			to[i] = (from[i] - mean) * inverse * weight[i] + bias[i];
	}
}
