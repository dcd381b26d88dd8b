#include "exec/ref.h"
#include "exec/ref_norm.h"

void ref_layernorm_i8(OMT_REF_ARGS(OMT_LAYERNORM_I8))
{
	for (int32_t row = 0; row < rows; row++) {
		const float *from = x + (size_t)row * (size_t)ldx;
		uint8_t *to = out + (size_t)row * (size_t)ldo;
		const float mean = ref_mean(from, cols);
		const float inverse = ref_inverse(from, mean, cols, eps);
		float most = 0;
		for (int32_t i = 0; i < cols; i++)
			most = fmaxf(most, fabsf((from[i] - mean) * inverse * weight[i] + bias[i]));
		const float factor = ref_i8_factor(most);
		for (int32_t i = 0; i < ldo; i++)
			to[i] = i < cols ? ref_i8((from[i] - mean) * inverse * weight[i] + bias[i],
			                          factor)
			                 : 0;
		scale[row] = most / 127.0f;
	}
}
