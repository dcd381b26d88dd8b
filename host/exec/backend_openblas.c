/* GEMM and attention through OpenBLAS; the other ops are ref's (they share memory).
 *
 * OpenBLAS chooses its inner kernels by the shape, and with them the order of additions. So that an
 * item's vector has the same bits alone or in any batch, sgemm is only ever called with one M: rows
 * go in chunks, the last one through a copy filled up with zeros. A chunk's rows lie along the axis
 * that most cores' kernels cut into equal parts (products are column-major: element (i, j) at
 * j * CHUNK + i). Haswell's and Zen's do not for more than 16 rows, so open() tries. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/exponential.h"
#include "exec/activate.h"
#include "exec/backend_host.h"
#include "exec/storage.h"

#define CHUNK    64    /* rows of A, or queries, a call at most */
#define TILE_N   256   /* rows of W expanded to f32 at a time */
#define BAND     16    /* rows of C finished at a time, divides CHUNK */
#define TILE_K   16384 /* longest row of W that is supported */
#define KEYS     256   /* keys a step of attention */
#define MAX_HEAD 256

typedef struct omt_blas {
	omt_host_backend host;
	int32_t chunk;  /* rows a call */
	float *weights; /* [TILE_N, TILE_K] */
	float *rows;    /* [CHUNK, TILE_K]: the last chunk of A */
	float *product; /* [TILE_N][CHUNK] */
	float *scores;  /* [KEYS][CHUNK] */
	float *sums;    /* [MAX_HEAD][CHUNK] */
} omt_blas;

/* product[TILE_N][CHUNK] = rows a[chunk, k] times rows w[n, k]. */
static void multiply(const omt_blas *blas, int32_t n, int32_t k, const float *a, int32_t lda,
                     const float *w, int32_t ldw, float *product)
{
	cblas_sgemm(CblasColMajor, CblasTrans, CblasNoTrans, blas->chunk, n, k, 1.0f, a, lda, w,
	            ldw, 0.0f, product, CHUNK);
}

/* Whether equal rows give equal bits at every place of a chunk of this size. */
static bool is_uniform(omt_blas *blas, int32_t chunk)
{
	static const int32_t depths[] = {37, 80, 128, 1000};
	blas->chunk = chunk;
	for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
		const int32_t k = depths[d];
		uint32_t state = 1;
		for (int32_t i = 0; i < TILE_N * k; i++) {
			state = state * 1664525u + 1013904223u;
			blas->weights[i] = (float)(int32_t)state / 2147483648.0f;
		}
		for (int32_t i = 0; i < chunk; i++)
			memcpy(blas->rows + (size_t)i * (size_t)k, blas->weights,
			       (size_t)k * sizeof(float));
		for (int32_t n = TILE_N; n > 0; n = n * 3 / 7) {
			multiply(blas, n, k, blas->rows, k, blas->weights, k, blas->product);
			for (int32_t j = 0; j < n; j++)
				for (int32_t i = 1; i < chunk; i++)
					if (memcmp(blas->product + j * CHUNK,
					           blas->product + j * CHUNK + i, sizeof(float)))
						return false;
		}
	}
	return true;
}

static void choose_chunk(omt_blas *blas)
{
	static const int32_t chunks[] = {CHUNK, 16, 8, 1};
	for (size_t i = 0; i < sizeof chunks / sizeof *chunks && !is_uniform(blas, chunks[i]); i++)
		continue;
}

static void close_blas(omt_backend *self)
{
	omt_blas *blas = (omt_blas *)self;
	free(blas->weights);
	free(blas->rows);
	free(blas->product);
	free(blas->scores);
	free(blas->sums);
	free(blas);
}

