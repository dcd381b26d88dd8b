/* gemm.cl - C = act(A W^T * scale + bias) + residual, a block of C a work-item.
 *
 * A work-item computes TILE_R register tiles of C times at most TILE_P panels: as many as the
 * launch gives it, fewer where there would be too few work-items. Over K it goes in blocks of
 * TILE_K: it copies that block of its rows of A into private memory (rows of A lie a power of two
 * apart and would fight for the same cache sets), then for each panel of W it expands the block to
 * f32 and multiplies, asking for the next ones meanwhile. The loops are BLIS's (Van Zee and van de
 * Geijn, 2015), the innermost in registers. With at most GEMM_FEW rows (a query) memory bounds it:
 * then nothing is copied, W goes from memory to registers, panels side by side.
 *
 * An element is one chain of fused multiply-adds in the order of k, whatever the tiles are, so its
 * bits depend on its row of A and of W alone. Rows past the end repeat the last one, columns past
 * the end multiply zeros or the last row of W; neither is stored. */
#include "contract.h"

#ifndef TILE_W
#define TILE_W 2 /* panels of a register tile: 1 or 2 */
#endif
#ifndef TILE_R
#define TILE_R 8 /* register tiles below each other in a work-item */
#endif
#ifndef TILE_P
#define TILE_P 8 /* panels beside each other in a work-item, a multiple of TILE_W */
#endif
#ifndef TILE_K
#define TILE_K 128 /* depth of a block, a multiple of 16 */
#endif

#ifndef GEMM_FEW
#define GEMM_FEW 4 /* rows at most that are memory's business */
#endif
#define GEMM_ABREAST 4 /* panels side by side then: chains enough to hide their latency */
#define GEMM_ROWS (TILE_M * TILE_R)
#define GEMM_STRIDE (TILE_K + 16) /* of rows of A: no power of two */

/* 16 elements of a panel of W to f32. */
static inline float16 gemm_lanes(__global const uchar *w, size_t at, int w_dtype)
{
	switch (w_dtype) {
	case OMT_F32:
		return vload16(0, (__global const float *)w + at);
	case OMT_BF16:
		return as_float16(convert_uint16(vload16(0, (__global const ushort *)w + at))
		                  << 16);
	case OMT_F16:
		return vload_half16(0, (__global const half *)w + at);
	default:
		return convert_float16(vload16(0, (__global const char *)w + at));
	}
}

/* `depth` rows of a panel of W from element `start` on, to f32. */
static inline void gemm_expand_panel(__global const uchar *w, size_t start, int depth, int w_dtype,
                                     __private float16 *block)
{
	for (int i = 0; i < depth; i++)
		block[i] = gemm_lanes(w, start + (size_t)i * TILE_N, w_dtype);
}

/* The same from row-major W: rows n0 to n0 + TILE_N - 1, columns k0 to k0 + depth - 1. */
static inline void gemm_expand_rows(__global const uchar *w, int n0, int k0, int depth, int n,
                                    int ldw, int w_dtype, __private float16 *block)
{
	__private float *to = (__private float *)block;
	for (int i = 0; i < TILE_N; i++) {
		const size_t row = (size_t)min(n0 + i, n - 1) * ldw + k0;
		for (int j = 0; j < depth; j++)
			to[j * TILE_N + i] = storage_element(w, row + j, w_dtype);
	}
}

/* Rows m0 to m0 + rows - 1 and columns k0 to k0 + depth - 1 of A. */
static inline void gemm_take_rows(__global const float *a, int m0, int rows, int k0, int depth,
                                  int m, int lda, __private float16 *block)
{
	for (int i = 0; i < rows; i++) {
		__global const float *row = a + (size_t)min(m0 + i, m - 1) * lda + k0;
		for (int j = 0; j < depth; j += 16)
			block[(i * GEMM_STRIDE + j) / TILE_N] = tile_load(row + j, depth - j);
	}
}

