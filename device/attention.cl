/* attention.cl - softmax(scale q k^T) v over packed sequences with an online softmax (Milakov and
 * Gimelshein, 2018; Dao et al., 2022): no S x S matrix anywhere.
 *
 * A lane is a query. A work-item takes TILE_Q vectors of 16 queries of the query heads that share
 * one kv head: 16 queries of eight heads, or 128 of one. It goes over the keys in blocks from the
 * sequence's start, copies a block of k and v once for all its vectors, and computes both products
 * turned on their side with gemm's register tiles: keys times queries [dim][16], then values times
 * weights [key][16]. So neither k nor v is transposed, and the softmax runs down the registers.
 *
 * Queries past the end repeat the last one and are not stored. A key that a query may not see has
 * weight 0. The sums go in the order of keys: a row's bits depend on its own sequence alone. */
#include "contract.h"

#ifndef TILE_Q
#define TILE_Q 16 /* vectors of queries in a work-item */
#endif
#ifndef TILE_KEYS
#define TILE_KEYS 64 /* keys of a block, rounded up to a multiple of TILE_M */
#endif
#define ATTENTION_DIM 128 /* head_dim at most */
#define ATTENTION_KEYS ((TILE_KEYS + TILE_M - 1) / TILE_M * TILE_M)
#define ATTENTION_SUMS ((ATTENTION_DIM + TILE_M - 1) / TILE_M * TILE_M)
#define ATTENTION_STRIDE (ATTENTION_DIM + 2 * TILE_N) /* of rows of k and v: no power of two */

/* 2^x for x <= 0, relative error below 2e-7: a polynomial on [-1/2, 1/2] (its Taylor series, whose
 * next term is below 2^-26) and the exponent. 0 below -126. */
static inline float16 attention_exp2(float16 x)
{
	const float16 whole = rint(fmax(x, -127.0f)), part = fmax(x, -127.0f) - whole;
	float16 y = 1.540353e-4f;
	y = fma(y, part, 1.3333558e-3f);
	y = fma(y, part, 9.6181291e-3f);
	y = fma(y, part, 5.5504109e-2f);
	y = fma(y, part, 2.4022651e-1f);
	y = fma(y, part, 6.9314718e-1f);
	y = fma(y, part, 1.0f);
	return y * as_float16((convert_int16(whole) + 127) << 23);
}

/* `count` rows of head_dim columns, then zero rows; two vectors of zeros after each row's end. */
static inline void attention_take_rows(__global const float *from, int count, int ld, int head_dim,
                                       __private float *block)
{
	for (int i = 0; i < ATTENTION_KEYS; i++) {
		__private float *to = block + i * ATTENTION_STRIDE;
		int d = 0;
		if (i < count)
			for (; d < head_dim; d += TILE_N)
				vstore16(tile_load(from + (size_t)i * ld + d, head_dim - d), 0,
				         to + d);
		for (; d < head_dim + TILE_N; d += TILE_N)
			vstore16((float16)0.0f, 0, to + d);
	}
}

/* Scores to weights relative to the largest so far, in place. Lane l sees the keys before
 * `seen`. factor is scale * log2(e). Sums so far shrink to the new maximum. */
static inline void attention_weigh(__private float16 *scores, int keys, int16 seen, float factor,
                                   int sums, __private float16 *sum, __private float16 *total,
                                   __private float16 *most)
{
	float16 top = *most;
	for (int j = 0; j < keys; j++) {
		scores[j] = select((float16)-INFINITY, scores[j] * factor, (int16)j < seen);
		top = fmax(top, scores[j]);
	}
	const int16 grew = top > *most;
	if (any(grew)) {
		const float16 shrink = attention_exp2(*most - top);
		*total *= shrink;
		for (int d = 0; d < sums; d++)
			sum[d] *= shrink;
		*most = top;
	}
	float16 added = 0.0f;
	for (int j = 0; j < keys; j++) {
		const float16 weight = attention_exp2(scores[j] - top);
		scores[j] = select((float16)0.0f, weight, (int16)j < seen);
		added += scores[j];
	}
	*total += added;
}

/* 16 rows of q, `ld` apart and at most `last` counted, turned to [dim][16]. */
static inline void attention_take_queries(__global const float *q, int row, int last, int ld,
                                          int head_dim, __private float *block)
{
	for (int i = 0; i < TILE_N; i++) {
		__global const float *from = q + (size_t)min(row + i, last) * ld;
		for (int d = 0; d < head_dim; d++)
			block[d * TILE_N + i] = from[d];
	}
}

