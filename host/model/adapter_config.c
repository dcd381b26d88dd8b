#include "model/adapter_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RANK  65536
#define MAX_ALPHA 1e6

/* Keys that change nothing of what a trained LoRA computes, and those read below. */
static const char *const known[] = {"alpha_pattern",
                                    "auto_mapping",
                                    "base_model_name_or_path",
                                    "bias",
                                    "eva_config",
                                    "exclude_modules",
                                    "inference_mode",
                                    "init_lora_weights",
                                    "layers_pattern",
                                    "layers_to_transform",
                                    "lora_alpha",
                                    "lora_dropout",
                                    "megatron_config",
                                    "megatron_core",
                                    "peft_type",
                                    "peft_version",
                                    "qalora_group_size",
                                    "r",
                                    "rank_pattern",
                                    "revision",
                                    "runtime_config",
                                    "target_modules",
                                    "task_type",
                                    "use_rslora",
                                    NULL};

/* null, false, 0, "" and what has no members. */
static bool is_off(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_integer(value) && json_integer_value(value) == 0) ||
	       (json_is_string(value) && !*json_string_value(value)) ||
	       (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

/* Any other key is of something that this code would leave out: it must be off. */
static omt_status check_keys(omt_json in, omt_error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)in.object, key, value)
	{
		size_t i = 0;
		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i] && !is_off(value))
			return OMT_FAIL(err, UNSUPPORTED, "%s: %.80s is not supported", in.place,
			                key);
	}
	return OMT_OK;
}

static omt_status require(omt_json in, const char *key, const char *wanted, omt_error *err)
{
	const char *value = NULL;
	OMT_TRY(omt_json_string(in, key, &value, err));
	return value && strcmp(value, wanted) != 0
	               ? OMT_FAIL(err, UNSUPPORTED, "%s: %s is \"%.40s\", expected \"%s\"",
	                          in.place, key, value, wanted)
	               : OMT_OK;
}

/* Ways that leave W as it is. */
static omt_status check_start(omt_json in, omt_error *err)
{
	static const char *const ways[] = {"gaussian", "eva", "orthogonal"};
	const json_t *value = json_object_get(in.object, "init_lora_weights");
	const char *way = json_string_value(value);
	bool sound = !value || json_is_null(value) || json_is_boolean(value);
	for (size_t i = 0; way && i < sizeof ways / sizeof *ways; i++)
		sound = sound || !strcmp(way, ways[i]);
	return sound ? OMT_OK
	             : OMT_FAIL(err, UNSUPPORTED,
	                        "%s: init_lora_weights \"%.40s\" changes the model's own matrices",
	                        in.place, way ? way : "?");
}

/* Ends of names as keys; an expression would have to be one of Python's. whole: a number without a
 * fraction. */
static omt_status check_pattern(omt_json in, const char *key, bool whole, double low, double high,
                                omt_error *err)
{
	omt_json patterns = {.place = in.place};
	const char *pattern;
	json_t *value;
	OMT_TRY(omt_json_member(in, key, &patterns, err));
	json_object_foreach((json_t *)(uintptr_t)patterns.object, pattern, value)
	{
		const double number = json_number_value(value);
		if (!*pattern || strpbrk(pattern + (*pattern == '^'), "^$*+?()[]{}|\\"))
			return OMT_FAIL(err, UNSUPPORTED, "%s: %s \"%.80s\" is an expression",
			                in.place, key, pattern);
		if (!(whole ? json_is_integer(value) : json_is_number(value)) ||
		    !(number >= low && number <= high))
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: %s \"%.80s\" is no %snumber of %g to %g", in.place,
			                key, pattern, whole ? "whole " : "", low, high);
	}
	return OMT_OK;
}

static omt_status check(omt_adapter_config *config, omt_error *err)
{
	const omt_json in = {config->path, config->json};
	if (!json_is_object(config->json))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an object", config->path);
	if (!json_object_get(config->json, "peft_type"))
		return OMT_FAIL(err, BAD_FORMAT, "%s: no peft_type", config->path);
	OMT_TRY(require(in, "peft_type", "LORA", err));
	OMT_TRY(require(in, "bias", "none", err));
	OMT_TRY(check_keys(in, err));
	OMT_TRY(check_start(in, err));
	OMT_TRY(omt_json_int(in, "r", 1, MAX_RANK, &config->rank, err));
	OMT_TRY(omt_json_real(in, "lora_alpha", -MAX_ALPHA, MAX_ALPHA, &config->alpha, err));
	OMT_TRY(omt_json_bool(in, "use_rslora", &config->root, err));
	OMT_TRY(check_pattern(in, "rank_pattern", true, 1, MAX_RANK, err));
	return check_pattern(in, "alpha_pattern", false, -MAX_ALPHA, MAX_ALPHA, err);
}

omt_status omt_adapter_config_parse(const char *path, const char *text, size_t bytes,
                                    omt_adapter_config *config, omt_error *err)
{
	/* PEFT's defaults. */
	*config = (omt_adapter_config){.path = strdup(path), .rank = 8, .alpha = 8};
	omt_status status = config->path ? omt_json_parse(path, text, bytes, &config->json, err)
	                                 : OMT_FAIL(err, NO_MEMORY, "%s", path);
	if (status == OMT_OK)
		status = check(config, err);
	if (status != OMT_OK)
		omt_adapter_config_free(config);
	return status;
}

void omt_adapter_config_free(omt_adapter_config *config)
{
	json_decref(config->json);
	free(config->path);
	*config = (omt_adapter_config){0};
}

bool omt_module_ends(const char *module, const char *end)
{
	const size_t length = strlen(module), tail = strlen(end);
	return length >= tail && !strcmp(module + length - tail, end) &&
	       (length == tail || module[length - tail - 1] == '.');
}

/* The number of the first key that fits; else as it was. A '^' before it: the whole name. */
static double find_pattern(const json_t *patterns, const char *module, double other)
{
	const char *pattern;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)patterns, pattern, value)
	{
		if (*pattern == '^' ? !strcmp(module, pattern + 1)
		                    : omt_module_ends(module, pattern))
			return json_number_value(value);
	}
	return other;
}

void omt_adapter_config_module(const omt_adapter_config *config, const char *module, int32_t *rank,
                               double *scale)
{
	const json_t *ranks = json_object_get(config->json, "rank_pattern");
	const json_t *alphas = json_object_get(config->json, "alpha_pattern");
	const double r = find_pattern(ranks, module, config->rank);
	*rank = (int32_t)r;
	*scale = find_pattern(alphas, module, config->alpha) / (config->root ? sqrt(r) : r);
}
