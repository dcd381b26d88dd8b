/* C = A W^T + bias:     dA = dZ W,    dW = dZ^T A,    dbias_j = sum_i dZ_ij */
#include <cblas.h>

#include "exec/storage.h"
#include "train/grad.h"

/* Frozen weights are expanded to f32 a block at a time, on the stack. */
#define BLOCK_N 64
#define BLOCK_K 512

/* w[rows, cols] from element `at` on, rows of ldw, to to[rows][BLOCK_K]. */
static void expand(const uint8_t *w, int32_t w_dtype, size_t at, int32_t ldw, int32_t rows,
                   int32_t cols, float *to)
{
	for (int32_t row = 0; row < rows; row++, at += (size_t)ldw, to += BLOCK_K)
		if (w_dtype == OMT_BF16)
			for (int32_t i = 0; i < cols; i++)
				to[i] = omt_dtype_load(w, OMT_BF16, at + (size_t)i);
		else
			for (int32_t i = 0; i < cols; i++)
				to[i] = omt_dtype_load(w, w_dtype, at + (size_t)i);
}

/* da[m, k] += dz[m, n] w[n, k] */
static void input_of_frozen(const void *w, int32_t ldw, int32_t w_dtype, const float *dz,
                            int32_t lddz, float *da, int32_t ldda, int32_t m, int32_t n, int32_t k)
{
	float expanded[BLOCK_N * BLOCK_K];
	for (int32_t col = 0; col < k; col += BLOCK_K)
		for (int32_t row = 0; row < n; row += BLOCK_N) {
			const int32_t cols = k - col < BLOCK_K ? k - col : BLOCK_K;
			const int32_t rows = n - row < BLOCK_N ? n - row : BLOCK_N;
			expand(w, w_dtype, (size_t)row * (size_t)ldw + (size_t)col, ldw, rows, cols,
			       expanded);
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, cols, rows, 1.0f,
			            dz + row, lddz, expanded, BLOCK_K, 1.0f, da + col, ldda);
		}
}

void grad_gemm(const float *a, int32_t lda, const void *w, int32_t ldw, int32_t w_dtype,
               const float *dz, int32_t lddz, float *da, int32_t ldda, float *dw, int32_t lddw,
               float *dbias, int32_t m, int32_t n, int32_t k)
{
	if (da && w_dtype == OMT_F32)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1.0f, dz, lddz, w,
		            ldw, 1.0f, da, ldda);
	else if (da)
		input_of_frozen(w, ldw, w_dtype, dz, lddz, da, ldda, m, n, k);
	if (dw)
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1.0f, dz, lddz, a,
		            lda, 1.0f, dw, lddw);
	for (int32_t row = 0; dbias && row < m; row++, dz += lddz)
		for (int32_t i = 0; i < n; i++)
			dbias[i] += dz[i];
}
