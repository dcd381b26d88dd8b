/* tile.cl - the register tile of gemm and attention. */
#include "contract.h"

#ifndef TILE_M
#define TILE_M 16 /* rows of a register tile */
#endif
#define TILE_N 16 /* its columns, lanes of a vector: also rows of a panel of packed weights */

/* Blocks that are read as vectors are written as vectors: vstore16 may become four stores, and a
 * load of all four right after them waits until they have left the store buffer. */

/* Asks for the line of memory at p; only a hint, also outside of buffers. */
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define TILE_PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#else
#define TILE_PREFETCH(p) (void)(p)
#endif
#define TILE_LINE 64 /* bytes */

/* sum[TILE_M x 16] += a[TILE_M x depth] * b[depth x 16]; element (i, j) of a at i * a_stride +
 * j * a_step; a's strides are in floats, constant at the call, sum's in vectors. An element is one
 * chain of fused multiply-adds in the order of depth, whatever TILE_M is. While it computes it
 * asks for depth / 8 lines of memory from each of `next` and `after` on. Pointers step: an index
 * computed for each row costs more than the products. */
static inline void tile_multiply(__private const float *a, int a_stride, int a_step,
                                 __private const float16 *b, int depth,
                                 __private float16 *sum, int sum_stride,
                                 __global const uchar *next, __global const uchar *after)
{
	float16 tile[TILE_M];
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		tile[i] = sum[i * sum_stride];
	for (int block = depth / 8; block > 0; block--) {
		TILE_PREFETCH(next);
		TILE_PREFETCH(after);
		next += TILE_LINE;
		after += TILE_LINE;
#pragma unroll
		for (int step = 0; step < 8; step++) {
			const float16 row = b[step];
#pragma unroll
			for (int i = 0; i < TILE_M; i++)
				tile[i] = fma((float16)a[i * a_stride + step * a_step], row,
				              tile[i]);
		}
		a += 8 * a_step;
		b += 8;
	}
	for (int rest = depth % 8; rest > 0; rest--, a += a_step, b++) {
		const float16 row = *b;
#pragma unroll
		for (int i = 0; i < TILE_M; i++)
			tile[i] = fma((float16)a[i * a_stride], row, tile[i]);
	}
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		sum[i * sum_stride] = tile[i];
}

/* The same for two blocks b, b + b_next side by side: two multiply-adds for each element of a that
 * is taken. sum of the second block is sum_next vectors further. */
static inline void tile_multiply_pair(__private const float *a, int a_stride,
                                      __private const float16 *b, int b_next, int depth,
                                      __private float16 *sum, int sum_next,
                                      __global const uchar *next, __global const uchar *after)
{
	float16 left[TILE_M], right[TILE_M];
#pragma unroll
	for (int i = 0; i < TILE_M; i++) {
		left[i] = sum[i];
		right[i] = sum[sum_next + i];
	}
	for (int block = depth / 8; block > 0; block--) {
		TILE_PREFETCH(next);
		TILE_PREFETCH(after);
		next += TILE_LINE;
		after += TILE_LINE;
#pragma unroll
		for (int step = 0; step < 8; step++) {
			const float16 l = b[step], r = b[step + b_next];
#pragma unroll
			for (int i = 0; i < TILE_M; i++) {
				const float16 x = (float16)a[i * a_stride + step];
				left[i] = fma(x, l, left[i]);
				right[i] = fma(x, r, right[i]);
			}
		}
		a += 8;
		b += 8;
	}
	for (int rest = depth % 8; rest > 0; rest--, a++, b++) {
		const float16 l = b[0], r = b[b_next];
#pragma unroll
		for (int i = 0; i < TILE_M; i++) {
			const float16 x = (float16)a[i * a_stride];
			left[i] = fma(x, l, left[i]);
			right[i] = fma(x, r, right[i]);
		}
	}
#pragma unroll
	for (int i = 0; i < TILE_M; i++) {
		sum[i] = left[i];
		sum[sum_next + i] = right[i];
	}
}

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

static inline float tile_max(float16 x)
{
	const float8 eight = fmax(x.lo, x.hi);
	const float4 four = fmax(eight.lo, eight.hi);
	const float2 two = fmax(four.lo, four.hi);
	return fmax(two.x, two.y);
}
