#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/unit/mining.h"
#include "tests/unit/scratch.h"

TestSuite(mine, .init = scratch_make, .fini = scratch_drop);

/* ---- the golden lists ---------------------------------------------------------------------------
 */

/* Passages are the unit vectors, so that a query's values are its scores. */
static omt_loaded golden_passages(void)
{
	static float values[PASSAGES * PASSAGES];
	static char texts[PASSAGES][8];
	static const char *ids[PASSAGES];
	for (size_t i = 0; i < PASSAGES; i++) {
		values[i * PASSAGES + i] = 1;
		snprintf(texts[i], sizeof *texts, "d%zu", i);
		ids[i] = texts[i];
	}
	return (omt_loaded){.count = PASSAGES, .dimension = PASSAGES, .values = values, .ids = ids};
}

static omt_loaded golden_queries(const mining_golden *g)
{
	static char texts[QUERIES][8];
	static const char *ids[QUERIES];
	for (size_t i = 0; i < QUERIES; i++) {
		snprintf(texts[i], sizeof *texts, "q%zu", i);
		ids[i] = texts[i];
	}
	return (omt_loaded){
		.count = QUERIES, .dimension = PASSAGES, .values = g->scores.data, .ids = ids};
}

static void golden_qrels(const mining_golden *g)
{
	FILE *file = fopen(scratch_path("qrels"), "w");
	for (size_t q = 0; q < QUERIES; q++) {
		const json_t *positives = json_array_get(g->positives, q);
		/* The order of judgements is not that of rows. */
		for (size_t i = json_array_size(positives); i-- > 0;)
			fprintf(file, "q%zu 0 d%lld 1\n", q,
			        (long long)json_integer_value(json_array_get(positives, i)));
		fprintf(file, "q%zu 0 nowhere 0\n", q);
	}
	fclose(file);
}

/* Lines of a file as objects; `line` < 0: how many there are. */
static json_t *line_of(const char *path, int line, int *count)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	json_t *value = NULL;
	cr_assert_not_null(file, "%s", path);
	*count = 0;
	while (getline(&text, &room, file) >= 0)
		if ((*count)++ == line)
			value = json_loads(text, 0, NULL);
	free(text);
	fclose(file);
	return value;
}

static void run(const omt_mine_options *options, char **json)
{
	omt_error err;
	cr_assert_eq(omt_mine(options, json, &err), OMT_OK, "%s", err.text);
}

static void check_output(const mining_golden *g, const char *key, const char *path)
{
	int count;
	for (int q = 0; q < QUERIES; q++) {
		char id[16];
		json_t *line = line_of(path, q, &count);
		const float *scores = (const float *)g->scores.data + (size_t)q * PASSAGES;
		const json_t *wanted = mining_list(g, key, (size_t)q),
			     *negatives = json_object_get(line, "negatives");
		cr_assert_eq(count, QUERIES, "%d lines", count);
		snprintf(id, sizeof id, "q%d", q);
		cr_assert_str_eq(json_string_value(json_object_get(line, "query")), id);
		snprintf(id, sizeof id, "d%lld",
		         (long long)json_integer_value(
				 json_array_get(json_array_get(g->positives, (size_t)q), 0)));
		cr_assert_str_eq(
			json_string_value(json_object_get(
				json_array_get(json_object_get(line, "positives"), 0), "id")),
			id);
		cr_assert_eq(json_array_size(negatives), json_array_size(wanted), "%s: %s", key,
		             id);
		for (size_t i = 0; i < json_array_size(wanted); i++) {
			const json_t *negative = json_array_get(negatives, i);
			const long long row = json_integer_value(json_array_get(wanted, i));
			snprintf(id, sizeof id, "d%lld", row);
			cr_assert_str_eq(json_string_value(json_object_get(negative, "id")), id,
			                 "%s: query %d", key, q);
			cr_assert_eq((float)json_number_value(json_object_get(negative, "score")),
			             scores[row]);
		}
		json_decref(line);
	}
}

