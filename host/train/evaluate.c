#include "train/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/metrics.h"
#include "index/nearest.h"

#define CUT     10  /* of ndcg and mrr */
#define QUERIES 256 /* searched together */

/* Items of one list, or some of them, with their vectors; NaN: it could not be made. */
typedef struct omt_embedded {
	uint32_t catalog;
	const uint32_t *numbers; /* NULL: all of the list */
	size_t count;
	float *vectors; /* [count, hidden] */
} omt_embedded;

static omt_item_key key_of(const omt_embedded *items, size_t i)
{
	return OMT_ITEM_KEY(items->catalog, items->numbers ? items->numbers[i] : (uint32_t)i);
}

static void hint(const omt_evaluation *of, const omt_embedded *items, size_t first, size_t end)
{
	for (size_t i = first; i < end && i < items->count; i++)
		omt_store_hint(of->store, key_of(items, i));
}

/* Items first .. end, in one go. */
static omt_status embed_some(const omt_evaluation *of, omt_embedded *items, size_t first,
                             size_t end, const omt_sample **samples, size_t *places, float *rows,
                             omt_error *err)
{
	const size_t hidden = (size_t)of->step->hidden;
	omt_status status = OMT_OK;
	int32_t count = 0;
	for (size_t i = first; i < end; i++) {
		omt_error failed;
		const omt_sample *sample = omt_store_take(of->store, key_of(items, i), &failed);
		if (!sample && failed.status != OMT_OK)
			of->skipped(of->user, key_of(items, i), &failed);
		for (size_t j = 0; !sample && j < hidden; j++)
			items->vectors[i * hidden + j] = NAN;
		if (!sample)
			continue;
		places[count] = i;
		samples[count++] = sample;
	}
	if (count)
		status = omt_step_embed(of->step, samples, count, rows, err);
	for (int32_t i = 0; i < count; i++) {
		memcpy(items->vectors + places[i] * hidden, rows + (size_t)i * hidden,
		       hidden * sizeof(float));
		omt_store_release(of->store, key_of(items, places[i]));
	}
	return status;
}

static omt_status embed_all(const omt_evaluation *of, omt_embedded *items, omt_error *err)
{
	const size_t hidden = (size_t)of->step->hidden;
	const size_t chunk = 4 * (size_t)of->step->worker_count * (size_t)of->step->micro_batch;
	const omt_sample **samples = malloc(chunk * sizeof(omt_sample *));
	size_t *places = malloc(chunk * sizeof *places);
	float *rows = malloc(chunk * hidden * sizeof *rows);
	omt_status status = OMT_OK;
	items->vectors = malloc((items->count + 1) * hidden * sizeof(float));
	if (!samples || !places || !rows || !items->vectors)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu vectors", items->count));
	hint(of, items, 0, chunk);
	for (size_t first = 0; first < items->count; first += chunk) {
		const size_t left = items->count - first;
		if (of->stop && of->stop(of->user))
			OMT_GOTO(OMT_FAIL(err, STOPPED, "stopped while it evaluated"));
		hint(of, items, first + chunk, first + 2 * chunk);
		OMT_GOTO(embed_some(of, items, first, first + (left < chunk ? left : chunk),
		                    samples, places, rows, err));
	}
done:
	free(samples);
	free(places);
	free(rows);
	return status;
}

static const char *id_of(const omt_evaluation *of, const omt_embedded *items, size_t i)
{
	return omt_dataset_id(of->dataset, key_of(items, i));
}

/* Answers to queries first .. first + count, that all have vectors. */
static omt_status search_some(const omt_evaluation *of, omt_searcher *searcher,
                              const omt_embedded *queries, const omt_embedded *passages,
                              size_t first, size_t count, size_t depth, omt_run *run,
                              omt_error *err)
{
	const size_t hidden = (size_t)of->step->hidden;
	const omt_vector_set set = {
		.data = passages->vectors, .count = (int64_t)passages->count, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = of->step->hidden};
	omt_neighbor *hits = malloc(count * depth * sizeof *hits);
	size_t found[QUERIES];
	omt_status status = OMT_OK;
	if (!hits)
		return OMT_FAIL(err, NO_MEMORY, "%zu answers", count * depth);
	OMT_GOTO(omt_searcher_find(searcher, &sets, queries->vectors + first * hidden, count, depth,
	                           hits, found, err));
	for (size_t q = 0; q < count; q++)
		for (size_t i = 0; i < found[q]; i++) {
			const omt_neighbor *hit = &hits[q * depth + i];
			OMT_GOTO(omt_run_add(run, id_of(of, queries, first + q),
			                     id_of(of, passages, (size_t)hit->row),
			                     (double)hit->score, err));
		}
done:
	free(hits);
	return status;
}

