/* attention_hls.c - softmax(scale q k^T) v over packed sequences, exact, with a running maximum and
 * sum (Milakov and Gimelshein, 2018; Dao et al., 2022): no S x S matrix anywhere.
 *
 * HLS_ROWS queries of one kv head (all its query heads', token by token) stay on the chip, divided
 * among HLS_PE processing elements; its keys and values come by in blocks of HLS_DEPTH rows. With
 * `groups` queries of each element, a block of keys takes three steps:
 *   scores   vector after vector of the head, every element multiplies a vector of HLS_WIDTH
 *            elements of a query and of a key and adds the products in a tree; the largest so far
 *   weights  exp(score - largest), and exp(largest before - largest), by which what was summed up
 *            so far shrinks: one exponential a cycle and element
 *   sums     every element multiplies its sums by that, then adds weight times value, key by key
 * An accumulator is ready before it is needed again: loops of fewer than HLS_PARTIALS steps idle.
 * Causal: blocks that no query of the block sees are not read. The order of all sums is that of the
 * sequence's keys and the head's elements: a row's bits depend on its sequence alone.
 * HLS_WIDTH is a power of two, HLS_ROWS a multiple of HLS_PE; heads of HLS_COLS elements at most.
 *
 *   II 1, of keys and values, which come through one port, 2; with V = ceil(head_dim / WIDTH), g =
 *   groups: a block of queries takes PE g V (load) + queries x V (store) cycles, and each block of
 * n keys 2 n V (load) + V max(n g, PARTIALS) + (n + 1) (g + max(g V, PARTIALS)) (compute). PE x
 * WIDTH multiply-adds a cycle. Memory: (2 x ROWS + 2 x DEPTH) x COLS x 32 bits, ROWS x DEPTH x 32
 * bits. */
#ifndef HLS_PE
#define HLS_PE 8
#endif
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_ROWS
#define HLS_ROWS 64
#endif
#ifndef HLS_COLS
#define HLS_COLS 128
#endif
#ifndef HLS_DEPTH
#define HLS_DEPTH 64
#endif
#include "portable.h"

#define GROUPS  (HLS_ROWS / HLS_PE)
#define VECTORS (HLS_COLS / HLS_WIDTH)
#define UNSEEN  (-1e30f) /* below any score; its weight is 0 */

typedef float all_queries[GROUPS][HLS_PE][VECTORS][HLS_WIDTH];
typedef float all_keys[HLS_DEPTH][VECTORS][HLS_WIDTH];
typedef float all_scores[GROUPS][HLS_PE][HLS_DEPTH];
typedef float each_float[GROUPS][HLS_PE];
typedef int each_int[GROUPS][HLS_PE];

/* Query n of a sequence and kv head is head n % heads of token n / heads. */
typedef struct block {
	int heads, head_dim, vectors; /* query heads; vectors of a head */
	int first, count, groups;     /* queries first to first + count, in groups of HLS_PE */
	int key, keys;                /* keys key to key + keys */
} block;

/* Integers in the order of floats, so that the larger one is known within a cycle; and back. */
static inline int in_order(float x)
{
	const int bits = (int)hls_float_bits(x);
	return bits < 0 ? bits ^ 0x7fffffff : bits;
}
static inline float from_order(int place)
{
	return hls_bits_float((hls_u32)(place < 0 ? place ^ 0x7fffffff : place));
}

/* The block's queries times scale in its first slots, zeros in the others, and how many keys each
 * may see: up to its own, or all `length`. Sums begin. */
static inline void take_queries(block b, HLS_GLOBAL const float *q, hls_at at, int ldq, int causal,
                                int length, float scale, all_queries queries, each_int seen,
                                each_int most, each_float total, all_queries sums)
{
	int token = b.first / b.heads, head = b.first % b.heads, slot = 0, d = 0;
	for (int step = 0; step < b.groups * HLS_PE * b.vectors; step++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_LOAD);
		const int g = slot / HLS_PE, pe = slot % HLS_PE;
		float vector[HLS_WIDTH];
		hls_load(q, at + (hls_at)token * ldq + head * b.head_dim + d * HLS_WIDTH,
		         slot < b.count ? b.head_dim - d * HLS_WIDTH : 0, vector);
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++) {
			queries[g][pe][d][w] = vector[w] * scale;
			sums[g][pe][d][w] = 0;
		}
		seen[g][pe] = causal ? token + 1 : length;
		most[g][pe] = in_order(UNSEEN);
		total[g][pe] = 0;
		d++;
		if (d == b.vectors) {
			d = 0;
			slot++;
			head++;
		}
		if (head == b.heads) {
			head = 0;
			token++;
		}
	}
}