Test(mine, golden_lists_from_vectors_and_from_an_index)
{
	static const char *const storages[] = {NULL, "f32", "bf16"};
	mining_golden g = mining_load();
	const omt_loaded passages = golden_passages(), queries = golden_queries(&g);
	uint32_t head[2] = {PASSAGES, PASSAGES};
	omt_error err;
	golden_qrels(&g);
	FILE *file = fopen(scratch_path("p.fbin"), "wb"), *ids;
	fwrite(head, sizeof head, 1, file);
	fwrite(passages.values, sizeof(float), (size_t)PASSAGES * PASSAGES, file);
	fclose(file);
	ids = fopen(scratch_path("p.fbin.ids.jsonl"), "w");
	for (size_t i = 0; i < PASSAGES; i++)
		fprintf(ids, "{\"id\":\"d%zu\"}\n", i);
	fclose(ids);
	for (size_t s = 0; s < sizeof storages / sizeof *storages; s++) {
		omt_index *index = NULL;
		if (storages[s]) {
			cr_assert_eq(omt_index_build(scratch_path("p.fbin"),
			                             &(omt_index_options){.storage = storages[s]},
			                             scratch_path("p.idx"), &err),
			             OMT_OK, "%s", err.text);
			cr_assert_eq(omt_index_open(scratch_path("p.idx"), &index, &err), OMT_OK);
		}
		for (size_t c = 0; c < CASES; c++) {
			omt_mine_options options;
			char *json;
			omt_mine_options_init(&options);
			options.index = index;
			options.passages = index ? NULL : &passages;
			options.queries = &queries;
			char qrels[600], output[600];
			snprintf(qrels, sizeof qrels, "%s", scratch_path("qrels"));
			snprintf(output, sizeof output, "%s", scratch_path("out.jsonl"));
			options.qrels = qrels;
			options.output = output;
			options.method = mining_cases[c].method;
			options.threshold = mining_cases[c].threshold;
			options.skip = mining_cases[c].skip;
			options.first_positive = mining_cases[c].first;
			run(&options, &json);
			check_output(&g, mining_cases[c].key, output);
			omt_free(json);
		}
		omt_index_close(index);
	}
	mining_drop(&g);
}

/* ---- files -------------------------------------------------------------------------------------
 */

enum { SMALL = 6 };

/* Passages a0, a1, b0, ... on a line: their scores by query q are these. */
static const float small_scores[SMALL] = {0.9f, 0.9f, 0.85f, 0.8f, 0.5f, 0.9f};
static const char *const small_ids[SMALL] = {"p0", "p1", "p2", "q", "p4", "p5"};
static const float small_queries[3] = {1, 1, -1};
static const char *const query_ids[3] = {"q", "r", "s"};
static const omt_loaded small_passages = {
	.count = SMALL, .dimension = 1, .values = small_scores, .ids = small_ids};
static const omt_loaded few_queries = {
	.count = 3, .dimension = 1, .values = small_queries, .ids = query_ids};

static omt_mine_options small_options(const char *qrels)
{
	static char paths[2][600];
	omt_mine_options options;
	omt_mine_options_init(&options);
	snprintf(paths[0], sizeof *paths, "%s", scratch_text("qrels", qrels));
	snprintf(paths[1], sizeof *paths, "%s", scratch_path("out.jsonl"));
	options.passages = &small_passages;
	options.queries = &few_queries;
	options.qrels = paths[0];
	options.output = paths[1];
	return options;
}

/* Ids of the line's negatives with blanks between. */
static const char *negatives_of(const omt_mine_options *options, int number)
{
	static char text[256];
	int count;
	size_t i;
	json_t *line = line_of(options->output, number, &count), *negative;
	text[0] = '\0';
	cr_assert_not_null(line, "line %d of %d", number, count);
	json_array_foreach(json_object_get(line, "negatives"), i, negative)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
	                 json_string_value(json_object_get(negative, "id")));
	json_decref(line);
	return text;
}

static double told(const char *json, const char *key)
{
	json_t *all = json_loads(json, 0, NULL);
	const json_t *value = json_object_get(all, key);
	if (!value)
		value = json_object_get(json_array_get(json_object_get(all, "pairs"), 0), key);
	cr_assert_not_null(value, "%s", key);
	const double number = json_number_value(value);
	json_decref(all);
	return number;
}

/* Copies of the positive score as it does: what each method makes of them. */
Test(mine, copies_of_the_positive_and_the_query_itself)
{
	omt_mine_options options = small_options("q 0 p1 1\nq 0 p4 0\n");
	char *json;
	options.method = "topk";
	run(&options, &json);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p0 p5 p2 q");
	options.ignore_identical = true;
	run(&options, &json);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p0 p5 p2 p4");
	options.method = "topk_marginpos";
	options.threshold = 0;
	run(&options, &json);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p0 p5 p2 p4");
	options.threshold = 1e-9;
	run(&options, &json);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p2 p4");
	options.method = NULL;
	options.threshold = NAN;
	run(&options, &json);
	cr_expect_str_eq(negatives_of(&options, 0), "p2 p4");
	cr_expect_eq(told(json, "short"), 1);
	cr_expect_eq(told(json, "empty"), 0);
	cr_expect_eq(told(json, "negatives"), 2);
	cr_expect_float_eq(told(json, "mean_positive"), 0.9, 1e-6);
	cr_expect_float_eq(told(json, "mean_negative"), 0.675, 1e-6);
	cr_expect_eq(told(json, "without_positives"), 2);
	omt_free(json);
}

