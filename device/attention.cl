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
#define TILE_KEYS 64 /* keys of a block, rounded up to a multiple of TILE_A */
#endif
#ifndef TILE_A
#define TILE_A 8 /* rows of a register tile here: keys, then elements of a head */
#endif
#define ATTENTION_UP(x)  (((x) + TILE_A - 1) / TILE_A * TILE_A) /* to whole tiles */
#define ATTENTION_DIM    128                                    /* head_dim at most */
#define ATTENTION_KEYS   ATTENTION_UP(TILE_KEYS)
#define ATTENTION_SUMS   (ATTENTION_UP(ATTENTION_DIM) + TILE_N) /* whole vectors are read */
#define ATTENTION_STRIDE (ATTENTION_DIM + 2 * TILE_N) /* of rows of k and v: no power of two */

TILE_LOOP(attention_multiply, TILE_A, float, __private const float16 *, float16, 1, 1,
          TILE_TAKE_ONE, TILE_FMA)
TILE_LOOP(attention_multiply_pair, TILE_A, float, __private const float16 *, float16, 2, 1,
          TILE_TAKE_TWO, TILE_FMA)

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

/* Scores to weights relative to the largest so far, in place. Lane l sees the first before + l
 * keys. factor is scale * log2(e). Sums so far shrink to the new maximum. */
