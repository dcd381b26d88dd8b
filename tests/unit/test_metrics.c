#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "index/metrics.h"
#include "tests/unit/scratch.h"

#define DATA "tests/golden/data/metrics/"

TestSuite(metrics, .init = scratch_make, .fini = scratch_drop);

static const int32_t cuts[] = {1, 3, 5, 10, 20, 100};
#define CUTS (sizeof cuts / sizeof *cuts)

static void expect(const json_t *golden, const char *name, int32_t cut, double value,
                   const char *set)
{
	char key[32];
	snprintf(key, sizeof key, cut ? "%s@%d" : "%s", name, cut);
	const json_t *wanted = json_object_get(golden, key);
	if (!strcmp(name, "MRR") && cut != 10)
		return; /* kept at 10 only */
	cr_assert_not_null(wanted, "%s: %s", set, key);
	cr_expect_float_eq(value, json_number_value(wanted), 0.5001e-5, "%s: %s is %.6f", set, key,
	                   value);
}

/* The golden means hold at these cut-offs, of all judged queries or of those in both. */
static const omt_scoring all_judged = {.cuts = {1, 3, 5, 10, 20, 100}, .cut_count = CUTS};
static const omt_scoring in_both = {
	.cuts = {1, 3, 5, 10, 20, 100}, .cut_count = CUTS, .absent = OMT_ABSENT_SKIP};

static double mean_of(const omt_scores *scores, omt_measure measure, int32_t cut)
{
	size_t column = omt_scores_column(scores, measure, cut);
	cr_assert_neq(column, SIZE_MAX);
	return scores->mean[column];
}

static void expect_all(const char *set, const json_t *golden, const omt_scores *scores)
{
	for (size_t c = 0; c < CUTS; c++) {
		expect(golden, "nDCG", cuts[c], mean_of(scores, OMT_NDCG, cuts[c]), set);
		expect(golden, "Recall", cuts[c], mean_of(scores, OMT_RECALL, cuts[c]), set);
		expect(golden, "P", cuts[c], mean_of(scores, OMT_PRECISION, cuts[c]), set);
		expect(golden, "MRR", cuts[c], mean_of(scores, OMT_MRR, cuts[c]), set);
	}
	expect(golden, "MAP", 0, mean_of(scores, OMT_MAP, 0), set);
}

static size_t count_of(const json_t *golden, const char *key)
{
	return (size_t)json_integer_value(json_object_get(golden, key));
}

Test(metrics, golden_sets)
{
	static const char *const sets[] = {"binary", "graded_ties", "missing", "short"};
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		json_t *golden;
		omt_qrels *qrels;
		omt_run *run;
		omt_scores scores;
		omt_error err;
		snprintf(path, sizeof path, DATA "%s.json", sets[i]);
		cr_assert_eq(omt_json_load(path, 1 << 20, &golden, &err), OMT_OK, "%s", err.text);
		snprintf(path, sizeof path, DATA "%s.qrels", sets[i]);
		cr_assert_eq(omt_qrels_load(path, &qrels, &err), OMT_OK, "%s", err.text);
		snprintf(path, sizeof path, DATA "%s.run", sets[i]);
		cr_assert_eq(omt_run_load(path, &run, &err), OMT_OK, "%s", err.text);
		cr_assert_eq(omt_scores_compute(qrels, run, &all_judged, &scores, &err), OMT_OK);
		expect_all(sets[i], json_object_get(golden, "mean_over_all_judged_queries"),
		           &scores);
		cr_expect_eq(scores.queries, count_of(golden, "judged_queries"));
		omt_scores_free(&scores);
		cr_assert_eq(omt_scores_compute(qrels, run, &in_both, &scores, &err), OMT_OK);
		expect_all(sets[i], json_object_get(golden, "mean_over_queries_in_both"), &scores);
		cr_expect_eq(scores.queries, count_of(golden, "evaluated"));
		cr_expect_eq(scores.answered, scores.queries);
		omt_scores_free(&scores);
		omt_qrels_free(qrels);
		omt_run_free(run);
		json_decref(golden);
	}
}

/* The judgements of one query out of a file. */
static omt_qrels *load_query(const char *path, const char *query)
{
	char *text, *line, *rest;
	omt_qrels *qrels;
	omt_error err;
	cr_assert_eq(omt_file_read(path, 1 << 20, &text, NULL, &err), OMT_OK, "%s", err.text);
	FILE *one = fopen(scratch_path("one.qrels"), "w");
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strncmp(line, query, strlen(query)) && line[strlen(query)] == ' ')
			fprintf(one, "%s\n", line);
	fclose(one);
	free(text);
	cr_assert_eq(omt_qrels_load(scratch_path("one.qrels"), &qrels, &err), OMT_OK, "%s",
	             err.text);
	return qrels;
}