static int notes;

static void note(void *user, const char *text)
{
	cr_expect_not_null(strstr(text, (const char *)user), "%s", text);
	notes++;
}

/* A negative positive's share lies above it: p2 scores -0.85, all survivors less than -0.8075. */
Test(mine, what_is_left_out_is_counted)
{
	omt_mine_options options = small_options(
		"query-id\tcorpus-id\tscore\nq\tgone\t1\nr\tp1\t2\nr\tlost\t1\ns\tp2\t1\n"
		"t\tp1\t1\nu\tp1\t0\n");
	char *json;
	options.progress = (omt_progress){.note = note, .user = "is not among the passages"};
	run(&options, &json);
	cr_expect_eq(notes, 2);
	cr_expect_eq(told(json, "missing_positives"), 2);
	cr_expect_eq(told(json, "without_passage"), 1);
	cr_expect_eq(told(json, "without_positives"), 0);
	cr_expect_eq(told(json, "without_vector"), 1);
	cr_expect_eq(told(json, "judged"), 4);
	cr_expect_eq(told(json, "queries"), 3);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p2 q p4");
	cr_expect_str_eq(negatives_of(&options, 1), "p0 p1 p5");
}

Test(mine, pairs_of_kinds)
{
	omt_mine_options options = small_options("q 0 p1 1\nq 0 p4 1\nr 0 p5 1\ns 0 p4 1\n");
	char lists[2][600];
	char *json;
	snprintf(lists[0], sizeof *lists, "%s",
	         scratch_text("p.jsonl",
	                      "{\"id\":\"p0\",\"text\":\"a\"}\n{\"id\":\"p1\",\"image\":\"a\"}\n"
	                      "{\"id\":\"p2\",\"image\":\"a\"}\n{\"id\":\"q\",\"text\":\"a\"}\n"
	                      "{\"id\":\"p5\",\"content\":[{\"type\":\"image\",\"image\":\"a\"},"
	                      "{\"type\":\"text\",\"text\":\"a\"}]}\nbroken\n"));
	snprintf(lists[1], sizeof *lists, "%s",
	         scratch_text("q.jsonl",
	                      "{\"id\":\"r\",\"image\":\"a\"}\n{\"_id\":\"q\",\"text\":\"a\"}\n"
	                      "{\"id\":\"s\",\"text\":\"a\"}\n"));
	options.passage_list = lists[0];
	options.query_list = lists[1];
	options.method = "topk";
	options.pairs = "text:image,image:text+image,any:any";
	run(&options, &json);
	int lines;
	json_t *line = line_of(options.output, 0, &lines);
	cr_expect_eq(lines, 5);
	cr_expect_str_eq(json_string_value(json_object_get(line, "pair")), "text:image");
	cr_expect_eq(json_array_size(json_object_get(line, "positives")), 1);
	json_decref(line);
	cr_expect_str_eq(negatives_of(&options, 0), "p2"); /* q; s has no picture */
	cr_expect_str_eq(negatives_of(&options, 1), "");   /* r: p5 alone is both */
	cr_expect_str_eq(negatives_of(&options, 2), "p0 p5 p2 q");
	cr_expect_eq(told(json, "unknown_kind"), 1);
	omt_free(json);
	options.pairs = NULL;
	options.candidates = "text";
	run(&options, &json);
	omt_free(json);
	cr_expect_str_eq(negatives_of(&options, 0), "p0 q");
	line = line_of(options.output, 0, &lines);
	cr_expect_eq(lines, 3);
	cr_expect_null(json_object_get(line, "pair"));
	cr_expect_eq(json_array_size(json_object_get(line, "positives")), 2);
	json_decref(line);
}

/* Drawn are k of the n best, all sets as likely, the same ones for the same seed. */
Test(mine, samples)
{
	enum { COUNT = 2000 };
	static float values[COUNT];
	static char texts[COUNT][8];
	static const char *ids[COUNT];
	omt_mine_options options = small_options("");
	FILE *file = fopen(options.qrels, "w");
	char *json, *first;
	int counts[SMALL] = {0};
	for (size_t i = 0; i < COUNT; i++) {
		values[i] = 1;
		snprintf(texts[i], sizeof *texts, "x%zu", i);
		ids[i] = texts[i];
		fprintf(file, "x%zu 0 q 1\n", i);
	}
	fclose(file);
	const omt_loaded many = {.count = COUNT, .dimension = 1, .values = values, .ids = ids};
	options.queries = &many;
	options.method = "topk";
	options.k = 2;
	options.sample = 5; /* p4 is the fifth */
	options.seed = 3;
	for (int round = 0; round < 2; round++) {
		omt_error err;
		char *text, *rest;
		run(&options, &json);
		omt_free(json);
		cr_assert_eq(omt_file_read(options.output, 1 << 24, &text, NULL, &err), OMT_OK);
		first = round ? first : strdup(text);
		cr_expect_str_eq(text, first, "the same seed");
		for (char *line = strtok_r(text, "\n", &rest); line && !round;
		     line = strtok_r(NULL, "\n", &rest)) {
			const char *negatives = strstr(line, "negatives");
			for (int i = 0; i < SMALL; i++)
				counts[i] += strstr(negatives, small_ids[i]) != NULL;
		}
		free(text);
	}
	free(first);
	/* 2 of 5: 800 expected, deviation 22. */
	for (int i = 0; i < SMALL; i++)
		if (i != 3)
			cr_expect(abs(counts[i] - 800) < 110, "%s: %d", small_ids[i], counts[i]);
}

