/* P = softmax(S), S = scale Q K^T, O = P V (each sequence and head). With dP = dO V^T:
 *
 *     dV = P^T dO,    dS = P (dP - rowsum(P dP)),    dQ = scale dS K,    dK = scale dS^T Q
 *
 * (Dao et al. 2022, appendix B.2). P is computed again, a block of queries by keys at a time: first
 * the largest score of each query, the sum of its weights and the row sum over all keys, then the
 * gradients. Blocks are transposed, queries lie along the columns: all that goes over keys is then
 * a loop over whole vectors of queries, in the order of the keys. */
#include <cblas.h>
#include <string.h>

#include "base/exponential.h"
#include "train/grad.h"

#define QUERIES 64  /* of a block, */
#define KEYS    256 /* and keys: one block holds most of a small model's sequences */

/* Queries of one head, and the block of keys at hand. */
typedef struct block {
	float p[KEYS][QUERIES], dp[KEYS][QUERIES]; /* scores, then P; dP, then scale dS */
	float most[QUERIES], total[QUERIES], sums[QUERIES];
	const float *q, *dout; /* of the first query */
	float *dq;
	int32_t query, rows; /* place in the sequence, number */
	int32_t head_dim, ldq, ldkv, ldo, causal;
	float scale;
} block;

/* The first query of the block that sees key `key` of the sequence. */
OMT_HOT int32_t first_seeing(const block *b, int32_t key)
{
	const int32_t first = b->causal ? key - b->query : 0;
	return first < 0 ? 0 : first < b->rows ? first : b->rows;
}

/* p = scale K Q^T, dp = V dO^T */
static void score(block *b, const float *k, const float *v, int32_t keys)
{
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, keys, b->rows, b->head_dim, b->scale,
	            k, b->ldkv, b->q, b->ldq, 0.0f, b->p[0], QUERIES);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, keys, b->rows, b->head_dim, 1.0f, v,
	            b->ldkv, b->dout, b->ldo, 0.0f, b->dp[0], QUERIES);
}

/* The block's share of most, total and sums (both of the latter times exp(most)). */
OMT_HOT void gather_body(block *b, int32_t key, int32_t keys)
{
	float most[QUERIES];
	memcpy(most, b->most, (size_t)b->rows * sizeof *most);
	for (int32_t j = 0; j < keys; j++) {
		const float *p = b->p[j];
		OMT_VECTOR_LOOP
		for (int32_t i = first_seeing(b, key + j); i < b->rows; i++)
			most[i] = p[i] > most[i] ? p[i] : most[i];
	}
	OMT_VECTOR_LOOP
	for (int32_t i = 0; i < b->rows; i++) {
		const float shrink = omt_exp(b->most[i] - most[i]);
		b->total[i] *= shrink;
		b->sums[i] *= shrink;
		b->most[i] = most[i];
	}
	for (int32_t j = 0; j < keys; j++) {
		const float *p = b->p[j], *dp = b->dp[j];
		OMT_VECTOR_LOOP
		for (int32_t i = first_seeing(b, key + j); i < b->rows; i++) {
			const float weight = omt_exp(p[i] - most[i]);
			b->total[i] += weight;
			b->sums[i] += weight * dp[i];
		}
	}
}
OMT_PATHS(gather, (block * b, int32_t key, int32_t keys), (b, key, keys))

/* Scores become P, dP becomes scale dS; total is 1 / total, sums are the row sums by now. */
OMT_HOT void finish_body(block *b, int32_t key, int32_t keys)
{
	for (int32_t j = 0; j < keys; j++) {
		const int32_t first = first_seeing(b, key + j);
		float *p = b->p[j], *dp = b->dp[j];
		for (int32_t i = 0; i < first; i++)
			p[i] = dp[i] = 0;
		OMT_VECTOR_LOOP
		for (int32_t i = first; i < b->rows; i++) {
			p[i] = omt_exp(p[i] - b->most[i]) * b->total[i];
			dp[i] = p[i] * (dp[i] - b->sums[i]) * b->scale;
		}
	}
}
OMT_PATHS(finish, (block * b, int32_t key, int32_t keys), (b, key, keys))

static void add(const block *b, const float *k, float *dk, float *dv, int32_t keys)
{
	if (dv)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, keys, b->head_dim, b->rows,
		            1.0f, b->p[0], QUERIES, b->dout, b->ldo, 1.0f, dv, b->ldkv);
	if (dk)
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, keys, b->head_dim, b->rows,
		            1.0f, b->dp[0], QUERIES, b->q, b->ldq, 1.0f, dk, b->ldkv);
	if (b->dq)
		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, b->rows, b->head_dim, keys,
		            1.0f, b->dp[0], QUERIES, k, b->ldkv, 1.0f, b->dq, b->ldq);
}

/* A block of queries against the keys [0, count) of its sequence. */
static void go_back(block *b, const float *k, const float *v, float *dk, float *dv, int32_t count)
{
	for (int32_t i = 0; i < b->rows; i++) {
		b->most[i] = -INFINITY;
		b->total[i] = b->sums[i] = 0;
	}
	for (int32_t key = 0; key < count; key += KEYS) {
		const int32_t keys = count - key < KEYS ? count - key : KEYS;
		const size_t at = (size_t)key * (size_t)b->ldkv;
		score(b, k + at, v + at, keys);
		gather(b, key, keys);
	}
	for (int32_t i = 0; i < b->rows; i++) {
		b->total[i] = 1.0f / b->total[i];
		b->sums[i] *= b->total[i];
	}
	for (int32_t key = 0; key < count; key += KEYS) {
		const int32_t keys = count - key < KEYS ? count - key : KEYS;
		const size_t at = (size_t)key * (size_t)b->ldkv;
		if (count > KEYS) /* else they are still there */
			score(b, k + at, v + at, keys);
		finish(b, key, keys);
		add(b, k + at, dk ? dk + at : NULL, dv ? dv + at : NULL, keys);
	}
}

void grad_attention(const float *q, const float *k, const float *v, const int32_t *cu_seqlens,
                    const float *dout, float *dq, float *dk, float *dv, int32_t sequences,
                    int32_t max_len, int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t ldq,
                    int32_t ldkv, int32_t ldo, int32_t k_at, int32_t v_at, int32_t causal,
                    float scale)
{
	block b; /* fields one by one: the rest is large */
	b.head_dim = head_dim;
	b.ldq = ldq;
	b.ldkv = ldkv;
	b.ldo = ldo;
	b.causal = causal;
	b.scale = scale;
	(void)max_len;
	for (int32_t s = 0; s < sequences; s++) {
		const int32_t begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
		for (int32_t head = 0; head < heads; head++) {
			const size_t at = (size_t)begin * (size_t)ldkv +
			                  (size_t)(head / (heads / kv_heads) * head_dim);
			const size_t k_from = (size_t)k_at + at, v_from = (size_t)v_at + at;
			for (b.query = 0; b.query < length; b.query += QUERIES) {
				const size_t row = (size_t)(begin + b.query),
					     col = (size_t)(head * head_dim);
				const int32_t left = length - b.query;
				b.rows = left < QUERIES ? left : QUERIES;
				b.q = q + row * (size_t)ldq + col;
				b.dq = dq ? dq + row * (size_t)ldq + col : NULL;
				b.dout = dout + row * (size_t)ldo + col;
				go_back(&b, k + k_from, v + v_from, dk ? dk + k_from : NULL,
				        dv ? dv + v_from : NULL,
				        causal ? b.query + b.rows : length);
			}
		}
	}
}
