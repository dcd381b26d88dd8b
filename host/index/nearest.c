#include "index/nearest.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "exec/storage.h"
#include "index/candidates.h"
#include "index/score.h"
#include "index/scorer.h"

#define BATCH_QUERIES 1024              /* scored together at most */
#define BATCH_BYTES   ((size_t)1 << 28) /* of candidates at most */
#define FEW_QUERIES   4                 /* at most: memory bounds them, the host scores them */
#define BLOCK_SCORES  ((size_t)1 << 20) /* of a block: they stay in the cache */
#define BLOCK_BYTES   ((size_t)1 << 25) /* of vectors that a device takes at once */
#define MAX_ASKED     16384 /* bytes of the next candidate's vector: they come meanwhile */
#define MAX_BLOCK     32768
#define SLACK         16   /* scores that a device keeps beside those that are wanted */
#define ALIGNED_ROWS  2048 /* blocks of so many rows begin at whole pages, whatever they hold */

struct omt_searcher {
	char *backend, *device;
	int32_t threads;
	int64_t candidates;
	omt_cut cut;
	omt_exec *exec;
	omt_backend_info info;
	omt_search_blocks blocks;
};

/* One call of omt_searcher_find(). */
typedef struct omt_find {
	omt_searcher *searcher;
	const omt_vector_sets *sets;
	int64_t *starts;   /* [sets + 1]: number of a set's first row */
	uint8_t *unusable; /* own bits of rows, with those that were left out; NULL: as
	                      sets->left_out */
	double norm;       /* of the longest vector */
	double rest;       /* of the vector that loses most in bf16 */
	omt_precision precision;
	const float *queries; /* of the batch */
	omt_candidates kept;
	bool cuts; /* blocks, on the device */
	omt_neighbor *hits;
	size_t k, *found;
	atomic_int failed; /* a status, of which `err` tells */
	omt_error err;
} omt_find;

omt_status omt_searcher_new(const omt_searcher_options *options, omt_searcher **given,
                            omt_error *err)
{
	omt_searcher *searcher = calloc(1, sizeof *searcher);
	*given = NULL;
	if (!searcher || (options->backend && !(searcher->backend = strdup(options->backend))) ||
	    (options->device && !(searcher->device = strdup(options->device)))) {
		omt_searcher_free(searcher);
		return OMT_FAIL(err, NO_MEMORY, "a search");
	}
	searcher->threads = options->threads;
	searcher->candidates = options->candidates;
	searcher->cut = options->cut;
	*given = searcher;
	return OMT_OK;
}

void omt_searcher_free(omt_searcher *searcher)
{
	if (!searcher)
		return;
	omt_exec_close(searcher->exec);
	free(searcher->backend);
	free(searcher->device);
	free(searcher);
}

omt_search_blocks omt_searcher_blocks(const omt_searcher *searcher)
{
	return searcher->blocks;
}

static omt_status open_backend(omt_searcher *searcher, omt_error *err)
{
	const omt_backend_options options = {.device = searcher->device,
	                                     .threads = searcher->threads};
	if (searcher->exec)
		return OMT_OK;
	OMT_TRY(omt_exec_open(searcher->backend, &options, &searcher->exec, err));
	omt_exec_info(searcher->exec, &searcher->info);
	if (!strcmp(searcher->info.backend, "model")) {
		omt_exec_close(searcher->exec);
		searcher->exec = NULL;
		return OMT_FAIL(err, BAD_ARGUMENT, "backend model computes nothing to search by");
	}
	return OMT_OK;
}

/* ---- sets ------------------------------------------------------------------------------------ */

/* The first reason is kept. */
static void fail(omt_find *find, const omt_error *why)
{
	int none = OMT_OK;
	if (atomic_compare_exchange_strong(&find->failed, &none, OMT_STATUS_COUNT)) {
		find->err = *why;
		atomic_store(&find->failed, (int)why->status);
	}
}

static bool check(omt_find *find, size_t set, bool codes, int64_t first, int64_t count)
{
	const omt_vector_sets *sets = find->sets;
	omt_error err;
	if (!sets->check || sets->check(sets->user, set, codes, first, count, &err) == OMT_OK)
		return true;
	fail(find, &err);
	return false;
}

static const uint8_t *row_of(const omt_find *find, size_t set, int64_t row)
{
	const omt_vector_set *of = &find->sets->set[set];
	return (const uint8_t *)of->data +
	       (size_t)row * (size_t)find->sets->dimension * omt_dtype_bytes(of->dtype);
}