/* The sums [dim][16] over the totals, turned to `count` rows of out. */
static inline void attention_put(__private const float16 *sum, float16 total, int count, int ld,
                                 int head_dim, __global float *out)
{
	float block[TILE_N * ATTENTION_DIM];
	const float16 inverse = 1.0f / total;
	for (int d = 0; d < head_dim; d++)
		vstore16(sum[d] * inverse, d, block);
	for (int i = 0; i < count; i++)
		for (int d = 0; d < head_dim; d++)
			out[(size_t)i * ld + d] = block[d * TILE_N + i];
}

/* Global ids: (block of queries, group of heads, sequence). */
__kernel void attention(OMT_ARGS(OMT_ATTENTION))
{
	__private float16 queries[TILE_Q * ATTENTION_DIM];
	__private float k_block[ATTENTION_KEYS * ATTENTION_STRIDE];
	__private float v_block[ATTENTION_KEYS * ATTENTION_STRIDE];
	__private float16 scores[ATTENTION_KEYS], sum[TILE_Q * ATTENTION_SUMS];
	__private float16 total[TILE_Q], most[TILE_Q];
	const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	/* The launch's second axis tells how many heads go together. */
	const int together = heads / (int)get_global_size(1), deep = TILE_Q / together;
	const int first = get_global_id(0) * deep * TILE_N, head0 = get_global_id(1) * together;
	const int s = get_global_id(2);
	if (s >= sequences)
		return;
	const int begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
	if (first >= length)
		return;
	const int vectors = min(deep, (length - first + TILE_N - 1) / TILE_N) * together;
	const int last = causal ? min(first + deep * TILE_N, length) : length;
	const int dims = (head_dim + TILE_M - 1) / TILE_M * TILE_M;
	const size_t kv_at = (size_t)begin * ldkv + head0 / (heads / kv_heads) * head_dim;
	__global const uchar *none = (__global const uchar *)q;

	/* Vector t: queries first + 16 (t / together) on, of head head0 + t % together. */
	for (int t = 0; t < vectors; t++) {
		__private float *block = (__private float *)(queries + t * ATTENTION_DIM);
		attention_take_queries(q + (size_t)begin * ldq + (head0 + t % together) * head_dim,
		                       first + t / together * TILE_N, length - 1, ldq, head_dim,
		                       block);
		most[t] = -1e30f;
		total[t] = 0.0f;
		for (int d = 0; d < dims; d++)
			sum[t * ATTENTION_SUMS + d] = 0.0f;
	}

	for (int key = 0; key < last; key += ATTENTION_KEYS) {
		const int keys = min(ATTENTION_KEYS, last - key);
		const int rows = (keys + TILE_M - 1) / TILE_M * TILE_M;
		const size_t at = kv_at + (size_t)key * ldkv;
		attention_take_rows(k + k_at + at, keys, ldkv, head_dim, k_block);
		attention_take_rows(v + v_at + at, keys, ldkv, head_dim, v_block);
		for (int t = 0; t < vectors; t++) {
			const int16 query = first + t / together * TILE_N + lanes;
			const int16 seen = causal ? min(query + 1 - key, (int16)keys) : (int16)keys;
			__private float16 *to = sum + t * ATTENTION_SUMS;
			for (int i = 0; i < rows; i++)
				scores[i] = 0.0f;
			for (int i = 0; i < rows; i += TILE_M)
				tile_multiply(k_block + i * ATTENTION_STRIDE, ATTENTION_STRIDE, 1,
				              queries + t * ATTENTION_DIM, 0, head_dim, scores + i,
				              0, none, none, 0);
			attention_weigh(scores, keys, seen, scale * M_LOG2E_F, dims, to, &total[t],
			                &most[t]);
			for (int d = 0; d < dims; d += TILE_M)
				tile_multiply(v_block + d, 1, ATTENTION_STRIDE,
				              scores, 0, keys, to + d, 0, none, none, 0);
		}
	}

	for (int t = 0; t < vectors; t++) {
		const int row = first + t / together * TILE_N;
		__global float *to = out + (size_t)(begin + row) * ldo;
		attention_put(sum + t * ATTENTION_SUMS, total[t], min(TILE_N, length - row), ldo,
		              head_dim, to + (head0 + t % together) * head_dim);
	}
}