static bool at_once(void *user)
{
	(void)user;
	return true;
}

static void refuse(const omt_mine_options *options, omt_status status, const char *text)
{
	omt_error err;
	char *json = "";
	FILE *file = fopen(options->output, "w");
	fputs("before", file);
	fclose(file);
	cr_expect_eq(omt_mine(options, &json, &err), status, "%s: %s", text, err.text);
	cr_expect_not_null(strstr(err.text, text), "\"%s\" is not in \"%s\"", text, err.text);
	cr_expect_null(json);
	file = fopen(options->output, "r");
	cr_expect_eq(fgetc(file), 'b', "the file of before is there");
	fclose(file);
}

Test(mine, refused)
{
	static const char *const twice[3] = {"q", "r", "q"};
	static const float wild[3] = {1, NAN, 1};
	const omt_mine_options good = small_options("q 0 p1 1\n");
	omt_mine_options o = good;
	omt_loaded loaded;
	o.method = "top";
	refuse(&o, OMT_BAD_ARGUMENT, "method is \"top\", expected one of topk, topk_shifted");
	o.method = "topk";
	o.threshold = 1;
	refuse(&o, OMT_BAD_ARGUMENT, "topk has no threshold");
	o = good;
	o.skip = 3;
	refuse(&o, OMT_BAD_ARGUMENT, "topk_percpos skips no candidates");
	o = good;
	o.sample = 3;
	refuse(&o, OMT_BAD_ARGUMENT, "k is 4, more than the sample");
	o = good;
	o.pairs = "text:image";
	refuse(&o, OMT_BAD_ARGUMENT, "no list tells the queries' kinds");
	o.pairs = "text";
	refuse(&o, OMT_BAD_ARGUMENT, "pair \"text\"");
	o.pairs = "any:text+text";
	refuse(&o, OMT_BAD_ARGUMENT, "kinds are \"text+text\"");
	o.pairs = "any:any,any:any";
	refuse(&o, OMT_BAD_ARGUMENT, "pair any:any twice");
	o.candidates = "image";
	refuse(&o, OMT_BAD_ARGUMENT, "no candidates beside them");
	o = good;
	loaded = few_queries;
	loaded.ids = twice;
	o.queries = &loaded;
	refuse(&o, OMT_BAD_FORMAT, "query id \"q\" for the second time");
	loaded = few_queries;
	loaded.dimension = 2;
	refuse(&o, OMT_BAD_ARGUMENT, "passages have 1 values, queries 2");
	loaded = few_queries;
	loaded.count = 0;
	refuse(&o, OMT_BAD_ARGUMENT, "no queries");
	o = good;
	loaded = small_passages;
	loaded.values = wild;
	loaded.count = 3;
	o.passages = &loaded;
	refuse(&o, OMT_BAD_ARGUMENT, "passage p1 is not finite");
	o.passages = &small_passages;
	loaded = few_queries;
	loaded.values = wild;
	loaded.model = "a/1/b";
	o.queries = &loaded;
	o.qrels = scratch_text("other", "r 0 p1 1\n");
	refuse(&o, OMT_BAD_ARGUMENT, "query r: score nan of a positive");
	omt_loaded of_model = small_passages;
	of_model.model = "c/1/d";
	o.passages = &of_model;
	refuse(&o, OMT_MISMATCH, "passages of model c/1/d, queries of a/1/b");
	o = good;
	o.stop = at_once;
	refuse(&o, OMT_STOPPED, "nothing is written");
	o.stop = NULL;
	o.qrels = scratch_text("none", "q 0 p1 0\n");
	refuse(&o, OMT_BAD_FORMAT, "no query has a positive among the passages");
	o.qrels = o.output;
	refuse(&o, OMT_BAD_ARGUMENT, "the output would go over it");
}
