#include "exec/ref.h"
#include "exec/ref_activate.h"
#include "exec/storage.h"

void ref_gemm(OMT_REF_ARGS(OMT_GEMM))
{
	for (int32_t row = 0; row < m; row++) {
		const float *x = a + (size_t)row * (size_t)lda;
		for (int32_t col = 0; col < n; col++) {
			/* Where row `col` of W begins and how far its elements are apart. */
			size_t at = (size_t)col * (size_t)ldw, step = 1;
			if (w_panel > 1) {
				at = (size_t)(col / w_panel) * (size_t)k * (size_t)w_panel +
				     (size_t)(col % w_panel);
				step = (size_t)w_panel;
			}
			float sum = 0;
			for (int32_t i = 0; i < k; i++, at += step)
				sum += x[i] * omt_dtype_load(w, w_dtype, at);
			if (flags & OMT_GEMM_SCALE)
				sum *= scale[col];
			if (flags & OMT_GEMM_BIAS)
				sum += bias[col];
			sum = ref_activate(sum, act);
			if (flags & OMT_GEMM_PRODUCT)
				sum *= residual[(size_t)row * (size_t)ldr + (size_t)col];
			else if (flags & OMT_GEMM_RESIDUAL)
				sum += residual[(size_t)row * (size_t)ldr + (size_t)col];
			c[(size_t)row * (size_t)ldc + (size_t)col] = sum;
		}
	}
}
