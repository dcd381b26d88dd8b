/* gemm_dot.cl - gemm of int8 by int8, and of bf16 by bf16: products of what lies in 32-bit words.
 *
 * The loops are gemm's; its step along K is a word of each operand: four int8 or two bf16, the unit
 * of the dot products of x86 (VNNI, AVX512_BF16), Arm and cl_khr_integer_dot_product. Weights lie
 * in words as `pack` wrote them, rows of A become words as they are copied into private memory.
 *
 * int8: weights are stored plus 128, unsigned, as these instructions want one operand; 128 times
 * the sum of a row of A is taken off at the end. The sum is exact on every path: the same bits.
 * bf16: the two products of a word are added one after the other, in f32; AVX512_BF16 takes
 * subnormals as zero. */
#include "contract.h"

/* The host defines OMT_X86_VNNI and OMT_X86_BF16 when the device is this CPU and the CPU has the
 * instructions: PoCL 3.1 compiles for a CPU of its list and leaves out what came after it. */
#if defined(__clang__) && defined(__AVX512F__) && !defined(OMT_PORTABLE)
#define GEMM_DOT_X86 1
#else
#define GEMM_DOT_X86 0
#endif

typedef short gemm_s32 __attribute__((vector_size(64)));
typedef short gemm_s16 __attribute__((vector_size(32)));
typedef int gemm_16 __attribute__((vector_size(64)));
typedef float gemm_f16 __attribute__((vector_size(64)));

/* ---- a word of int8 ---- */

#if GEMM_DOT_X86 && (defined(OMT_X86_VNNI) || defined(__AVX512VNNI__))
#define GEMM_I8_PARTS 1 /* words of private memory that a word of A takes */
typedef int gemm_i8_word;
static inline int16 gemm_i8_dot(int16 sum, int16 w, int a)
{
	gemm_16 x = (gemm_16)sum;
	const gemm_16 factor = (gemm_16)(int16)a;
	__asm__("vpdpbusd %2, %1, %0" : "+v"(x) : "v"((gemm_16)w), "v"(factor));
	return as_int16(x);
}
#elif defined(cl_khr_integer_dot_product) && !defined(__AVX2__) && !defined(OMT_PORTABLE)
#define GEMM_I8_PARTS   1
typedef int gemm_i8_word;
#define GEMM_I8_LANE(i) sum.s##i += dot_4x8packed_us_int((uint)w.s##i, (uint)a)
static inline int16 gemm_i8_dot(int16 sum, int16 w, int a)
{
	GEMM_I8_LANE(0), GEMM_I8_LANE(1), GEMM_I8_LANE(2), GEMM_I8_LANE(3);
	GEMM_I8_LANE(4), GEMM_I8_LANE(5), GEMM_I8_LANE(6), GEMM_I8_LANE(7);
	GEMM_I8_LANE(8), GEMM_I8_LANE(9), GEMM_I8_LANE(a), GEMM_I8_LANE(b);
	GEMM_I8_LANE(c), GEMM_I8_LANE(d), GEMM_I8_LANE(e), GEMM_I8_LANE(f);
	return sum;
}
#else
/* Two pairs of int16: bytes 0 and 2, then 1 and 3. */
#define GEMM_I8_PARTS 2
typedef int2 gemm_i8_word;
static inline int16 gemm_i8_pairs(int16 sum, int16 w, int a)
{
#if defined(__clang__) && defined(__AVX512BW__) && !defined(OMT_PORTABLE)
	return sum + as_int16(__builtin_ia32_pmaddwd512((gemm_s32)w, (gemm_s32)(int16)a));
#elif defined(__clang__) && defined(__AVX2__) && !defined(OMT_PORTABLE)
	const gemm_s16 factor = (gemm_s16)(int8)a;
	sum.lo += as_int8(__builtin_ia32_pmaddwd256((gemm_s16)w.lo, factor));
	sum.hi += as_int8(__builtin_ia32_pmaddwd256((gemm_s16)w.hi, factor));
	return sum;
#else
	return sum + (w & 0xffff) * ((a << 16) >> 16) + (w >> 16) * (a >> 16);
#endif
}
static inline int16 gemm_i8_dot(int16 sum, int16 w, int2 a)
{
	return gemm_i8_pairs(gemm_i8_pairs(sum, w & 0x00ff00ff, a.s0),
	                     as_int16(as_uint16(w) >> 8) & 0x00ff00ff, a.s1);
}
#endif

/* ---- a word of bf16 ---- */

