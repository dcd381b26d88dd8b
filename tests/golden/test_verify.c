/* The whole model on every backend against the reference's values, as `omnitile verify` does it,
 * and the same bits alone, in a batch and in another order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"

#define DATA      "tests/golden/data/"
#define DIMENSION 64

static void open_engine(const char *backend, const char *weights, omt_model **model,
                        omt_engine **engine)
{
	omt_error err;
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.backend = backend;
	options.weights = weights;
	cr_assert_eq(omt_model_open(DATA "tiny", model, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_engine_open(*model, &options, engine, &err), OMT_OK, "%s", err.text);
}

static void print_failed(void *user, bool passed, const char *text)
{
	(void)user;
	cr_expect(passed, "%s", text);
}

/* What the first backend did not do would be right, but not its. */
static void expect_no_fallbacks(const omt_engine *engine)
{
	char *text = omt_engine_describe(engine);
	json_t *all = text ? json_loads(text, 0, NULL) : NULL, *device;
	size_t i;
	cr_assert_not_null(all);
	json_array_foreach(json_object_get(all, "devices"), i, device)
	{
		cr_expect_eq(json_integer_value(json_object_get(device, "fallbacks")), 0);
	}
	json_decref(all);
	omt_free(text);
}

static void verify(const char *backend)
{
	omt_error err;
	omt_model *model;
	omt_engine *engine;
	omt_verify_counts counts;
	open_engine(backend, NULL, &model, &engine);
	cr_assert_eq(omt_verify(engine, DATA "expected", print_failed, NULL, &counts, &err), OMT_OK,
	             "%s", err.text);
	cr_expect_eq(counts.failed, 0);
	cr_expect_geq(counts.passed, 440);
	if (strcmp(backend, "openblas") != 0) /* has gemm and attention alone */
		expect_no_fallbacks(engine);
	omt_engine_close(engine);
	omt_model_close(model);
}

Test(verify, ref, .timeout = 600)
{
	verify("ref");
}
Test(verify, openblas, .timeout = 600)
{
	verify("openblas");
}
Test(verify, opencl, .timeout = 600)
{
	verify("opencl");
}
Test(verify, hls, .timeout = 600)
{
	verify("hls");
}

/* ---- the seven items of batch.json ---- */

#define ITEMS 7
#define PARTS 4

typedef struct batch_items {
	json_t *root;
	omt_part parts[ITEMS][PARTS];
	char paths[ITEMS][PARTS][128];
	omt_item items[ITEMS];
	const int *order; /* of `count` items */
	size_t count, next;
	float vectors[ITEMS][DIMENSION]; /* by position in the order */
} batch_items;

static void load_items(batch_items *batch)
{
	omt_error err;
	size_t i, p;
	json_t *item, *part;
	cr_assert_eq(omt_json_load(DATA "expected/batch.json", 1 << 20, &batch->root, &err),
	             OMT_OK);
	json_array_foreach(json_object_get(batch->root, "items"), i, item)
	{
		json_array_foreach(item, p, part)
		{
			const char *type = json_string_value(json_array_get(part, 0));
			const char *value = json_string_value(json_array_get(part, 1));
			omt_part *to = &batch->parts[i][p];
			omt_limits_init(&to->limits);
			to->limits.recipe = OMT_RECIPE_CARD;
			to->limits.max_frames = 768;
			to->kind = !strcmp(type, "text")    ? OMT_TEXT
			           : !strcmp(type, "image") ? OMT_IMAGE
			           : !strcmp(type, "video") ? OMT_VIDEO
			                                    : OMT_AUDIO;
			snprintf(batch->paths[i][p], sizeof batch->paths[i][p], DATA "%s", value);
			to->path = batch->paths[i][p];
			to->text = value;
			to->text_bytes = strlen(value);
		}
		batch->items[i] = (omt_item){
			.id = "x", .parts = batch->parts[i], .part_count = json_array_size(item)};
	}
}

