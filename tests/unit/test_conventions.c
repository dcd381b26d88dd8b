/* Measures against the code that the conventions are named after: tests/golden/metrics, written by
 * bench/peers/metrics.py. */
#include <criterion/criterion.h>
#include <math.h>
#include <unistd.h>

#include "index/metrics.h"

#define DATA "tests/golden/metrics/"

/* The peers' values are kept to ten digits. */
static const double close_to = 1e-9;

static const omt_scoring settings[] = {
	{.convention = "trec_eval", .cuts = {1, 2, 3, 5, 10, 20, 100}, .cut_count = 7},
	{.cuts = {1, 2, 3, 5, 10, 20, 100}, .cut_count = 7, .absent = OMT_ABSENT_SKIP},
	{.convention = "mteb"},
	{.convention = "mteb", .ignore_identical = true},
	{.convention = "mmeb", .cuts = {1, 2, 3, 5, 10, 20, 100}, .cut_count = 7},
};
/* Where a set's file has the means and the values by query. */
static const struct {
	const char *convention, *means;
} places[] = {
	{"trec_eval", "absent_zero"},
	{"trec_eval", "absent_skip"},
	{"mteb", NULL},
	{"mteb_identical", NULL},
	{"mmeb", "means"},
};

/* Every measure and cut-off of `wanted` against value(scores, column). */
static int compare(const json_t *wanted, const omt_scores *scores, const double *values,
                   const char *place)
{
	static const char *const names[] = {"ndcg", "map", "recall", "precision", "mrr", "hit"};
	const char *cut;
	json_t *value;
	int compared = 0;
	for (omt_measure m = 0; m < OMT_MEASURE_COUNT; m++)
		json_object_foreach(json_object_get(wanted, names[m]), cut, value)
		{
			size_t column = omt_scores_column(scores, m, atoi(cut));
			cr_assert_neq(column, SIZE_MAX, "%s: %s@%s", place, names[m], cut);
			cr_expect_float_eq(values[column], json_number_value(value), close_to,
			                   "%s: %s@%s is %.10f, wanted %.10f", place, names[m], cut,
			                   values[column], json_number_value(value));
			compared++;
		}
	return compared;
}

static int compare_set(const char *set)
{
	char path[128], place[256];
	json_t *golden;
	omt_qrels *qrels;
	omt_run *run;
	omt_error err;
	int compared = 0;
	snprintf(path, sizeof path, DATA "%s.json", set);
	cr_assert_eq(omt_json_load(path, 1 << 20, &golden, &err), OMT_OK, "%s", err.text);
	snprintf(path, sizeof path, DATA "%s.qrels", set);
	cr_assert_eq(omt_qrels_load(path, &qrels, &err), OMT_OK, "%s", err.text);
	snprintf(path, sizeof path, DATA "%s.run", set);
	cr_assert_eq(omt_run_load(path, &run, &err), OMT_OK, "%s", err.text);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		const json_t *means = json_object_get(golden, places[i].convention);
		const json_t *queries = json_object_get(means, "per_query");
		omt_scores scores;
		cr_assert_eq(omt_scores_compute(qrels, run, &settings[i], &scores, &err), OMT_OK,
		             "%s", err.text);
		if (places[i].means)
			means = json_object_get(means, places[i].means);
		cr_assert_not_null(means, "%s: %s", set, places[i].convention);
		snprintf(place, sizeof place, "%s, %s", set, places[i].convention);
		compared += compare(means, &scores, scores.mean, place);
		for (uint32_t q = 0; q < scores.queries; q++) {
			const char *id = omt_names_get(&scores.names, q);
			snprintf(place, sizeof place, "%s, %s, query %s", set, places[i].convention,
			         id);
			/* Queries absent from the run have no row there. */
			compared += compare(json_object_get(queries, id), &scores,
			                    scores.values + q * scores.column_count, place);
		}
		omt_scores_free(&scores);
	}
	omt_qrels_free(qrels);
	omt_run_free(run);
	json_decref(golden);
	return compared;
}

Test(conventions, equal_those_of_their_names)
{
	static const char *const sets[] = {"ties",        "float32",     "signed",      "unjudged",
	                                   "absent",      "odd_ids",     "large_gains", "short",
	                                   "no_relevant", "wide_scores", "identical",   "long"};
	int compared = 0;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		compared += compare_set(sets[i]);
	cr_expect_gt(compared, 15000, "%d values", compared);
}

/* A BEIR run is JSON; a query of it may have no answers and is answered all the same. */
Test(conventions, json_runs)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"{\"q\": {\"d\": 1}, \"q\": {}}", ":1:"},
		{"{\"q\": [1]}", "query q: not an object"},
		{"{\"q\": {\"d\": \"1\"}}", "query q, document d: not a number"},
		{"{\"q\": ", ":1:6: not JSON"},
		{"{\"q\": {\"d\": 1}} x", "not JSON"},
	};
	char path[] = "/tmp/omnitile-run-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	omt_run *run;
	omt_error err;
	fputs("{\"q\": {\"a\": 1, \"b\": 0.5}, \"p\": {}}", file);
	fflush(file);
	cr_assert_eq(omt_run_load(path, &run, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(run->table.queries.count, 2);
	cr_expect_eq(run->table.rows.count, 2);
	cr_expect_eq(run->table.values[1], 0.5);
	omt_run_free(run);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		rewind(file);
		cr_assert_eq(ftruncate(fileno(file), 0), 0);
		fputs(bad[i].text, file);
		fflush(file);
		cr_expect_eq(omt_run_load(path, &run, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, bad[i].error), "%s", err.text);
	}
	fclose(file);
	remove(path);
}