/* What is done with a sum on its way to C; shared with gemm_i8. */
static inline float16 gemm_finish(float16 x, float16 offset, int act, int flags,
                                  __global const float *residual, int count)
{
	if (flags & OMT_GEMM_BIAS)
		x += offset;
	if (act == OMT_ACT_SILU)
		x = x / (1.0f + exp(-x));
	else if (act == OMT_ACT_GELU)
		x = x * (1.0f + erf(x * M_SQRT1_2_F)) * 0.5f;
	if (flags & OMT_GEMM_PRODUCT)
		x *= tile_load(residual, count);
	else if (flags & OMT_GEMM_RESIDUAL)
		x += tile_load(residual, count);
	return x;
}

/* Panels that each work-item takes when the launch's second axis covers those of n columns. */
static inline int gemm_panels_each(int n)
{
	const int panels = (n + TILE_N - 1) / TILE_N, items = get_global_size(1);
	return (panels + items - 1) / items;
}

/* sums[panel][row] += GEMM_FEW rows of a (the last one repeated) times GEMM_ABREAST panels. */
static inline void gemm_few(__global const float *a, int rows, int lda, __global const uchar *w,
                            size_t start, size_t panel_size, int k, int w_dtype,
                            __private float16 *sums)
{
	float16 tile[GEMM_ABREAST * GEMM_FEW];
	__global const float *row[GEMM_FEW];
#pragma unroll
	for (int i = 0; i < GEMM_FEW; i++)
		row[i] = a + (size_t)min(i, rows - 1) * lda;
#pragma unroll
	for (int i = 0; i < GEMM_ABREAST * GEMM_FEW; i++)
		tile[i] = 0.0f;
	const int ahead = 64 * TILE_N; /* elements: what is asked for before it is used */
	const int bytes = w_dtype == OMT_F32 ? 4 : w_dtype == OMT_I8 ? 1 : 2;
	for (int j = 0; j < k; j++) {
#pragma unroll
		for (int p = 0; p < GEMM_ABREAST; p++) {
			const size_t at = start + p * panel_size + (size_t)j * TILE_N;
			TILE_PREFETCH(w + (at + ahead) * bytes);
			const float16 lanes = gemm_lanes(w, at, w_dtype);
#pragma unroll
			for (int i = 0; i < GEMM_FEW; i++)
				tile[p * GEMM_FEW + i] =
					fma((float16)row[i][j], lanes, tile[p * GEMM_FEW + i]);
		}
	}
#pragma unroll
	for (int i = 0; i < GEMM_ABREAST * GEMM_FEW; i++)
		sums[i] = tile[i];
}

/* sum[panel][GEMM_ROWS]: the products of a work-item's rows and panels, a block of K after the
 * other. */