/* Lengths of a set's vectors that nobody told; what is not finite is left out. */
static omt_status look_at(omt_find *find, size_t set, omt_error *err)
{
	const omt_vector_set *of = &find->sets->set[set];
	const size_t bytes = ((size_t)find->starts[find->sets->count] + 7) / 8;
	if (!find->unusable) {
		find->unusable = calloc(1, bytes + 1);
		if (!find->unusable)
			return OMT_FAIL(err, NO_MEMORY, "marks of %zu bytes", bytes);
		if (find->sets->left_out)
			memcpy(find->unusable, find->sets->left_out, bytes);
	}
	if (!check(find, set, false, 0, of->count))
		return OMT_OK;
	for (int64_t row = 0; row < of->count; row++) {
		const double norm =
			omt_norm(row_of(find, set, row), of->dtype, find->sets->dimension);
		const int64_t number = find->starts[set] + row;
		if (!isfinite(norm))
			find->unusable[number / 8] |= (uint8_t)(1 << number % 8);
		else if (norm > find->norm)
			find->norm = norm;
		if (isfinite(norm) && of->dtype == OMT_F32)
			find->rest =
				fmax(find->rest, omt_bf16_rest((const float *)of->data +
			                                               row * find->sets->dimension,
			                                       find->sets->dimension));
	}
	return OMT_OK;
}

static omt_status prepare_sets(omt_find *find, omt_error *err)
{
	const omt_vector_sets *sets = find->sets;
	find->starts = calloc(sets->count + 1, sizeof *find->starts);
	if (!find->starts)
		return OMT_FAIL(err, NO_MEMORY, "%zu sets of vectors", sets->count);
	for (size_t i = 0; i < sets->count; i++)
		find->starts[i + 1] = find->starts[i] + sets->set[i].count;
	for (size_t i = 0; i < sets->count; i++) {
		find->norm = fmax(find->norm, sets->set[i].norm);
		find->rest = fmax(find->rest, sets->set[i].rest);
		if (sets->set[i].norm <= 0)
			OMT_TRY(look_at(find, i, err));
	}
	return OMT_OK;
}

/* The set of a row, whose number becomes the one in it. */
static size_t set_of(const omt_find *find, int64_t *row)
{
	size_t low = 0, high = find->sets->count;
	while (high - low > 1) {
		const size_t middle = (low + high) / 2;
		if (find->starts[middle] <= *row)
			low = middle;
		else
			high = middle;
	}
	*row -= find->starts[low];
	return low;
}

static void ask_for(const omt_find *find, int64_t row)
{
	const size_t set = set_of(find, &row);
	const uint8_t *data = row_of(find, set, row);
	const size_t bytes =
		(size_t)find->sets->dimension * omt_dtype_bytes(find->sets->set[set].dtype);
	for (size_t at = 0; at < bytes && at < MAX_ASKED; at += 64)
		__builtin_prefetch(data + at);
}

static bool rescore(void *user, size_t query, int64_t row, int64_t next, float *score)
{
	omt_find *find = user;
	const size_t set = set_of(find, &row);
	if (next >= 0)
		ask_for(find, next);
	if (!check(find, set, false, row, 1))
		return false;
	*score = omt_score(find->queries + query * (size_t)find->sets->dimension,
	                   row_of(find, set, row), find->sets->set[set].dtype,
	                   find->sets->dimension);
	return true;
}

/* ---- a batch of queries ---------------------------------------------------------------------- */

static size_t block_rows(const omt_find *find, size_t queries, bool on_device)
{
	const size_t bytes = (size_t)find->sets->dimension * sizeof(float);
	size_t rows = BLOCK_SCORES / (queries + OMT_SCORE_GROUP - 1);
	if (on_device && rows > BLOCK_BYTES / bytes)
		rows = BLOCK_BYTES / bytes;
	if (rows > MAX_BLOCK)
		rows = MAX_BLOCK;
	if (rows >= ALIGNED_ROWS / 2)
		return rows < ALIGNED_ROWS ? ALIGNED_ROWS / 2 : rows / ALIGNED_ROWS * ALIGNED_ROWS;
	return rows ? rows : 1;
}

/* How many of a query's scores leave the device when a block is cut; 0: blocks are not. Those that
 * beat what was found before are rarely more than are wanted. */