/* The block's rows of k and of v. */
static inline void take_keys(block b, HLS_GLOBAL const float *k, hls_at k_at,
                             HLS_GLOBAL const float *v, hls_at v_at, int ldkv, all_keys keys,
                             all_keys values)
{
	int key = 0, d = 0;
	for (int step = 0; step < b.keys * b.vectors; step++) {
		HLS_PIPELINE_EVERY(2)
		HLS_TRIP(HLS_LOAD);
		const hls_at at = (hls_at)(b.key + key) * ldkv + d * HLS_WIDTH;
		hls_load(k, k_at + at, b.head_dim - d * HLS_WIDTH, keys[key][d]);
		hls_load(v, v_at + at, b.head_dim - d * HLS_WIDTH, values[key][d]);
		d++;
		if (d == b.vectors) {
			d = 0;
			key++;
		}
	}
}

/* Scores; the largest so far of each query, and what that was before this block. */
static inline void add_scores(block b, all_queries queries, all_keys keys, each_int seen,
                              all_scores scores, each_int most, each_int before)
{
	const int period = HLS_MAX(b.keys * b.groups, HLS_PARTIALS);
	for (int d = 0; d < b.vectors; d++) {
		int key = 0, g = 0;
		HLS_NO_CONFLICT_IN(scores, HLS_PARTIALS)
		for (int step = 0; step < period; step++) {
			HLS_PIPELINE
			HLS_APART(scores, HLS_PARTIALS)
			HLS_TRIP(HLS_COMPUTE);
			HLS_UNROLL
			for (int pe = 0; pe < HLS_PE; pe++)
				if (key < b.keys) {
					float products[HLS_WIDTH];
					HLS_UNROLL
					for (int w = 0; w < HLS_WIDTH; w++)
						products[w] =
							queries[g][pe][d][w] * keys[key][d][w];
					float score = hls_tree(products, HLS_WIDTH);
					score += d ? scores[g][pe][key] : 0;
					if (d == b.vectors - 1) {
						const int top = most[g][pe];
						if (b.key + key >= seen[g][pe])
							score = UNSEEN;
						if (key == 0)
							before[g][pe] = top;
						most[g][pe] = HLS_MAX(top, in_order(score));
					}
					scores[g][pe][key] = score;
				}
			g++;
			if (g == b.groups) {
				g = 0;
				key++;
			}
		}
	}
}

/* Scores to weights; first, by how much what was summed up so far shrinks. */
static inline void weigh(block b, all_scores scores, each_int most, each_int before,
                         each_float shrink)
{
	int key = -1, g = 0;
	HLS_NO_CONFLICT_IN(scores, HLS_PARTIALS)
	for (int step = 0; step < (b.keys + 1) * b.groups; step++) {
		HLS_PIPELINE
		HLS_INDEPENDENT(scores)
		HLS_TRIP(HLS_COMPUTE);
		HLS_UNROLL
		for (int pe = 0; pe < HLS_PE; pe++) {
			const float old = key < 0 ? from_order(before[g][pe]) : scores[g][pe][key];
			const float weight = hls_expf(old - from_order(most[g][pe]));
			if (key < 0)
				shrink[g][pe] = weight;
			else
				scores[g][pe][key] = weight;
		}
		g++;
		if (g == b.groups) {
			g = 0;
			key++;
		}
	}
}

