#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "device/contract.h"

#define MAX_FILE ((size_t)16 << 20)
#define MAX_SIZE (1 << 20) /* of a width; products of two fit well into 63 bits */

/* A whole number of the object, in [1, MAX_SIZE]. */
static omt_status size(omt_json in, const char *key, int32_t *value, omt_error *err)
{
	return omt_json_int(in, key, 1, MAX_SIZE, value, err);
}

/* A string key that must have this value where it is present. */
static omt_status require(omt_json in, const char *key, const char *wanted, omt_error *err)
{
	const char *value = wanted;
	OMT_TRY(omt_json_string(in, key, &value, err));
	if (strcmp(value, wanted))
		return OMT_FAIL(err, UNSUPPORTED, "%s: %s is \"%.40s\", expected \"%s\"", in.place,
		                key, value, wanted);
	return OMT_OK;
}

/* ---- towers: defaults are those of transformers 4.52.4's configuration classes ------------- */

static omt_status read_sections(omt_json in, omt_text_config *text, omt_error *err)
{
	omt_json scaling = {.place = in.place};
	size_t count = 3;
	OMT_TRY(omt_json_member(in, "rope_scaling", &scaling, err));
	if (!scaling.object)
		OMT_TRY(omt_json_member(in, "rope_parameters", &scaling, err));
	if (scaling.object) {
		OMT_TRY(omt_json_ints(scaling, "mrope_section", 0, 4096, text->mrope_section, 3,
		                      &count, err));
		OMT_TRY(omt_json_real(scaling, "rope_theta", 1, 1e12, &text->rope_theta, err));
		const char *type = "default";
		OMT_TRY(omt_json_string(scaling, "type", &type, err));
		OMT_TRY(omt_json_string(scaling, "rope_type", &type, err));
		if (strcmp(type, "default") && strcmp(type, "mrope"))
			return OMT_FAIL(err, UNSUPPORTED, "%s: rope_scaling of type \"%.40s\"",
			                in.place, type);
	}
	int32_t sum = text->mrope_section[0] + text->mrope_section[1] + text->mrope_section[2];
	if (count != 3 || sum != text->head_dim / 2)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: mrope_section adds up to %d, half a head is %d", in.place, sum,
		                text->head_dim / 2);
	return OMT_OK;
}

static omt_status read_text(omt_json in, omt_text_config *text, omt_error *err)
{
	bool sliding = false;
	*text = (omt_text_config){.vocab = 152064,
	                          .hidden = 3584,
	                          .inter = 18944,
	                          .layers = 28,
	                          .heads = 28,
	                          .kv_heads = 4,
	                          .mrope_section = {16, 24, 24},
	                          .rope_theta = 1e6,
	                          .rms_eps = 1e-6};
	OMT_TRY(size(in, "vocab_size", &text->vocab, err));
	OMT_TRY(size(in, "hidden_size", &text->hidden, err));
	OMT_TRY(size(in, "intermediate_size", &text->inter, err));
	OMT_TRY(omt_json_int(in, "num_hidden_layers", 1, OMT_MAX_LAYERS, &text->layers, err));
	OMT_TRY(size(in, "num_attention_heads", &text->heads, err));
	OMT_TRY(size(in, "num_key_value_heads", &text->kv_heads, err));
	OMT_TRY(omt_json_real(in, "rope_theta", 1, 1e12, &text->rope_theta, err));
	OMT_TRY(omt_json_real(in, "rms_norm_eps", 0, 1, &text->rms_eps, err));
	OMT_TRY(omt_json_bool(in, "use_sliding_window", &sliding, err));
	OMT_TRY(omt_json_bool(in, "tie_word_embeddings", &text->tied, err));
	OMT_TRY(require(in, "hidden_act", "silu", err));
	text->head_dim = text->hidden / text->heads;
	OMT_TRY(size(in, "head_dim", &text->head_dim, err));
	if (sliding)
		return OMT_FAIL(err, UNSUPPORTED, "%s: use_sliding_window", in.place);
	if (text->heads % text->kv_heads || text->head_dim % 2 || text->head_dim < 2 ||
	    text->head_dim > 256 || (int64_t)text->heads * text->head_dim > MAX_SIZE)
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: %d heads of %d (2 to 256, even) with %d kv heads", in.place,
		                text->heads, text->head_dim, text->kv_heads);
	return read_sections(in, text, err);
}

static omt_status read_full_blocks(omt_json in, omt_vision_config *vision, omt_error *err)
{
	int32_t full[OMT_MAX_LAYERS] = {7, 15, 23, 31};
	size_t count = 4;
	OMT_TRY(omt_json_ints(in, "fullatt_block_indexes", 0, OMT_MAX_LAYERS - 1, full,
	                      OMT_MAX_LAYERS, &count, err));
	for (size_t i = 0; i < count; i++)
		vision->full_attention[full[i]] = true;
	return OMT_OK;
}

