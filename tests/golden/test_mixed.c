/* A checkpoint whose q, k and v are stored in different formats: they become one matrix of f32 with
 * the same values, so the vector has the same bits. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "omnitile.h"

#define DATA      "tests/golden/data/"
#define DIMENSION 64

typedef struct one_text {
	omt_part part;
	omt_item item;
	bool taken;
	float vector[DIMENSION];
} one_text;

static bool next(void *user, const omt_item **item)
{
	one_text *text = user;
	*item = &text->item;
	return !text->taken && (text->taken = true);
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	one_text *text = user;
	(void)err;
	cr_assert_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	cr_assert_eq(result->dimension, DIMENSION);
	memcpy(text->vector, result->vector, sizeof text->vector);
	return OMT_OK;
}

static void embed(const char *dir, const char *backend, float *vector)
{
	one_text text = {.part = {.kind = OMT_TEXT, .text = "a red bird", .text_bytes = 10}};
	omt_engine_options options;
	omt_engine *engine;
	omt_model *model;
	omt_error err;
	text.item = (omt_item){.id = "t", .parts = &text.part, .part_count = 1};
	omt_engine_options_init(&options);
	options.backend = backend;
	cr_assert_eq(omt_model_open(dir, &model, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(
		omt_embed(engine, &(omt_source){next, &text}, &(omt_sink){put, &text}, NULL, &err),
		OMT_OK, "%s", err.text);
	memcpy(vector, text.vector, sizeof text.vector);
	omt_engine_close(engine);
	omt_model_close(model);
}

/* Expands every v_proj of a safetensors file of bf16 to f32, in place of the old file. */
static void expand_v(const char *path)
{
	uint64_t length;
	FILE *file = fopen(path, "rb");
	cr_assert(file && fread(&length, sizeof length, 1, file) == 1);
	char *head = calloc(1, length + 1);
	cr_assert_eq(fread(head, 1, length, file), length);
	json_t *root = json_loads(head, 0, NULL), *entry;
	const char *name;
	FILE *body = tmpfile();
	json_int_t at = 0;
	json_object_foreach(root, name, entry)
	{
		json_t *offsets = json_object_get(entry, "data_offsets");
		if (!offsets)
			continue;
		const bool expand = strstr(name, "v_proj") != NULL;
		json_int_t from = json_integer_value(json_array_get(offsets, 0));
		json_int_t end = json_integer_value(json_array_get(offsets, 1)), begin = at;
		fseek(file, (long)(8 + (json_int_t)length + from), SEEK_SET);
		for (; from < end; from += 2) {
			uint16_t element[2] = {0, 0}; /* an f32's upper half is the bf16 */
			cr_assert_eq(fread(&element[1], 2, 1, file), 1);
			fwrite(&element[expand ? 0 : 1], expand ? 4 : 2, 1, body);
			at += expand ? 4 : 2;
		}
		if (expand)
			json_object_set_new(entry, "dtype", json_string("F32"));
		json_object_set_new(entry, "data_offsets", json_pack("[I,I]", begin, at));
	}
	fclose(file);
	free(head);
	head = json_dumps(root, JSON_COMPACT);
	length = strlen(head);
	file = fopen(path, "wb");
	fwrite(&length, sizeof length, 1, file);
	fwrite(head, 1, length, file);
	rewind(body);
	for (int byte; (byte = getc(body)) != EOF;)
		putc(byte, file);
	cr_assert_eq(fclose(file), 0);
	fclose(body);
	free(head);
	json_decref(root);
}

static int drop(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

Test(formats, mixed, .timeout = 120)
{
	char folder[] = "/tmp/omnitile-test-XXXXXX", dir[64], shard[128];
	static const char *const backends[] = {"openblas", "opencl"};
	float before[2][DIMENSION], after[DIMENSION];
	omt_error err;
	cr_assert_not_null(mkdtemp(folder));
	snprintf(dir, sizeof dir, "%s/tiny", folder);
	snprintf(shard, sizeof shard, "%s/model-00001-of-00001.safetensors", dir);
	const omt_synth_options synth = {.like = "tiny", .tokenizer = DATA "tiny", .seed = 1};
	cr_assert_eq(omt_synth(dir, &synth, &err), OMT_OK, "%s", err.text);
	for (int i = 0; i < 2; i++)
		embed(dir, backends[i], before[i]);
	expand_v(shard);
	for (int i = 0; i < 2; i++) {
		embed(dir, backends[i], after);
		cr_expect_arr_eq(after, before[i], sizeof after, "%s", backends[i]);
	}
	nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}