static inline int16 gemm_bf16_dot(int16 sum, int16 w, int a)
{
#if GEMM_DOT_X86 && (defined(OMT_X86_BF16) || defined(__AVX512BF16__))
	gemm_f16 x = (gemm_f16)sum;
	const gemm_16 factor = (gemm_16)(int16)a;
	__asm__("vdpbf16ps %2, %1, %0" : "+v"(x) : "v"((gemm_16)w), "v"(factor));
	return as_int16(x);
#else
	const int upper = (int)0xffff0000;
	const float16 low = fma((float16)as_float(a << 16), as_float16(w << 16), as_float16(sum));
	return as_int16(fma((float16)as_float(a & upper), as_float16(w & upper), low));
#endif
}

/* f32 to bf16, to nearest even, in the lower half of each lane. */
static inline uint16 gemm_bf16_round(float16 x)
{
	const uint16 bits = as_uint16(x);
	const uint16 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
	return select(rounded, (bits >> 16) | 0x40, as_uint16(isnan(x)));
}

/* ---- the loops ---- */

#define GEMM_DOT_ROW (TILE_K + 16) /* words of private memory of a row of A */

TILE_LOOP(gemm_multiply_i8, TILE_M, gemm_i8_word, __global const int *, int16, TILE_W, TILE_PANEL,
          GEMM_TAKE, gemm_i8_dot)
TILE_LOOP(gemm_multiply_bf16x2, TILE_M, int, __global const int *, int16, TILE_W, TILE_PANEL,
          GEMM_TAKE, gemm_bf16_dot)

/* Up to 16 words from memory that may end there, zeros beyond `count`. */
static inline int16 gemm_load_words(__global const int *from, int count)
{
	return as_int16(tile_load((__global const float *)from, count));
}

/* `words` words of a row of int8; the return value adds up its bytes, lane by lane. */
static inline int16 gemm_take_i8(__global const uchar *row, int words, __private int *to)
{
	int16 total = 0;
	for (int j = 0; j < words; j += 16) {
		const int16 x = gemm_load_words((__global const int *)row + j, words - j);
		const int16 b0 = (x << 24) >> 24, b1 = (x << 16) >> 24, b2 = (x << 8) >> 24;
		total += b0 + b1 + b2 + (x >> 24);
		if (GEMM_I8_PARTS == 1) {
			vstore16(x, 0, to + j);
		} else {
			const int16 even = (b0 & 0xffff) | (b2 << 16);
			const int16 odd = (b1 & 0xffff) | ((x >> 24) << 16);
			int16 parts;
			parts.even = even.lo, parts.odd = odd.lo;
			vstore16(parts, 0, to + 2 * j);
			parts.even = even.hi, parts.odd = odd.hi;
			vstore16(parts, 0, to + 2 * j + 16);
		}
	}
	return total;
}

/* `count` elements of a row of f32 as words of bf16. */
static inline void gemm_take_bf16(__global const float *row, int count, __private int *to)
{
	for (int j = 0; j < count; j += 32) {
		const uint16 x = gemm_bf16_round(tile_load(row + j, count - j));
		const uint16 y = gemm_bf16_round(tile_load(row + j + 16, max(count - j - 16, 0)));
		vstore16(as_int16((uint16)(x.even, y.even) | ((uint16)(x.odd, y.odd) << 16)), 0,
		         to + j / 2);
	}
}

static inline int gemm_add_lanes(int16 x)
{
	const int8 eight = x.lo + x.hi;
	const int4 four = eight.lo + eight.hi;
	return four.x + four.y + four.z + four.w;
}

/* sum[panel][2 * GEMM_ROWS] as gemm_block's; bits of f32 unless i8. w: words. excess[row] is what
 * int8 sums are too large by. */
