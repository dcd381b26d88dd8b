#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cpu.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/numeric.h"
#include "device/contract.h"
#include "model/adapter.h"
#include "model/checkpoint.h"
#include "model/synth.h"
#include "token/prompt.h"

/* The parts of a checkpoint that must agree with each other. */
static omt_status check(const omt_model *model, omt_error *err)
{
	const omt_config *config = &model->config;
	const omt_prep_config *prep = &model->prep;
	if (prep->patch_size != config->vision.patch ||
	    prep->temporal_patch_size != config->vision.temporal_patch ||
	    prep->merge_size != config->vision.merge)
		return OMT_FAIL(
			err, BAD_MODEL,
			"%s: preprocessor_config.json makes patches of %d x %d x %d merged by "
			"%d, config.json's vision encoder takes %d x %d x %d merged by %d",
			model->dir, prep->temporal_patch_size, prep->patch_size, prep->patch_size,
			prep->merge_size, config->vision.temporal_patch, config->vision.patch,
			config->vision.patch, config->vision.merge);
	if (prep->mel_bins != config->audio.mel_bins)
		return OMT_FAIL(
			err, BAD_MODEL,
			"%s: preprocessor_config.json makes %d mel bands, config.json's audio "
			"encoder takes %d",
			model->dir, prep->mel_bins, config->audio.mel_bins);
	static const struct {
		const char *token;
		size_t at;
	} markers[] = {
		{"<|IMAGE|>", offsetof(omt_token_ids, image)},
		{"<|VIDEO|>", offsetof(omt_token_ids, video)},
		{"<|AUDIO|>", offsetof(omt_token_ids, audio)},
	};
	for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
		int32_t said, found = omt_tokenizer_token(model->tokenizer, markers[i].token);
		memcpy(&said, (const char *)&config->tokens + markers[i].at, sizeof said);
		if (said != found)
			return OMT_FAIL(
				err, BAD_MODEL,
				"%s: config.json says %s is token %d, tokenizer.json says %d",
				model->dir, markers[i].token, said, found);
	}
	return OMT_OK;
}

/* Of another model's shapes, or of this one's without its weights. */
static omt_status open_shapes(omt_model *model, const char *like, omt_error *err)
{
	char *text = NULL;
	omt_status status = OMT_OK;
	if (like) {
		OMT_TRY(omt_synth_config(like, model->tokenizer, &text, err));
		status = omt_config_parse(like, text, &model->config, err);
		free(text);
	} else {
		status = omt_config_load(model->dir, &model->config, err);
	}
	return status == OMT_OK ? omt_weights_zeros(like ? like : model->dir, &model->config,
	                                            &model->weights, err)
	                        : status;
}