static omt_status search(const omt_evaluation *of, const omt_embedded *queries,
                         const omt_embedded *passages, size_t depth, omt_run *run, omt_error *err)
{
	/* One thread: what OpenBLAS is told holds for the whole process, and tapes are in it. */
	const omt_searcher_options options = {.backend = "openblas", .threads = 1};
	const size_t hidden = (size_t)of->step->hidden;
	omt_searcher *searcher;
	omt_status status = OMT_OK;
	depth = depth < passages->count ? depth : passages->count;
	OMT_TRY(omt_searcher_new(&options, &searcher, err));
	for (size_t first = 0, end; first < queries->count; first = end) {
		/* A run of queries that have vectors. */
		for (end = first; end < queries->count && end - first < QUERIES &&
		                  !isnan(queries->vectors[end * hidden]);)
			end++;
		if (end > first)
			OMT_GOTO(search_some(of, searcher, queries, passages, first, end - first,
			                     depth, run, err));
		else
			end++;
	}
done:
	omt_searcher_free(searcher);
	return status;
}

static omt_status measure(const omt_evaluation *of, const omt_train_set *set, const omt_run *run,
                          json_t *to, omt_error *err)
{
	const omt_train_settings *settings = of->settings;
	omt_scoring scoring = {.cut_count = settings->cut_count};
	omt_scores scores = {0};
	json_t *recall = json_object();
	char name[16];
	bool has_cut = false;
	for (size_t i = 0; i < settings->cut_count; i++) {
		scoring.cuts[i] = settings->cuts[i];
		has_cut = has_cut || scoring.cuts[i] == CUT;
	}
	if (!has_cut)
		scoring.cuts[scoring.cut_count++] = CUT;
	omt_status status = omt_scores_compute(set->qrels, run, &scoring, &scores, err);
	if (status != OMT_OK) {
		json_decref(recall);
		return status;
	}
	for (size_t i = 0; i < settings->cut_count; i++) {
		const size_t at = omt_scores_column(&scores, OMT_RECALL, settings->cuts[i]);
		snprintf(name, sizeof name, "%d", settings->cuts[i]);
		json_object_set_new(recall, name, json_real(scores.mean[at]));
	}
	json_object_set_new(to, "recall", recall);
	snprintf(name, sizeof name, "%d", CUT);
	json_object_set_new(
		to, "ndcg",
		json_pack("{sf}", name, scores.mean[omt_scores_column(&scores, OMT_NDCG, CUT)]));
	json_object_set_new(
		to, "mrr",
		json_pack("{sf}", name, scores.mean[omt_scores_column(&scores, OMT_MRR, CUT)]));
	omt_scores_free(&scores);
	return OMT_OK;
}

/* The queries that have a positive, each once. */
static uint32_t *asked(const omt_train_set *set, size_t *count)
{
	uint32_t *numbers = malloc((set->count + 1) * sizeof *numbers);
	*count = 0;
	for (size_t i = 0; numbers && i < set->count; i++)
		if (!i || set->pairs[i].query != set->pairs[i - 1].query)
			numbers[(*count)++] = set->pairs[i].query;
	return numbers;
}

omt_status omt_evaluate(const omt_evaluation *of, const omt_train_set *set, json_t **measured,
                        omt_error *err)
{
	omt_embedded queries = {.catalog = set->queries};
	omt_embedded passages = {
		.catalog = set->passages,
		.count = omt_catalog_ids(of->dataset->catalogs[set->passages])->count};
	uint32_t *numbers = asked(set, &queries.count);
	omt_run *run = NULL;
	size_t depth = CUT;
	omt_status status = OMT_OK;
	*measured = NULL;
	queries.numbers = numbers;
	for (size_t i = 0; i < of->settings->cut_count; i++)
		depth = (size_t)of->settings->cuts[i] > depth ? (size_t)of->settings->cuts[i]
		                                              : depth;
	if (!numbers)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu queries", set->count));
	OMT_GOTO(embed_all(of, &passages, err));
	OMT_GOTO(embed_all(of, &queries, err));
	OMT_GOTO(omt_run_new(&run, err));
	OMT_GOTO(search(of, &queries, &passages, depth, run, err));
	*measured = json_pack("{ss sI sI}", "eval", set->data->name, "queries",
	                      (json_int_t)queries.count, "passages", (json_int_t)passages.count);
	if (!*measured)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", set->data->name));
	OMT_GOTO(measure(of, set, run, *measured, err));
done:
	if (status != OMT_OK) {
		json_decref(*measured);
		*measured = NULL;
		omt_fail_at(err, status, "evaluation \"%s\"", set->data->name);
	}
	omt_run_free(run);
	free(queries.vectors);
	free(passages.vectors);
	free(numbers);
	return status;
}