static inline void gemm_block(__global const float *a, __global const uchar *w, int m0, int n0,
                              int panels, int m, int n, int k, int lda, int ldw, int w_dtype,
                              int w_panel, __private float16 *sum)
{
	__private float16 a_block[GEMM_ROWS * GEMM_STRIDE / TILE_N];
	__private float16 w_block[TILE_W * TILE_K];
	const int tiles = min(TILE_R, (m - m0 + TILE_M - 1) / TILE_M);
	const int bytes = w_dtype == OMT_F32 ? 4 : w_dtype == OMT_I8 ? 1 : 2;
	for (int k0 = 0; k0 < k; k0 += TILE_K) {
		const int depth = min(TILE_K, k - k0);
		/* The next block of A, of which each tile asks for two rows. */
		__global const uchar *after =
			(__global const uchar *)(a + (size_t)m0 * lda + k0 + depth);
		gemm_take_rows(a, m0, tiles * TILE_M, k0, depth, m, lda, a_block);
		for (int p = 0; p < panels; p += TILE_W) {
			for (int i = 0; i < min(TILE_W, panels - p); i++) {
				const int row = n0 + (p + i) * TILE_N;
				__private float16 *block = w_block + i * TILE_K;
				if (w_panel == 1)
					gemm_expand_rows(w, row, k0, depth, n, ldw, w_dtype, block);
				else
					gemm_expand_panel(w, (size_t)row * k + (size_t)k0 * TILE_N,
					                  depth, w_dtype, block);
			}
			/* The next panel, or the first of the next block, a part in each tile. */
			const bool last = p + TILE_W >= panels;
			const size_t soon = (size_t)(n0 + (last ? 0 : p + TILE_W) * TILE_N) * k +
			                    (size_t)(k0 + (last ? depth : 0)) * TILE_N;
			__global const uchar *next = w + soon * bytes;
			__private float16 *to = sum + p * GEMM_ROWS;
			for (int t = 0; t < tiles; t++, to += TILE_M) {
				__private const float *rows =
					(__private const float *)a_block + t * TILE_M * GEMM_STRIDE;
				const int row = min((p * tiles + t) * 2, GEMM_ROWS - 1);
				__global const uchar *later =
					after + (size_t)row * lda * sizeof(float);
				if (TILE_W == 2 && p + 1 < panels)
					tile_multiply_pair(rows, GEMM_STRIDE, w_block,
					                   TILE_K, depth, to, GEMM_ROWS,
					                   next, later);
				else
					tile_multiply(rows, GEMM_STRIDE, 1, w_block, depth, to, 1,
					              next, later);
				next += depth * TILE_N * bytes / tiles;
			}
		}
	}
}

/* Global ids: (block of rows, group of panels). */
__kernel void gemm(OMT_ARGS(OMT_GEMM))
{
	__private float16 sum[TILE_P * GEMM_ROWS];
	const int each = gemm_panels_each(n);
	const int m0 = get_global_id(0) * GEMM_ROWS, n0 = get_global_id(1) * each * TILE_N;
	if (m0 >= m || n0 >= n)
		return;
	const int panels = min(each, (n - n0 + TILE_N - 1) / TILE_N);
	const int rows = min(GEMM_ROWS, m - m0);
	const bool few = m <= GEMM_FEW && w_panel != 1;

	if (!few) {
		for (int p = 0; p < panels; p++)
			for (int i = 0; i < (rows + TILE_M - 1) / TILE_M * TILE_M; i++)
				sum[p * GEMM_ROWS + i] = 0.0f;
		gemm_block(a, w, m0, n0, panels, m, n, k, lda, ldw, w_dtype, w_panel, sum);
	}
	for (int p = 0; p < panels; p++) {
		const int column = n0 + p * TILE_N, count = n - column;
		const int abreast = p % GEMM_ABREAST;
		if (few && !abreast) {
			/* Panels that are not there repeat the last one. */
			const bool whole = panels - p >= GEMM_ABREAST;
			const size_t size = whole ? (size_t)k * TILE_N : 0;
			gemm_few(a, m, lda, w, (size_t)column * k, size, k, w_dtype, sum);
		} else if (few && panels - (p - abreast) < GEMM_ABREAST) {
			gemm_few(a, m, lda, w, (size_t)column * k, 0, k, w_dtype,
			         sum + abreast * GEMM_FEW);
		}
		const bool scaled = flags & OMT_GEMM_SCALE;
		const float16 factor = scaled ? tile_load(scale + column, count) : 1.0f;
		const float16 offset =
			flags & OMT_GEMM_BIAS ? tile_load(bias + column, count) : 0.0f;
		__private const float16 *from = sum + (few ? abreast * GEMM_FEW : p * GEMM_ROWS);
		for (int i = 0; i < rows; i++) {
			const size_t row = m0 + i;
			const float16 x = scaled ? from[i] * factor : from[i];
			tile_store(gemm_finish(x, offset, act, flags, residual + row * ldr + column,
			                       count),
			           c + row * ldc + column, count);
		}
	}
}