static omt_status open_model(const char *dir, bool shapes, const char *like, omt_model **given,
                             omt_error *err)
{
	omt_status status = OMT_OK;
	char *path = NULL;
	*given = NULL;
	omt_model *model = calloc(1, sizeof *model);
	if (!model || !(model->dir = strdup(dir)) ||
	    !(path = omt_path_join(dir, "tokenizer.json"))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	OMT_GOTO(omt_cpu_init(err));
	if (!shapes)
		OMT_GOTO(omt_config_load(dir, &model->config, err));
	OMT_GOTO(omt_prep_config_load(dir, &model->prep, err));
	OMT_GOTO(omt_prompt_check(dir, err));
	OMT_GOTO(omt_tokenizer_open(path, &model->tokenizer, err));
	if (shapes)
		OMT_GOTO(open_shapes(model, like, err));
	else
		OMT_GOTO(omt_weights_open(dir, &model->weights, err));
	OMT_GOTO(check(model, err));
	*given = model;
	model = NULL;
done:
	free(path);
	omt_model_close(model);
	return status;
}

omt_status omt_model_open(const char *dir, omt_model **given, omt_error *err)
{
	return open_model(dir, false, NULL, given, err);
}

static omt_status adapt(omt_model *model, const char *dir, omt_error *err)
{
	omt_adapter *adapter;
	OMT_TRY(omt_adapter_open(dir, model->weights, &adapter, err));
	const omt_status status = omt_adapter_merge(adapter, model->weights, err);
	omt_adapter_close(adapter);
	OMT_TRY(status);
	model->adapter = strdup(dir);
	return model->adapter ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", dir);
}

omt_status omt_model_open_adapted(const char *dir, const char *adapter, omt_model **given,
                                  omt_error *err)
{
	OMT_TRY(omt_model_open(dir, given, err));
	if (!adapter)
		return OMT_OK;
	const omt_status status = adapt(*given, adapter, err);
	if (status != OMT_OK) {
		omt_model_close(*given);
		*given = NULL;
	}
	return status;
}

omt_status omt_model_save(const omt_model *model, const char *dir, const char *dtype,
                          const omt_progress *progress, omt_error *err)
{
	const omt_checkpoint_options options = {
		.dtype = dtype, .head = true, .progress = progress ? *progress : (omt_progress){0}};
	return omt_checkpoint_write(model, dir, &options, err);
}

omt_status omt_model_open_like(const char *dir, const char *like, omt_model **given, omt_error *err)
{
	return open_model(dir, like || !omt_weights_exist(dir), like, given, err);
}

void omt_model_close(omt_model *model)
{
	if (!model)
		return;
	omt_weights_close(model->weights);
	omt_tokenizer_close(model->tokenizer);
	omt_prep_config_free(&model->prep);
	omt_config_free(&model->config);
	free(model->adapter);
	free(model->dir);
	free(model);
}

int32_t omt_model_dimension(const omt_model *model)
{
	return model->config.text.hidden;
}

/* What makes vectors of one model differ from another's: all that the text model's tensors do not
 * tell by themselves, then the tensors. */
static void write_identity(const omt_model *model, FILE *to)
{
	const omt_config *c = &model->config;
	const locale_t before = omt_numeric_begin();
	fprintf(to, "%s %d %d %d %d %d %.17g %.17g", c->architecture, c->pooling, c->normalize,
	        c->text.causal, c->text.heads, c->text.kv_heads, c->text.rope_theta,
	        c->text.rms_eps);
	omt_numeric_end(before);
	for (size_t role = 0; role < sizeof c->prefix / sizeof *c->prefix; role++)
		fprintf(to, "\n%s", c->prefix[role]);
	fputc('\n', to);
	omt_weights_sample(model->weights, to);
}

omt_status omt_model_identity(const omt_model *model, char text[OMT_IDENTITY_TEXT], omt_error *err)
{
	char digest[OMT_DIGEST_TEXT], *content = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&content, &bytes);
	if (to)
		write_identity(model, to);
	bool whole = to && !ferror(to);
	whole = to && fclose(to) == 0 && whole;
	omt_status status = whole ? omt_digest_pieces(&(omt_piece){content, bytes}, 1, digest, err)
	                          : OMT_FAIL(err, NO_MEMORY, "%s: identity", model->dir);
	free(content);
	if (status == OMT_OK)
		snprintf(text, OMT_IDENTITY_TEXT, "%.48s/%d/%.32s", model->config.architecture,
		         model->config.text.hidden, digest);
	return status;
}

char *omt_model_describe(const omt_model *model)
{
	static const char *const poolings[] = {
		[OMT_POOL_MEAN] = "mean", [OMT_POOL_LAST] = "last", [OMT_POOL_CLS] = "cls"};
	const omt_config *c = &model->config;
	json_t *text =
		json_pack("{si si si si si si sb}", "layers", c->text.layers, "hidden",
	                  c->text.hidden, "heads", c->text.heads, "kv_heads", c->text.kv_heads,
	                  "inter", c->text.inter, "vocab", c->text.vocab, "causal", c->text.causal);
	json_t *vision =
		json_pack("{si si si si}", "blocks", c->vision.depth, "hidden", c->vision.hidden,
	                  "heads", c->vision.heads, "inter", c->vision.inter);
	json_t *audio = json_pack("{si si si si}", "layers", c->audio.layers, "hidden",
	                          c->audio.d_model, "heads", c->audio.heads, "inter", c->audio.ffn);
	json_t *all =
		json_pack("{ss ss* ss si sI sI ss sb ss ss so so so}", "path", model->dir,
	                  "adapter", model->adapter, "architecture", c->architecture, "dimension",
	                  c->text.hidden, "tensors", (json_int_t)omt_weights_count(model->weights),
	                  "weight_bytes", (json_int_t)omt_weights_bytes(model->weights), "pooling",
	                  poolings[c->pooling], "normalize", c->normalize, "query_prefix",
	                  c->prefix[OMT_ROLE_QUERY], "passage_prefix", c->prefix[OMT_ROLE_PASSAGE],
	                  "text", text, "vision", vision, "audio", audio);
	char *described = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return described;
}
