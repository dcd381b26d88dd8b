/* Scenarios on models of devices: their time is known. */
#include <math.h>

#include "bench/scenario.h"
#include "tests/unit/scratch.h"

#define DATA "tests/golden/data/"

enum { PASSAGES = 30, QUERIES = 7 };

static omt_error err;
static omt_model *model;

static void open_model(void)
{
	scratch_make();
	cr_assert_eq(omt_model_open(DATA "tiny", &model, &err), OMT_OK, "%s", err.text);
}

static void close_model(void)
{
	omt_model_close(model);
	scratch_drop();
}

TestSuite(scenario, .init = open_model, .fini = close_model);

/* A list of texts, all of the same length, and a picture each `pictures` items (0: none). */
static const char *list(const char *name, int count, int pictures)
{
	const char *path = scratch_path(name);
	FILE *file = fopen(path, "w");
	char *folder = realpath(DATA "inputs", NULL);
	for (int i = 0; i < count; i++)
		if (pictures && i % pictures == 0)
			fprintf(file, "{\"id\": \"%s %d\", \"image\": \"%s/img_tiny_20x20.png\"}\n",
			        name, i, folder);
		else
			fprintf(file, "{\"id\": \"%s %d\", \"text\": \"a red bird on a branch\"}\n",
			        name, i);
	fclose(file);
	free(folder);
	return path;
}

/* A device of `gflops` and as many GB/s. */
static omt_engine *open_engine(double gflops, int32_t items, bool eager)
{
	char text[160];
	omt_engine *engine;
	omt_engine_options options;
	omt_engine_options_init(&options);
	snprintf(text, sizeof text,
	         "device: test\npeak_gflops: %.9f\nbandwidth_gbs: %.9f\nlink_gbs: 8\n", gflops,
	         gflops);
	options.backend = "model";
	options.device = scratch_text("device.yaml", text);
	options.batch_items = items;
	options.eager = eager;
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	return engine;
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

Test(scenario, offline_has_every_item_as_often)
{
	omt_bench_scenario scenario;
	omt_bench_scenario_init(&scenario);
	scenario.min_duration_s = 0.1;
	scenario.min_queries = 50;
	scenario.repetitions = 3;
	omt_bench_file files[2] = {
		{.name = "passages",
	         .path = list("p.jsonl", PASSAGES, 3),
	         .role = OMT_ROLE_PASSAGE},
		{.name = "queries", .path = list("q.jsonl", QUERIES, 0), .role = OMT_ROLE_QUERY}};
	omt_limits_init(&files[0].limits);
	omt_limits_init(&files[1].limits);
	omt_bench_load load = {.engine = open_engine(1000, 4, false),
	                       .scenario = &scenario,
	                       .files = files,
	                       .file_count = 2,
	                       .dimension = omt_model_dimension(model)};
	static const struct {
		const char *file, *modality;
		int items;
	} expected[] = {
		{"passages", "text", 20}, {"passages", "image", 10}, {"queries", "text", 7}};
	omt_bench_vectors vectors[2];
	json_t *parts;
	cr_assert_eq(omt_bench_scenario_run(&load, &parts, vectors, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(json_array_size(parts), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *part = json_array_get(parts, i);
		const json_t *latency = json_object_get(part, "latency_ms");
		cr_expect_str_eq(text_of(part, "mode"), "offline");
		cr_expect_str_eq(text_of(part, "file"), expected[i].file);
		cr_expect_str_eq(text_of(part, "modality"), expected[i].modality);
		cr_expect(json_is_true(json_object_get(part, "valid")), "%s", json_dumps(part, 0));
		cr_expect_geq(number(part, "items"), 50);
		cr_expect_eq(fmod(number(part, "items"), expected[i].items), 0);
		cr_expect_geq(number(part, "duration_s"), 0.1);
		cr_expect_float_eq(number(part, "items_per_s") * number(part, "duration_s"),
		                   number(part, "items"), 1e-6);
		cr_expect_eq(json_array_size(json_object_get(part, "repeats")), 3);
		cr_expect_leq(number(latency, "p50"), number(latency, "p99"));
		cr_expect_gt(number(latency, "min"), 0);
	}
	cr_expect_eq(vectors[0].count, PASSAGES);
	cr_expect_eq(vectors[1].count, QUERIES);
	for (size_t i = 0; i < PASSAGES * (size_t)vectors[0].dimension; i++)
		cr_assert_eq(vectors[0].data[i], 0.0f, "the device model makes zeros");
	cr_expect_str_eq(json_string_value(json_array_get(vectors[1].ids, 6)), "q.jsonl 6");
	for (int i = 0; i < 2; i++)
		omt_bench_vectors_free(&vectors[i]);
	json_decref(parts);
	omt_engine_close(load.engine);
}
