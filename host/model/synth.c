/* omt_synth(): a checkpoint with random weights in the published layout, written shard by shard
 * with one block of values in memory. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/safetensors.h"
#include "model/synth.h"
#include "token/tokenizer.h"

#define BLOCK 65536 /* values a step */

/* `%d`s take the ids of id_tokens. */
static const char config_format[] =
	"{\"architectures\":[\"NVOmniEmbedModel\"],\"model_type\":\"nvomniembed\","
	"\"audio_config\":%s,\"vision_config\":%s,\"text_config\":%s,"
	"\"audio_token_index\":%d,\"image_token_index\":%d,\"video_token_index\":%d,"
	"\"audio_start_token_id\":%d,\"audio_end_token_id\":%d,"
	"\"vision_start_token_id\":%d,\"vision_end_token_id\":%d,"
	"\"position_id_per_seconds\":25,\"seconds_per_chunk\":2,\"torch_dtype\":\"bfloat16\"}\n";

static const char *const id_tokens[] = {"<|AUDIO|>",     "<|IMAGE|>",     "<|VIDEO|>",
                                        "<|audio_bos|>", "<|audio_eos|>", "<|vision_bos|>",
                                        "<|vision_eos|>"};

typedef struct omt_synthesis {
	const char *dir;
	const omt_synth_options *options;
	omt_synth_tensor *tensors;
	size_t count, capacity;
	const omt_tensor *listed; /* the same, for the writer */
	int64_t bytes, written;   /* of all tensors */
	uint64_t state;           /* of the generator */
	uint16_t *block;          /* [BLOCK] */
} omt_synthesis;

static int64_t elements(const omt_synth_tensor *one)
{
	int64_t count = 1;
	for (int32_t i = 0; i < one->dims; i++)
		count *= one->shape[i];
	return count;
}

static omt_status collect(void *user, const omt_synth_tensor *one, omt_error *err)
{
	omt_synthesis *run = user;
	if (run->count == run->capacity) {
		size_t capacity = run->capacity ? 2 * run->capacity : 256;
		omt_synth_tensor *grown = realloc(run->tensors, capacity * sizeof *grown);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%zu tensors", capacity);
		run->tensors = grown;
		run->capacity = capacity;
	}
	run->tensors[run->count++] = *one;
	run->bytes += 2 * elements(one);
	return OMT_OK;
}

/* ---- values -------------------------------------------------------------------------------- */

/* SplitMix64 (Steele et al., 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* About normal: the sum of four uniform 16-bit numbers, scaled to deviation 1. */
static float next_normal(uint64_t *state)
{
	uint64_t bits = next_random(state);
	int32_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (int32_t)(bits >> (16 * i) & 0xffff);
	return ((float)sum - 131070.0f) * (1.0f / 37837.2f);
}

static omt_status write_values(omt_synthesis *run, const omt_synth_tensor *one, FILE *stream,
                               omt_error *err)
{
	int64_t left = elements(one), fan_in = 1;
	for (int32_t i = 1; i < one->dims; i++)
		fan_in *= one->shape[i];
	/* 1 / sqrt(fan in) keeps the size of activations through any depth. */
	float deviation = one->fill == OMT_FILL_MATRIX ? 1.0f / sqrtf((float)fan_in) : 0.05f;
	float mean = one->fill == OMT_FILL_NORM ? 1.0f : 0.0f;
	while (left) {
		size_t count = left < BLOCK ? (size_t)left : BLOCK;
		for (size_t i = 0; i < count; i++)
			run->block[i] =
				omt_bf16_from_f32(mean + deviation * next_normal(&run->state));
		if (fwrite(run->block, 2, count, stream) != count)
			return OMT_FAIL(err, IO, "%s: %s", run->dir, strerror(errno));
		left -= (int64_t)count;
		run->written += 2 * (int64_t)count;
		if (run->options->progress.report)
			run->options->progress.report(run->options->progress.user, "weights",
			                              (uint64_t)run->written, (uint64_t)run->bytes);
	}
	return OMT_OK;
}

/* ---- shards -------------------------------------------------------------------------------- */

static omt_status put_values(void *user, const omt_tensor *tensor, FILE *to, omt_error *err)
{
	omt_synthesis *run = user;
	return write_values(run, &run->tensors[tensor - run->listed], to, err);
}

static omt_status write_weights(omt_synthesis *run, omt_error *err)
{
	omt_tensor *listed = calloc(run->count + 1, sizeof *listed);
	omt_status status = OMT_OK;
	if (!listed)
		return OMT_FAIL(err, NO_MEMORY, "%zu tensors", run->count);
	run->listed = listed;
	for (size_t i = 0; i < run->count && status == OMT_OK; i++)
		if (!omt_tensor_shape(&listed[i], run->tensors[i].name, OMT_BF16,
		                      run->tensors[i].dims, run->tensors[i].shape))
			status = OMT_FAIL(err, BAD_MODEL, "%s: tensor %s is too large", run->dir,
			                  run->tensors[i].name);
	if (status == OMT_OK)
		status = omt_safetensors_write_shards(run->dir, listed, run->count,
		                                      run->options->shard_bytes,
		                                      &(omt_tensor_source){put_values, run}, err);
	free(listed);
	return status;
}

