#include "index/survivors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/storage.h"
#include "index/score.h"
#include "index/scorer.h"

#define SPARE        16                /* hits of the first search beside those that it needs */
#define GROWTH       8                 /* of hits from one search to the next */
#define SCANNED      4                 /* more than this part of all rows: they are scanned */
#define HIT_BYTES    ((size_t)1 << 27) /* of a search's hits at most */
#define SCAN_QUERIES 256               /* at once */
#define SCAN_SCORES  ((size_t)1 << 20) /* of a block */

int64_t omt_pool_rows(const omt_pool *pool)
{
	int64_t rows = 0;
	for (size_t i = 0; i < pool->sets.count; i++)
		rows += pool->sets.set[i].count;
	return rows;
}

static omt_status check(const omt_pool *pool, size_t set, int64_t first, int64_t count,
                        omt_error *err)
{
	const omt_vector_sets *sets = &pool->sets;
	return sets->check ? sets->check(sets->user, set, false, first, count, err) : OMT_OK;
}

omt_status omt_pool_score(const omt_pool *pool, const float *query, int64_t row, float *score,
                          omt_error *err)
{
	size_t set = 0;
	for (; row >= pool->sets.set[set].count; set++)
		row -= pool->sets.set[set].count;
	const omt_vector_set *of = &pool->sets.set[set];
	const int32_t dimension = pool->sets.dimension;
	OMT_TRY(check(pool, set, row, 1, err));
	*score = omt_score(query,
	                   (const uint8_t *)of->data +
	                           (size_t)row * (size_t)dimension * omt_dtype_bytes(of->dtype),
	                   of->dtype, dimension);
	return OMT_OK;
}

/* Vectors of queries one after the other. */
static omt_status gather(const omt_pool *pool, omt_survivors *const *of, size_t count,
                         float **queries, omt_error *err)
{
	const size_t dimension = (size_t)pool->sets.dimension;
	*queries = malloc(count * dimension * sizeof **queries + 1);
	if (!*queries)
		return OMT_FAIL(err, NO_MEMORY, "%zu queries", count);
	for (size_t q = 0; q < count; q++)
		memcpy(*queries + q * dimension, of[q]->vector, dimension * sizeof **queries);
	return OMT_OK;
}

/* ---- every vector ---------------------------------------------------------------------------- */

typedef struct omt_scan {
	const omt_pool *pool;
	omt_survivors *const *of;
	size_t count, room; /* queries; survivors of each that are kept, those to be skipped too */
	float *floors, *limits; /* [count rounded up to a group]: what is kept lies between them */
	omt_neighbor *list;     /* [count, room], best first */
	size_t *found;
} omt_scan;

/* The greatest f32 that is no more. */
static float round_down(double value)
{
	const float nearest = (float)value;
	return (double)nearest > value ? nextafterf(nearest, -INFINITY) : nearest;
}

/* Rows come in ascending order: behind all that score the same. */
static void keep(omt_scan *scan, size_t q, int64_t row, float score)
{
	omt_neighbor *list = scan->list + q * scan->room;
	size_t low = 0, high = scan->found[q];
	if (omt_mining_excludes(&scan->of[q]->rule, row))
		return;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (list[middle].score >= score)
			low = middle + 1;
		else
			high = middle;
	}
	const size_t end = scan->found[q] < scan->room ? scan->found[q]++ : scan->room - 1;
	memmove(list + low + 1, list + low, (end - low) * sizeof *list);
	list[low] = (omt_neighbor){row, score};
	if (scan->found[q] == scan->room)
		scan->floors[q] = list[scan->room - 1].score;
}

static void look_at(omt_scan *scan, const omt_scores *scores, int64_t first, size_t rows)
{
	const uint8_t *left_out = scan->pool->sets.left_out;
	for (size_t i = 0; i < rows; i++) {
		const int64_t row = first + (int64_t)i;
		const float *of_row = scores->all + i * scores->ld;
		if (left_out && left_out[row / 8] >> (row % 8) & 1)
			continue;
		for (size_t q = 0; q < scan->count; q += OMT_SCORE_GROUP) {
			int any = 0;
			for (size_t j = q; j < q + OMT_SCORE_GROUP; j++)
				any |= (of_row[j] > scan->floors[j]) &
				       (of_row[j] <= scan->limits[j]);
			for (size_t j = q; any && j < q + OMT_SCORE_GROUP && j < scan->count; j++)
				if (of_row[j] > scan->floors[j] && of_row[j] <= scan->limits[j])
					keep(scan, j, row, of_row[j]);
		}
	}
}

static omt_status walk(omt_scan *scan, omt_scorer *scorer, size_t rows, omt_error *err)
{
	const omt_vector_sets *sets = &scan->pool->sets;
	int64_t start = 0;
	for (size_t i = 0; i < sets->count; start += sets->set[i++].count)
		for (int64_t first = 0; first < sets->set[i].count; first += (int64_t)rows) {
			const int64_t left = sets->set[i].count - first;
			const omt_block block = {&sets->set[i], first,
			                         left < (int64_t)rows ? (size_t)left : rows};
			omt_scores scores;
			OMT_TRY(check(scan->pool, i, first, (int64_t)block.rows, err));
			OMT_TRY(omt_scorer_put(scorer, &block, NULL, err));
			OMT_TRY(omt_scorer_take(scorer, &scores, err));
			look_at(scan, &scores, start + first, block.rows);
		}
	return OMT_OK;
}