static omt_status read_vision(omt_json in, omt_vision_config *vision, omt_error *err)
{
	*vision = (omt_vision_config){.depth = 32,
	                              .hidden = 3584,
	                              .inter = 3420,
	                              .heads = 16,
	                              .channels = 3,
	                              .patch = 14,
	                              .temporal_patch = 2,
	                              .merge = 2,
	                              .window = 112,
	                              .out_hidden = 3584,
	                              .tokens_per_second = 25};
	OMT_TRY(omt_json_int(in, "depth", 1, OMT_MAX_LAYERS, &vision->depth, err));
	OMT_TRY(size(in, "hidden_size", &vision->hidden, err));
	OMT_TRY(size(in, "intermediate_size", &vision->inter, err));
	OMT_TRY(size(in, "num_heads", &vision->heads, err));
	OMT_TRY(omt_json_int(in, "in_channels", 3, 3, &vision->channels, err));
	OMT_TRY(omt_json_int(in, "patch_size", 1, 256, &vision->patch, err));
	OMT_TRY(omt_json_int(in, "temporal_patch_size", 1, 16, &vision->temporal_patch, err));
	OMT_TRY(omt_json_int(in, "spatial_merge_size", 1, 16, &vision->merge, err));
	OMT_TRY(size(in, "window_size", &vision->window, err));
	OMT_TRY(size(in, "out_hidden_size", &vision->out_hidden, err));
	OMT_TRY(size(in, "tokens_per_second", &vision->tokens_per_second, err));
	OMT_TRY(require(in, "hidden_act", "silu", err));
	OMT_TRY(read_full_blocks(in, vision, err));
	vision->head_dim = vision->hidden / vision->heads;
	if (vision->hidden % vision->heads || vision->head_dim % 4 || vision->head_dim > 256)
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: vision heads of %d / %d values (a multiple of 4 up to 256)",
		                in.place, vision->hidden, vision->heads);
	if (vision->window < vision->merge * vision->patch)
		return OMT_FAIL(err, UNSUPPORTED, "%s: window_size %d is below one merged patch",
		                in.place, vision->window);
	return OMT_OK;
}

static omt_status read_audio(omt_json in, omt_audio_config *audio, omt_error *err)
{
	*audio = (omt_audio_config){.mel_bins = 128,
	                            .d_model = 1280,
	                            .layers = 32,
	                            .heads = 20,
	                            .ffn = 5120,
	                            .max_positions = 1500,
	                            .n_window = 100,
	                            .output_dim = 3584};
	OMT_TRY(omt_json_int(in, "num_mel_bins", 1, 1024, &audio->mel_bins, err));
	OMT_TRY(size(in, "d_model", &audio->d_model, err));
	OMT_TRY(omt_json_int(in, "encoder_layers", 1, OMT_MAX_LAYERS, &audio->layers, err));
	OMT_TRY(size(in, "encoder_attention_heads", &audio->heads, err));
	OMT_TRY(size(in, "encoder_ffn_dim", &audio->ffn, err));
	OMT_TRY(size(in, "max_source_positions", &audio->max_positions, err));
	OMT_TRY(size(in, "n_window", &audio->n_window, err));
	OMT_TRY(size(in, "output_dim", &audio->output_dim, err));
	OMT_TRY(require(in, "activation_function", "gelu", err));
	audio->head_dim = audio->d_model / audio->heads;
	if (audio->d_model % audio->heads || audio->head_dim > 256 || audio->d_model % 2 ||
	    audio->d_model < 4)
		return OMT_FAIL(err, UNSUPPORTED, "%s: audio heads of %d / %d values (up to 256)",
		                in.place, audio->d_model, audio->heads);
	if (audio->n_window > audio->max_positions)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: n_window %d is beyond max_source_positions %d", in.place,
		                audio->n_window, audio->max_positions);
	return OMT_OK;
}

/* ---- config.json --------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool causal;
} architectures[] = {
	{"NVOmniEmbedModel", false}, /* the paper's: attention over the whole item */
	{"Qwen2_5OmniThinkerForConditionalGeneration", true},
	{"Qwen2_5OmniThinkerModel", true},
	{"Qwen2_5OmniForConditionalGeneration", true},
	{"Qwen2_5OmniModel", true},
};