static size_t kept_scores(const omt_find *find, size_t queries, size_t wanted, size_t rows)
{
	const omt_searcher *searcher = find->searcher;
	const size_t kept = wanted + SLACK;
	/* What the op would be asked. */
	const omt_topk_args args = {.rows = (int32_t)queries,
	                            .cols = (int32_t)rows,
	                            .ldx = 1,
	                            .stride = (int32_t)queries,
	                            .k = (int32_t)kept,
	                            .bounded = 1};
	const bool cuts = searcher->cut == OMT_CUT_ALWAYS ||
	                  (searcher->cut == OMT_CUT_AUTO && !searcher->info.in_place);
	/* A score that is kept comes with its place: at most half of the bytes. */
	return cuts && kept <= OMT_TOPK_MAX && 4 * kept <= rows &&
	                       omt_exec_supports(searcher->exec, OMT_OP_topk, &args)
	               ? kept
	               : 0;
}

/* Takes the scores of a block that was put. What fails is told by rescore(). */
static omt_status take(omt_find *find, omt_scorer *scorer, const omt_block *block, bool exact,
                       omt_error *err)
{
	omt_scores scores;
	const uint8_t *left_out = find->unusable ? find->unusable : find->sets->left_out;
	const int64_t first = find->starts[block->set - find->sets->set] + block->first;
	bool whole;
	OMT_TRY(omt_scorer_take(scorer, &scores, err));
	if (scores.all) {
		omt_candidates_take(&find->kept, scores.all, scores.ld, first, block->rows,
		                    left_out, exact);
		return OMT_OK;
	}
	find->searcher->blocks.cut++;
	if (!omt_candidates_take_best(&find->kept, &scores.best, first, left_out, &whole) || !whole)
		return OMT_OK;
	find->searcher->blocks.whole++;
	OMT_TRY(omt_scorer_read_all(scorer, &scores, err));
	omt_candidates_take_rest(&find->kept, &scores.best, scores.all, scores.ld, first, left_out);
	return OMT_OK;
}

/* All blocks of all sets, one being scored while the one before is looked at. */
static omt_status walk(omt_find *find, omt_scorer *scorer, size_t rows, bool exact, omt_error *err)
{
	omt_block block, before = {0};
	for (size_t i = 0; i < find->sets->count && !find->failed; i++) {
		block.set = &find->sets->set[i];
		for (block.first = 0; block.first < block.set->count && !find->failed;
		     block.first += (int64_t)rows) {
			const int64_t left = block.set->count - block.first;
			block.rows = left < (int64_t)rows ? (size_t)left : rows;
			if (!check(find, i, find->precision == OMT_SCORES_CODES, block.first,
			           (int64_t)block.rows))
				break;
			OMT_TRY(omt_scorer_put(
				scorer, &block,
				find->cuts ? omt_candidates_bounds(&find->kept) : NULL, err));
			if (before.set)
				OMT_TRY(take(find, scorer, &before, exact, err));
			before = block;
		}
	}
	return before.set && !find->failed ? take(find, scorer, &before, exact, err) : OMT_OK;
}

static void finish(void *user, size_t q)
{
	omt_find *find = user;
	const omt_candidate *list = find->kept.list + q * find->kept.room;
	find->found[q] = 0;
	if (find->failed || !omt_candidates_finish(&find->kept, q, &find->found[q]))
		return;
	if (find->found[q] > find->k)
		find->found[q] = find->k;
	for (size_t i = 0; i < find->found[q]; i++)
		find->hits[q * find->k + i] = (omt_neighbor){list[i].row, list[i].score};
}

/* How far a gemm's score is from the exact one at most (nearest.h), the exact one's own rounding
 * included. Denormals may count as 0. */
static double margin_of(const omt_find *find, const float *query)
{
	const int32_t dimension = find->sets->dimension;
	const double unit = dimension * 0x1p-24, norm = omt_norm(query, OMT_F32, dimension);
	double margin = (unit / (1 - unit) + 0x1p-24) * norm * find->norm;
	if (find->precision == OMT_SCORES_BF16) {
		const double rest = omt_bf16_rest(query, dimension);
		margin += rest * find->norm + (norm + rest) * find->rest;
	}
	return 1.001 * margin + 2 * dimension * (double)FLT_MIN;
}