/* ---- the other files ----------------------------------------------------------------------- */

static omt_status copy_files(const char *from, const char *to, omt_error *err)
{
	static const char *const names[] = {"tokenizer.json",
	                                    "tokenizer_config.json",
	                                    "chat_template.json",
	                                    "chat_template.jinja",
	                                    "preprocessor_config.json",
	                                    "config_sentence_transformers.json",
	                                    "modules.json",
	                                    "special_tokens_map.json",
	                                    "added_tokens.json"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = omt_path_join(from, names[i]);
		if (!path)
			return OMT_FAIL(err, NO_MEMORY, "%s", from);
		omt_status status = OMT_OK;
		if (omt_file_exists(path)) {
			status = omt_folder_copy(from, to, names[i], err);
		} else if (i == 0) {
			status = OMT_FAIL(err, IO,
			                  "%s: no such file (--tokenizer names a folder "
			                  "with it)",
			                  path);
		}
		free(path);
		OMT_TRY(status);
	}
	return OMT_OK;
}

static omt_status write_pooling(const char *dir, int32_t hidden, omt_error *err)
{
	char text[256], *folder = omt_path_join(dir, "1_Pooling");
	if (!folder || (mkdir(folder, 0777) != 0 && errno != EEXIST)) {
		free(folder);
		return OMT_FAIL(err, IO, "%s/1_Pooling: %s", dir, strerror(errno));
	}
	snprintf(text, sizeof text,
	         "{\"word_embedding_dimension\": %d, \"pooling_mode_mean_tokens\": true, "
	         "\"include_prompt\": true}\n",
	         hidden);
	omt_status status = omt_folder_put(folder, "config.json", text, err);
	free(folder);
	return status;
}

static omt_status format_config(const omt_synth_shape *shape, const omt_tokenizer *tokenizer,
                                char **text, omt_error *err)
{
	int32_t ids[7];
	for (int i = 0; i < 7; i++) {
		ids[i] = omt_tokenizer_token(tokenizer, id_tokens[i]);
		if (ids[i] < 0)
			return OMT_FAIL(err, BAD_MODEL, "the tokenizer has no token %s",
			                id_tokens[i]);
	}
	if (asprintf(text, config_format, shape->audio, shape->vision, shape->text, ids[0], ids[1],
	             ids[2], ids[3], ids[4], ids[5], ids[6]) < 0)
		return OMT_FAIL(err, NO_MEMORY, "config.json");
	return OMT_OK;
}

omt_status omt_synth_config(const char *like, const omt_tokenizer *tokenizer, char **text,
                            omt_error *err)
{
	*text = NULL;
	for (size_t i = 0; i < omt_synth_shape_count; i++)
		if (!strcmp(omt_synth_shapes[i].name, like))
			return format_config(&omt_synth_shapes[i], tokenizer, text, err);
	if (!omt_file_exists(like))
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "\"%s\" is neither tiny, omni-embed-nemotron-3b nor a config.json",
		                like);
	return omt_file_read(like, (size_t)16 << 20, text, NULL, err);
}

static omt_status prepare_config(omt_synthesis *run, const omt_tokenizer *tokenizer, omt_error *err)
{
	char *text;
	OMT_TRY(omt_synth_config(run->options->like ? run->options->like : "tiny", tokenizer, &text,
	                         err));
	omt_status status = omt_folder_put(run->dir, "config.json", text, err);
	free(text);
	return status;
}

omt_status omt_synth(const char *dir, const omt_synth_options *options, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_config config = {0};
	omt_tokenizer *tokenizer = NULL;
	omt_synthesis run = {.dir = dir, .options = options, .state = options->seed};
	char *path = NULL;
	if (!options->tokenizer)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "no tokenizer folder is named: a checkpoint "
		                "cannot be opened without one");
	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return OMT_FAIL(err, IO, "%s: %s", dir, strerror(errno));
	OMT_GOTO(copy_files(options->tokenizer, dir, err));
	path = omt_path_join(dir, "tokenizer.json");
	run.block = malloc(BLOCK * sizeof *run.block);
	if (!path || !run.block) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	OMT_GOTO(omt_tokenizer_open(path, &tokenizer, err));
	OMT_GOTO(prepare_config(&run, tokenizer, err));
	/* An older pooling of another width must not be in the way of reading the configuration. */
	OMT_GOTO(omt_config_load_model(dir, &config, err));
	if (omt_tokenizer_size(tokenizer) > config.text.vocab) {
		status = OMT_FAIL(err, BAD_MODEL,
		                  "%s: %d tokens, config.json has a vocabulary of %d", path,
		                  omt_tokenizer_size(tokenizer), config.text.vocab);
		goto done;
	}
	OMT_GOTO(write_pooling(dir, config.text.hidden, err));
	OMT_GOTO(omt_synth_walk(&config, collect, &run, err));
	OMT_GOTO(write_weights(&run, err));
done:
	omt_tokenizer_close(tokenizer);
	omt_config_free(&config);
	free(run.tensors);
	free(run.block);
	free(path);
	return status;
}
