/* Retrieval of a benchmark: vectors cut and scaled again, answers as a run, measures. */
#include "bench/retrieval.h"
#include "tests/unit/scratch.h"

#include <math.h>

TestSuite(bench_retrieval, .init = scratch_make, .fini = scratch_drop);

#define DIMENSION 4

/* "far" has no vector; of whole vectors "b" is nearest to the query, of the first two values "a".
 */
static float passages[4][DIMENSION] = {
	{0.6f, 0, 0.8f, 0}, {0.48f, 0.36f, 0, 0.8f}, {NAN, NAN, NAN, NAN}, {0, 0, 0, 1}};
static float queries[1][DIMENSION] = {{0.6f, 0, 0, 0.8f}};

static omt_bench_vectors vectors(float (*data)[DIMENSION], size_t count, const char *ids)
{
	json_t *list = json_loads(ids, 0, NULL);
	cr_assert_eq(json_array_size(list), count);
	return (omt_bench_vectors){DIMENSION, count, data[0], list};
}

static char noted[600];

static void note(void *user, const char *text)
{
	(void)user;
	snprintf(noted, sizeof noted, "%s", text);
}

static json_t *retrieve(const omt_bench_settings *settings, const char *ids)
{
	const omt_progress progress = {.note = note};
	omt_bench_vectors of_passages = vectors(passages, 4, ids);
	omt_bench_vectors of_queries = vectors(queries, 1, "[\"q\"]");
	json_t *retrieval = NULL;
	omt_error err;
	noted[0] = '\0';
	cr_assert_eq(omt_bench_retrieval(settings, &of_passages, &of_queries, &progress, &retrieval,
	                                 &err),
	             OMT_OK, "%s", err.text);
	json_decref(of_passages.ids);
	json_decref(of_queries.ids);
	return retrieval;
}

static double measured(const json_t *retrieval, const char *measure, const char *cut)
{
	const json_t *cuts = json_object_get(json_object_get(retrieval, "measured"), measure);
	return json_number_value(json_object_get(json_object_get(cuts, cut), "value"));
}

Test(bench_retrieval, finds_by_all_values_or_by_the_first)
{
	static const struct {
		int32_t dimension;
		const char *run;
		double mrr;
	} cases[] = {
		{0, "q Q0 b 1 0.928\nq Q0 d 2 0.8\nq Q0 a 3 0.36\n", 1.0 / 3},
		{4, "q Q0 b 1 0.928\nq Q0 d 2 0.8\nq Q0 a 3 0.36\n", 1.0 / 3},
		/* "d" is left out: all of its values that are left are 0 */
		{2, "q Q0 a 1 1\nq Q0 b 2 0.8\n", 1},
	};
	const char *qrels = scratch_text("qrels", "q 0 a 1\nq 0 far 0\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = scratch_path("run.trec");
		const omt_bench_settings settings = {.qrels = qrels,
		                                     .run = path,
		                                     .dimension = cases[i].dimension,
		                                     .cuts = {1, 3},
		                                     .cut_count = 2};
		json_t *retrieval = retrieve(&settings, "[\"a\", \"b\", \"far\", \"d\"]");
		char text[400] = "", wanted[400] = "";
		FILE *file = fopen(path, "r");
		cr_assert_not_null(file);
		for (char line[100]; fgets(line, sizeof line, file);)
			strcat(text, line);
		fclose(file);
		/* ids and ranks exactly, scores to five digits */
		for (const char *at = cases[i].run; *at; at = strchr(at, '\n') + 1) {
			char id[8], got[8];
			int rank, got_rank;
			double score, got_score;
			const size_t number = strlen(wanted);
			const char *line = text;
			for (size_t skip = number; skip; skip--)
				line = strchr(line, '\n') + 1;
			cr_assert_eq(sscanf(at, "q Q0 %7s %d %lf", id, &rank, &score), 3);
			cr_assert_eq(sscanf(line, "q Q0 %7s %d %lf omnitile", got, &got_rank,
			                    &got_score),
			             3, "%s", line);
			cr_expect_str_eq(got, id);
			cr_expect_eq(got_rank, rank);
			cr_expect_float_eq(got_score, score, 1e-5);
			strcat(wanted, "."); /* a line more */
		}
		size_t lines = 0;
		for (const char *at = text; (at = strchr(at, '\n')); at++)
			lines++;
		cr_expect_eq(lines, strlen(wanted), "%s", text);
		cr_expect_float_eq(measured(retrieval, "mrr", ""), cases[i].mrr, 1e-12);
		cr_expect_eq(json_integer_value(json_object_get(retrieval, "passages")), 4);
		cr_expect_eq(json_integer_value(json_object_get(retrieval, "dimension")),
		             cases[i].dimension ? cases[i].dimension : DIMENSION);
		const json_t *per_query = json_object_get(retrieval, "per_query");
		cr_expect_eq(json_array_size(json_object_get(per_query, "query")), 1);
		cr_expect_not_null(json_object_get(json_object_get(per_query, "ndcg"), "1"));
		cr_expect_null(json_object_get(json_object_get(per_query, "ndcg"), "3"));
		json_decref(retrieval);
	}
}

Test(bench_retrieval, an_id_with_a_blank_has_no_run)
{
	const char *path = scratch_path("run.trec");
	const omt_bench_settings settings = {
		.qrels = scratch_text("qrels", "q 0 b 1\n"), .run = path, .convention = "mteb"};
	json_t *retrieval = retrieve(&settings, "[\"a b\", \"b\", \"far\", \"d\"]");
	cr_expect_eq(measured(retrieval, "ndcg", "10"), 1);
	cr_expect_not_null(strstr(noted, "run.trec: not written: id \"a b\" has a blank"), "%s",
	                   noted);
	cr_expect_neq(access(path, F_OK), 0);
	json_decref(retrieval);
}