static omt_status open_blas(const omt_backend_options *options, int32_t most, omt_backend **self,
                            int32_t *count, omt_error *err)
{
	(void)most;
	omt_blas *blas = calloc(1, sizeof *blas);
	if (!blas)
		return OMT_FAIL(err, NO_MEMORY, "backend openblas");
	blas->host.base.class = &omt_backend_openblas;
	blas->weights = malloc((size_t)TILE_N * TILE_K * sizeof(float));
	blas->rows = malloc((size_t)CHUNK * TILE_K * sizeof(float));
	blas->product = malloc((size_t)CHUNK * TILE_N * sizeof(float));
	blas->scores = malloc((size_t)CHUNK * KEYS * sizeof(float));
	blas->sums = malloc((size_t)CHUNK * MAX_HEAD * sizeof(float));
	if (!blas->weights || !blas->rows || !blas->product || !blas->scores || !blas->sums) {
		close_blas(&blas->host.base);
		return OMT_FAIL(err, NO_MEMORY, "backend openblas");
	}
	if (options->threads > 0)
		openblas_set_num_threads(options->threads);
	choose_chunk(blas);
	*self = &blas->host.base;
	*count = 1;
	return OMT_OK;
}

static void info_blas(const omt_backend *self, omt_backend_info *info)
{
	(void)self;
	*info = (omt_backend_info){0};
	omt_host_info(info);
	snprintf(info->backend, sizeof info->backend, "openblas");
	snprintf(info->driver, sizeof info->driver, "OpenBLAS, %s, %d threads",
	         openblas_get_corename(), openblas_get_num_threads());
	snprintf(info->version, sizeof info->version, "%s", openblas_get_config());
}

static bool supports_blas(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	if (op == OMT_OP_gemm) {
		const omt_gemm_args *gemm = args;
		return gemm->w_panel == 1 && gemm->k <= TILE_K;
	}
	return op == OMT_OP_attention && ((const omt_attention_args *)args)->head_dim <= MAX_HEAD;
}

/* ---- gemm ---- */

static const float *expand_rows(omt_blas *blas, const omt_gemm_args *g, int32_t first,
                                int32_t count, int32_t *ld)
{
	const uint8_t *w = omt_host_buffer_data(g->w);
	size_t at = (size_t)first * (size_t)g->ldw;
	if (g->w_dtype == OMT_F32) {
		*ld = g->ldw;
		return (const float *)(const void *)w + at;
	}
	*ld = g->k;
	for (int32_t row = 0; row < count; row++, at += (size_t)g->ldw) {
		float *to = blas->weights + (size_t)row * (size_t)g->k;
		for (int32_t i = 0; i < g->k; i++)
			to[i] = omt_dtype_load(w, g->w_dtype, at + (size_t)i);
	}
	return blas->weights;
}

/* A row's columns from `col` on, whose sums are `line`. */
static void finish_row(const omt_gemm_args *g, int32_t row, int32_t col, int32_t cols, float *line)
{
	const size_t at = (size_t)(g->n_first + col);
	const float *scale = (const float *)omt_host_buffer_data(g->scale) + at;
	const float *bias = (const float *)omt_host_buffer_data(g->bias) + at;
	const float *residual = (const float *)omt_host_buffer_data(g->residual) +
	                        (size_t)row * (size_t)g->ldr + at;
	float *c = (float *)omt_host_buffer_data(g->c) + (size_t)row * (size_t)g->ldc + at;
	for (int32_t j = 0; g->flags & OMT_GEMM_SCALE && j < cols; j++)
		line[j] *= scale[j];
	for (int32_t j = 0; g->flags & OMT_GEMM_BIAS && j < cols; j++)
		line[j] += bias[j];
	omt_activate(line, line, (size_t)cols, g->act);
	if (g->flags & OMT_GEMM_PRODUCT)
		for (int32_t j = 0; j < cols; j++)
			c[j] = line[j] * residual[j];
	else if (g->flags & OMT_GEMM_RESIDUAL)
		for (int32_t j = 0; j < cols; j++)
			c[j] = line[j] + residual[j];
	else
		memcpy(c, line, (size_t)cols * sizeof *c);
}

/* A tile is larger than the cache next to the core: it is turned a band of rows at a time, which
 * are a cache line of each of its columns. */
