/* attention.cl - softmax(scale q k^T) v over packed sequences, a block of queries of one head and
 * sequence a work-item, keys in blocks from the sequence's start with an online softmax (Milakov
 * and Gimelshein, 2018; Dao et al., 2022): no S x S matrix anywhere.
 *
 * The two products are gemm's register tiles: queries times a block of keys turned on its side,
 * and weights times the block of values. Queries past the end are zero and not stored. A key that
 * a query may not see has weight 0. Blocks begin at the sequence's start and the sums go in the
 * order of keys, so a row's bits depend on its own sequence alone. */
#include "contract.h"

#ifndef TILE_Q
#define TILE_Q 4 /* register tiles of queries in a work-item */
#endif
#ifndef TILE_KEYS
#define TILE_KEYS 32 /* keys of a block, a multiple of 16 */
#endif
#define ATTENTION_DIM 128 /* head_dim at most */
#define ATTENTION_ROWS (TILE_M * TILE_Q)
#define ATTENTION_GROUPS (TILE_KEYS / TILE_N)
#define ATTENTION_PARTS (ATTENTION_DIM / TILE_N)

/* What the online softmax keeps of TILE_M queries. */
typedef struct attention_state {
	float16 sums[TILE_M * ATTENTION_PARTS]; /* of weight * value */
	float16 totals[TILE_M];                 /* of weights, by lane */
	float most[TILE_M];                     /* largest score so far */
} attention_state;

static inline float attention_max(float16 x)
{
	const float8 eight = fmax(x.lo, x.hi);
	const float4 four = fmax(eight.lo, eight.hi);
	const float2 two = fmax(four.lo, four.hi);
	return fmax(two.x, two.y);
}

static inline float attention_sum(float16 x)
{
	const float8 eight = x.lo + x.hi;
	const float4 four = eight.lo + eight.hi;
	const float2 two = four.lo + four.hi;
	return two.x + two.y;
}

/* Keys: [group of 16 keys][dim][16]. Keys past the end are zero. */
static inline void attention_take_keys(__global const float *k, int keys, int ldkv, int head_dim,
                                       __private float *block)
{
	for (int j = 0; j < TILE_KEYS; j++) {
		__private float *to = block + j / TILE_N * (ATTENTION_DIM * TILE_N) + j % TILE_N;
		for (int d = 0; d < head_dim; d++)
			to[d * TILE_N] = j < keys ? k[(size_t)j * ldkv + d] : 0.0f;
	}
}

/* Rows as they are, columns past head_dim and rows past the end zero: [row][ATTENTION_DIM]. */
static inline void attention_take_rows(__global const float *from, int rows, int ld, int head_dim,
                                       int block_rows, __private float *block)
{
	for (int i = 0; i < block_rows; i++)
		for (int d = 0; d < head_dim; d += TILE_N) {
			const int count = i < rows ? head_dim - d : 0;
			vstore16(tile_load(from + (size_t)i * ld + d, count), 0,
			         block + i * ATTENTION_DIM + d);
		}
}

/* Scores of TILE_M queries to weights relative to the largest so far. Query i sees the keys before
 * seen + step * i, at most `keys`, counted from the block's first. */
static inline void attention_weigh(__private float16 *scores, __private attention_state *state,
                                   int seen, int step, int keys, int parts, float scale)
{
	const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	for (int i = 0; i < TILE_M; i++) {
		const int limit = min(seen + step * i, keys);
		float most = state->most[i];
		for (int g = 0; g < ATTENTION_GROUPS; g++) {
			const float16 score = scores[i * ATTENTION_GROUPS + g] * scale;
			const int16 visible = lanes + g * TILE_N < (int16)limit;
			scores[i * ATTENTION_GROUPS + g] =
				select((float16)-INFINITY, score, visible);
			most = fmax(most, attention_max(scores[i * ATTENTION_GROUPS + g]));
		}
		const float shrink = exp(state->most[i] - most);
		float16 total = state->totals[i] * shrink;
		for (int g = 0; g < ATTENTION_GROUPS; g++) {
			const float16 weight = exp(scores[i * ATTENTION_GROUPS + g] - most);
			scores[i * ATTENTION_GROUPS + g] = weight;
			total += weight;
		}
		for (int part = 0; part < parts; part++)
			state->sums[i * ATTENTION_PARTS + part] *= shrink;
		state->totals[i] = total;
		state->most[i] = most;
	}
}

/* Global ids: (block of queries, head, sequence). */
__kernel void attention(OMT_ARGS(OMT_ATTENTION))
{
	__private float queries[ATTENTION_ROWS * ATTENTION_DIM];
	__private float k_block[TILE_KEYS * ATTENTION_DIM], v_block[TILE_KEYS * ATTENTION_DIM];
	__private float16 scores[TILE_M * ATTENTION_GROUPS];
	__private attention_state states[TILE_Q];
	const int first = get_global_id(0) * ATTENTION_ROWS, head = get_global_id(1);
	const int s = get_global_id(2);
	if (head >= heads || s >= sequences)
		return;
	const int begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
	if (first >= length)
		return;
	const int rows = min(ATTENTION_ROWS, length - first);
	const int tiles = (rows + TILE_M - 1) / TILE_M, parts = (head_dim + TILE_N - 1) / TILE_N;
	const int last = causal ? first + rows : length;
	const size_t kv_at = (size_t)begin * ldkv + head / (heads / kv_heads) * head_dim;
	attention_take_rows(q + (size_t)(begin + first) * ldq + head * head_dim, rows, ldq,
	                    head_dim, ATTENTION_ROWS, queries);
	for (int t = 0; t < tiles; t++)
		for (int i = 0; i < TILE_M; i++) {
			states[t].most[i] = -INFINITY;
			states[t].totals[i] = 0.0f;
			for (int part = 0; part < parts; part++)
				states[t].sums[i * ATTENTION_PARTS + part] = 0.0f;
		}

	for (int key = 0; key < last; key += TILE_KEYS) {
		const int keys = min(TILE_KEYS, last - key);
		const size_t at = kv_at + (size_t)key * ldkv;
		attention_take_keys(k + at, keys, ldkv, head_dim, k_block);
		attention_take_rows(v + at, keys, ldkv, head_dim, TILE_KEYS, v_block);
		for (int t = 0; t < tiles; t++) {
			const int row = first + t * TILE_M;
			for (int i = 0; i < TILE_M * ATTENTION_GROUPS; i++)
				scores[i] = 0.0f;
			for (int g = 0; g < ATTENTION_GROUPS; g++)
				tile_multiply(queries + t * TILE_M * ATTENTION_DIM, ATTENTION_DIM,
				              k_block + g * ATTENTION_DIM * TILE_N, TILE_N,
				              head_dim, scores + g, ATTENTION_GROUPS);
			attention_weigh(scores, &states[t], causal ? row + 1 - key : keys, causal,
			                keys, parts, scale);
			for (int part = 0; part < parts; part++)
				tile_multiply((__private const float *)scores, TILE_KEYS,
				              v_block + part * TILE_N, ATTENTION_DIM, keys,
				              states[t].sums + part, ATTENTION_PARTS);
		}
	}

	for (int i = 0; i < rows; i++) {
		__private const attention_state *state = &states[i / TILE_M];
		const float total = attention_sum(state->totals[i % TILE_M]);
		__global float *to = out + (size_t)(begin + first + i) * ldo + head * head_dim;
		for (int part = 0; part < parts; part++)
			tile_store(state->sums[i % TILE_M * ATTENTION_PARTS + part] / total,
			           to + part * TILE_N, head_dim - part * TILE_N);
	}
}
