/* What an engine tells of itself: memory, start, time by op. */
#include <string.h>

#include "base/json.h"
#include "tests/unit/number.h"
#include "tests/unit/tiny.h"

enum { WORDS = 20 };

typedef struct omt_test_texts {
	int left;
	omt_item item;
	omt_part part;
	char text[2 * WORDS];
} omt_test_texts;

static bool next(void *user, const omt_item **item)
{
	omt_test_texts *texts = user;
	*item = &texts->item;
	return texts->left-- > 0;
}

static omt_status put(void *user, const omt_result *result, omt_error *error)
{
	(void)user;
	(void)error;
	cr_expect_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	cr_expect_gt(result->compute_ms, 0);
	return OMT_OK;
}

/* One text at a time, as omt_plan() has it. */
static omt_embed_stats embed(omt_engine *engine, int count)
{
	omt_test_texts texts = {.left = count};
	omt_embed_stats stats;
	for (int i = 0; i < 2 * WORDS; i++)
		texts.text[i] = i % 2 ? 'a' : ' ';
	texts.part = (omt_part){.kind = OMT_TEXT, .text = texts.text, .text_bytes = 2 * WORDS};
	texts.item = (omt_item){.id = "i", .parts = &texts.part, .part_count = 1};
	cr_assert_eq(omt_embed(engine, &(omt_source){next, &texts}, &(omt_sink){put, NULL}, &stats,
	                       &err),
	             OMT_OK, "%s", err.text);
	return stats;
}

static json_t *described(const omt_engine *engine)
{
	char *text = omt_engine_describe(engine);
	json_t *json = json_loads(text, 0, NULL);
	omt_free(text);
	cr_assert_not_null(json);
	return json;
}

/* Sum of a key over the entries of one op; NULL: of all. */
static double sum_of(const json_t *ops, const char *op, const char *key)
{
	const json_t *entry;
	size_t i;
	double sum = 0;
	json_array_foreach(ops, i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "op"));
		sum += !op || !strcmp(name, op) ? number(entry, key) : 0;
	}
	return sum;
}

TestSuite(describe, .init = tiny_open, .fini = tiny_close);

static omt_engine *open_engine(const char *backend, omt_engine_options *options)
{
	omt_engine *engine;
	omt_engine_options_init(options);
	options->backend = backend;
	options->batch_items = 1;
	options->max_tokens = 256;
	cr_assert_eq(omt_engine_open(model, options, &engine, &err), OMT_OK, "%s", err.text);
	return engine;
}

Test(describe, memory_and_start)
{
	omt_engine_options options;
	omt_engine *engine = open_engine("ref", &options);
	json_t *json = described(engine);
	const json_t *start = json_object_get(json, "start");
	const json_t *device = json_array_get(json_object_get(json, "devices"), 0);
	cr_expect_gt(number(json, "weights_bytes"), 0);
	cr_expect_eq(number(json, "weights_bytes") + number(json, "work_bytes"),
	             number(json, "memory_bytes"));
	cr_expect_eq(number(device, "weights_bytes"), number(json, "weights_bytes"));
	cr_expect_gt(number(start, "load_s"), 0);
	cr_expect_geq(number(start, "build_s"), 0);
	cr_expect_gt(number(start, "open_s"), number(start, "load_s") + number(start, "build_s"));
	cr_expect_null(json_object_get(json, "ops"));
	json_decref(json);
	omt_engine_close(engine);
}

/* What ran is what was planned, op by op, and each was there COUNT times. */
static void expect_ops(const json_t *ops, const json_t *plan, int count)
{
	static const char *const keys[] = {"launches", "flops", "bytes"};
	const json_t *planned = json_object_get(plan, "ops"), *entry;
	size_t i;
	cr_assert_gt(json_array_size(ops), 5);
	json_array_foreach(ops, i, entry)
	{
		const char *op = json_string_value(json_object_get(entry, "op"));
		for (size_t k = 0; k < 3; k++)
			cr_expect_float_eq(sum_of(ops, op, keys[k]),
			                   count * sum_of(planned, op, keys[k]), 0.5, "%s of %s",
			                   keys[k], op);
		if (!strcmp(op, "gemm")) /* rows of a text of 20 words */
			cr_expect_str_eq(json_string_value(json_object_get(entry, "class")),
			                 "gemm_short");
		if (!strcmp(op, "rmsnorm"))
			cr_expect_null(json_object_get(entry, "class"));
	}
	cr_expect_float_eq(sum_of(ops, NULL, "flops"), count * number(plan, "flops"), 0.5);
}

Test(describe, time_by_op)
{
	omt_engine_options options;
	omt_engine *engine = open_engine("ref", &options);
	char *text;
	embed(engine, 1);
	omt_engine_profile(engine, true);
	omt_embed_stats stats = embed(engine, 3);
	omt_engine_profile(engine, false);
	embed(engine, 2);
	json_t *json = described(engine), *ops = json_object_get(json, "ops");
	omt_plan_options wanted = {.engine = options, .text_tokens = WORDS, .items = 1};
	cr_assert_eq(omt_plan(model, &wanted, &text, &err), OMT_OK, "%s", err.text);
	json_t *plan = json_loads(text, 0, NULL);
	expect_ops(ops, plan, 3);
	const double seconds = sum_of(ops, NULL, "seconds");
	cr_expect_gt(seconds, 0);
	cr_expect_leq(seconds, stats.compute_s);
	json_decref(json);
	json_decref(plan);
	omt_free(text);
	/* Once more from the start. */
	omt_engine_profile(engine, true);
	json = described(engine);
	cr_expect_null(json_object_get(json, "ops"));
	json_decref(json);
	omt_engine_close(engine);
}