static omt_status read_architecture(omt_json in, omt_config *config, omt_error *err)
{
	const char *name =
		json_string_value(json_array_get(json_object_get(in.object, "architectures"), 0));
	if (!name)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no architectures[0]", in.place);
	for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
		if (!strcmp(name, architectures[i].name)) {
			snprintf(config->architecture, sizeof config->architecture, "%s", name);
			config->text.causal = architectures[i].causal;
			return OMT_OK;
		}
	return OMT_FAIL(err, UNSUPPORTED, "%s: unknown architecture \"%.60s\"", in.place, name);
}

/* Names of releases 4.52 (…_token_index) and later (…_token_id). */
static omt_status read_token_ids(omt_json in, omt_token_ids *tokens, omt_error *err)
{
	const struct {
		const char *name, *other;
		int32_t *id;
	} ids[] = {
		{"audio_token_index", "audio_token_id", &tokens->audio},
		{"image_token_index", "image_token_id", &tokens->image},
		{"video_token_index", "video_token_id", &tokens->video},
		{"audio_start_token_id", NULL, &tokens->audio_start},
		{"audio_end_token_id", NULL, &tokens->audio_end},
		{"vision_start_token_id", NULL, &tokens->vision_start},
		{"vision_end_token_id", NULL, &tokens->vision_end},
	};
	*tokens = (omt_token_ids){151646, 151655, 151656, 151647, 151648, 151652, 151653};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		if (ids[i].other)
			OMT_TRY(omt_json_int(in, ids[i].other, 0, 1 << 24, ids[i].id, err));
		OMT_TRY(omt_json_int(in, ids[i].name, 0, 1 << 24, ids[i].id, err));
	}
	return OMT_OK;
}

static omt_status check_widths(const char *place, const omt_config *config, omt_error *err)
{
	if (config->vision.out_hidden != config->text.hidden ||
	    config->audio.output_dim != config->text.hidden)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: encoders give %d (vision) and %d (audio) values a token, the "
		                "text model takes %d",
		                place, config->vision.out_hidden, config->audio.output_dim,
		                config->text.hidden);
	return OMT_OK;
}

static omt_status read_config(omt_json top, omt_config *config, omt_error *err)
{
	omt_json thinker = {.place = top.place}, part = {.place = top.place};
	OMT_TRY(read_architecture(top, config, err));
	bool causal = config->text.causal;
	OMT_TRY(omt_json_member(top, "thinker_config", &thinker, err));
	if (!thinker.object)
		thinker = top;
	OMT_TRY(omt_json_member(thinker, "text_config", &part, err));
	OMT_TRY(read_text(part, &config->text, err));
	OMT_TRY(omt_json_bool(top, "is_causal", &causal, err));
	OMT_TRY(omt_json_bool(part, "is_causal", &causal, err));
	config->text.causal = causal;
	OMT_TRY(omt_json_member(thinker, "vision_config", &part, err));
	OMT_TRY(read_vision(part, &config->vision, err));
	OMT_TRY(omt_json_member(thinker, "audio_config", &part, err));
	OMT_TRY(read_audio(part, &config->audio, err));
	OMT_TRY(read_token_ids(thinker, &config->tokens, err));
	config->position_id_per_seconds = 25;
	config->seconds_per_chunk = 2;
	OMT_TRY(omt_json_int(thinker, "position_id_per_seconds", 1, 10000,
	                     &config->position_id_per_seconds, err));
	OMT_TRY(omt_json_int(thinker, "seconds_per_chunk", 1, 10000, &config->seconds_per_chunk,
	                     err));
	return check_widths(top.place, config, err);
}

/* ---- the Sentence-Transformers files
 * ---------------------------------------------------------------- */

static omt_status read_pooling(omt_json in, omt_config *config, omt_error *err)
{
	static const struct {
		const char *key;
		int32_t mode; /* -1: not supported */
	} modes[] = {
		{"pooling_mode_mean_tokens", OMT_POOL_MEAN},
		{"pooling_mode_lasttoken", OMT_POOL_LAST},
		{"pooling_mode_cls_token", OMT_POOL_CLS},
		{"pooling_mode_max_tokens", -1},
		{"pooling_mode_mean_sqrt_len_tokens", -1},
		{"pooling_mode_weightedmean_tokens", -1},
	};
	int32_t chosen = 0, width = config->text.hidden;
	bool include_prompt = true;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		bool on = false;
		OMT_TRY(omt_json_bool(in, modes[i].key, &on, err));
		if (!on)
			continue;
		if (modes[i].mode < 0)
			return OMT_FAIL(err, UNSUPPORTED, "%s: %s", in.place, modes[i].key);
		config->pooling = modes[i].mode;
		chosen++;
	}
	OMT_TRY(omt_json_bool(in, "include_prompt", &include_prompt, err));
	OMT_TRY(size(in, "word_embedding_dimension", &width, err));
	if (chosen != 1 || !include_prompt)
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: %d pooling modes are on, include_prompt is %s; expected one "
		                "and true",
		                in.place, chosen, include_prompt ? "true" : "false");
	if (width != config->text.hidden)
		return OMT_FAIL(err, BAD_MODEL, "%s: word_embedding_dimension %d, the model has %d",
		                in.place, width, config->text.hidden);
	return OMT_OK;
}