static omt_status find_batch(omt_find *find, size_t count, size_t wanted, omt_error *err)
{
	const bool on_device = find->precision != OMT_SCORES_EXACT;
	const size_t rows = block_rows(find, count, on_device);
	omt_scorer *scorer = NULL;
	omt_status status;
	OMT_GOTO(omt_candidates_init(&find->kept, count, wanted, rescore, find, err));
	for (size_t q = 0;
	     q < count && (find->precision == OMT_SCORES_F32 || find->precision == OMT_SCORES_BF16);
	     q++)
		find->kept.margin[q] =
			margin_of(find, find->queries + q * (size_t)find->sets->dimension);
	const omt_scorer_options options = {
		.exec = on_device ? find->searcher->exec : NULL,
		.threads = find->searcher->threads,
		.precision = find->precision,
		.queries = find->queries,
		.query_count = count,
		.dimension = find->sets->dimension,
		.rows = rows,
		.kept = on_device ? kept_scores(find, count, wanted, rows) : 0};
	find->cuts = options.kept > 0;
	OMT_GOTO(omt_scorer_open(&options, &scorer, err));
	OMT_GOTO(walk(find, scorer, rows, !on_device, err));
	omt_parallel(find->searcher->threads, count, finish, find);
	if (find->failed) {
		status = omt_fail(err, find->err.status, "%s", find->err.text);
		goto done;
	}
done:
	omt_scorer_close(scorer);
	omt_candidates_free(&find->kept);
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static omt_status check_arguments(const omt_find *find, const float *queries, size_t query_count,
                                  omt_error *err)
{
	const int32_t dimension = find->sets->dimension;
	if (!find->k)
		return OMT_FAIL(err, BAD_ARGUMENT, "k is 0");
	for (size_t q = 0; q < query_count; q++) {
		const double norm = omt_norm(queries + q * (size_t)dimension, OMT_F32, dimension);
		if (!isfinite(norm))
			return OMT_FAIL(err, BAD_ARGUMENT, "query %zu is not finite", q);
		if (norm > (double)FLT_MAX / 2 || norm * find->norm > (double)FLT_MAX / 2)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "query %zu is so long that its scores overflow", q);
	}
	return OMT_OK;
}

/* By what candidates are told: backends that pack weights multiply bf16 and int8 fast. */
static omt_precision choose_precision(const omt_find *find, bool on_device)
{
	if (!on_device)
		return OMT_SCORES_EXACT;
	/* What rounds to infinity in bf16 has no bound there. */
	if (find->searcher->info.panel == 1 || !isfinite(find->rest))
		return OMT_SCORES_F32;
	for (size_t i = 0; i < find->sets->count; i++)
		if (!find->sets->set[i].codes)
			return OMT_SCORES_BF16;
	return OMT_SCORES_CODES;
}

static omt_status find_all(omt_searcher *searcher, omt_find *find, const float *queries,
                           size_t query_count, omt_error *err)
{
	const size_t dimension = (size_t)find->sets->dimension, k = find->k;
	const int64_t total = find->starts[find->sets->count];
	const bool on_device = searcher->backend || searcher->device || query_count > FEW_QUERIES;
	if (on_device)
		OMT_TRY(open_backend(searcher, err));
	find->precision = choose_precision(find, on_device);
	size_t wanted = k;
	if (find->precision == OMT_SCORES_CODES)
		wanted = searcher->candidates > (int64_t)k ? (size_t)searcher->candidates
		                                           : 2 * k + 100;
	if ((int64_t)wanted > total)
		wanted = total ? (size_t)total : 1;
	size_t batch = BATCH_BYTES / omt_candidates_bytes(wanted);
	batch = batch < 1 ? 1 : batch > BATCH_QUERIES ? BATCH_QUERIES : batch;
	omt_neighbor *hits = find->hits;
	size_t *found = find->found;
	for (size_t q = 0; q < query_count; q += batch) {
		find->queries = queries + q * dimension;
		find->hits = hits + q * k;
		find->found = found + q;
		OMT_TRY(find_batch(find, query_count - q < batch ? query_count - q : batch, wanted,
		                   err));
	}
	return OMT_OK;
}

omt_status omt_searcher_find(omt_searcher *searcher, const omt_vector_sets *sets,
                             const float *queries, size_t query_count, size_t k, omt_neighbor *hits,
                             size_t *found, omt_error *err)
{
	omt_find find = {.searcher = searcher, .sets = sets, .hits = hits, .found = found, .k = k};
	omt_status status;
	OMT_GOTO(prepare_sets(&find, err));
	OMT_GOTO(check_arguments(&find, queries, query_count, err));
	OMT_GOTO(find_all(searcher, &find, queries, query_count, err));
done:
	if (status == OMT_OK && find.failed)
		status = omt_fail(err, find.err.status, "%s", find.err.text);
	free(find.starts);
	free(find.unusable);
	return status;
}
