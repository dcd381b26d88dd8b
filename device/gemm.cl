/* gemm.cl - C = act(A W^T * scale + bias) + residual, a block of C a work-item.
 *
 * A work-item computes at most TILE_R register tiles of C below each other times at most TILE_P
 * panels of W: as many as the launch gives it. Over K it goes in blocks of TILE_K: it copies that
 * block of its rows of A into private memory (rows of A lie a power of two apart and would fight
 * for the same cache sets), then takes one panel of W after the other through its rows, asking for
 * what comes next meanwhile. The loops are BLIS's (Van Zee and van de Geijn, 2015), the innermost
 * in registers. f32 and bf16 panels are multiplied from where they lie when a register tile is a
 * panel wide; bf16 becomes f32 by a shift or a mask of a lane that holds two elements. Others are
 * expanded into private memory first. With at most GEMM_FEW rows (a query) memory bounds it: then
 * nothing is copied, W goes from memory to registers, panels side by side.
 *
 * An element is one chain of fused multiply-adds in the order of k, whatever the tiles are, so its
 * bits depend on its row of A and of W alone. Rows past the end repeat the last one, columns past
 * the end multiply zeros or the last row of W; neither is stored. */
#include "contract.h"

#ifndef TILE_R
#define TILE_R 8 /* register tiles below each other in a work-item at most */
#endif
#ifndef TILE_P
#define TILE_P 8 /* panels beside each other in a work-item at most */
#endif
#ifndef TILE_K
#define TILE_K 128 /* depth of a block, a multiple of 16 */
#endif

#ifndef GEMM_FEW
#define GEMM_FEW 4 /* rows at most that are memory's business */
#endif
#define GEMM_ABREAST 2 /* panels side by side then: chains enough to hide their latency */
#define GEMM_ROWS    (TILE_M * TILE_R)
#define GEMM_STRIDE  (TILE_K + 16) /* of rows of A: no power of two */

/* A row of a panel of bf16 or f16: lane i holds rows i and i + 16 of W in its lower and upper half.
 */
#define GEMM_LOWER(x) as_float16((x) << 16)
#define GEMM_UPPER(x) as_float16((x) & (uint16)0xffff0000u)

/* Both vectors of a row of a panel to f32; `at` is the row's first element. */
static inline void gemm_lanes(__global const uchar *w, size_t at, int w_dtype,
                              __private float16 *lower, __private float16 *upper)
{
	if (w_dtype == OMT_F32) {
		*lower = vload16(0, (__global const float *)w + at);
		*upper = vload16(1, (__global const float *)w + at);
	} else if (w_dtype == OMT_BF16) {
		const uint16 both = vload16(0, (__global const uint *)(w + 2 * at));
		*lower = GEMM_LOWER(both);
		*upper = GEMM_UPPER(both);
	} else if (w_dtype == OMT_F16) {
		const float16 a = vload_half16(0, (__global const half *)w + at);
		const float16 b = vload_half16(1, (__global const half *)w + at);
		*lower = (float16)(a.even, b.even);
		*upper = (float16)(a.odd, b.odd);
	} else {
		*lower = convert_float16(vload16(0, (__global const char *)w + at));
		*upper = convert_float16(vload16(1, (__global const char *)w + at));
	}
}

#define GEMM_TAKE(w, b, b_next) w[0] = vload16(0, b), w[TILE_W - 1] = vload16(TILE_W - 1, b)
#define GEMM_TAKE_BF16(w, b, b_next)       \
	const uint16 both = vload16(0, b); \
	w[0] = GEMM_LOWER(both), w[1] = GEMM_UPPER(both)
TILE_LOOP(gemm_multiply_f32, TILE_M, float, __global const float *, float16, TILE_W, TILE_PANEL,
          GEMM_TAKE, TILE_FMA)
TILE_LOOP(gemm_multiply_bf16, TILE_M, float, __global const uint *, float16, 2, TILE_N,
          GEMM_TAKE_BF16, TILE_FMA)

