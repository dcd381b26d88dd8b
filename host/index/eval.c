/* omt_eval(): runs beside each other, on files alone. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "index/metrics.h"
#include "index/significance.h"

static omt_status scoring_of(const omt_eval_options *options, omt_scoring *scoring, omt_error *err)
{
	static const char *const names[] = {[OMT_ABSENT_ZERO] = "zero", [OMT_ABSENT_SKIP] = "skip"};
	*scoring = (omt_scoring){.convention = options->convention,
	                         .cut_count = options->cut_count,
	                         .ignore_identical = options->ignore_identical,
	                         .resamples = options->resamples,
	                         .seed = options->seed};
	for (size_t i = 0; i < options->cut_count && i < OMT_METRIC_CUTS; i++)
		scoring->cuts[i] = options->cuts[i];
	if (!options->qrels || !options->run_count)
		return OMT_FAIL(err, BAD_ARGUMENT, "expected judgements and at least one run");
	if (options->absent) {
		while (++scoring->absent <= OMT_ABSENT_SKIP)
			if (!strcmp(options->absent, names[scoring->absent]))
				break;
		if (scoring->absent > OMT_ABSENT_SKIP)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "absent is \"%s\", expected zero or skip", options->absent);
	}
	return omt_scoring_check(scoring, err);
}

/* A line a query: {"run", "query", measure: {cut: value}}. */
static omt_status write_queries(FILE *stream, const char *path, const json_t *per_query,
                                omt_error *err)
{
	const json_t *queries = json_object_get(per_query, "query");
	for (size_t q = 0; q < json_array_size(queries); q++) {
		const char *measure, *cut;
		json_t *cuts, *values;
		json_t *line = json_pack("{so sO}", "run", omt_json_text(path), "query",
		                         json_array_get(queries, q));
		json_object_foreach((json_t *)(uintptr_t)per_query, measure, cuts)
		{
			json_t *row = json_is_object(cuts) ? json_object() : NULL;
			json_object_foreach(cuts, cut, values)
				json_object_set(row, cut, json_array_get(values, q));
			if (row)
				json_object_set_new(line, measure, row);
		}
		int written = line ? json_dumpf(line, stream, JSON_COMPACT) : -1;
		json_decref(line);
		if (written != 0 || putc('\n', stream) == EOF)
			return OMT_FAIL(err, IO, "%s: values of query %zu not written", path, q);
	}
	return OMT_OK;
}

/* One run: its object and its values by query, both given. */
static omt_status score_run(const omt_qrels *qrels, const char *qrels_path, const char *path,
                            const omt_scoring *scoring, json_t **result, json_t **per_query,
                            omt_error *err)
{
	omt_run *run;
	omt_scores scores = {0};
	omt_status status;
	OMT_TRY(omt_run_load(path, &run, err));
	OMT_GOTO(omt_scores_compute(qrels, run, scoring, &scores, err));
	if (!scores.answered)
		OMT_GOTO(OMT_FAIL(err, BAD_FORMAT, "%s: no query of it is judged in %s", path,
		                  qrels_path));
	*result = json_pack("{so sI sI sI so}", "run", omt_json_text(path), "judged",
	                    (json_int_t)scores.judged, "queries", (json_int_t)scores.queries,
	                    "answered", (json_int_t)scores.answered, "measured",
	                    omt_scores_measured(&scores));
	*per_query = omt_scores_per_query(&scores);
	if (!*result || !*per_query)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", path));
done:
	omt_scores_free(&scores);
	omt_run_free(run);
	return status;
}

static omt_status score_runs(const omt_eval_options *options, const omt_scoring *scoring,
                             FILE *stream, json_t *runs, omt_error *err)
{
	omt_qrels *qrels;
	json_t *first = NULL, *per_query = NULL;
	omt_status status;
	OMT_TRY(omt_qrels_load(options->qrels, &qrels, err));
	for (size_t i = 0; i < options->run_count; i++) {
		json_t *result = NULL, *compared;
		status = score_run(qrels, options->qrels, options->runs[i], scoring, &result,
		                   &per_query, err);
		json_array_append_new(runs, result);
		OMT_GOTO(status);
		if (stream)
			OMT_GOTO(write_queries(stream, options->runs[i], per_query, err));
		if (first && scoring->resamples) {
			OMT_GOTO(omt_per_query_compare(first, per_query, scoring->resamples,
			                               scoring->seed, &compared, err));
			json_object_set_new(result, "compared", compared);
		}
		if (!first)
			first = json_incref(per_query);
		json_decref(per_query);
		per_query = NULL;
	}
	status = OMT_OK;
done:
	json_decref(first);
	json_decref(per_query);
	omt_qrels_free(qrels);
	return status;
}

omt_status omt_eval(const omt_eval_options *options, char **json, omt_error *err)
{
	omt_scoring scoring;
	omt_output output;
	omt_error closing;
	json_t *runs = json_array();
	omt_status status;
	*json = NULL;
	OMT_GOTO(scoring_of(options, &scoring, err));
	if (options->per_query)
		OMT_GOTO(omt_output_open(options->per_query, &output, err));
	status =
		score_runs(options, &scoring, options->per_query ? output.stream : NULL, runs, err);
	if (options->per_query) {
		omt_status closed = omt_output_close(&output, status == OMT_OK, &closing);
		if (status == OMT_OK && closed != OMT_OK)
			status = omt_fail(err, closed, "%s", closing.text);
	}
	if (status != OMT_OK)
		goto done;
	json_t *whole =
		json_pack("{ss so sI sI sO}", "convention",
	                  scoring.convention ? scoring.convention : "trec_eval", "qrels",
	                  omt_json_text(options->qrels), "resamples", (json_int_t)scoring.resamples,
	                  "seed", (json_int_t)scoring.seed, "runs", runs);
	*json = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
	json_decref(whole);
	status = *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%zu runs", options->run_count);
done:
	json_decref(runs);
	return status;
}