static inline void gemm_dot_block(bool i8, __global const uchar *a, __global const int *w, int m0,
                                  int tiles, int n0, int panels, int m, int k, int lda,
                                  __private int16 *sum, __private int *excess)
{
	__private int16 a_block[GEMM_ROWS * GEMM_DOT_ROW / TILE_N];
	const int each = i8 ? 4 : 2, deep = (k + each - 1) / each,
		  most = i8 ? TILE_K / GEMM_I8_PARTS : TILE_K;
	const int row_bytes = i8 ? lda : lda * (int)sizeof(float);
	const int word_bytes = i8 ? 4 : 8;
	for (int k0 = 0; k0 < deep; k0 += most) {
		const int depth = min(most, deep - k0);
		__global const uchar *from = a + (size_t)m0 * row_bytes + (size_t)k0 * word_bytes;
		__global const uchar *after = from + depth * word_bytes;
		for (int i = 0; i < tiles * TILE_M; i++) {
			__global const uchar *row = from + (size_t)min(i, m - 1 - m0) * row_bytes;
			__private int *to = (__private int *)a_block + i * GEMM_DOT_ROW;
			if (i8)
				excess[i] += 128 * gemm_add_lanes(gemm_take_i8(row, depth, to));
			else
				gemm_take_bf16((__global const float *)row,
				               min(2 * depth, k - 2 * k0), to);
		}
		for (int p = 0; p < panels; p++) {
			__global const int *panel =
				w + (size_t)(n0 + p * TILE_PANEL) * deep + (size_t)k0 * TILE_PANEL;
			const bool last = p + 1 == panels;
			__global const uchar *next =
				(__global const uchar *)(w +
			                                 (size_t)(n0 +
			                                          (last ? 0 : p + 1) * TILE_PANEL) *
			                                         deep +
			                                 (size_t)(k0 + (last ? depth : 0)) *
			                                         TILE_PANEL);
			const int lines = (8 * TILE_PANEL * 4 / TILE_LINE + tiles - 1) / tiles;
			__private int16 *to = sum + p * 2 * GEMM_ROWS;
			for (int t = 0; t < tiles; t++, to += TILE_M) {
				__private const int *rows =
					(__private const int *)a_block + t * TILE_M * GEMM_DOT_ROW;
				const int row = min(2 * (p * tiles + t), tiles * TILE_M - 2);
				const tile_ahead ahead = {next + (size_t)t * lines * (depth / 8) *
				                                          TILE_LINE,
				                          after + (size_t)row * row_bytes, lines,
				                          row_bytes - depth * word_bytes};
				for (int v = 0; v < 2; v += TILE_W)
					if (i8)
						gemm_multiply_i8(
							(__private const gemm_i8_word *)rows,
							GEMM_DOT_ROW / GEMM_I8_PARTS, 1,
							panel + v * TILE_N, 0, depth,
							to + v * GEMM_ROWS, GEMM_ROWS, ahead);
					else
						gemm_multiply_bf16x2(rows, GEMM_DOT_ROW, 1,
						                     panel + v * TILE_N, 0, depth,
						                     to + v * GEMM_ROWS, GEMM_ROWS,
						                     ahead);
			}
		}
	}
}

/* Global ids: (block of rows, group of panels). a_scale and scale are int8's alone. */
static inline void gemm_dot(bool i8, __global const uchar *a, __global const float *a_scale,
                            __global const uchar *w, __global const float *scale,
                            __global const float *bias, __global const float *residual,
                            __global float *c, int m, int n, int k, int lda, int ldr, int ldc,
                            int act, int flags)
{
	__private int16 sum[TILE_P * 2 * GEMM_ROWS];
	__private int excess[GEMM_ROWS];
	const gemm_part part = gemm_part_of(m, n);
	const int m0 = part.m0, n0 = part.n0, rows = part.rows, panels = part.panels;
	const int tiles = (rows + TILE_M - 1) / TILE_M;
	if (rows <= 0 || panels <= 0)
		return;
	for (int p = 0; p < 2 * panels; p++)
		for (int i = 0; i < tiles * TILE_M; i++)
			sum[p * GEMM_ROWS + i] = 0;
	for (int i = 0; i < tiles * TILE_M; i++)
		excess[i] = 0;
	gemm_dot_block(i8, a, (__global const int *)w, m0, tiles, n0, panels, m, k, lda, sum,
	               excess);
	for (int i = 0; i < rows; i++) {
		const size_t row = m0 + i;
		for (int v = 0; v < 2 * panels && n0 + v * TILE_N < n; v++) {
			const int column = n0 + v * TILE_N, count = n - column;
			const int16 dot = sum[v * GEMM_ROWS + i];
			float16 x = as_float16(dot);
			if (i8)
				x = convert_float16(dot - excess[i]) *
				    (a_scale[row] * tile_load(scale + column, count));
			tile_store(gemm_finish(x, bias + column, act, flags,
			                       residual + row * ldr + column, count),
			           c + row * ldc + column, count);
		}
	}
}

__kernel OMT_ALONE void gemm_i8(OMT_ARGS(OMT_GEMM_I8))
{
	gemm_dot(true, a, a_scale, w, scale + n_first, bias + n_first, residual + n_first,
	         c + n_first, m, n, k, lda, ldr, ldc, act, flags);
}

__kernel OMT_ALONE void gemm_bf16(OMT_ARGS(OMT_GEMM_BF16))
{
	gemm_dot(false, (__global const uchar *)a, 0, w, 0, bias + n_first, residual + n_first,
	         c + n_first, m, n, k, lda, ldr, ldc, act, flags);
}