static bool next_item(void *user, const omt_item **item)
{
	batch_items *batch = user;
	if (batch->next == batch->count)
		return false;
	*item = &batch->items[batch->order[batch->next++]];
	return true;
}

static omt_status take(void *user, const omt_result *result, omt_error *err)
{
	batch_items *batch = user;
	(void)err;
	cr_assert_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	memcpy(batch->vectors[result->index], result->vector, sizeof batch->vectors[0]);
	return OMT_OK;
}

static void embed(omt_engine *engine, batch_items *batch, const int *order, size_t count)
{
	omt_error err;
	batch->order = order;
	batch->count = count;
	batch->next = 0;
	cr_assert_eq(omt_embed(engine, &(omt_source){next_item, batch}, &(omt_sink){take, batch},
	                       NULL, &err),
	             OMT_OK, "%s", err.text);
}

/* int8 weights (and activations) keep a vector's direction. */
static void check_cosines(const float *got, const float *wanted, double least)
{
	for (int i = 0; i < ITEMS; i++) {
		double cosine = 0;
		for (int j = 0; j < DIMENSION; j++)
			cosine +=
				(double)got[i * DIMENSION + j] * (double)wanted[i * DIMENSION + j];
		cr_expect_geq(cosine, least, "item %d: cosine %.6f", i, cosine);
	}
}

static void same_bits(const char *backend, const char *weights, double least_cosine)
{
	static const int straight[] = {0, 1, 2, 3, 4, 5, 6}, shuffled[] = {4, 6, 0, 3, 5, 2, 1};
	static batch_items batch;
	float together[ITEMS][DIMENSION];
	omt_error err;
	omt_npy golden;
	omt_model *model;
	omt_engine *engine;
	open_engine(backend, weights, &model, &engine);
	load_items(&batch);
	embed(engine, &batch, straight, ITEMS);
	memcpy(together, batch.vectors, sizeof together);
	cr_assert_eq(omt_npy_open(DATA "expected/batch/embeddings.npy", &golden, &err), OMT_OK);
	check_cosines(together[0], golden.data, least_cosine);
	for (int i = 0; !weights && i < ITEMS * DIMENSION; i++)
		cr_assert_float_eq((&together[0][0])[i], ((const float *)golden.data)[i], 1e-4);
	embed(engine, &batch, shuffled, ITEMS);
	for (int i = 0; i < ITEMS; i++)
		cr_expect_arr_eq(batch.vectors[i], together[shuffled[i]], sizeof together[0],
		                 "item %d has other bits in another order", shuffled[i]);
	for (int i = 0; i < ITEMS; i++) {
		embed(engine, &batch, &straight[i], 1);
		cr_expect_arr_eq(batch.vectors[0], together[i], sizeof together[0],
		                 "item %d has other bits alone", i);
	}
	omt_npy_close(&golden);
	json_decref(batch.root);
	omt_engine_close(engine);
	omt_model_close(model);
}

Test(same_bits, ref, .timeout = 300)
{
	same_bits("ref", NULL, 0.999999);
}
Test(same_bits, openblas, .timeout = 300)
{
	same_bits("openblas", NULL, 0.999999);
}
Test(same_bits, opencl, .timeout = 300)
{
	same_bits("opencl", NULL, 0.999999);
}
Test(same_bits, hls, .timeout = 300)
{
	same_bits("hls", NULL, 0.999999);
}
Test(same_bits_int8, openblas, .timeout = 300)
{
	same_bits("openblas", "int8", 0.999); /* W8A32; measured: 0.9995 */
}
Test(same_bits_int8, opencl, .timeout = 300)
{
	same_bits("opencl", "int8", 0.995); /* W8A8; measured: 0.9987 */
}

Test(same_bits_int8, hls, .timeout = 300)
{
	same_bits("hls", "int8", 0.995); /* W8A8 */
}

Test(same_bits_bf16, hls, .timeout = 300)
{
	same_bits("hls", "bf16", 0.9999);
}
Test(same_bits_bf16, opencl, .timeout = 300)
{
	same_bits("opencl", "bf16", 0.9999);
}
