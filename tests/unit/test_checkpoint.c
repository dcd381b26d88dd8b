/* Checkpoints written from an open model: what is kept, what is replaced, what is refused. */
#include <math.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/checkpoint.h"
#include "model/loader.h"
#include "tests/unit/tiny.h"

static void close_all(void)
{
	char command[128];
	omt_model_close(model);
	snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(checkpoint, .init = tiny_open, .fini = close_all);

static omt_model *written(const omt_checkpoint_options *options)
{
	omt_model *made;
	const char *dir = scratch_path("made");
	cr_assert_eq(omt_checkpoint_write(model, dir, options, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_model_open(dir, &made, &err), OMT_OK, "%s", err.text);
	return made;
}

static json_t *config_of(const char *dir)
{
	json_t *config;
	char path[600];
	snprintf(path, sizeof path, "%s/config.json", dir);
	cr_assert_eq(omt_json_load(path, 1 << 20, &config, &err), OMT_OK, "%s", err.text);
	return config;
}

Test(checkpoint, a_copy_is_the_same_model)
{
	char before[OMT_IDENTITY_TEXT], after[OMT_IDENTITY_TEXT];
	omt_model *made = written(&(omt_checkpoint_options){.shard_bytes = 500000});
	cr_assert_eq(omt_model_identity(model, before, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_model_identity(made, after, &err), OMT_OK, "%s", err.text);
	cr_expect_str_eq(after, before);
	for (size_t i = 0; i < omt_weights_count(model->weights); i++) {
		const omt_tensor *from = omt_weights_at(model->weights, i);
		const omt_tensor *to = omt_weights_at(made->weights, i);
		cr_expect_str_eq(to->name, from->name);
		cr_assert_eq(to->bytes, from->bytes, "%s", from->name);
		cr_expect_eq(memcmp(to->data, from->data, from->bytes), 0, "%s", from->name);
	}
	omt_weights *all;
	cr_assert_eq(omt_weights_open_all(made->dir, &all, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(omt_weights_count(all), omt_weights_count(made->weights) + 1, "lm_head too");
	omt_weights_close(all);
	omt_model_close(made);
	cr_expect(omt_file_exists(scratch_path("made/model-00004-of-00005.safetensors")));
	cr_expect(omt_file_exists(scratch_path("made/chat_template.json")));
	cr_expect(omt_file_exists(scratch_path("made/1_Pooling/config.json")));
	cr_expect_not(omt_file_exists(scratch_path("made/tokenizer-cases.jsonl")));
	cr_expect_not(omt_file_exists(scratch_path("made.omnitile")));
	json_t *one = config_of(DATA "tiny"), *other = config_of(scratch_path("made"));
	cr_expect(json_equal(one, other));
	json_decref(one);
	json_decref(other);
}

Test(checkpoint, f32_and_replaced_values)
{
	float norm[64], table[3 * 64];
	for (int i = 0; i < 64; i++)
		norm[i] = 1.0f / (float)(i + 1);
	const omt_replaced replaced[] = {{"model.norm.weight", norm, 64},
	                                 {"visual.merger.ln_q.weight", norm, 64}};
	omt_model *made = written(&(omt_checkpoint_options){
		.dtype = "f32", .replaced = replaced, .replaced_count = 2});
	for (size_t i = 0; i < omt_weights_count(made->weights); i++) {
		const omt_tensor *from = omt_weights_at(model->weights, i);
		const omt_tensor *to = omt_weights_at(made->weights, i);
		const bool is_new =
			!strcmp(to->name, replaced[0].name) || !strcmp(to->name, replaced[1].name);
		cr_assert_eq(to->dtype, OMT_F32, "%s", to->name);
		for (size_t j = 0; j < to->bytes / 4; j++)
			cr_assert_eq(omt_loader_element(to, j),
			             is_new ? norm[j] : omt_loader_element(from, j), "%s",
			             to->name);
	}
	omt_model_close(made);
	json_t *config = config_of(scratch_path("made"));
	cr_expect_str_eq(json_string_value(json_object_get(config, "torch_dtype")), "float32");
	json_decref(config);

	/* Rounded to nearest, ties to even; in the old one's place. */
	made = written(&(omt_checkpoint_options){
		.dtype = "bf16", .replaced = replaced, .replaced_count = 2, .replace = true});
	omt_tensor tensor;
	cr_assert_eq(omt_weights_find(made->weights, "model.norm.weight", 1, (int64_t[]){64},
	                              &tensor, &err),
	             OMT_OK, "%s", err.text);
	for (size_t i = 0; i < 64; i++)
		cr_expect_eq(omt_loader_element(&tensor, i),
		             omt_f32_from_bf16(omt_bf16_from_f32(norm[i])));
	omt_model_close(made);

	const struct {
		omt_replaced replaced;
		const char *dtype, *wanted;
	} wrong[] = {
		{{"model.norm.bias", norm, 64}, NULL, "no tensor model.norm.bias to replace"},
		{{"model.norm.weight", table, 3 * 64}, NULL, "64 values, 192 are to replace them"},
		{{"model.norm.weight", norm, 64}, "f16", "dtype is \"f16\", expected bf16 or f32"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const omt_checkpoint_options options = {.dtype = wrong[i].dtype,
		                                        .replaced = &wrong[i].replaced,
		                                        .replaced_count = 1};
		cr_expect_eq(omt_checkpoint_write(model, scratch_path("wrong"), &options, &err),
		             OMT_BAD_ARGUMENT);
		cr_expect(strstr(err.text, wrong[i].wanted), "%s", err.text);
	}
	cr_expect_eq(scratch_files(false), 1, "nothing is left of what failed");
}

Test(checkpoint, places)
{
	const omt_checkpoint_options options = {0};
	mkdir(scratch_path("there"), 0777);
	cr_expect_eq(omt_checkpoint_write(model, scratch_path("there/"), &options, &err), OMT_OK,
	             "an empty folder: %s", err.text);
	cr_expect_eq(omt_checkpoint_write(model, scratch_path("there"), &options, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect(strstr(err.text, "there: is there and not empty"), "%s", err.text);
	cr_expect_eq(omt_checkpoint_write(model, DATA "tiny", &options, &err), OMT_BAD_ARGUMENT);
	cr_expect(strstr(err.text, "the new one is made of"), "%s", err.text);
	cr_expect_eq(omt_checkpoint_write(model, scratch_text("file", "x"), &options, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_neq(omt_checkpoint_write(model, scratch_path("no/where"), &options, &err),
	              OMT_OK);
	/* What a killed run left. */
	mkdir(scratch_path("late.omnitile"), 0777);
	scratch_text("late.omnitile/old", "x");
	cr_expect_eq(omt_checkpoint_write(model, scratch_path("late"), &options, &err), OMT_OK,
	             "%s", err.text);
	cr_expect_not(omt_file_exists(scratch_path("late/old")));
}

/* Without lm_head, by the configuration of what is synthesised. */
Test(checkpoint, tied)
{
	omt_model *made;
	omt_weights *all;
	json_t *config = config_of(DATA "tiny");
	json_object_set_new(json_object_get(config, "text_config"), "tie_word_embeddings",
	                    json_true());
	char *text = json_dumps(config, 0);
	json_decref(config);
	const omt_synth_options synth = {.like = scratch_text("shape.json", text),
	                                 .tokenizer = DATA "tiny"};
	free(text);
	cr_assert_eq(omt_synth(scratch_path("tied"), &synth, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_model_open(scratch_path("tied"), &made, &err), OMT_OK, "%s", err.text);
	const omt_checkpoint_options options = {.dtype = "f32"};
	cr_assert_eq(omt_checkpoint_write(made, scratch_path("copy"), &options, &err), OMT_OK, "%s",
	             err.text);
	cr_assert_eq(omt_weights_open_all(scratch_path("copy"), &all, &err), OMT_OK, "%s",
	             err.text);
	cr_expect_eq(omt_weights_count(all), omt_weights_count(made->weights), "no lm_head");
	omt_weights_close(all);
	config = config_of(scratch_path("copy"));
	cr_expect(json_is_true(json_object_get(config, "tie_word_embeddings")));
	json_decref(config);

	/* With one that is added: as for transformers. */
	cr_assert_eq(omt_model_save(made, scratch_path("whole"), "f32", NULL, &err), OMT_OK, "%s",
	             err.text);
	cr_assert_eq(omt_weights_open_all(scratch_path("whole"), &all, &err), OMT_OK, "%s",
	             err.text);
	const omt_tensor *head = omt_weights_get(all, "lm_head.weight");
	const omt_tensor *table = omt_weights_get(all, "model.embed_tokens.weight");
	cr_assert(head && table);
	cr_assert_eq(head->bytes, table->bytes);
	cr_expect_eq(memcmp(head->data, table->data, head->bytes), 0);
	omt_weights_close(all);
	omt_model_close(made);
}
