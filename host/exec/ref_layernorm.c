#include "exec/ref.h"
#include "exec/ref_norm.h"

void ref_layernorm(OMT_REF_ARGS(OMT_LAYERNORM))
{
	for (int32_t row = 0; row < rows; row++) {
		const float *from = x + (size_t)row * (size_t)ldx;
		float *to = out + (size_t)row * (size_t)ldo;
		float mean = ref_mean(from, cols), inverse = ref_inverse(from, mean, cols, eps);
		for (int32_t i = 0; i < cols; i++)
			to[i] = (from[i] - mean) * inverse * weight[i] + bias[i];
	}
}
