/* gemm.cl - C = act(A W^T * scale + bias) + residual, a block of C a work-item.
 *
 * A work-item computes TILE_R x TILE_P register tiles of C. Over K it goes in blocks of TILE_K: it
 * copies that block of its rows of A into private memory (rows of A lie a power of two apart and
 * would fight for the same cache sets), then for each panel of W it expands the block to f32 and
 * multiplies. The loops are BLIS's (Van Zee and van de Geijn, 2015), the innermost in registers.
 *
 * An element is one chain of fused multiply-adds in the order of k, whatever the tiles are, so its
 * bits depend on its row of A and of W alone. Rows past the end repeat the last one, columns past
 * the end multiply zeros or the last row of W; neither is stored. */
#include "contract.h"

#ifndef TILE_R
#define TILE_R 2 /* register tiles below each other in a work-item */
#endif
#ifndef TILE_P
#define TILE_P 8 /* panels beside each other in a work-item */
#endif
#ifndef TILE_K
#define TILE_K 128 /* depth of a block, a multiple of 16 */
#endif

#define GEMM_ROWS (TILE_M * TILE_R)

/* `depth` rows of a panel of W from element `start` on, to f32. */
static inline void gemm_expand_panel(__global const uchar *w, size_t start, int depth, int w_dtype,
                                     __private float *block)
{
	switch (w_dtype) {
	case OMT_F32:
		for (int i = 0; i < depth; i++)
			vstore16(vload16(i, (__global const float *)w + start), i, block);
		break;
	case OMT_BF16:
		for (int i = 0; i < depth; i++) {
			const ushort16 bits = vload16(i, (__global const ushort *)w + start);
			vstore16(as_float16(convert_uint16(bits) << 16), i, block);
		}
		break;
	case OMT_F16:
		for (int i = 0; i < depth; i++)
			vstore16(vload_half16(i, (__global const half *)w + start), i, block);
		break;
	default:
		for (int i = 0; i < depth; i++) {
			const char16 bytes = vload16(i, (__global const char *)w + start);
			vstore16(convert_float16(bytes), i, block);
		}
	}
}

/* The same from row-major W: rows n0 to n0 + TILE_N - 1, columns k0 to k0 + depth - 1. */
static inline void gemm_expand_rows(__global const uchar *w, int n0, int k0, int depth, int n,
                                    int ldw, int w_dtype, __private float *block)
{
	for (int i = 0; i < TILE_N; i++) {
		const size_t row = (size_t)min(n0 + i, n - 1) * ldw + k0;
		for (int j = 0; j < depth; j++)
			block[j * TILE_N + i] = storage_element(w, row + j, w_dtype);
	}
}

/* Rows m0 to m0 + GEMM_ROWS - 1 and columns k0 to k0 + depth - 1 of A. */
static inline void gemm_take_rows(__global const float *a, int m0, int k0, int depth, int m,
                                  int lda, __private float *block)
{
	for (int i = 0; i < GEMM_ROWS; i++) {
		__global const float *row = a + (size_t)min(m0 + i, m - 1) * lda + k0;
		for (int j = 0; j < depth; j += 16)
			vstore16(tile_load(row + j, depth - j), 0, block + i * TILE_K + j);
	}
}

static inline float16 gemm_activate(float16 x, int act)
{
	switch (act) {
	case OMT_ACT_SILU:
		return x / (1.0f + exp(-x));
	case OMT_ACT_GELU:
		return x * (1.0f + erf(x * M_SQRT1_2_F)) * 0.5f;
	default:
		return x;
	}
}

/* Global ids: (block of rows, block of panels). */
__kernel void gemm(OMT_ARGS(OMT_GEMM))
{
	__private float a_block[GEMM_ROWS * TILE_K];
	__private float w_block[TILE_K * TILE_N];
	__private float16 sum[TILE_P * GEMM_ROWS];
	const int m0 = get_global_id(0) * GEMM_ROWS, n0 = get_global_id(1) * (TILE_P * TILE_N);
	if (m0 >= m || n0 >= n)
		return;
	const int panels = min(TILE_P, (n - n0 + TILE_N - 1) / TILE_N);
	const int tiles = min(TILE_R, (m - m0 + TILE_M - 1) / TILE_M);

	for (int i = 0; i < TILE_P * GEMM_ROWS; i++)
		sum[i] = 0.0f;
	for (int k0 = 0; k0 < k; k0 += TILE_K) {
		const int depth = min(TILE_K, k - k0);
		gemm_take_rows(a, m0, k0, depth, m, lda, a_block);
		for (int p = 0; p < panels; p++) {
			const int row = n0 + p * TILE_N;
			if (w_panel == 1)
				gemm_expand_rows(w, row, k0, depth, n, ldw, w_dtype, w_block);
			else
				gemm_expand_panel(w, (size_t)row * k + (size_t)k0 * TILE_N, depth,
				                  w_dtype, w_block);
			for (int t = 0; t < tiles; t++)
				tile_multiply(a_block + t * TILE_M * TILE_K, TILE_K, w_block,
				              TILE_N, depth, sum + p * GEMM_ROWS + t * TILE_M, 1);
		}
	}

	for (int p = 0; p < panels; p++) {
		const int column = n0 + p * TILE_N, count = n - column;
		const bool scaled = flags & OMT_GEMM_SCALE, biased = flags & OMT_GEMM_BIAS;
		const float16 factor = scaled ? tile_load(scale + column, count) : 1.0f;
		const float16 offset = biased ? tile_load(bias + column, count) : 0.0f;
		for (int i = 0; i < min(GEMM_ROWS, m - m0); i++) {
			const size_t row = m0 + i;
			float16 x = sum[p * GEMM_ROWS + i];
			if (scaled)
				x *= factor;
			if (biased)
				x += offset;
			x = gemm_activate(x, act);
			if (flags & OMT_GEMM_RESIDUAL)
				x += tile_load(residual + row * ldr + column, count);
			tile_store(x, c + row * ldc + column, count);
		}
	}
}
