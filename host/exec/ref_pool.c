#include "exec/ref.h"

void ref_pool(OMT_REF_ARGS(OMT_POOL))
{
	for (int32_t s = 0; s < sequences; s++) {
		int32_t begin = cu_seqlens[s], end = cu_seqlens[s + 1];
		if (mode == OMT_POOL_LAST)
			begin = end - 1;
		else if (mode == OMT_POOL_CLS)
			end = begin + 1;
		for (int32_t i = 0; i < cols; i++) {
			float sum = 0;
			for (int32_t row = begin; row < end; row++)
				sum += x[(size_t)row * (size_t)ldx + (size_t)i];
			out[(size_t)s * (size_t)ldo + (size_t)i] = sum / (float)(end - begin);
		}
	}
}
