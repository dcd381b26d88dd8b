/* tile.cl - the register tile of gemm and attention. */
#include "contract.h"

#ifndef TILE_M
#define TILE_M 12 /* rows of a register tile */
#endif
#define TILE_N 16 /* its columns, lanes of a vector: also rows of a panel of packed weights */

/* sum[TILE_M x 16] += a[TILE_M x depth] * b[depth x 16]; strides are in floats, sum's in vectors.
 * An element is one chain of fused multiply-adds in the order of depth, whatever TILE_M is. */
static inline void tile_multiply(__private const float *a, int a_stride, __private const float *b,
                                 int b_stride, int depth, __private float16 *sum, int sum_stride)
{
	float16 tile[TILE_M];
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		tile[i] = sum[i * sum_stride];
	for (int j = 0; j < depth; j++) {
		const float16 row = vload16(0, b + j * b_stride);
#pragma unroll
		for (int i = 0; i < TILE_M; i++)
			tile[i] = fma((float16)a[i * a_stride + j], row, tile[i]);
	}
#pragma unroll
	for (int i = 0; i < TILE_M; i++)
		sum[i * sum_stride] = tile[i];
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
