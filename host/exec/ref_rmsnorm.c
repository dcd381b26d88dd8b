#include "exec/ref.h"
#include "exec/ref_norm.h"

void ref_rmsnorm(OMT_REF_ARGS(OMT_RMSNORM))
{
	for (int32_t row = 0; row < rows; row++) {
		const float *from = x + (size_t)row * (size_t)ldx;
		float *to = out + (size_t)row * (size_t)ldo;
		float inverse = ref_inverse(from, 0, cols, eps);
		for (int32_t i = 0; i < cols; i++)
			to[i] = from[i] * inverse * weight[i];
	}
}