static omt_status read_prefixes(omt_json in, omt_config *config, omt_error *err)
{
	static const struct {
		const char *key;
		omt_role role;
	} prompts[] = {{"query", OMT_ROLE_QUERY},
	               {"passage", OMT_ROLE_PASSAGE},
	               {"document", OMT_ROLE_PASSAGE}};
	omt_json texts = {.place = in.place};
	OMT_TRY(omt_json_member(in, "prompts", &texts, err));
	for (size_t i = 0; texts.object && i < sizeof prompts / sizeof *prompts; i++) {
		const char *text = NULL;
		OMT_TRY(omt_json_string(texts, prompts[i].key, &text, err));
		if (!text)
			continue;
		free(config->prefix[prompts[i].role]);
		config->prefix[prompts[i].role] = strdup(text);
	}
	return OMT_OK;
}

static omt_status read_modules(omt_json in, omt_config *config, omt_error *err)
{
	size_t index;
	json_t *module;
	(void)err;
	config->normalize = false;
	json_array_foreach(in.object, index, module)
	{
		const char *type = json_string_value(json_object_get(module, "type"));
		if (type && strstr(type, "Normalize"))
			config->normalize = true;
	}
	return OMT_OK;
}

typedef omt_status omt_config_part(omt_json in, omt_config *config, omt_error *err);

static omt_status read_file(const char *dir, const char *name, bool needed, omt_config_part *read,
                            omt_config *config, omt_error *err)
{
	json_t *root = NULL;
	omt_status status = OMT_OK;
	char *path = omt_path_join(dir, name);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", dir);
	if (needed || omt_file_exists(path)) {
		OMT_GOTO(omt_json_load(path, MAX_FILE, &root, err));
		if (!json_is_object(root) && !json_is_array(root))
			status = OMT_FAIL(err, BAD_FORMAT, "%s: not an object", path);
		else
			status = read((omt_json){path, root}, config, err);
	}
done:
	json_decref(root);
	free(path);
	return status;
}

omt_status omt_config_load_model(const char *dir, omt_config *config, omt_error *err)
{
	*config = (omt_config){.pooling = OMT_POOL_MEAN, .normalize = true};
	return read_file(dir, "config.json", true, read_config, config, err);
}

/* Prefixes that no file has given are empty. */
static omt_status fill_prefixes(omt_config *config, omt_error *err)
{
	for (size_t i = 0; i < sizeof config->prefix / sizeof *config->prefix; i++)
		if (!config->prefix[i] && !(config->prefix[i] = strdup("")))
			return OMT_FAIL(err, NO_MEMORY, "prefixes");
	return OMT_OK;
}

omt_status omt_config_parse(const char *place, const char *text, omt_config *config, omt_error *err)
{
	json_t *root = NULL;
	*config = (omt_config){.pooling = OMT_POOL_MEAN, .normalize = true};
	OMT_TRY(omt_json_parse(place, text, strlen(text), &root, err));
	omt_status status = json_is_object(root)
	                            ? read_config((omt_json){place, root}, config, err)
	                            : OMT_FAIL(err, BAD_FORMAT, "%s: not an object", place);
	json_decref(root);
	if (status == OMT_OK)
		status = fill_prefixes(config, err);
	if (status != OMT_OK)
		omt_config_free(config);
	return status;
}

omt_status omt_config_load(const char *dir, omt_config *config, omt_error *err)
{
	omt_status status = OMT_OK;
	OMT_GOTO(omt_config_load_model(dir, config, err));
	OMT_GOTO(read_file(dir, "1_Pooling/config.json", false, read_pooling, config, err));
	OMT_GOTO(read_file(dir, "config_sentence_transformers.json", false, read_prefixes, config,
	                   err));
	OMT_GOTO(read_file(dir, "modules.json", false, read_modules, config, err));
	OMT_GOTO(fill_prefixes(config, err));
done:
	if (status != OMT_OK)
		omt_config_free(config);
	return status;
}

void omt_config_free(omt_config *config)
{
	for (size_t i = 0; i < sizeof config->prefix / sizeof *config->prefix; i++) {
		free(config->prefix[i]);
		config->prefix[i] = NULL;
	}
}
