#include "exec/ref.h"
#include "exec/ref_activate.h"
#include "exec/storage.h"

void ref_gemm_i8(OMT_REF_ARGS(OMT_GEMM_I8))
{
	residual += n_first;
	scale += n_first;
	bias += n_first;
	c += n_first;
	for (int32_t row = 0; row < m; row++)
		for (int32_t col = 0; col < n; col++) {
			int32_t dot = 0;
			for (int32_t i = 0; i < k; i++)
				dot += (int8_t)a[(size_t)row * (size_t)lda + (size_t)i] *
				       (w[omt_packed_at(col, i, k, w_panel, OMT_I8X4)] - 128);
			float sum = (float)dot * (a_scale[row] * scale[col]);
			c[(size_t)row * (size_t)ldc + (size_t)col] =
				ref_finish(sum, act, flags, bias + col,
			                   residual + (size_t)row * (size_t)ldr + col);
		}
}
