/* roofline.cl - what a device can do at most: multiply-adds in registers, reading and copying
 * memory. No ops of the contract: host/exec/roofline_opencl.c launches them for omt_roofline().
 *
 * Every work-item has chains of multiply-adds that do not wait for each other. A chain of f32 is a
 * vector of the kernel's width. Chains of int8 and bf16 step as gemm_dot.cl's kernels do, by their
 * instruction for a word, so that the peak is that of the path these kernels take; as there a word
 * of A meets two vectors of W, and comes from memory, or the products would leave the loop. */
#include "contract.h"

#ifndef ROOFLINE_CHAINS
#define ROOFLINE_CHAINS 12 /* of f32: what 16 registers hold beside two factors */
#endif
#ifndef ROOFLINE_DOTS
#define ROOFLINE_DOTS 4 /* chains of int8 and bf16, even */
#endif
#define ROOFLINE_WORDS 256 /* of A, a power of two; ROOFLINE_DOTS more may be read */

#define ROOFLINE_FMA(type, out, steps)                                                     \
	type sum[ROOFLINE_CHAINS];                                                         \
	const type factor = (type)(0.999f), term = (type)(out[0]);                         \
	_Pragma("unroll") for (int i = 0; i < ROOFLINE_CHAINS; i++) sum[i] = (type)(i);    \
	for (int step = 0; step < steps; step++)                                           \
		_Pragma("unroll") for (int i = 0; i < ROOFLINE_CHAINS; i++) sum[i] =       \
			fma(sum[i], factor, term);                                         \
	_Pragma("unroll") for (int i = 1; i < ROOFLINE_CHAINS; i++) sum[0] += sum[i]

__kernel void roofline_f32_1(__global float *out, int steps)
{
	ROOFLINE_FMA(float, out, steps);
	out[1 + get_global_id(0)] = sum[0];
}

__kernel void roofline_f32_4(__global float *out, int steps)
{
	ROOFLINE_FMA(float4, out, steps);
	out[1 + get_global_id(0)] = sum[0].x + sum[0].y + sum[0].z + sum[0].w;
}

__kernel void roofline_f32_8(__global float *out, int steps)
{
	ROOFLINE_FMA(float8, out, steps);
	const float4 four = sum[0].lo + sum[0].hi;
	out[1 + get_global_id(0)] = four.x + four.y + four.z + four.w;
}

static inline float roofline_add_lanes(float16 x)
{
	const float8 eight = x.lo + x.hi;
	const float4 four = eight.lo + eight.hi;
	return four.x + four.y + four.z + four.w;
}

__kernel void roofline_f32_16(__global float *out, int steps)
{
	ROOFLINE_FMA(float16, out, steps);
	out[1 + get_global_id(0)] = roofline_add_lanes(sum[0]);
}

#define ROOFLINE_MULTIPLY(word, dot, words, steps)                                             \
	int16 sum[ROOFLINE_DOTS];                                                              \
	const int16 w0 = (int16)(words[0]), w1 = (int16)(words[1]);                            \
	_Pragma("unroll") for (int i = 0; i < ROOFLINE_DOTS; i++) sum[i] = (int16)(0);         \
	for (int step = 0, at = 0; step < steps; step++) {                                     \
		__global const word *a =                                                       \
			(__global const word *)words + (at & (ROOFLINE_WORDS - 1));            \
		_Pragma("unroll") for (int i = 0; i < ROOFLINE_DOTS; i += 2)                   \
		{                                                                              \
			sum[i] = dot(sum[i], w0, a[i / 2]);                                    \
			sum[i + 1] = dot(sum[i + 1], w1, a[i / 2]);                            \
		}                                                                              \
		at += ROOFLINE_DOTS / 2;                                                       \
	}                                                                                      \
	_Pragma("unroll") for (int i = 1; i < ROOFLINE_DOTS; i++) sum[0] += sum[i]

__kernel void roofline_int8(__global float *out, __global const int *words, int steps)
{
	ROOFLINE_MULTIPLY(gemm_i8_word, gemm_i8_dot, words, steps);
	out[1 + get_global_id(0)] = roofline_add_lanes(convert_float16(sum[0]));
}

__kernel void roofline_bf16(__global float *out, __global const int *words, int steps)
{
	ROOFLINE_MULTIPLY(int, gemm_bf16_dot, words, steps);
	out[1 + get_global_id(0)] = roofline_add_lanes(convert_float16(sum[0]));
}

/* A group has `part` vectors of its own, a multiple of 8 times its size, and goes over them `steps`
 * times; its work-items take neighbours. */
#define ROOFLINE_PART(type)                                      \
	const size_t part = vectors, size = get_local_size(0);   \
	const size_t first = get_group_id(0) * part + get_local_id(0)

#define ROOFLINE_READ(type, data, vectors, steps)                                   \
	ROOFLINE_PART(type);                                                        \
	__global const type *from = (__global const type *)data + first;            \
	type sum[8];                                                                \
	_Pragma("unroll") for (int j = 0; j < 8; j++) sum[j] = (type)(0);           \
	for (int step = 0; step < steps; step++)                                    \
		for (size_t i = 0; i < part; i += 8 * size)                         \
			_Pragma("unroll") for (int j = 0; j < 8; j++) sum[j] +=     \
				from[i + j * size];                                 \
	_Pragma("unroll") for (int j = 1; j < 8; j++) sum[0] += sum[j]

__kernel void roofline_read_4(__global float *out, __global const float *data, int vectors,
                              int steps)
{
	ROOFLINE_READ(float4, data, vectors, steps);
	out[1 + get_global_id(0)] = sum[0].x + sum[0].y + sum[0].z + sum[0].w;
}

__kernel void roofline_read_16(__global float *out, __global const float *data, int vectors,
                               int steps)
{
	ROOFLINE_READ(float16, data, vectors, steps);
	out[1 + get_global_id(0)] = roofline_add_lanes(sum[0]);
}

/* From the first half of `data` to the second; `vectors` as of a read of one half. */
#define ROOFLINE_COPY(type, data, vectors, steps)                                                \
	ROOFLINE_PART(type);                                                                     \
	__global const type *from = (__global const type *)data + first;                         \
	__global type *to = (__global type *)data + get_num_groups(0) * part + first;            \
	for (int step = 0; step < steps; step++)                                                 \
		for (size_t i = 0; i < part; i += 8 * size) {                                    \
			type x[8];                                                               \
			_Pragma("unroll") for (int j = 0; j < 8; j++) x[j] = from[i + j * size]; \
			_Pragma("unroll") for (int j = 0; j < 8; j++) to[i + j * size] = x[j];   \
		}

__kernel void roofline_copy_4(__global float *data, int vectors, int steps)
{
	ROOFLINE_COPY(float4, data, vectors, steps);
}

__kernel void roofline_copy_16(__global float *data, int vectors, int steps)
{
	ROOFLINE_COPY(float16, data, vectors, steps);
}
