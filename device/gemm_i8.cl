/* gemm_i8.cl - gemm of int8 by int8, summed in int32, a block of C a work-item.
 *
 * The loops are gemm's. Along K elements go by fours, the unit of x86's dot products: where the
 * device has VNNI one instruction multiplies and adds four, where it has AVX-512 or AVX2 two that
 * were widened to int16; elsewhere the same in plain C. Sums are exact: all give the same bits. */
#include "contract.h"

#define GEMM_I8_QUADS (TILE_K / 4) /* of a block */

#if defined(__clang__) && defined(__AVX512VNNI__) && !defined(OMT_PORTABLE)
#define GEMM_I8_VNNI 1
#else
#define GEMM_I8_VNNI 0
#endif
/* Integers of a row of A, and vectors of W, for four elements. */
#define GEMM_I8_PARTS (GEMM_I8_VNNI ? 1 : 2)

typedef int gemm_i8_16 __attribute__((vector_size(64)));
typedef int gemm_i8_8 __attribute__((vector_size(32)));
typedef short gemm_i8_s32 __attribute__((vector_size(64)));
typedef short gemm_i8_s16 __attribute__((vector_size(32)));

/* sum + products of the elements that lie in each lane of w and in a. */
static inline int16 gemm_i8_dot(int16 sum, int16 w, int a)
{
#if GEMM_I8_VNNI
	/* The first factor is unsigned: w + 128, which gemm_i8 takes off again. */
	return as_int16(__builtin_ia32_vpdpbusd512((gemm_i8_16)sum, (gemm_i8_16)w,
	                                           (gemm_i8_16)(int16)a));
#elif defined(__clang__) && defined(__AVX512BW__) && !defined(OMT_PORTABLE)
	return sum + as_int16(__builtin_ia32_pmaddwd512((gemm_i8_s32)w,
	                                                (gemm_i8_s32)(int16)a));
#elif defined(__clang__) && defined(__AVX2__) && !defined(OMT_PORTABLE)
	const gemm_i8_s16 factor = (gemm_i8_s16)(int8)a;
	sum.lo += as_int8(__builtin_ia32_pmaddwd256((gemm_i8_s16)w.lo, factor));
	sum.hi += as_int8(__builtin_ia32_pmaddwd256((gemm_i8_s16)w.hi, factor));
	return sum;
#else
	return sum + ((w << 16) >> 16) * ((a << 16) >> 16) + (w >> 16) * (a >> 16);
#endif
}

/* Four signed bytes of each lane as gemm_i8_dot wants them: as they are, or two pairs of int16. */
static inline int16 gemm_i8_low(int16 x)
{
	return (((x << 24) >> 24) & 0xffff) | (((x << 16) >> 24) << 16);
}
static inline int16 gemm_i8_high(int16 x)
{
	return (((x << 8) >> 24) & 0xffff) | ((x >> 24) << 16);
}

static inline void gemm_i8_take_panel(__global const uchar *w, size_t start, int quads,
                                      __private int16 *block)
{
	for (int i = 0; i < quads; i++) {
		const int16 x = as_int16(vload16(i, (__global const int *)(w + start)));
		if (GEMM_I8_VNNI) {
			block[i] = x ^ (int)0x80808080;
		} else {
			block[2 * i] = gemm_i8_low(x);
			block[2 * i + 1] = gemm_i8_high(x);
		}
	}
}

/* Rows of A by quads; with VNNI also adds to `sums` 128 times what each row holds. */
static inline void gemm_i8_take_rows(__global const uchar *a, int m0, int rows, int k0, int quads,
                                     int m, int lda, __private int *block, __private int *sums)
{
	for (int i = 0; i < rows; i++) {
		__global const uchar *row = a + (size_t)min(m0 + i, m - 1) * lda + k0;
		__private int *to = block + i * (GEMM_I8_PARTS * GEMM_I8_QUADS + 16);
		int total = 0;
		for (int j = 0; j < quads; j++) {
			const char4 x = vload4(j, (__global const char *)row);
			if (GEMM_I8_VNNI) {
				total += x.x + x.y + x.z + x.w;
				to[j] = as_int(x);
			} else {
				to[2 * j] = (x.x & 0xffff) | (x.y << 16);
				to[2 * j + 1] = (x.z & 0xffff) | (x.w << 16);
			}
		}
		sums[i] += 128 * total;
	}
}

static inline void gemm_i8_multiply(__private const int *a, __private const int16 *b, int steps,
                                    __private int16 *sum)
{
	const int stride = GEMM_I8_PARTS * GEMM_I8_QUADS + 16;
	int16 tile[TILE_M];
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		tile[i] = sum[i];
	for (; steps > 0; steps--, a++, b++) {
		const int16 row = *b;
#pragma unroll
		for (int i = 0; i < TILE_M; i++)
			tile[i] = gemm_i8_dot(tile[i], row, a[i * stride]);
	}
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		sum[i] = tile[i];
}

/* Global ids: (block of rows, group of panels). */
__kernel void gemm_i8(OMT_ARGS(OMT_GEMM_I8))
{
	__private int a_block[GEMM_ROWS * (GEMM_I8_PARTS * GEMM_I8_QUADS + 16)];
	__private int16 w_block[GEMM_I8_PARTS * GEMM_I8_QUADS];
	__private int16 sum[TILE_P * GEMM_ROWS];
	__private int excess[GEMM_ROWS];
	const int each = gemm_panels_each(n), depth = (k + 3) / 4 * 4;
	const int m0 = get_global_id(0) * GEMM_ROWS, n0 = get_global_id(1) * each * TILE_N;
	if (m0 >= m || n0 >= n)
		return;
	const int panels = min(each, (n - n0 + TILE_N - 1) / TILE_N);
	const int rows = min(GEMM_ROWS, m - m0), tiles = (rows + TILE_M - 1) / TILE_M;
	for (int p = 0; p < panels; p++)
		for (int i = 0; i < tiles * TILE_M; i++)
			sum[p * GEMM_ROWS + i] = 0;
	for (int i = 0; i < GEMM_ROWS; i++)
		excess[i] = 0;
	for (int k0 = 0; k0 < depth; k0 += TILE_K) {
		const int quads = min(TILE_K, depth - k0) / 4;
		gemm_i8_take_rows(a, m0, tiles * TILE_M, k0, quads, m, lda, a_block, excess);
		for (int p = 0; p < panels; p++) {
			const size_t at = (size_t)(n0 + p * TILE_N) * depth + (size_t)k0 * TILE_N;
			gemm_i8_take_panel(w, at, quads, w_block);
			for (int t = 0; t < tiles; t++)
				gemm_i8_multiply(a_block + t * TILE_M *
				                         (GEMM_I8_PARTS * GEMM_I8_QUADS + 16),
				                 w_block, GEMM_I8_PARTS * quads,
				                 sum + p * GEMM_ROWS + t * TILE_M);
		}
	}
	for (int p = 0; p < panels; p++) {
		const int column = n0 + p * TILE_N, count = n - column;
		const float16 factor = tile_load(scale + column, count);
		const float16 offset =
			flags & OMT_GEMM_BIAS ? tile_load(bias + column, count) : 0.0f;
		for (int i = 0; i < rows; i++) {
			const size_t row = m0 + i;
			const int16 dot = sum[p * GEMM_ROWS + i] - (GEMM_I8_VNNI ? excess[i] : 0);
			const float16 x = convert_float16(dot) * (a_scale[row] * factor);
			tile_store(gemm_finish(x, offset, act, flags, residual + row * ldr + column,
			                       count),
			           c + row * ldc + column, count);
		}
	}
}
