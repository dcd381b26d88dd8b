/* omt_synth(): a checkpoint with random weights in the published layout, written shard by shard
 * with one block of values in memory. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "model/synth.h"
#include "token/tokenizer.h"

#define BLOCK         65536 /* values a step */
#define DEFAULT_SHARD ((int64_t)5000000000)

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
	int64_t bytes, written; /* of all tensors */
	uint64_t state;         /* of the generator */
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
                               uint16_t *block, omt_error *err)
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
			block[i] = omt_bf16_from_f32(mean + deviation * next_normal(&run->state));
		if (fwrite(block, 2, count, stream) != count)
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

/* The tensors from `first` on that fit one shard; at least one. */
static size_t shard_end(const omt_synthesis *run, size_t first)
{
	int64_t room = run->options->shard_bytes > 0 ? run->options->shard_bytes : DEFAULT_SHARD;
	size_t end = first;
	do {
		room -= 2 * elements(&run->tensors[end++]);
	} while (end < run->count && 2 * elements(&run->tensors[end]) <= room);
	return end;
}

static char *shard_header(const omt_synthesis *run, size_t first, size_t end)
{
	json_t *header = json_object();
	int64_t at = 0;
	json_object_set_new(header, "__metadata__", json_pack("{ss}", "format", "pt"));
	for (size_t i = first; i < end; i++) {
		const omt_synth_tensor *one = &run->tensors[i];
		json_t *shape = json_array();
		int64_t next = at + 2 * elements(one);
		for (int32_t d = 0; d < one->dims; d++)
			json_array_append_new(shape, json_integer(one->shape[d]));
		json_object_set_new(header, one->name,
		                    json_pack("{ss so s[II]}", "dtype", "BF16", "shape", shape,
		                              "data_offsets", (json_int_t)at, (json_int_t)next));
		at = next;
	}
	char *text = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	return text;
}

static omt_status write_shard(omt_synthesis *run, const char *name, size_t first, size_t end,
                              omt_error *err)
{
	omt_output output = {0};
	omt_status status = OMT_OK;
	uint8_t little[8];
	char *path = omt_path_join(run->dir, name), *header = shard_header(run, first, end);
	uint16_t *block = malloc(BLOCK * sizeof *block);
	if (!path || !header || !block) {
		status = OMT_FAIL(err, NO_MEMORY, "%s/%s", run->dir, name);
		goto done;
	}
	/* Spaces after the header bring the data to a multiple of 64. */
	size_t length = strlen(header), padded = (length + 8 + 63) / 64 * 64 - 8;
	for (int i = 0; i < 8; i++)
		little[i] = (uint8_t)((uint64_t)padded >> (8 * i));
	OMT_GOTO(omt_output_open(path, &output, err));
	fwrite(little, sizeof little, 1, output.stream);
	fprintf(output.stream, "%-*s", (int)padded, header);
	for (size_t i = first; i < end; i++)
		OMT_GOTO(write_values(run, &run->tensors[i], output.stream, block, err));
	status = omt_output_close(&output, true, err);
done:
	if (output.stream)
		omt_output_close(&output, false, NULL);
	free(path);
	free(header);
	free(block);
	return status;
}

static omt_status write_text(const char *dir, const char *name, const char *text, omt_error *err)
{
	omt_output output;
	char *path = omt_path_join(dir, name);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s/%s", dir, name);
	omt_status status = omt_output_open(path, &output, err);
	free(path);
	OMT_TRY(status);
	fputs(text, output.stream);
	return omt_output_close(&output, true, err);
}

static omt_status write_weights(omt_synthesis *run, omt_error *err)
{
	omt_status status = OMT_OK;
	size_t shards = 0, shard = 1;
	json_t *map = json_object();
	char name[64], *text = NULL;
	for (size_t first = 0; first < run->count; first = shard_end(run, first))
		shards++;
	for (size_t first = 0, end; first < run->count; first = end, shard++) {
		end = shard_end(run, first);
		snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard, shards);
		OMT_GOTO(write_shard(run, name, first, end, err));
		for (size_t i = first; i < end; i++)
			json_object_set_new(map, run->tensors[i].name, json_string(name));
	}
	json_t *index = json_pack("{s{sI} sO}", "metadata", "total_size", (json_int_t)run->bytes,
	                          "weight_map", map);
	text = json_dumps(index, JSON_INDENT(1));
	json_decref(index);
	/* Last: with it the checkpoint is complete. */
	status = text ? write_text(run->dir, "model.safetensors.index.json", text, err)
	              : OMT_FAIL(err, NO_MEMORY, "%s: index", run->dir);
done:
	json_decref(map);
	free(text);
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
		char *path = omt_path_join(from, names[i]), *text;
		if (!path)
			return OMT_FAIL(err, NO_MEMORY, "%s", from);
		omt_status status = OMT_OK;
		if (omt_file_exists(path)) {
			status = omt_file_read(path, (size_t)256 << 20, &text, NULL, err);
			if (status == OMT_OK) {
				status = write_text(to, names[i], text, err);
				free(text);
			}
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
	omt_status status = write_text(folder, "config.json", text, err);
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
	omt_status status = write_text(run->dir, "config.json", text, err);
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
	if (!path) {
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
	free(path);
	return status;
}
