/* Two files of records beside each other: which points are the same, what is a regression. */
#include "bench/compare.h"
#include "tests/unit/scratch.h"

TestSuite(bench_compare, .init = scratch_make, .fini = scratch_drop);

/* A record of one part; repeats and latencies as given. */
static char *record(const char *key, const char *point, const char *repeats, double rate,
                    double p99, bool valid)
{
	char *text = NULL;
	cr_assert(asprintf(&text,
	                   "{\"record\":2,\"key\":\"%s\",\"point\":%s,\"parts\":[{\"file\":"
	                   "\"passages\",\"modality\":\"text\",\"mode\":\"offline\",\"valid\":%s,"
	                   "\"items_per_s\":%g,\"repeats\":%s,\"latency_ms\":{\"p99\":%g}}],"
	                   "\"start\":{\"first_s\":1.5}}\n",
	                   key, point, valid ? "true" : "false", rate, repeats, p99) > 0);
	return text;
}

static json_t *compare(const char *a, const char *b, const omt_bench_compare_options *options)
{
	const char *path_a = scratch_text("a.jsonl", a), *path_b = scratch_text("b.jsonl", b);
	char *text;
	omt_error err;
	cr_assert_eq(omt_bench_compare(path_a, path_b, options, &text, &err), OMT_OK, "%s",
	             err.text);
	json_t *compared = json_loads(text, 0, NULL);
	cr_assert_not_null(compared);
	omt_free(text);
	return compared;
}

static json_int_t regressions(const json_t *compared)
{
	return json_integer_value(json_object_get(compared, "regressions"));
}

Test(bench_compare, direction_and_threshold)
{
	static const struct {
		double rate, p99, threshold;
		bool valid;
		json_int_t worse;
	} cases[] = {
		{100, 10, 0.05, true, 0},  {96, 10.4, 0.05, true, 0}, {94, 10, 0.05, true, 1},
		{200, 10, 0.05, true, 0},  {100, 11, 0.05, true, 1},  {100, 2, 0.05, true, 0},
		{50, 20, 0.05, true, 2},   {50, 20, 0.5, true, 1},    {50, 20, 1.0, true, 0},
		{100, 10, 0.05, false, 1},
	};
	char *a = record("k", "{}", "[100]", 100, 10, true);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *b = record("k", "{}", "[1]", cases[i].rate, cases[i].p99, cases[i].valid);
		json_t *compared = compare(
			a, b, &(omt_bench_compare_options){"items_per_s,p99", cases[i].threshold});
		cr_expect_eq(regressions(compared), cases[i].worse, "case %zu", i);
		json_decref(compared);
		free(b);
	}
	free(a);
}

/* Repetitions that overlap do not tell a difference, those that do not do. */
Test(bench_compare, intervals_of_repetitions)
{
	const omt_bench_compare_options options = {"items_per_s", 0.05};
	char *a = record("k", "{}", "[80, 100, 120]", 100, 10, true);
	char *b = record("k", "{}", "[70, 90, 125]", 90, 10, true);
	char *c = record("k", "{}", "[60, 61, 62]", 61, 10, true);
	json_t *near = compare(a, b, &options), *far = compare(a, c, &options);
	double low, high;
	cr_expect_eq(regressions(near), 0);
	cr_expect_eq(regressions(far), 1);
	json_t *of_a = json_pack("[f, f, f]", 80.0, 100.0, 120.0);
	json_t *of_c = json_pack("[f, f, f]", 60.0, 61.0, 62.0), *one = json_pack("[f]", 1.0);
	cr_expect(omt_bench_ratio_interval(of_a, of_c, &low, &high));
	cr_expect_float_eq(low, 60.0 / 120, 1e-12);
	cr_expect_float_eq(high, 62.0 / 80, 1e-12);
	cr_expect_not(omt_bench_ratio_interval(of_a, one, &low, &high));
	json_decref(of_a);
	json_decref(of_c);
	json_decref(one);
	json_decref(near);
	json_decref(far);
	free(a);
	free(b);
	free(c);
}

