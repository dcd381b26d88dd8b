#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/retrieval.h"

#define DEPTH 100 /* answers kept of a query, more when a cut-off asks for more */

typedef struct omt_answer_row {
	double score;
	size_t row;
} omt_answer_row;

static int by_score(const void *a, const void *b)
{
	const omt_answer_row *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* Scores one query against all passages and keeps the best in the run. Failed items have no
 * vectors (NaN) and are not found. */
static omt_status answer(const omt_bench_vectors *passages, const float *query, const char *id,
                         size_t depth, omt_answer_row *rows, omt_run *run, omt_error *err)
{
	size_t count = 0, n = (size_t)passages->dimension;
	for (size_t row = 0; row < passages->count; row++) {
		double score = 0;
		for (size_t i = 0; i < n; i++)
			score += (double)query[i] * (double)passages->data[row * n + i];
		if (!isnan(score))
			rows[count++] = (omt_answer_row){score, row};
	}
	qsort(rows, count, sizeof *rows, by_score);
	for (size_t i = 0; i < count && i < depth; i++)
		OMT_TRY(omt_run_add(run, id,
		                    json_string_value(json_array_get(passages->ids, rows[i].row)),
		                    rows[i].score, err));
	return OMT_OK;
}

omt_status omt_bench_retrieval(const omt_bench_settings *settings,
                               const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                               json_t **retrieval, omt_error *err)
{
	omt_qrels *qrels = NULL;
	omt_run *run = NULL;
	omt_scores scores = {0}, chance;
	omt_scoring scoring = {.convention = settings->convention,
	                       .cut_count = settings->cut_count,
	                       .resamples = settings->bootstrap,
	                       .seed = (uint64_t)settings->scenario.seed};
	omt_status status;
	size_t depth = DEPTH;
	omt_answer_row *rows = malloc((passages->count + 1) * sizeof *rows);
	if (!rows)
		return OMT_FAIL(err, NO_MEMORY, "%zu passages", passages->count);
	memcpy(scoring.cuts, settings->cuts, sizeof settings->cuts);
	for (size_t i = 0; i < settings->cut_count; i++)
		depth = (size_t)settings->cuts[i] > depth ? (size_t)settings->cuts[i] : depth;
	OMT_GOTO(omt_qrels_load(settings->qrels, &qrels, err));
	OMT_GOTO(omt_run_new(&run, err));
	for (size_t q = 0; q < queries->count; q++)
		OMT_GOTO(answer(passages, queries->data + q * (size_t)queries->dimension,
		                json_string_value(json_array_get(queries->ids, q)), depth, rows,
		                run, err));
	OMT_GOTO(omt_scores_compute(qrels, run, &scoring, &scores, err));
	OMT_GOTO(omt_scores_chance(qrels, passages->count, &scoring, &chance, err));
	*retrieval = json_pack("{ss sI sI sI so so so}", "convention", scores.convention, "queries",
	                       (json_int_t)scores.queries, "answered", (json_int_t)scores.answered,
	                       "passages", (json_int_t)passages->count, "measured",
	                       omt_scores_measured(&scores), "chance", omt_scores_means(&chance),
	                       "per_query", omt_scores_per_query(&scores));
done:
	free(rows);
	omt_scores_free(&scores);
	omt_qrels_free(qrels);
	omt_run_free(run);
	return status;
}
