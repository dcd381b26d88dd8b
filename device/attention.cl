/* attention.cl - softmax(scale q k^T) v over packed sequences, a query and head a work-item, keys
 * one after the other from the sequence's start with an online softmax (Milakov and Gimelshein,
 * 2018): no S x S matrix anywhere, and a row's bits depend on its own sequence alone.
 *
 * Scores come in blocks of TILE_KEYS, so that the maximum changes, and the sums are rescaled, at
 * most once a block. Global ids: (query of the sequence, head, sequence). */
#include "contract.h"

#ifndef TILE_KEYS
#define TILE_KEYS 16
#endif
#define ATTENTION_MAX_DIM 256

/* The dot product of n values, 8 at a time, then the rest. */
inline float attention_dot(__private const float *a, __global const float *b, int n)
{
	float8 sums = 0.0f;
	int i = 0;
	for (; i + 8 <= n; i += 8)
		sums = fma(vload8(0, a + i), vload8(0, b + i), sums);
	float4 four = sums.lo + sums.hi;
	float2 two = four.lo + four.hi;
	float sum = two.x + two.y;
	for (; i < n; i++)
		sum = fma(a[i], b[i], sum);
	return sum;
}

/* sums[n] += weight * b[n] */
inline void attention_add(__private float *sums, float weight, __global const float *b, int n)
{
	int i = 0;
	for (; i + 8 <= n; i += 8)
		vstore8(fma((float8)weight, vload8(0, b + i), vload8(0, sums + i)), 0, sums + i);
	for (; i < n; i++)
		sums[i] = fma(weight, b[i], sums[i]);
}

__kernel void attention(OMT_ARGS(OMT_ATTENTION))
{
	__private float query[ATTENTION_MAX_DIM], sums[ATTENTION_MAX_DIM], scores[TILE_KEYS];
	const int i = get_global_id(0), head = get_global_id(1), s = get_global_id(2);
	if (head >= heads || s >= sequences)
		return;
	const int begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
	if (i >= length)
		return;
	const int seen = causal ? i + 1 : length;
	const size_t kv_at = (size_t)begin * ldkv + head / (heads / kv_heads) * head_dim;
	__global const float *from = q + (size_t)(begin + i) * ldq + head * head_dim;
	for (int d = 0; d < head_dim; d++) {
		query[d] = from[d];
		sums[d] = 0.0f;
	}
	float most = -INFINITY, total = 0.0f;
	for (int key = 0; key < seen; key += TILE_KEYS) {
		const int keys = min(TILE_KEYS, seen - key);
		__global const float *k_block = k + kv_at + (size_t)key * ldkv;
		__global const float *v_block = v + kv_at + (size_t)key * ldkv;
		float largest = most;
		for (int j = 0; j < keys; j++) {
			scores[j] = scale * attention_dot(query, k_block + (size_t)j * ldkv,
			                                  head_dim);
			largest = fmax(largest, scores[j]);
		}
		const float shrink = exp(most - largest);
		most = largest;
		total *= shrink;
		for (int d = 0; d < head_dim; d++)
			sums[d] *= shrink;
		for (int j = 0; j < keys; j++) {
			const float weight = exp(scores[j] - most);
			total += weight;
			attention_add(sums, weight, v_block + (size_t)j * ldkv, head_dim);
		}
	}
	__global float *to = out + (size_t)(begin + i) * ldo + head * head_dim;
	for (int d = 0; d < head_dim; d++)
		to[d] = sums[d] / total;
}