static omt_status begin_scan(omt_scan *scan, omt_error *err)
{
	const size_t columns =
		(scan->count + OMT_SCORE_GROUP - 1) / OMT_SCORE_GROUP * OMT_SCORE_GROUP;
	scan->floors = malloc(columns * sizeof *scan->floors);
	scan->limits = malloc(columns * sizeof *scan->limits);
	scan->list = calloc(scan->count * scan->room, sizeof *scan->list);
	scan->found = calloc(scan->count, sizeof *scan->found);
	if (!scan->floors || !scan->limits || !scan->list || !scan->found)
		return OMT_FAIL(err, NO_MEMORY, "%zu survivors for each of %zu queries", scan->room,
		                scan->count);
	for (size_t q = 0; q < columns; q++) {
		scan->floors[q] = q < scan->count ? -INFINITY : INFINITY;
		scan->limits[q] = q < scan->count ? round_down(scan->of[q]->rule.limit) : -INFINITY;
	}
	return OMT_OK;
}

static omt_status scan_all(const omt_pool *pool, omt_survivors *const *of, size_t count,
                           size_t wanted, omt_error *err)
{
	const size_t skip = of[0]->rule.skip;
	omt_scan scan = {.pool = pool, .of = of, .count = count, .room = wanted + skip};
	omt_scorer *scorer = NULL;
	float *queries = NULL;
	omt_status status;
	const size_t rows = SCAN_SCORES / (count + OMT_SCORE_GROUP);
	OMT_GOTO(gather(pool, of, count, &queries, err));
	OMT_GOTO(begin_scan(&scan, err));
	OMT_GOTO(omt_scorer_open(&(omt_scorer_options){.threads = pool->threads,
	                                               .precision = OMT_SCORES_EXACT,
	                                               .queries = queries,
	                                               .query_count = count,
	                                               .dimension = pool->sets.dimension,
	                                               .rows = rows},
	                         &scorer, err));
	OMT_GOTO(walk(&scan, scorer, rows, err));
	for (size_t q = 0; q < count; q++) {
		of[q]->count = scan.found[q] > skip ? scan.found[q] - skip : 0;
		memcpy(of[q]->best, scan.list + q * scan.room + skip,
		       of[q]->count * sizeof *of[q]->best);
	}
done:
	omt_scorer_close(scorer);
	free(scan.floors);
	free(scan.limits);
	free(scan.list);
	free(scan.found);
	free(queries);
	return status;
}

/* ---- searches -------------------------------------------------------------------------------- */

/* Searches for `depth` hits of each; queries that need more stay in todo[0 .. *count - 1]. */
static omt_status search(const omt_pool *pool, omt_survivors **todo, size_t *count, size_t depth,
                         size_t wanted, omt_error *err)
{
	const size_t rows = (size_t)omt_pool_rows(pool);
	const size_t some = HIT_BYTES / (depth * sizeof(omt_neighbor)) + 1;
	const size_t step = *count < some ? *count : some;
	omt_neighbor *hits = malloc(step * depth * sizeof *hits);
	size_t *found = calloc(step, sizeof *found), left = 0;
	float *queries = NULL;
	omt_status status = OMT_OK;
	if (!hits || !found) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu hits for each of %zu queries", depth, step);
		goto done;
	}
	for (size_t at = 0; at < *count; at += step) {
		const size_t now = *count - at < step ? *count - at : step;
		free(queries);
		OMT_GOTO(gather(pool, todo + at, now, &queries, err));
		OMT_GOTO(omt_searcher_find(pool->searcher, &pool->sets, queries, now, depth, hits,
		                           found, err));
		for (size_t q = 0; q < now; q++) {
			omt_survivors *of = todo[at + q];
			of->count = omt_mining_pick(&of->rule, hits + q * depth, found[q], wanted,
			                            of->best);
			if (of->count < wanted && found[q] == depth && depth < rows)
				todo[left++] = of;
		}
	}
	*count = left;
done:
	free(queries);
	free(hits);
	free(found);
	return status;
}

omt_status omt_survivors_find(const omt_pool *pool, omt_survivors *of, size_t count, size_t wanted,
                              omt_error *err)
{
	omt_survivors **todo = malloc(count * sizeof *todo + 1);
	omt_status status = OMT_OK;
	size_t depth = 0, before;
	const size_t rows = (size_t)omt_pool_rows(pool);
	if (!todo)
		return OMT_FAIL(err, NO_MEMORY, "%zu queries", count);
	for (size_t q = 0; q < count; q++) {
		const size_t needed = wanted + of[q].rule.skip + of[q].rule.excluded_count;
		depth = needed > depth ? needed : depth;
		todo[q] = &of[q];
		of[q].count = 0;
	}
	depth = depth + SPARE < rows ? depth + SPARE : rows ? rows : 1;
	/* A scan costs about three searches: these go on while each settles half of the queries. */
	do {
		before = count;
		OMT_GOTO(search(pool, todo, &count, depth, wanted, err));
		depth *= GROWTH;
	} while (count && count <= before / 2 && depth < rows / SCANNED);
	for (size_t at = 0; at < count; at += SCAN_QUERIES)
		OMT_GOTO(scan_all(pool, todo + at,
		                  count - at < SCAN_QUERIES ? count - at : SCAN_QUERIES, wanted,
		                  err));
done:
	free(todo);
	return status;
}