/* `depth` rows of a panel of W from element `start` on, to f32: all lower vectors, TILE_K further
 * all upper ones. */
static inline void gemm_expand_panel(__global const uchar *w, size_t start, int depth, int w_dtype,
                                     __private float16 *block)
{
	for (int i = 0; i < depth; i++)
		gemm_lanes(w, start + (size_t)i * TILE_PANEL, w_dtype, block + i,
		           block + TILE_K + i);
}

/* The same from row-major W: rows n0 to n0 + TILE_PANEL - 1, columns k0 to k0 + depth - 1. */
static inline void gemm_expand_rows(__global const uchar *w, int n0, int k0, int depth, int n,
                                    int ldw, int w_dtype, __private float16 *block)
{
	for (int i = 0; i < TILE_PANEL; i++) {
		const size_t row = (size_t)min(n0 + i, n - 1) * ldw + k0;
		__private float *to = (__private float *)(block + i / TILE_N * TILE_K) + i % TILE_N;
		for (int j = 0; j < depth; j++)
			to[j * TILE_N] = storage_element(w, row + j, w_dtype);
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

/* x / (1 + exp(-x)), from exp(-|x|). */
static inline float16 gemm_silu(float16 x)
{
	const float16 e = tile_exp2(fabs(x) * -M_LOG2E_F);
	return x * (x >= 0.0f ? (float16)1.0f : e) / (1.0f + e);
}

/* x (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2 with Abramowitz and Stegun's
 * formula 7.1.26, whose error is below 1.5e-7. */
static inline float16 gemm_gelu(float16 x)
{
	const float16 size = fabs(x), t = 1.0f / fma(size, (float16)0.231641888f, (float16)1.0f);
	float16 y = 1.061405429f;
	y = fma(y, t, -1.453152027f);
	y = fma(y, t, 1.421413741f);
	y = fma(y, t, -0.284496736f);
	y = fma(y, t, 0.254829592f);
	y *= t * tile_exp2(size * size * (-0.5f * M_LOG2E_F));
	return fmax(x, 0.0f) - 0.5f * size * y;
}

/* What is done with a sum on its way to C; shared with gemm_dot.cl. */
static inline float16 gemm_finish(float16 x, __global const float *bias, int act, int flags,
                                  __global const float *residual, int count)
{
	if (flags & OMT_GEMM_BIAS)
		x += tile_load(bias, count);
	if (act == OMT_ACT_SILU)
		x = gemm_silu(x);
	else if (act == OMT_ACT_GELU)
		x = gemm_gelu(x);
	if (flags & OMT_GEMM_PRODUCT)
		x *= tile_load(residual, count);
	else if (flags & OMT_GEMM_RESIDUAL)
		x += tile_load(residual, count);
	return x;
}

/* What each work-item of an axis takes of `count` register tiles or panels. */
static inline int gemm_each(int count, int axis)
{
	const int items = get_global_size(axis);
	return (count + items - 1) / items;
}

/* A work-item's block of C: rows from m0, panels from n0 on; none or fewer: nothing to do. */
typedef struct gemm_part {
	int m0, n0, rows, panels;
} gemm_part;
static inline gemm_part gemm_part_of(int m, int n)
{
	const int rows = gemm_each((m + TILE_M - 1) / TILE_M, 0) * TILE_M;
	const int panels = gemm_each((n + TILE_PANEL - 1) / TILE_PANEL, 1);
	const int m0 = get_global_id(0) * rows, n0 = get_global_id(1) * panels * TILE_PANEL;
	const gemm_part part = {m0, n0, min(rows, m - m0),
	                        min(panels, (n - n0 + TILE_PANEL - 1) / TILE_PANEL)};
	return part;
}

/* sums[vector][row] of GEMM_FEW rows of a (the last one repeated) times GEMM_ABREAST panels. */
static inline void gemm_few(__global const float *a, int rows, int lda, __global const uchar *w,
                            size_t start, size_t panel_size, int k, int w_dtype,
                            __private float16 *sums)
{
	float16 tile[2 * GEMM_ABREAST * GEMM_FEW];
	__global const float *row[GEMM_FEW];
#pragma unroll
	for (int i = 0; i < GEMM_FEW; i++)
		row[i] = a + (size_t)min(i, rows - 1) * lda;
#pragma unroll
	for (int i = 0; i < 2 * GEMM_ABREAST * GEMM_FEW; i++)
		tile[i] = 0.0f;
	const int ahead = 32 * TILE_PANEL; /* elements: what is asked for before it is used */
	const int bytes = w_dtype == OMT_F32 ? 4 : w_dtype == OMT_I8 ? 1 : 2;
	for (int j = 0; j < k; j++) {
#pragma unroll
		for (int p = 0; p < GEMM_ABREAST; p++) {
			const size_t at = start + p * panel_size + (size_t)j * TILE_PANEL;
			float16 lanes[2];
			TILE_PREFETCH(w + (at + ahead) * bytes);
			if (w_dtype == OMT_F32)
				TILE_PREFETCH(w + (at + ahead) * bytes + TILE_LINE);
			gemm_lanes(w, at, w_dtype, &lanes[0], &lanes[1]);
#pragma unroll
			for (int i = 0; i < 2 * GEMM_FEW; i++)
				tile[p * 2 * GEMM_FEW + i] =
					fma((float16)row[i % GEMM_FEW][j], lanes[i / GEMM_FEW],
				            tile[p * 2 * GEMM_FEW + i]);
		}
	}
#pragma unroll
	for (int i = 0; i < 2 * GEMM_ABREAST * GEMM_FEW; i++)
		sums[i] = tile[i];
}

/* sum[panel][2 * GEMM_ROWS]: the products of a work-item's rows and panels, a block of K after the
 * other. */
static inline void gemm_block(__global const float *a, __global const uchar *w, int m0, int tiles,
                              int n0, int panels, int m, int n, int k, int lda, int ldw,
                              int w_dtype, int w_panel, __private float16 *sum)
{
	__private float16 a_block[GEMM_ROWS * GEMM_STRIDE / TILE_N];
	__private float16 w_block[2 * TILE_K];
	const int bytes = w_dtype == OMT_F32 ? 4 : w_dtype == OMT_I8 ? 1 : 2;
	bool direct = w_panel != 1 && w_dtype == OMT_F32;
	if (TILE_W == 2 && w_panel != 1 && w_dtype == OMT_BF16)
		direct = true;
	for (int k0 = 0; k0 < k; k0 += TILE_K) {
		const int depth = min(TILE_K, k - k0);
		/* The next block of A: each register tile asks for two of its rows. */
		__global const uchar *after =
			(__global const uchar *)(a + (size_t)m0 * lda + k0 + depth);
		const int skip = (lda - depth) * (int)sizeof(float);
		gemm_take_rows(a, m0, tiles * TILE_M, k0, depth, m, lda, a_block);
		for (int p = 0; p < panels; p++) {
			const int row = n0 + p * TILE_PANEL;
			const size_t start = (size_t)row * k + (size_t)k0 * TILE_PANEL;
			if (w_panel == 1)
				gemm_expand_rows(w, row, k0, depth, n, ldw, w_dtype, w_block);
			else if (!direct)
				gemm_expand_panel(w, start, depth, w_dtype, w_block);
			/* The next panel, or the first of the next block, a part in each tile. */
			const bool last = p + 1 == panels;
			const size_t soon = (size_t)(n0 + (last ? 0 : p + 1) * TILE_PANEL) * k +
			                    (size_t)(k0 + (last ? depth : 0)) * TILE_PANEL;
			__global const uchar *next = w + soon * bytes;
			const int lines = (8 * TILE_PANEL * bytes / TILE_LINE + tiles - 1) / tiles;
			__private float16 *to = sum + p * 2 * GEMM_ROWS;
			for (int t = 0; t < tiles; t++, to += TILE_M) {
				__private const float *rows =
					(__private const float *)a_block + t * TILE_M * GEMM_STRIDE;
				const int row = min(2 * (p * tiles + t), tiles * TILE_M - 2);
				const tile_ahead ahead = {
					next + (size_t)t * lines * (depth / 8) * TILE_LINE,
					after + (size_t)row * lda * sizeof(float), lines, skip};
				for (int v = 0; v < 2; v += TILE_W) {
					__private float16 *sums = to + v * GEMM_ROWS;
					__private const float16 *block = w_block + v * TILE_K;
					if (direct && w_dtype == OMT_F32)
						gemm_multiply_f32(rows, GEMM_STRIDE, 1,
						                  (__global const float *)w +
						                          start + v * TILE_N,
						                  0, depth, sums, GEMM_ROWS, ahead);
					else if (direct)
						gemm_multiply_bf16(
							rows, GEMM_STRIDE, 1,
							(__global const uint *)(w + 2 * start), 0,
							depth, sums, GEMM_ROWS, ahead);
					else if (TILE_W == 2)
						tile_multiply_pair(rows, GEMM_STRIDE, 1, block,
						                   TILE_K, depth, sums, GEMM_ROWS,
						                   ahead);
					else
						tile_multiply(rows, GEMM_STRIDE, 1, block, 0, depth,
						              sums, 0, ahead);
				}
			}
		}
	}
}

/* Global ids: (block of rows, group of panels). */
__kernel OMT_ALONE void gemm(OMT_ARGS(OMT_GEMM))
{
	/* gemm_few also fills what stands beside an odd last panel. */
	__private float16 sum[TILE_P * 2 * GEMM_ROWS + 2 * GEMM_ABREAST * GEMM_FEW];
	const gemm_part part = gemm_part_of(m, n);
	const int m0 = part.m0, n0 = part.n0, rows = part.rows, panels = part.panels;
	const int tiles = (rows + TILE_M - 1) / TILE_M;
	if (rows <= 0 || panels <= 0)
		return;
	residual += n_first;
	scale += n_first;
	bias += n_first;
	c += n_first;
	const bool few = m <= GEMM_FEW && w_panel != 1;
	const int each_sum = few ? GEMM_FEW : GEMM_ROWS; /* vectors of sums below each other */
	if (few) {
		for (int p = 0; p < panels; p += GEMM_ABREAST)
			/* Panels that are not there repeat the last one. */
			gemm_few(a, m, lda, w, (size_t)(n0 + p * TILE_PANEL) * k,
			         panels - p >= GEMM_ABREAST ? (size_t)k * TILE_PANEL : 0, k,
			         w_dtype, sum + p * 2 * GEMM_FEW);
	} else {
		for (int p = 0; p < 2 * panels; p++)
			for (int i = 0; i < tiles * TILE_M; i++)
				sum[p * GEMM_ROWS + i] = 0.0f;
		gemm_block(a, w, m0, tiles, n0, panels, m, n, k, lda, ldw, w_dtype, w_panel, sum);
	}
	/* A row after the other: columns of C lie on as many pages as there are rows. */
	for (int i = 0; i < rows; i++) {
		const size_t row = m0 + i;
		for (int v = 0; v < 2 * panels && n0 + v * TILE_N < n; v++) {
			const int column = n0 + v * TILE_N, count = n - column;
			float16 x = sum[v * each_sum + i];
			if (flags & OMT_GEMM_SCALE)
				x *= tile_load(scale + column, count);
			tile_store(gemm_finish(x, bias + column, act, flags,
			                       residual + row * ldr + column, count),
			           c + row * ldc + column, count);
		}
	}
}