/* Each query of the golden sets alone: a mean could hide errors that cancel. */
Test(metrics, golden_queries)
{
	static const char *const sets[] = {"binary", "graded_ties", "missing", "short"};
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		json_t *golden, *wanted;
		const char *query;
		omt_run *run;
		omt_error err;
		snprintf(path, sizeof path, DATA "%s.json", sets[i]);
		cr_assert_eq(omt_json_load(path, 1 << 20, &golden, &err), OMT_OK, "%s", err.text);
		snprintf(path, sizeof path, DATA "%s.run", sets[i]);
		cr_assert_eq(omt_run_load(path, &run, &err), OMT_OK, "%s", err.text);
		snprintf(path, sizeof path, DATA "%s.qrels", sets[i]);
		json_object_foreach(json_object_get(golden, "per_query"), query, wanted)
		{
			omt_scores scores;
			omt_qrels *qrels = load_query(path, query);
			cr_assert_eq(omt_scores_compute(qrels, run, &all_judged, &scores, &err),
			             OMT_OK, "%s", err.text);
			cr_expect_eq(scores.queries, 1);
			expect_all(query, wanted, &scores);
			omt_scores_free(&scores);
			omt_qrels_free(qrels);
		}
		omt_run_free(run);
		json_decref(golden);
	}
}

Test(metrics, files_of_beir)
{
	omt_qrels *qrels;
	omt_run *run;
	omt_scores scores;
	omt_error err;
	const char *path = scratch_text("beir.tsv", "query-id\tcorpus-id\tscore\r\nq\ta\t1\r\n\n"
	                                            "q\tb\t0\r\n");
	cr_assert_eq(omt_qrels_load(path, &qrels, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_run_new(&run, &err), OMT_OK);
	cr_assert_eq(omt_run_add(run, "q", "b", 2, &err), OMT_OK);
	cr_assert_eq(omt_run_add(run, "q", "a", 1, &err), OMT_OK);
	cr_assert_eq(omt_scores_compute(qrels, run, &all_judged, &scores, &err), OMT_OK);
	cr_expect_eq(scores.queries, 1);
	cr_expect_eq(mean_of(&scores, OMT_MRR, 3), 0.5);
	cr_expect_eq(mean_of(&scores, OMT_MAP, 0), 0.5);
	omt_scores_free(&scores);
	cr_expect_eq(omt_run_add(run, "q", "a", 1, &err), OMT_BAD_FORMAT);
	cr_expect_eq(omt_run_add(run, "q", "c", NAN, &err), OMT_BAD_ARGUMENT);
	omt_qrels_free(qrels);
	omt_run_free(run);
}

Test(metrics, refuses_bad_files)
{
	static const struct {
		const char *qrels, *error;
	} cases[] = {
		{"q 0 d 1\nq 0 d x\n", "f:2: not \"query 0 document grade\""},
		{"q 0 d\n", "f:1: not"},
		{"q 0 d 1 2\n", "f:1: not"},
		{"q 0 d 99999999999999999999\n", "f:1: not"},
		{"q 0 d 1\nq 0 d 1\n", "f:2: query q, document d: for the second time"},
		{"q 0 \xff 1\n", "f:1: query q, document \xff: not UTF-8"},
		{"\xff 0 d 1\n", "not UTF-8"},
	};
	static const char *const runs[] = {"q Q0 d 1 x tag\n", "q Q0 d 1 nan tag\n",
	                                   "q Q0 d 1 2.0\n", "q Q0 d 1 1 t\nq Q0 d 2 0 t\n"};
	static const struct {
		omt_scoring scoring;
		omt_status status;
		const char *error;
	} settings[] = {
		{{.cuts = {0}, .cut_count = 1}, OMT_BAD_ARGUMENT, "cut-off 0"},
		{{.cuts = {5, 1, 5}, .cut_count = 3}, OMT_BAD_ARGUMENT, "cut-off 5 twice"},
		{{.cut_count = 17}, OMT_LIMIT, "17 cut-offs, at most 16"},
		{{.convention = "trec"},
	         OMT_BAD_ARGUMENT,
	         "convention is \"trec\", expected trec_eval, mteb or mmeb"},
		{{.resamples = -1}, OMT_BAD_ARGUMENT, "-1 resamples, 0 to 1000000"},
	};
	omt_qrels *qrels;
	omt_run *run;
	omt_scores scores;
	omt_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = scratch_text("f", cases[i].qrels);
		cr_expect_eq(omt_qrels_load(path, &qrels, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].qrels,
		                   err.text);
		cr_expect_null(qrels);
	}
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(omt_run_load(scratch_text("f", runs[i]), &run, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, i < 3 ? "f:1: " : "f:2: "), "%s", err.text);
		cr_expect_null(run);
	}
	cr_expect_eq(omt_qrels_load(scratch_write("f", "q 0 d 1\n\0", 9), &qrels, &err),
	             OMT_BAD_FORMAT);
	cr_assert_eq(omt_qrels_load(scratch_text("f", "q 0 d 1\n"), &qrels, &err), OMT_OK);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		cr_expect_eq(omt_scores_chance(qrels, &(omt_collection){.count = 5},
		                               &settings[i].scoring, &scores, &err),
		             settings[i].status);
		cr_expect_str_eq(err.text, settings[i].error);
	}
	omt_qrels_free(qrels);
}