static inline void attention_weigh(__private float16 *scores, int keys, int before, float factor,
                                   int sums, __private float16 *sum, __private float16 *total,
                                   __private float16 *most)
{
	const bool all = before >= keys;
	const int16 seen = before + (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	float16 top = *most;
	if (!all)
		for (int j = 0; j < keys; j++)
			scores[j] = select((float16)-INFINITY, scores[j], (int16)j < seen);
	for (int j = 0; j < keys; j++) {
		const float16 score = scores[j] * factor;
		top = score > top ? score : top;
	}
	const int16 grew = top > *most;
	if (any(grew)) {
		const float16 shrink = tile_exp2(*most - top);
		*total *= shrink;
		for (int d = 0; d < sums; d++)
			sum[d] *= shrink;
		*most = top;
	}
	float16 added = 0.0f;
	if (all)
		for (int j = 0; j < keys; j++) {
			scores[j] = tile_exp2(fma(scores[j], (float16)factor, -top));
			added += scores[j];
		}
	else
		for (int j = 0; j < keys; j++) {
			const float16 weight = tile_exp2(fma(scores[j], (float16)factor, -top));
			scores[j] = select((float16)0.0f, weight, (int16)j < seen);
			added += scores[j];
		}
	*total += added;
}

/* 16 rows of q, `ld` apart and at most `last` counted, turned to [dim][16]. */
static inline void attention_take_queries(__global const float *q, int row, int last, int ld,
                                          int head_dim, __private float16 *block)
{
	for (int d = 0; d < head_dim; d += TILE_N) {
		float16 rows[TILE_N];
		for (int i = 0; i < TILE_N; i++)
			rows[i] = tile_load(q + (size_t)min(row + i, last) * ld + d, head_dim - d);
		tile_transpose(rows);
		for (int i = 0; i < TILE_N; i++)
			block[d + i] = rows[i];
	}
}

/* The sums [dim][16] over the totals, turned to `count` rows of out. */
static inline void attention_put(__private const float16 *sum, float16 total, int count, int ld,
                                 int head_dim, __global float *out)
{
	const float16 inverse = 1.0f / total;
	for (int d = 0; d < head_dim; d += TILE_N) {
		float16 rows[TILE_N];
		for (int i = 0; i < TILE_N; i++)
			rows[i] = sum[d + i] * inverse;
		tile_transpose(rows);
		for (int i = 0; i < count; i++)
			tile_store(rows[i], out + (size_t)i * ld + d, head_dim - d);
	}
}

/* Products of a block of k or v with one or two vectors of queries or weights. Always a part of its
 * caller: strides that are not constants cost half of the speed. */
__attribute__((always_inline)) static inline void
attention_products(int wide, __private const float *a, int a_stride, int a_step,
                   __private const float16 *b, int b_next, int depth, __private float16 *sum,
                   int sum_next, tile_ahead none)
{
	if (wide == 2)
		attention_multiply_pair(a, a_stride, a_step, b, b_next, depth, sum, sum_next, none);
	else
		attention_multiply(a, a_stride, a_step, b, 0, depth, sum, 0, none);
}

/* Global ids: (block of queries, group of heads, sequence). */
__kernel OMT_ALONE void attention(OMT_ARGS(OMT_ATTENTION))
{
	__private float16 queries[TILE_Q * ATTENTION_DIM];
	__private float k_block[ATTENTION_KEYS * ATTENTION_STRIDE];
	__private float v_block[ATTENTION_KEYS * ATTENTION_STRIDE];
	__private float16 scores[2 * ATTENTION_KEYS], sum[TILE_Q * ATTENTION_SUMS];
	__private float16 total[TILE_Q], most[TILE_Q];
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
	const int dims = ATTENTION_UP(head_dim);
	const size_t kv_at = (size_t)begin * ldkv + head0 / (heads / kv_heads) * head_dim;
	const tile_ahead none = {(__global const uchar *)q, (__global const uchar *)q, 0, 0};

	/* Vector t: queries first + 16 (t / together) on, of head head0 + t % together. */
	for (int t = 0; t < vectors; t++) {
		attention_take_queries(q + (size_t)begin * ldq + (head0 + t % together) * head_dim,
		                       first + t / together * TILE_N, length - 1, ldq, head_dim,
		                       queries + t * ATTENTION_DIM);
		most[t] = -1e30f;
		total[t] = 0.0f;
		for (int d = 0; d < dims; d++)
			sum[t * ATTENTION_SUMS + d] = 0.0f;
	}

	for (int key = 0; key < last; key += ATTENTION_KEYS) {
		const int keys = min(ATTENTION_KEYS, last - key);
		const int rows = ATTENTION_UP(keys);
		const size_t at = kv_at + (size_t)key * ldkv;
		attention_take_rows(k + k_at + at, keys, ldkv, head_dim, k_block);
		attention_take_rows(v + v_at + at, keys, ldkv, head_dim, v_block);
		for (int t = 0; t < vectors;) {
			/* Vectors at once: the others read what they multiply half as often. */
			const int wide = TILE_W == 2 && t + 1 < vectors ? 2 : 1;
			__private float16 *to = sum + t * ATTENTION_SUMS;
			for (int i = 0; i < wide * ATTENTION_KEYS; i++)
				scores[i] = 0.0f;
			for (int i = 0; i < rows; i += TILE_A)
				attention_products(wide, k_block + i * ATTENTION_STRIDE,
				                   ATTENTION_STRIDE, 1, queries + t * ATTENTION_DIM,
				                   ATTENTION_DIM, head_dim, scores + i,
				                   ATTENTION_KEYS, none);
			for (int v = 0; v < wide; v++)
				attention_weigh(scores + v * ATTENTION_KEYS, keys,
				                causal ? first + (t + v) / together * TILE_N + 1 -
				                                 key
				                       : keys,
				                scale * M_LOG2E_F, dims, to + v * ATTENTION_SUMS,
				                &total[t + v], &most[t + v]);
			for (int d = 0; d < dims; d += TILE_A)
				attention_products(wide, v_block + d, 1, ATTENTION_STRIDE, scores,
				                   ATTENTION_KEYS, keys, to + d, ATTENTION_SUMS,
				                   none);
			t += wide;
		}
	}

	for (int t = 0; t < vectors; t++) {
		const int row = first + t / together * TILE_N;
		__global float *to = out + (size_t)(begin + row) * ldo;
		attention_put(sum + t * ATTENTION_SUMS, total[t], min(TILE_N, length - row), ldo,
		              head_dim, to + (head0 + t % together) * head_dim);
	}
}