static void finish_tile(const omt_blas *blas, const omt_gemm_args *g, int32_t row, int32_t rows,
                        int32_t col, int32_t cols)
{
	float band[BAND][TILE_N];
	for (int32_t first = 0; first < rows; first += BAND) {
		const float *from = blas->product + first;
		for (int32_t j = 0; j < cols; j++, from += CHUNK)
			for (int32_t i = 0; i < BAND; i++)
				band[i][j] = from[i];
		for (int32_t i = 0; i < BAND && first + i < rows; i++)
			finish_row(g, row + first + i, col, cols, band[i]);
	}
}

/* `count` rows of dense length `cols` followed by zero rows up to a chunk, to blas->rows. */
static void fill_chunk(const omt_blas *blas, const float *from, int32_t ld, int32_t count,
                       int32_t cols)
{
	float *to = blas->rows;
	for (int32_t i = 0; i < count; i++)
		memcpy(to + (size_t)i * (size_t)cols, from + (size_t)i * (size_t)ld,
		       (size_t)cols * sizeof *to);
	memset(to + (size_t)count * (size_t)cols, 0,
	       (size_t)(blas->chunk - count) * (size_t)cols * sizeof *to);
}

static void run_gemm(omt_blas *blas, const omt_gemm_args *g)
{
	const float *a = omt_host_buffer_data(g->a);
	int32_t tail = g->m % blas->chunk;
	if (tail)
		fill_chunk(blas, a + (size_t)(g->m - tail) * (size_t)g->lda, g->lda, tail, g->k);
	for (int32_t col = 0; col < g->n; col += TILE_N) {
		int32_t cols = g->n - col < TILE_N ? g->n - col : TILE_N, ldw;
		const float *w = expand_rows(blas, g, col, cols, &ldw);
		for (int32_t row = 0; row < g->m; row += blas->chunk) {
			bool whole = g->m - row >= blas->chunk;
			multiply(blas, cols, g->k,
			         whole ? a + (size_t)row * (size_t)g->lda : blas->rows,
			         whole ? g->lda : g->k, w, ldw, blas->product);
			finish_tile(blas, g, row, whole ? blas->chunk : tail, col, cols);
		}
	}
}

/* ---- attention ---- */

/* The running maximum and sum of an online softmax over key blocks. */
typedef struct omt_softmax {
	float most[CHUNK], total[CHUNK];
} omt_softmax;

/* The first query of the chunk that sees a key. */
OMT_HOT int32_t first_seeing(const omt_attention_args *a, int32_t first_query, int32_t rows,
                             int32_t key)
{
	const int32_t first = a->causal ? key - first_query : 0;
	return first < 0 ? 0 : first < rows ? first : rows;
}

/* The scores become weights; the sums so far are scaled to the new maximum. Loops go along the
 * queries, which have nothing to do with one another. */
OMT_HOT void step_softmax_body(omt_blas *blas, omt_softmax *soft, const omt_attention_args *a,
                               int32_t first_query, int32_t rows, int32_t first_key, int32_t keys)
{
	float most[CHUNK], total[CHUNK] = {0}, shrink[CHUNK];
	memcpy(most, soft->most, sizeof most);
	for (int32_t j = 0; j < keys; j++) {
		const float *score = blas->scores + (size_t)j * CHUNK;
		OMT_VECTOR_LOOP
		for (int32_t i = first_seeing(a, first_query, rows, first_key + j); i < rows; i++) {
			const float scaled = a->scale * score[i];
			most[i] = scaled > most[i] ? scaled : most[i];
		}
	}
	for (int32_t j = 0; j < keys; j++) {
		const int32_t first = first_seeing(a, first_query, rows, first_key + j);
		float *score = blas->scores + (size_t)j * CHUNK;
		for (int32_t i = 0; i < first; i++)
			score[i] = 0;
		OMT_VECTOR_LOOP
		for (int32_t i = first; i < rows; i++) {
			score[i] = omt_exp(a->scale * score[i] - most[i]);
			total[i] += score[i];
		}
	}
	OMT_VECTOR_LOOP
	for (int32_t i = 0; i < rows; i++) {
		shrink[i] = omt_exp(soft->most[i] - most[i]);
		soft->most[i] = most[i];
		soft->total[i] = soft->total[i] * shrink[i] + total[i];
	}
	for (int32_t d = 0; d < a->head_dim; d++) {
		float *sum = blas->sums + (size_t)d * CHUNK;
		OMT_VECTOR_LOOP
		for (int32_t i = 0; i < rows; i++)
			sum[i] *= shrink[i];
	}
}
OMT_PATHS(step_softmax,
          (omt_blas * blas, omt_softmax *soft, const omt_attention_args *a, int32_t first_query,
           int32_t rows, int32_t first_key, int32_t keys),
          (blas, soft, a, first_query, rows, first_key, keys))