/* By key, else by what the grid varies, where that is the only one; the rest is listed. */
Test(bench_compare, matches_points)
{
	char *of_a[] = {record("1", "{\"w\":1}", "[]", 10, 1, true),
	                record("2", "{\"w\":2}", "[]", 20, 1, true),
	                record("3", "{\"w\":3}", "[]", 30, 1, true)};
	char *of_b[] = {record("2", "{\"w\":9}", "[]", 21, 1, true),
	                record("8", "{\"w\":1}", "[]", 11, 1, true),
	                record("7", "{\"w\":4}", "[]", 40, 1, true)};
	char a[2000], b[2000];
	snprintf(a, sizeof a, "%s%s%s", of_a[0], of_a[1], of_a[2]);
	snprintf(b, sizeof b, "%s%s%s", of_b[0], of_b[1], of_b[2]);
	json_t *compared = compare(a, b, NULL);
	char *only_a = json_dumps(json_object_get(compared, "only_a"), JSON_COMPACT);
	char *only_b = json_dumps(json_object_get(compared, "only_b"), JSON_COMPACT);
	cr_expect_eq(json_array_size(json_object_get(compared, "points")), 2);
	cr_expect_str_eq(only_a, "[{\"w\":3}]");
	cr_expect_str_eq(only_b, "[{\"w\":4}]");
	cr_expect_eq(regressions(compared), 0);
	json_decref(compared);
	compared = compare(of_a[0], of_b[2], NULL); /* one of each, whatever they are */
	cr_expect_eq(json_array_size(json_object_get(compared, "points")), 1);
	json_decref(compared);
	free(only_a);
	free(only_b);
	for (int i = 0; i < 3; i++) {
		free(of_a[i]);
		free(of_b[i]);
	}
}

/* A drop that the paired test does not tell from chance is none. */
Test(bench_compare, measures_are_paired)
{
	static const char format[] =
		"{\"record\":2,\"key\":\"k\",\"parts\":[],\"retrieval\":{\"measured\":{\"ndcg\":"
		"{\"10\":{\"value\":%g}}},\"per_query\":{\"query\":[\"a\",\"b\",\"c\",\"d\","
		"\"e\",\"f\",\"g\",\"h\"],\"ndcg\":{\"10\":%s}}}}\n";
	const omt_bench_compare_options options = {"ndcg@10", 0.05};
	char a[1000], b[1000], c[1000];
	snprintf(a, sizeof a, format, 0.5, "[0.1,0.9,0.5,0.5,0.2,0.8,0.4,0.6]");
	snprintf(b, sizeof b, format, 0.4, "[0.9,0.1,0.5,0.5,0.8,0.1,0.1,0.2]");
	snprintf(c, sizeof c, format, 0.4, "[0.0,0.8,0.4,0.4,0.1,0.7,0.3,0.5]");
	json_t *chance = compare(a, b, &options), *sure = compare(a, c, &options);
	cr_expect_eq(regressions(chance), 0);
	cr_expect_eq(regressions(sure), 1);
	json_t *figure = json_array_get(
		json_object_get(json_array_get(json_object_get(sure, "points"), 0), "figures"), 0);
	cr_expect_float_eq(json_number_value(json_object_get(figure, "difference")), -0.1, 1e-9);
	cr_expect_lt(json_number_value(json_object_get(figure, "p")), 0.05);
	json_decref(chance);
	json_decref(sure);
}

Test(bench_compare, refuses)
{
	static const struct {
		const char *a, *b, *metrics;
		omt_status status;
		const char *error;
	} cases[] = {
		{"", "", NULL, OMT_BAD_FORMAT, "a.jsonl: no records"},
		{"{}\n", "x\n", NULL, OMT_BAD_FORMAT, "b.jsonl:1:1:1: not JSON"},
		{"{}\n{}\n", "{}\n", NULL, OMT_MISMATCH, "no point in common"},
		{"{}\n", "{}\n", "p98", OMT_BAD_ARGUMENT, "metric \"p98\" is none of"},
		{"{}\n", "{}\n", "p99", OMT_MISMATCH, "no part of both has p99"},
		{"{}\n", "{}\n", "", OMT_BAD_ARGUMENT, "metric \"\" is none of"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *a = scratch_text("a.jsonl", cases[i].a);
		const char *b = scratch_text("b.jsonl", cases[i].b);
		const omt_bench_compare_options options = {cases[i].metrics, 0.05};
		omt_error err;
		char *text;
		cr_expect_eq(omt_bench_compare(a, b, &options, &text, &err), cases[i].status);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s", err.text);
		cr_expect_null(text);
	}
}
