#include "exec/ref.h"
#include "exec/ref_activate.h"
#include "exec/storage.h"

void ref_gemm_bf16(OMT_REF_ARGS(OMT_GEMM_BF16))
{
	residual += n_first;
	bias += n_first;
	c += n_first;
	for (int32_t row = 0; row < m; row++)
		for (int32_t col = 0; col < n; col++) {
			const float *x = a + (size_t)row * (size_t)lda;
			float sum = 0;
			for (int32_t i = 0; i < k; i++)
				sum += omt_f32_from_bf16(omt_bf16_from_f32(x[i])) *
				       omt_dtype_load(
					       w, OMT_BF16,
					       omt_packed_at(col, i, k, w_panel, OMT_BF16X2));
			c[(size_t)row * (size_t)ldc + (size_t)col] =
				ref_finish(sum, act, flags, bias + col,
			                   residual + (size_t)row * (size_t)ldr + col);
		}
}