/* Sums times shrink, then plus weight times value, key by key: one multiply-add for both. */
static inline void add_values(block b, all_scores scores, each_float shrink, all_keys values,
                              each_float total, all_queries sums)
{
	const int period = HLS_MAX(b.groups * b.vectors, HLS_PARTIALS);
	for (int key = -1; key < b.keys; key++) {
		int g = 0, d = 0;
		HLS_NO_CONFLICT_IN(sums, HLS_PARTIALS)
		HLS_NO_CONFLICT_IN(total, HLS_PARTIALS)
		for (int step = 0; step < period; step++) {
			HLS_PIPELINE
			HLS_APART(sums, HLS_PARTIALS)
			HLS_APART(total, HLS_PARTIALS)
			HLS_TRIP(HLS_COMPUTE);
			HLS_UNROLL
			for (int pe = 0; pe < HLS_PE; pe++)
				if (g < b.groups) {
					const float weight =
						key < 0 ? shrink[g][pe] : scores[g][pe][key];
					HLS_UNROLL
					for (int w = 0; w < HLS_WIDTH; w++) {
						const float sum = sums[g][pe][d][w];
						const float by = key < 0 ? sum : values[key][d][w];
						sums[g][pe][d][w] =
							weight * by + (key < 0 ? 0 : sum);
					}
					if (d == 0) {
						const float sum = total[g][pe];
						total[g][pe] = weight * (key < 0 ? sum : 1) +
						               (key < 0 ? 0 : sum);
					}
				}
			d++;
			if (d == b.vectors) {
				d = 0;
				g++;
			}
		}
	}
}

/* Sums over totals. */
static inline void put_sums(block b, all_queries sums, each_float total, HLS_GLOBAL float *out,
                            hls_at at, int ldo)
{
	int token = b.first / b.heads, head = b.first % b.heads, slot = 0, d = 0;
	for (int step = 0; step < b.count * b.vectors; step++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_STORE);
		const int g = slot / HLS_PE, pe = slot % HLS_PE;
		const float inverse = 1.0f / total[g][pe];
		float vector[HLS_WIDTH];
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			vector[w] = sums[g][pe][d][w] * inverse;
		hls_store(vector, out, at + (hls_at)token * ldo + head * b.head_dim + d * HLS_WIDTH,
		          b.head_dim - d * HLS_WIDTH);
		d++;
		if (d == b.vectors) {
			d = 0;
			slot++;
			head++;
		}
		if (head == b.heads) {
			head = 0;
			token++;
		}
	}
}

HLS_KERNEL(attention, OMT_ATTENTION)
{
	HLS_PORTS(OMT_ATTENTION)
	all_queries queries, sums;
	all_keys keys, values;
	all_scores scores;
	each_int seen, most, before;
	each_float total, shrink;
	HLS_PARTITION(queries, 2)
	HLS_PARTITION(queries, 4)
	HLS_PARTITION(sums, 2)
	HLS_PARTITION(sums, 4)
	HLS_PARTITION(keys, 3)
	HLS_PARTITION(values, 3)
	HLS_PARTITION(scores, 2)
	HLS_PARTITION(seen, 2)
	HLS_PARTITION(most, 0)
	HLS_PARTITION(before, 2)
	HLS_PARTITION(total, 2)
	HLS_PARTITION(shrink, 2)
	(void)max_len;
	block b;
	b.heads = heads / kv_heads;
	b.head_dim = head_dim;
	b.vectors = HLS_DIVIDED(head_dim, HLS_WIDTH);
	for (int s = 0; s < sequences; s++) {
		const int begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
		const int all = length * b.heads;
		HLS_READ(8);
		for (int head = 0; head < kv_heads; head++) {
			const hls_at query_col = (hls_at)head * b.heads * head_dim;
			const hls_at kv = (hls_at)begin * ldkv + head * head_dim;
			for (b.first = 0; b.first < all; b.first += HLS_ROWS) {
				b.count = HLS_MIN(HLS_ROWS, all - b.first);
				b.groups = HLS_DIVIDED(b.count, HLS_PE);
				const int last =
					causal ? (b.first + b.count - 1) / b.heads + 1 : length;
				take_queries(b, q, (hls_at)begin * ldq + query_col, ldq, causal,
				             length, scale, queries, seen, most, total, sums);
				for (b.key = 0; b.key < last; b.key += HLS_DEPTH) {
					b.keys = HLS_MIN(HLS_DEPTH, last - b.key);
					take_keys(b, k, k_at + kv, v, v_at + kv, ldkv, keys,
					          values);
					add_scores(b, queries, keys, seen, scores, most, before);
					weigh(b, scores, most, before, shrink);
					add_values(b, scores, shrink, values, total, sums);
				}
				put_sums(b, sums, total, out, (hls_at)begin * ldo + query_col, ldo);
			}
		}
	}
}
