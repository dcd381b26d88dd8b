/* The plan is what is allocated, and what does not fit is refused before anything is. */
#include "base/json.h"
#include "model/memory.h"
#include "tests/unit/scratch.h"

#define TINY "tests/golden/data/tiny"

static omt_error err;
static omt_model *model;

static void begin(void)
{
	scratch_make();
	setenv("OMT_CACHE_DIR", scratch_folder, 1);
	cr_assert_eq(omt_model_open(TINY, &model, &err), OMT_OK, "%s", err.text);
}

static void end(void)
{
	static const char *const folders[] = {"weights", "programs"};
	char command[128];
	omt_model_close(model);
	for (size_t i = 0; i < 2; i++) {
		snprintf(command, sizeof command, "rm -rf '%s/%s'", scratch_folder, folders[i]);
		cr_assert_eq(system(command), 0);
	}
	scratch_drop();
}

TestSuite(memory, .init = begin, .fini = end);

static json_t *plan_of(const omt_engine_options *options)
{
	omt_plan_options wanted = {.engine = *options, .text_tokens = 8, .items = 1};
	char *text;
	cr_assert_eq(omt_plan(model, &wanted, &text, &err), OMT_OK, "%s", err.text);
	json_t *plan = json_loads(text, 0, NULL);
	omt_free(text);
	return plan;
}

static json_int_t planned(const omt_engine_options *options)
{
	json_t *plan = plan_of(options);
	json_int_t bytes = json_integer_value(json_object_get(plan, "memory_bytes"));
	json_decref(plan);
	return bytes;
}

static omt_status opened(const omt_engine_options *options, size_t *bytes)
{
	omt_engine *engine;
	omt_status status = omt_engine_open(model, options, &engine, &err);
	*bytes = 0;
	if (status == OMT_OK)
		*bytes = omt_exec_bytes(omt_engine_exec(engine));
	omt_engine_close(engine);
	return status;
}

Test(memory, allocated_is_planned)
{
	static const char *const backends[] = {"opencl", "openblas", "ref"};
	static const char *const weights[] = {"stored", "int8", "bf16"}, *const caches[] = {"none",
	                                                                                    NULL};
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.max_tokens = 300;
	for (size_t b = 0; b < 3; b++)
		for (size_t w = 0; w < 2; w++)
			/* Without packed weights, when they are made, when they are there. */
			for (size_t c = 0; c < 3; c++) {
				size_t bytes;
				options.backend = backends[b];
				options.weights = weights[w];
				options.cache = caches[c > 0];
				options.slots = (int32_t)c + 1;
				cr_assert_eq(opened(&options, &bytes), OMT_OK, "%s", err.text);
				cr_expect_eq((json_int_t)bytes, planned(&options),
				             "%s %s %zu: %zu bytes, planned %lld", backends[b],
				             weights[w], c, bytes, (long long)planned(&options));
			}
}

Test(memory, what_does_not_fit)
{
	omt_engine_options options;
	size_t bytes;
	omt_engine_options_init(&options);
	options.backend = "opencl";
	options.max_tokens = 1000;
	setenv("OMT_MAX_ALLOC_BYTES", "1000000", 1);
	cr_expect_eq(opened(&options, &bytes), OMT_LIMIT);
	const char *advice = strstr(err.text, "max_tokens ");
	cr_assert_not_null(advice, "%s", err.text);
	/* The advice holds, and one token more does not. */
	options.max_tokens = (int32_t)atoi(advice + strlen("max_tokens "));
	cr_expect_eq(opened(&options, &bytes), OMT_OK, "%s", err.text);
	options.max_tokens++;
	cr_expect_eq(opened(&options, &bytes), OMT_LIMIT);
	setenv("OMT_MAX_ALLOC_BYTES", "much", 1);
	cr_expect_eq(opened(&options, &bytes), OMT_BAD_ARGUMENT);
}

/* Devices in one memory: the weights once, all else for each. */
Test(memory, several_in_one_memory)
{
	omt_backend_info info = {.device = "parts", .panel = 1};
	omt_memory one, two;
	omt_engine_options options;
	omt_engine_options_init(&options);
	cr_assert_eq(omt_memory_plan(model, &options, &info, 1, &one, &err), OMT_OK);
	cr_assert_eq(omt_memory_plan(model, &options, &info, 2, &two, &err), OMT_OK);
	cr_expect_eq(two.weights, one.weights);
	cr_expect_eq(two.bytes - two.weights, 2 * (one.bytes - one.weights));
	info.memory_bytes = two.bytes;
	cr_expect_eq(omt_memory_check(model, &options, &info, 2, &err), OMT_OK);
	info.memory_bytes--;
	cr_expect_eq(omt_memory_check(model, &options, &info, 1, &err), OMT_OK);
	cr_expect_eq(omt_memory_check(model, &options, &info, 2, &err), OMT_LIMIT);
}

/* Products of every kind of weights are planned in tiles, nothing else is. */
Test(memory, tiles)
{
	static const char *const weights[] = {"stored", "int8", "bf16"};
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.backend = "opencl";
	for (size_t i = 0; i < 3; i++) {
		options.weights = weights[i];
		json_t *plan = plan_of(&options), *line;
		size_t at, products = 0;
		json_array_foreach(json_object_get(plan, "ops"), at, line)
		{
			const char *op = json_string_value(json_object_get(line, "op"));
			const bool product = !strncmp(op, "gemm", 4);
			products += product;
			cr_expect_eq(json_integer_value(json_object_get(line, "tiles")) > 0,
			             product, "%s: %s", weights[i], op);
		}
		cr_expect_gt(products, 0);
		json_decref(plan);
	}
}
