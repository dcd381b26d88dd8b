#include "exec/ref.h"
#include "exec/ref_activate.h"
#include "exec/storage.h"

void ref_gemm(OMT_REF_ARGS(OMT_GEMM))
{
	residual += n_first;
	scale += n_first;
	bias += n_first;
	c += n_first;
	for (int32_t row = 0; row < m; row++) {
		const float *x = a + (size_t)row * (size_t)lda;
		for (int32_t col = 0; col < n; col++) {
			/* Where row `col` of W begins and how far its elements are apart. */
			const size_t at = w_panel > 1 ? omt_packed_at(col, 0, k, w_panel, w_dtype)
			                              : (size_t)col * (size_t)ldw;
			const size_t step = w_panel > 1 ? (size_t)w_panel : 1;
			float sum = 0;
			for (int32_t i = 0; i < k; i++)
				sum += x[i] * omt_dtype_load(w, w_dtype, at + (size_t)i * step);
			if (flags & OMT_GEMM_SCALE)
				sum *= scale[col];
			c[(size_t)row * (size_t)ldc + (size_t)col] =
				ref_finish(sum, act, flags, bias + col,
			                   residual + (size_t)row * (size_t)ldr + col);
		}
	}
}
