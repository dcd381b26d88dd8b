/* Options that several verbs take. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const cli_option *cli_engine_table(cli_engine *engine)
{
	static cli_option table[15];
	const cli_option made[] = {
		{"model", "DIR", "checkpoint in the published (Hugging Face) layout", CLI_TEXT,
	         &engine->model, 0, 0, NULL},
		{"adapter", "DIR", "LoRA adapter of the model, in PEFT's format", CLI_TEXT,
	         &engine->adapter, 0, 0, NULL},
		{"backend", "NAME", "opencl, openblas, ref, hls, or a chain of them; model",
	         CLI_TEXT, &engine->options.backend, 0, 0, NULL},
		{"device", "D", "0, part of a name, 0,1, all, 0/2 (in two parts); model: .yaml,...",
	         CLI_TEXT, &engine->options.device, 0, 0, NULL},
		{"weights", "HOW", "matrices on the device: stored, int8 or bf16 (stored)",
	         CLI_TEXT, &engine->options.weights, 0, 0, NULL},
		{"cache", "DIR", "folder of packed weights, none: not kept (OMT_CACHE_DIR)",
	         CLI_TEXT, &engine->options.cache, 0, 0, NULL},
		{"tiles", "T", "of OpenCL kernels, m=12,gemm_short.rows=4 (OMT_TILES)", CLI_TEXT,
	         &engine->options.tiles, 0, 0, NULL},
		{"bitstream", "NAME", "binary of bitstreams/manifest.yaml (OMT_BITSTREAM)",
	         CLI_TEXT, &engine->options.bitstream, 0, 0, NULL},
		{"batch", "N", "items a batch (8)", CLI_INT, &engine->batch, 1, 65536, NULL},
		{"max-tokens", "N", "tokens a batch, hence of an item (8192)", CLI_INT,
	         &engine->max_tokens, 16, 1 << 20, NULL},
		{"slots", "N", "batches in flight; 1: no double buffering (2)", CLI_INT,
	         &engine->slots, 1, 16, NULL},
		{"threads", "N", "cores that prepare media (1)", CLI_INT, &engine->threads, 1, 256,
	         NULL},
		{"eager", NULL, "a batch goes when a device is free, full or not", CLI_FLAG,
	         &engine->options.eager, 0, 0, NULL},
		{0},
	};
	omt_engine_options_init(&engine->options);
	engine->model = engine->adapter = NULL;
	engine->batch = engine->options.batch_items;
	engine->max_tokens = engine->options.max_tokens;
	engine->slots = engine->options.slots;
	engine->threads = engine->options.threads;
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		table[i] = made[i];
	return table;
}

static const char *const recipes[] = {"card", "st", "cap", "mteb16", NULL};
static const char *const frames[] = {"uniform", "scene", NULL};
static const char *const subtitles[] = {"off", "on", NULL};
static const char *const fusions[] = {"off", "separate", "interleaved", NULL};

const cli_option *cli_limits_table(cli_limits *limits)
{
	static cli_option table[24];
	omt_limits *l = &limits->limits;
	const cli_option made[] = {
		{"fps", "F", "frames sampled a second (2)", CLI_REAL, &l->fps, 0.001, 1000, NULL},
		{"min-frames", "N", "of a clip at least (4)", CLI_INT, &limits->min_frames, 2,
	         100000, NULL},
		{"max-frames", "N", "of a clip at most, even (64)", CLI_INT, &limits->max_frames, 2,
	         100000, NULL},
		{"recipe", "NAME", "card, st, cap or mteb16: choice and size of frames (cap)",
	         CLI_WORD, &limits->recipe, 0, 0, recipes},
		{"frames", "HOW", "of a clip: uniform, or scene: moved to its cuts (uniform)",
	         CLI_WORD, &limits->frames, 0, 0, frames},
		{"scene-threshold", "S", "FFmpeg's scene score of a cut, 0 to 1 (0.3)", CLI_REAL,
	         &l->scene_threshold, 0, 1, NULL},
		{"subtitles", "HOW", "of clips, as text before them: off or on (off)", CLI_WORD,
	         &limits->subtitles, 0, 0, subtitles},
		{"subtitle-language", "L", "which of them, eng say (the default stream)", CLI_TEXT,
	         &l->subtitle_language, 0, 0, NULL},
		{"max-characters", "N", "subtitles and transcripts are cut to this (16384)",
	         CLI_INT, &l->max_characters, 1, 1 << 30, NULL},
		{"page", NULL, "pictures are pages: 768 to 2560 tokens each", CLI_FLAG, &l->page, 0,
	         0, NULL},
		{"use-audio", "HOW", "sound of clips: off, separate or interleaved (off)", CLI_WORD,
	         &limits->fusion, 0, 0, fusions},
		{"image-min-pixels", "N", "pictures are enlarged to this", CLI_INT,
	         &l->image_min_pixels, 1, 1 << 30, NULL},
		{"image-max-pixels", "N", "pictures are reduced to this", CLI_INT,
	         &l->image_max_pixels, 1, 1 << 30, NULL},
		{"min-pixels", "N", "frames are enlarged to this (6272)", CLI_INT,
	         &l->video_min_pixels, 1, 1 << 30, NULL},
		{"max-pixels", "N", "frames are reduced to this (50176)", CLI_INT,
	         &l->video_max_pixels, 1, 1 << 30, NULL},
		{"max-samples", "N", "sound at 16 kHz is cut to this (2048000)", CLI_INT,
	         &l->max_samples, 400, 1 << 30, NULL},
		{"max-seconds", "S", "longer media are refused (no limit)", CLI_REAL,
	         &l->max_seconds, 0, 1e9, NULL},
		{"max-bytes", "N", "larger files are refused (4294967296)", CLI_INT, &l->max_bytes,
	         1, 1e18, NULL},
		{"max-source-pixels", "N", "larger pictures are refused (178956970)", CLI_INT,
	         &l->max_source_pixels, 1, 1e12, NULL},
		{"exif", NULL, "turn pictures by EXIF, drop alpha (transformers' loader)", CLI_FLAG,
	         &l->apply_exif, 0, 0, NULL},
		{"content-fps", NULL, "frame rate from time stamps, not from the header", CLI_FLAG,
	         &l->content_fps, 0, 0, NULL},
		{0},
	};
	omt_limits_init(l);
	limits->recipe = (int)l->recipe;
	limits->fusion = OMT_AUDIO_OFF;
	limits->frames = (int)l->frames;
	limits->subtitles = (int)l->subtitles;
	limits->min_frames = l->min_frames;
	limits->max_frames = l->max_frames;
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		table[i] = made[i];
	return table;
}

const omt_limits *cli_limits_get(cli_limits *from)
{
	from->limits.recipe = (omt_recipe)from->recipe;
	from->limits.min_frames = (int32_t)from->min_frames;
	from->limits.max_frames = (int32_t)from->max_frames;
	from->limits.fusion = (omt_fusion)from->fusion;
	from->limits.frames = (omt_frame_choice)from->frames;
	from->limits.subtitles = (omt_subtitles)from->subtitles;
	return &from->limits;
}

bool cli_model_open(const char *verb, const cli_engine *from, omt_model **model)
{
	omt_error err;
	*model = NULL;
	if (!from->model) {
		cli_usage(verb, "--model is missing");
		return false;
	}
	if (omt_model_open_adapted(from->model, from->adapter, model, &err) == OMT_OK)
		return true;
	cli_fail(verb, &err);
	return false;
}

bool cli_engine_build(const cli_engine *from, const omt_model *model, omt_engine **engine,
                      omt_error *err)
{
	omt_engine_options options = from->options;
	options.batch_items = (int32_t)from->batch;
	options.max_tokens = (int32_t)from->max_tokens;
	options.slots = (int32_t)from->slots;
	options.threads = (int32_t)from->threads;
	options.progress = cli_progress();
	omt_status status = omt_engine_open(model, &options, engine, err);
	cli_progress_end();
	return status == OMT_OK;
}

bool cli_engine_open(const char *verb, cli_engine *from, omt_model **model, omt_engine **engine)
{
	omt_error err;
	*engine = NULL;
	if (!cli_model_open(verb, from, model))
		return false;
	if (cli_engine_build(from, *model, engine, &err))
		return true;
	cli_fail(verb, &err);
	omt_model_close(*model);
	*model = NULL;
	return false;
}

json_t *cli_engine_described(const omt_engine *engine)
{
	char *text = omt_engine_describe(engine);
	json_t *described = text ? json_loads(text, 0, NULL) : NULL;
	omt_free(text);
	return described;
}

bool cli_engine_is_modelled(const omt_engine *engine)
{
	json_t *all = cli_engine_described(engine);
	const char *chain = json_string_value(json_object_get(all, "chain"));
	bool modelled = chain && !strncmp(chain, "model", 5);
	json_decref(all);
	return modelled;
}

bool cli_engine_models(const cli_engine *from)
{
	const char *chain = from->options.backend ? from->options.backend : getenv("OMT_BACKEND");
	return chain && !strcmp(chain, "model");
}

void cli_warn_modelled(const char *verb, const omt_engine *engine)
{
	if (cli_engine_is_modelled(engine))
		fprintf(stderr,
		        "omnitile %s: backend model takes a device's time and computes "
		        "nothing: all vectors are zeros\n",
		        verb);
}

void cli_print_card(const json_t *card)
{
	const json_t *memory = json_object_get(card, "memory");
	printf("card      %s at %.0f MHz, tensors in %s, %.1f GB/s\n", cli_string(card, "part"),
	       cli_number(card, "clock_mhz"), cli_string(memory, "kind"),
	       cli_number(memory, "gbs"));
}

void cli_print_devices(FILE *to, const json_t *engine)
{
	const json_t *devices = json_object_get(engine, "devices");
	for (size_t i = 0; json_array_size(devices) > 1 && i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const char *part = cli_string(device, "part"), *error = cli_string(device, "error");
		fprintf(to,
		        "device %zu  %lld items, %lld batches, %.2f s, %.1f GFLOP/s: %s%s%s%s%s\n",
		        i + 1, (long long)json_integer_value(json_object_get(device, "items")),
		        (long long)json_integer_value(json_object_get(device, "batches")),
		        json_number_value(json_object_get(device, "compute_s")),
		        json_number_value(json_object_get(device, "gflops")),
		        cli_string(device, "device"), *part ? ", part " : "", part,
		        *error ? "; failed: " : "", error);
	}
}
