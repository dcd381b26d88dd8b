/* tile.cl - the register tile of gemm and attention. */
#include "contract.h"

#ifndef TILE_M
#define TILE_M 16 /* rows of a register tile */
#endif
#ifndef TILE_W
#define TILE_W 1 /* vectors beside each other in a register tile: 1 or 2 */
#endif
#define TILE_N     16           /* lanes of a vector */
#define TILE_PANEL (2 * TILE_N) /* rows of a panel of packed weights */

/* Blocks that are read as vectors are written as vectors: vstore16 may become four stores, and a
 * load of all four right after them waits until they have left the store buffer. */

/* Asks for the line of memory at p; only a hint, also outside of buffers. */
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define TILE_PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#else
#define TILE_PREFETCH(p) (void)(p)
#endif
#define TILE_LINE 64 /* bytes */

/* What a tile asks of memory while it computes: depth / 8 times `lines` lines from `next` on, and
 * as often one line from `after` on, where it goes on `skip` bytes further after half of them. */
typedef struct tile_ahead {
	__global const uchar *next, *after;
	int lines, skip;
} tile_ahead;

/* TILE_LOOP makes a function
 *
 *     name(a, a_stride, a_step, b, b_next, depth, sum, sum_next, ahead)
 *
 * that adds to WIDE blocks of ROWS vectors, sum + h * sum_next, the products of a and b: at step
 * j of `depth` element (i, j) of a, at i * a_stride + j * a_step, with the WIDE vectors that
 * LOAD(w, b + j * STEP, b_next) takes from b. ADD(sum, w, a) is one step of an element: elements
 * are chains in the order of depth, whatever ROWS and WIDE are. a_stride and a_step are constant at
 * the call. Pointers step: an index computed for each row costs more than the products. */
#define TILE_LOOP(name, ROWS, A, B, VECTOR, WIDE, STEP, LOAD, ADD)                                \
	static inline void name(__private const A *a, int a_stride, int a_step, B b, int b_next,  \
	                        int depth, __private VECTOR *sum, int sum_next, tile_ahead ahead) \
	{                                                                                         \
		VECTOR tile[WIDE * ROWS];                                                         \
		const int middle = depth / 16 + 1;                                                \
		_Pragma("unroll") for (int i = 0; i < WIDE * ROWS; i++) tile[i] =                 \
			sum[i / ROWS * sum_next + i % ROWS];                                      \
		for (int block = depth / 8; block > 0; block--) {                                 \
			for (int line = 0; line < ahead.lines; line++, ahead.next += TILE_LINE)   \
				TILE_PREFETCH(ahead.next);                                        \
			TILE_PREFETCH(ahead.after);                                               \
			ahead.after += block == middle ? TILE_LINE + ahead.skip : TILE_LINE;      \
			_Pragma("unroll") for (int step = 0; step < 8; step++)                    \
			{                                                                         \
				VECTOR w[WIDE];                                                   \
				LOAD(w, b + step * STEP, b_next);                                 \
				_Pragma("unroll") for (int i = 0; i < ROWS; i++)                  \
				{                                                                 \
					const A x = a[i * a_stride + step * a_step];              \
					_Pragma("unroll") for (int h = 0; h < WIDE; h++)          \
						tile[h * ROWS + i] =                              \
							ADD(tile[h * ROWS + i], w[h], x);         \
				}                                                                 \
			}                                                                         \
			a += 8 * a_step;                                                          \
			b += 8 * STEP;                                                            \
		}                                                                                 \
		for (int rest = depth % 8; rest > 0; rest--, a += a_step, b += STEP) {            \
			VECTOR w[WIDE];                                                           \
			LOAD(w, b, b_next);                                                       \
			_Pragma("unroll") for (int i = 0; i < WIDE * ROWS; i++) tile[i] =         \
				ADD(tile[i], w[i / ROWS], a[i % ROWS * a_stride]);                \
		}                                                                                 \
		_Pragma("unroll") for (int i = 0; i < WIDE * ROWS; i++)                           \
			sum[i / ROWS * sum_next + i % ROWS] = tile[i];                            \
	}

#define TILE_FMA(sum, w, x) fma((float16)(x), w, sum)

/* From blocks of vectors, b_next vectors apart. */
#define TILE_TAKE_ONE(w, b, b_next) w[0] = *(b)
#define TILE_TAKE_TWO(w, b, b_next) w[0] = *(b), w[1] = (b)[b_next]
TILE_LOOP(tile_multiply, TILE_M, float, __private const float16 *, float16, 1, 1, TILE_TAKE_ONE,
          TILE_FMA)
TILE_LOOP(tile_multiply_pair, TILE_M, float, __private const float16 *, float16, 2, 1,
          TILE_TAKE_TWO, TILE_FMA)

/* Up to 16 values from memory that may end there; the lanes beyond `count` are zero. */
static inline float16 tile_load(__global const float *from, int count)
{
	if (count >= TILE_N)
		return vload16(0, from);
	float lanes[TILE_N];
	for (int i = 0; i < TILE_N; i++)
		lanes[i] = i < count ? from[i] : 0.0f;
	return vload16(0, lanes);
}

static inline void tile_store(float16 value, __global float *to, int count)
{
	if (count >= TILE_N) {
		vstore16(value, 0, to);
		return;
	}
	float lanes[TILE_N];
	vstore16(value, 0, lanes);
	for (int i = 0; i < count; i++)
		to[i] = lanes[i];
}

/* 2^x for x <= 0, relative error below 2e-7: the minimax polynomial of degree 5 on [-1/2, 1/2], to
 * whose exponent the whole part is added. That one stands in the lowest bits of x + 1.5 * 2^23.
 * About 2^-126 below that. */
static inline float16 tile_exp2(float16 x)
{
	const float16 magic = 12582912.0f, least = -126.0f;
	const float16 kept = x < least ? least : x; /* NaN stays NaN; fmax would be three steps */
	const float16 shifted = kept + magic, part = kept - (shifted - magic);
	float16 y = 1.32647273e-3f;
	y = fma(y, part, 9.67151299e-3f);
	y = fma(y, part, 5.55073358e-2f);
	y = fma(y, part, 2.40222424e-1f);
	y = fma(y, part, 6.93147004e-1f);
	y = fma(y, part, 1.0f);
	return as_float16(as_int16(y) + (as_int16(shifted) << 23));
}

/* Rows of a 16 x 16 block become its columns: four rounds, each of which interleaves the rows of
 * the upper half with those of the lower one. */
static inline void tile_transpose(__private float16 *rows)
{
	float16 old[TILE_N];
#pragma unroll
	for (int round = 0; round < 4; round++) {
#pragma unroll
		for (int i = 0; i < TILE_N; i++)
			old[i] = rows[i];
#pragma unroll
		for (int i = 0; i < TILE_N / 2; i++) {
			rows[2 * i].even = old[i].lo;
			rows[2 * i].odd = old[i + TILE_N / 2].lo;
			rows[2 * i + 1].even = old[i].hi;
			rows[2 * i + 1].odd = old[i + TILE_N / 2].hi;
		}
	}
}

static inline float tile_max(float16 x)
{
	const float8 eight = fmax(x.lo, x.hi);
	const float4 four = fmax(eight.lo, eight.hi);
	const float2 two = fmax(four.lo, four.hi);
	return fmax(two.x, two.y);
}