/* A block of queries of one head against all keys of its sequence. */
static void attend_block(omt_blas *blas, const omt_attention_args *a, int32_t begin, int32_t length,
                         int32_t head, int32_t query)
{
	int32_t dim = a->head_dim,
		rows = length - query < blas->chunk ? length - query : blas->chunk;
	size_t kv_at =
		(size_t)begin * (size_t)a->ldkv + (size_t)(head / (a->heads / a->kv_heads) * dim);
	const float *q = (const float *)omt_host_buffer_data(a->q) +
	                 (size_t)(begin + query) * (size_t)a->ldq + (size_t)(head * dim);
	const float *k = (const float *)omt_host_buffer_data(a->k) + a->k_at + kv_at;
	const float *v = (const float *)omt_host_buffer_data(a->v) + a->v_at + kv_at;
	float *out = (float *)omt_host_buffer_data(a->out) +
	             (size_t)(begin + query) * (size_t)a->ldo + (size_t)(head * dim);
	omt_softmax soft;
	for (int32_t i = 0; i < CHUNK; i++) {
		soft.most[i] = -INFINITY;
		soft.total[i] = 0;
	}
	fill_chunk(blas, q, a->ldq, rows, dim);
	memset(blas->sums, 0, (size_t)CHUNK * (size_t)dim * sizeof *blas->sums);
	for (int32_t key = 0; key < length; key += KEYS) {
		int32_t keys = length - key < KEYS ? length - key : KEYS;
		if (a->causal && key > query + rows - 1)
			break;
		multiply(blas, keys, dim, blas->rows, dim, k + (size_t)key * (size_t)a->ldkv,
		         a->ldkv, blas->scores);
		step_softmax(blas, &soft, a, query, rows, key, keys);
		cblas_sgemm(CblasColMajor, CblasNoTrans, CblasTrans, blas->chunk, dim, keys, 1.0f,
		            blas->scores, CHUNK, v + (size_t)key * (size_t)a->ldkv, a->ldkv, 1.0f,
		            blas->sums, CHUNK);
	}
	for (int32_t i = 0; i < rows; i++)
		for (int32_t d = 0; d < dim; d++)
			out[(size_t)i * (size_t)a->ldo + (size_t)d] =
				blas->sums[d * CHUNK + i] / soft.total[i];
}

static void run_attention(omt_blas *blas, const omt_attention_args *a)
{
	const int32_t *cu_seqlens = omt_host_buffer_data(a->cu_seqlens);
	for (int32_t s = 0; s < a->sequences; s++) {
		int32_t begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
		for (int32_t head = 0; head < a->heads; head++)
			for (int32_t query = 0; query < length; query += blas->chunk)
				attend_block(blas, a, begin, length, head, query);
	}
}

static omt_status run_blas(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                           omt_error *err)
{
	double begin_s = omt_now_s();
	if (op == OMT_OP_gemm)
		run_gemm((omt_blas *)self, args);
	else if (op == OMT_OP_attention)
		run_attention((omt_blas *)self, args);
	else
		return OMT_FAIL(err, UNSUPPORTED, "openblas: op %s", omt_op_infos[op].name);
	if (mark)
		omt_host_mark(self, begin_s, mark);
	return OMT_OK;
}

const omt_backend_class omt_backend_openblas = {
	.name = "openblas",
	.open = open_blas,
	.close = close_blas,
	.info = info_blas,
	.supports = supports_blas,
	.alloc = omt_host_alloc,
	.free = omt_host_free,
	.write = omt_host_write,
	.read = omt_host_read,
	.run = run_blas,
	.done = omt_host_done,
	.wait = omt_host_wait,
	.elapsed = omt_host_elapsed,
};