/* Adds the measures of every order of the documents from `at` on; returns how many there are. */
static int all_orders(const omt_qrels *qrels, char *order, size_t at, size_t count,
                      const omt_scoring *scoring, double *sum)
{
	int orders = 0;
	omt_scores scores;
	omt_run *run;
	if (at < count) {
		for (size_t i = at; i < count; i++) {
			char swapped = order[at];
			order[at] = order[i];
			order[i] = swapped;
			orders += all_orders(qrels, order, at + 1, count, scoring, sum);
			order[i] = order[at];
			order[at] = swapped;
		}
		return orders;
	}
	cr_assert_eq(omt_run_new(&run, NULL), OMT_OK);
	for (size_t i = 0; i < count; i++) {
		static const char *const queries[] = {"q", "p", "none"};
		for (int q = 0; q < 3; q++)
			omt_run_add(run, queries[q], (char[]){order[i], '\0'}, -(double)i, NULL);
	}
	cr_assert_eq(omt_scores_compute(qrels, run, scoring, &scores, NULL), OMT_OK);
	for (size_t c = 0; c < scores.column_count; c++)
		sum[c] += scores.mean[c];
	omt_scores_free(&scores);
	omt_run_free(run);
	return 1;
}

/* The closed forms are the means over all 5,040 orders of 7 documents, by each convention (mteb's
 * are rounded). Document x and query "gone" were judged, but are not there. */
Test(metrics, chance_is_the_mean_over_all_orders)
{
	static const size_t counted[] = {4, 3, 3}; /* "gone" is 0, left out, 0; "none" has none */
	static const char *const conventions[] = {"trec_eval", "mteb", "mmeb"};
	char order[] = "abcdefg";
	size_t count = strlen(order);
	omt_qrels *qrels;
	omt_scores chance;
	omt_error err;
	const char *path = scratch_text("q", "q 0 a 3\nq 0 b 1\nq 0 c 0\nq 0 d 1\np 0 e 2\n"
	                                     "none 0 a 0\nq 0 g -2\nq 0 x 2\ngone 0 a 1\n");
	omt_names documents = {0}, queries = {0};
	uint32_t number;
	for (size_t i = 0; i < count; i++)
		omt_names_add(&documents, &order[i], 1, &number);
	omt_names_add(&queries, "q", 1, &number);
	omt_names_add(&queries, "p", 1, &number);
	omt_names_add(&queries, "none", 4, &number);
	const omt_collection of = {count, &documents, &queries};
	cr_assert_eq(omt_qrels_load(path, &qrels, &err), OMT_OK, "%s", err.text);
	for (int i = 0; i < 3; i++) {
		double sum[OMT_METRIC_COLUMNS] = {0};
		omt_scoring scoring = all_judged;
		scoring.convention = conventions[i];
		scoring.cuts[1] = 2;
		double n = all_orders(qrels, order, 0, count, &scoring, sum);
		cr_expect_eq(n, 5040);
		cr_assert_eq(omt_scores_chance(qrels, &of, &scoring, &chance, &err), OMT_OK);
		cr_expect_eq(chance.queries, counted[i]);
		for (size_t c = 0; c < chance.column_count; c++)
			cr_expect_float_eq(chance.mean[c], sum[c] / n, i == 1 ? 5.1e-6 : 1e-12,
			                   "%s: measure %d@%d is %g, %g", conventions[i],
			                   chance.columns[c].measure, chance.columns[c].cut,
			                   chance.mean[c], sum[c] / n);
	}
	omt_names_free(&documents);
	omt_names_free(&queries);
	omt_qrels_free(qrels);
}
