#include "exec/ref.h"
#include "exec/ref_activate.h"

/* Where element (row, i) of the weights lies. */
static size_t place(int32_t row, int32_t i, int32_t k, int32_t panel)
{
	const size_t depth = ((size_t)k + 3) / 4 * 4, rows = (size_t)panel;
	return (size_t)(row / panel) * depth * rows + (size_t)(i / 4) * 4 * rows +
	       (size_t)(row % panel) * 4 + (size_t)(i % 4);
}

void ref_gemm_i8(OMT_REF_ARGS(OMT_GEMM_I8))
{
	for (int32_t row = 0; row < m; row++)
		for (int32_t col = 0; col < n; col++) {
			int32_t dot = 0;
			for (int32_t i = 0; i < k; i++)
				dot += (int8_t)a[(size_t)row * (size_t)lda + (size_t)i] *
				       (int8_t)w[place(col, i, k, w_panel)];
			float sum = (float)dot * (a_scale[row] * scale[col]);
			if (flags & OMT_GEMM_BIAS)
				sum += bias[col];
			sum = ref_activate(sum, act);
			const size_t at = (size_t)row * (size_t)ldr + (size_t)col;
			if (flags & OMT_GEMM_PRODUCT)
				sum *= residual[at];
			else if (flags & OMT_GEMM_RESIDUAL)
				sum += residual[at];
			c[(size_t)row * (size_t)ldc + (size_t)col] = sum;
		}
}
