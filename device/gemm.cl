/* gemm.cl - C = act(A W^T * scale + bias) + residual, a block of C a work-item.
 *
 * A work-item computes ROWS x COLS elements of C. Over K it goes in blocks of TILE_K: it copies
 * that block of its rows of A into private memory (rows of A lie a power of two apart and would
 * fight for the same cache sets), then for each panel of W it expands the block to f32 and
 * multiplies, a register tile of TILE_M rows x TILE_N columns at a time. The loops are BLIS's
 * (Van Zee and van de Geijn, 2015), with the innermost two in registers.
 *
 * An element is one chain of fused multiply-adds in the order of k, whatever the tiles are, so its
 * bits depend on its row of A and of W alone. Rows past the end repeat the last one, columns past
 * the end multiply zeros or the last row of W; neither is stored. */
#include "contract.h"

#ifndef TILE_M
#define TILE_M 12 /* rows of a register tile */
#endif
#ifndef TILE_R
#define TILE_R 2 /* register tiles below each other in a work-item */
#endif
#ifndef TILE_N
#define TILE_N 16 /* columns of a register tile, rows of a panel: 16 or 32 */
#endif
#ifndef TILE_P
#define TILE_P 8 /* panels beside each other in a work-item */
#endif
#ifndef TILE_K
#define TILE_K 128 /* depth of a block, a multiple of 16 */
#endif

#define GEMM_ROWS (TILE_M * TILE_R)
#define GEMM_VECTORS (TILE_N / 16)

/* depth x TILE_N elements of W that lie one after another, to f32. */
inline void gemm_expand_panel(__global const uchar *w, size_t start, int depth, int w_dtype,
                              __private float *block)
{
	const int count = depth * GEMM_VECTORS;
	switch (w_dtype) {
	case OMT_F32:
		for (int i = 0; i < count; i++)
			vstore16(vload16(i, (__global const float *)w + start), i, block);
		break;
	case OMT_BF16:
		for (int i = 0; i < count; i++) {
			const ushort16 bits = vload16(i, (__global const ushort *)w + start);
			vstore16(as_float16(convert_uint16(bits) << 16), i, block);
		}
		break;
	case OMT_F16:
		for (int i = 0; i < count; i++)
			vstore16(vload_half16(i, (__global const half *)w + start), i, block);
		break;
	default:
		for (int i = 0; i < count; i++) {
			const char16 bytes = vload16(i, (__global const char *)w + start);
			vstore16(convert_float16(bytes), i, block);
		}
	}
}

/* The same from row-major W: rows n0 to n0 + TILE_N - 1, columns k0 to k0 + depth - 1. */
inline void gemm_expand_rows(__global const uchar *w, int n0, int k0, int depth, int n, int ldw,
                             int w_dtype, __private float *block)
{
	for (int i = 0; i < TILE_N; i++) {
		const size_t row = (size_t)min(n0 + i, n - 1) * ldw + k0;
		for (int j = 0; j < depth; j++)
			block[j * TILE_N + i] = storage_element(w, row + j, w_dtype);
	}
}

/* Rows m0 to m0 + GEMM_ROWS - 1 and columns k0 to k0 + depth - 1 of A. */
inline void gemm_take_rows(__global const float *a, int m0, int k0, int depth, int m, int lda,
                           __private float *block)
{
	for (int i = 0; i < GEMM_ROWS; i++) {
		__global const float *row = a + (size_t)min(m0 + i, m - 1) * lda + k0;
		int j = 0;
		for (; j + 16 <= depth; j += 16)
			vstore16(vload16(0, row + j), 0, block + i * TILE_K + j);
		for (; j < depth; j++)
			block[i * TILE_K + j] = row[j];
	}
}

/* sum[TILE_M x TILE_N] += a[TILE_M, depth] * w[depth, TILE_N] */
inline void gemm_multiply(__private const float *a, __private const float *w, int depth,
                          __private float16 *sum)
{
	float16 tile[TILE_M * GEMM_VECTORS];
#pragma unroll
	for (int i = 0; i < TILE_M * GEMM_VECTORS; i++)
		tile[i] = sum[i];
	for (int j = 0; j < depth; j++) {
#pragma unroll
		for (int v = 0; v < GEMM_VECTORS; v++) {
			const float16 column = vload16(j * GEMM_VECTORS + v, w);
#pragma unroll
			for (int i = 0; i < TILE_M; i++) {
				__private float16 *t = tile + i * GEMM_VECTORS + v;
				*t = fma((float16)a[i * TILE_K + j], column, *t);
			}
		}
	}
#pragma unroll
	for (int i = 0; i < TILE_M * GEMM_VECTORS; i++)
		sum[i] = tile[i];
}

inline float gemm_activate(float x, int act)
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
	__private float16 sum[TILE_P * GEMM_ROWS * GEMM_VECTORS];
	const int m0 = get_global_id(0) * GEMM_ROWS, n0 = get_global_id(1) * (TILE_P * TILE_N);
	if (m0 >= m || n0 >= n)
		return;
	const int panels = min(TILE_P, (n - n0 + TILE_N - 1) / TILE_N);
	const int tiles = min(TILE_R, (m - m0 + TILE_M - 1) / TILE_M);

	for (int i = 0; i < TILE_P * GEMM_ROWS * GEMM_VECTORS; i++)
		sum[i] = 0.0f;
	for (int k0 = 0; k0 < k; k0 += TILE_K) {
		const int depth = min(TILE_K, k - k0);
		gemm_take_rows(a, m0, k0, depth, m, lda, a_block);
		for (int p = 0; p < panels; p++) {
			const int row = n0 + p * TILE_N;
			if (w_panel == 1)
				gemm_expand_rows(w, row, k0, depth, n, ldw, w_dtype, w_block);
			else
				gemm_expand_panel(w, (size_t)row * k + k0 * TILE_N, depth, w_dtype,
				                  w_block);
			for (int t = 0; t < tiles; t++)
				gemm_multiply(a_block + t * TILE_M * TILE_K, w_block, depth,
				              sum + (p * TILE_R + t) * TILE_M * GEMM_VECTORS);
		}
	}

	for (int i = 0; i < min(GEMM_ROWS, m - m0); i++) {
		const size_t row = m0 + i;
		for (int j = 0; j < min(TILE_P * TILE_N, n - n0); j++) {
			const int column = n0 + j;
			const int tile = j / TILE_N * GEMM_ROWS + i;
			float x = ((__private const float *)sum)[tile * TILE_N + j % TILE_N];
			if (flags & OMT_GEMM_SCALE)
				x *= scale[column];
			if (flags & OMT_GEMM_BIAS)
				x += bias[column];
			x = gemm_activate(x, act);
			if (flags & OMT_GEMM_RESIDUAL)
				x += residual[row * ldr + column];
			c[row * ldc + column] = x;
		}
	}
}
