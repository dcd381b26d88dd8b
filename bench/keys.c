#include "bench/keys.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char *const no_folders[] = {"none", "", NULL};
static const char *const backends[] = {"opencl", "openblas", "ref", "hls", "model", NULL};
static const char *const weights[] = {"stored", "int8", "bf16", NULL};
static const char *const recipes[] = {"card", "st", "cap", "mteb16", NULL};
static const char *const frames[] = {"uniform", "scene", NULL};
static const char *const subtitles[] = {"off", "on", NULL};
static const char *const fusions[] = {"off", "separate", "interleaved", NULL};
static const char *const conventions[] = {"trec_eval", "mteb", "mmeb", NULL};

_Static_assert(sizeof(omt_recipe) == sizeof(int) && sizeof(omt_fusion) == sizeof(int) &&
                       sizeof(omt_frame_choice) == sizeof(int) &&
                       sizeof(omt_subtitles) == sizeof(int) &&
                       sizeof(omt_bench_mode) == sizeof(int),
               "words are kept as int");

#define AT(member) offsetof(omt_bench_settings, member)
#define SERVER     (1u << OMT_BENCH_SERVER)
#define MULTI      (1u << OMT_BENCH_MULTI_STREAM)
#define MODELLED   (1u << OMT_BENCH_MODELLED)
#define TIMED      (~MODELLED)

/* The schema: bench/README.md explains each key. */
const omt_bench_key omt_bench_keys[] = {
	{"name", KEY_TEXT, false, AT(name), 0, 0, NULL, 0},
	{"model", KEY_PATH, false, AT(model), 0, 0, NULL, 0},
	{"adapter", KEY_PATH, false, AT(adapter), 0, 0, NULL, 0},
	{"backend", KEY_CHAIN, true, AT(engine.backend), 0, 0, backends, 0},
	{"device", KEY_DEVICE, true, AT(engine.device), 0, 0, NULL, 0},
	{"weights", KEY_NAME, true, AT(engine.weights), 0, 0, weights, 0},
	{"tiles", KEY_TEXT, true, AT(engine.tiles), 0, 0, NULL, 0},
	{"bitstream", KEY_TEXT, true, AT(engine.bitstream), 0, 0, NULL, 0},
	{"cache", KEY_PATH, false, AT(engine.cache), 0, 0, no_folders, 0},
	{"engine", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"engine.batch", KEY_INT, true, AT(engine.batch_items), 1, 65536, NULL, 0},
	{"engine.max_tokens", KEY_INT, true, AT(engine.max_tokens), 16, 1 << 20, NULL, 0},
	{"engine.slots", KEY_INT, true, AT(engine.slots), 1, 16, NULL, 0},
	{"engine.threads", KEY_INT, true, AT(engine.threads), 1, 256, NULL, 0},
	{"card", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"card.name", KEY_TEXT, true, AT(card_name), 0, 0, NULL, MODELLED},
	{"card.clock_mhz", KEY_REAL, true, AT(card.clock_mhz), 0, 2000, NULL, MODELLED},
	{"card.pe", KEY_INT, true, AT(card.pe), 0, 4096, NULL, MODELLED},
	{"card.width", KEY_INT, true, AT(card.width), 0, 64, NULL, MODELLED},
	{"card.rows", KEY_INT, true, AT(card.rows), 0, 65536, NULL, MODELLED},
	{"card.cols", KEY_INT, true, AT(card.cols), 0, 65536, NULL, MODELLED},
	{"card.depth", KEY_INT, true, AT(card.depth), 0, 65536, NULL, MODELLED},
	{"limits", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"limits.recipe", KEY_WORD, true, AT(limits.recipe), 0, 0, recipes, 0},
	{"limits.fps", KEY_REAL, true, AT(limits.fps), 0.001, 1000, NULL, 0},
	{"limits.max_frames", KEY_INT, true, AT(limits.max_frames), 2, 100000, NULL, 0},
	{"limits.image_max_pixels", KEY_LONG, true, AT(limits.image_max_pixels), 0, 1 << 30, NULL,
         0},
	{"limits.video_max_pixels", KEY_LONG, true, AT(limits.video_max_pixels), 1, 1 << 30, NULL,
         0},
	{"limits.frames", KEY_WORD, true, AT(limits.frames), 0, 0, frames, 0},
	{"limits.scene_threshold", KEY_REAL, true, AT(limits.scene_threshold), 0, 1, NULL, 0},
	{"limits.subtitles", KEY_WORD, true, AT(limits.subtitles), 0, 0, subtitles, 0},
	{"limits.subtitle_language", KEY_TEXT, true, AT(limits.subtitle_language), 0, 0, NULL, 0},
	{"limits.max_characters", KEY_LONG, true, AT(limits.max_characters), 1, 1 << 30, NULL, 0},
	{"limits.page", KEY_FLAG, true, AT(limits.page), 0, 0, NULL, 0},
	{"fusion", KEY_WORD, true, AT(limits.fusion), 0, 0, fusions, 0},
	{"dimension", KEY_INT, true, AT(dimension), 0, 65536, NULL, 0},
	{"data", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"data.beir", KEY_PATH, false, AT(beir), 0, 0, NULL, 0},
	{"data.split", KEY_TEXT, false, AT(split), 0, 0, NULL, 0},
	{"data.passages", KEY_PATH, false, AT(passages), 0, 0, NULL, 0},
	{"data.queries", KEY_PATH, false, AT(queries), 0, 0, NULL, 0},
	{"data.qrels", KEY_PATH, false, AT(qrels), 0, 0, NULL, 0},
	{"scenario", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"scenario.mode", KEY_WORD, true, AT(scenario.mode), 0, 0, omt_bench_mode_names, 0},
	{"scenario.min_duration_s", KEY_REAL, false, AT(scenario.min_duration_s), 0, 86400, NULL,
         TIMED},
	{"scenario.min_queries", KEY_INT, false, AT(scenario.min_queries), 1, 1e9, NULL, TIMED},
	{"scenario.warmup", KEY_INT, false, AT(scenario.warmup), 0, 1e6, NULL, TIMED},
	{"scenario.repetitions", KEY_INT, false, AT(scenario.repetitions), 1, 1000, NULL, TIMED},
	{"scenario.seed", KEY_LONG, false, AT(scenario.seed), 0, 9007199254740991.0, NULL, 0},
	{"scenario.samples_per_query", KEY_INT, false, AT(scenario.samples_per_query), 1, 65536,
         NULL, MULTI},
	{"scenario.target_latency_ms", KEY_REAL, false, AT(scenario.target_latency_ms), 0.001, 1e7,
         NULL, SERVER},
	{"scenario.percentile", KEY_REAL, false, AT(scenario.percentile), 1, 99.99, NULL, SERVER},
	{"scenario.rate", KEY_REAL, false, AT(scenario.rate), 0, 1e6, NULL, SERVER},
	{"scenario.requests", KEY_PATH, false, AT(scenario.requests), 0, 0, NULL, TIMED},
	{"scenario.overlap", KEY_FLAG, false, AT(scenario.overlap), 0, 0, NULL, TIMED},
	{"retrieval", KEY_SECTION, false, 0, 0, 0, NULL, 0},
	{"retrieval.convention", KEY_NAME, false, AT(convention), 0, 0, conventions, 0},
	{"retrieval.k", KEY_CUTS, false, AT(cuts), 1, 100000, NULL, 0},
	{"retrieval.bootstrap", KEY_INT, false, AT(bootstrap), 0, 1e6, NULL, 0},
	{"retrieval.run", KEY_PATH, false, AT(run), 0, 0, NULL, 0},
	{"profile", KEY_FLAG, false, AT(profile), 0, 0, NULL, 0},
	{"roofline", KEY_FLAG, false, AT(roofline), 0, 0, NULL, 0},
	{"energy", KEY_FLAG, false, AT(energy), 0, 0, NULL, 0},
	{"output", KEY_PATH, false, AT(output), 0, 0, NULL, 0},
	{"trace", KEY_PATH, false, AT(trace), 0, 0, NULL, 0},
};
const size_t omt_bench_key_count = sizeof omt_bench_keys / sizeof *omt_bench_keys;

const omt_bench_key *omt_bench_key_find(const char *name)
{
	for (size_t i = 0; i < omt_bench_key_count; i++)
		if (!strcmp(omt_bench_keys[i].name, name))
			return &omt_bench_keys[i];
	return NULL;
}

static size_t word_place(const char *const *words, const char *text, size_t length)
{
	size_t i = 0;
	while (words[i] && (strlen(words[i]) != length || strncmp(words[i], text, length) != 0))
		i++;
	return i;
}

static omt_status refuse_word(const omt_bench_key *key, omt_json in, const char *text,
                              omt_error *err)
{
	char list[128] = "";
	for (size_t i = 0; key->words[i]; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
		         key->words[i]);
	return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is \"%.80s\", expected %s", in.place,
	                key->name, text, list);
}

/* A string that lives as long as `texts`. Names of folders need not be UTF-8. */
omt_status omt_bench_keep_text(json_t *texts, const char *text, const char **kept)
{
	json_t *string = text ? json_stringn_nocheck(text, strlen(text)) : NULL;
	if (!string || json_array_append_new(texts, string) != 0)
		return OMT_NO_MEMORY;
	*kept = json_string_value(string);
	return OMT_OK;
}

omt_status omt_bench_keep_path(json_t *texts, const char *folder, const char *name,
                               const char **kept)
{
	char *path = omt_path_join(folder, name);
	const omt_status status = omt_bench_keep_text(texts, path, kept);
	free(path);
	return status;
}

/* Numbers and parts of names, or files of device models, with commas between them. */
static omt_status keep_device(json_t *texts, const char *folder, const char *at, const char **kept)
{
	char *list = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&list, &bytes);
	for (; to && at; at = *at ? at + 1 : NULL) {
		const size_t length = strcspn(at, ",");
		char *name = strndup(at, length);
		const bool file = length > 5 && !strncmp(at + length - 5, ".yaml", 5);
		char *path = name && file ? omt_path_join(folder, name) : name;
		at += length;
		fprintf(to, "%s%s", path ? path : "", *at ? "," : "");
		if (path != name)
			free(path);
		free(name);
	}
	omt_status status =
		to && fclose(to) == 0 ? omt_bench_keep_text(texts, list, kept) : OMT_NO_MEMORY;
	free(list);
	return status;
}

static omt_status read_text(const omt_bench_key *key, omt_json in, const char *folder,
                            json_t *texts, const char **kept, omt_error *err)
{
	const json_t *value = json_object_get(in.object, key->name);
	char number[32];
	const char *text = NULL;
	if (key->kind == KEY_DEVICE && json_is_integer(value)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		text = number;
	} else {
		OMT_TRY(omt_json_string(in, key->name, &text, err));
	}
	if (!text)
		return OMT_OK;
	if (text != number && strlen(text) != json_string_length(value))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" holds a NUL byte", in.place,
		                key->name);
	const bool word = key->words && key->words[word_place(key->words, text, strlen(text))];
	if (key->kind == KEY_PATH && !word && !*text)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is empty", in.place, key->name);
	if (key->kind == KEY_NAME && !word)
		return refuse_word(key, in, text, err);
	for (const char *at = text; key->kind == KEY_CHAIN && at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!key->words[word_place(key->words, at, strcspn(at, ","))])
			return refuse_word(key, in, text, err);
	}
	omt_status status = key->kind == KEY_PATH && !word
	                            ? omt_bench_keep_path(texts, folder, text, kept)
	                    : key->kind == KEY_DEVICE ? keep_device(texts, folder, text, kept)
	                                              : omt_bench_keep_text(texts, text, kept);
	return status == OMT_OK ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", in.place);
}

static omt_status read_cuts(const omt_bench_key *key, omt_json in, omt_bench_settings *s,
                            omt_error *err)
{
	OMT_TRY(omt_json_ints(in, key->name, (int64_t)key->low, (int64_t)key->high, s->cuts,
	                      OMT_BENCH_CUTS, &s->cut_count, err));
	if (!s->cut_count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is an empty list", in.place,
		                key->name);
	for (size_t i = 1; i < s->cut_count; i++)
		for (size_t j = 0; j < i; j++)
			if (s->cuts[i] == s->cuts[j])
				return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" holds %d twice",
				                in.place, key->name, s->cuts[i]);
	return OMT_OK;
}

/* The key's value of `in`, an object of that one member, into the settings. */
omt_status omt_bench_key_read(const omt_bench_key *key, omt_json in, const char *folder,
                              json_t *texts, omt_bench_settings *s, omt_error *err)
{
	void *at = (char *)s + key->at;
	const char *text = NULL;
	switch (key->kind) {
	case KEY_INT:
		return omt_json_int(in, key->name, (int64_t)key->low, (int64_t)key->high, at, err);
	case KEY_LONG:
		return omt_json_int64(in, key->name, (int64_t)key->low, (int64_t)key->high, at,
		                      err);
	case KEY_REAL:
		return omt_json_real(in, key->name, key->low, key->high, at, err);
	case KEY_FLAG:
		return omt_json_bool(in, key->name, at, err);
	case KEY_CUTS:
		return read_cuts(key, in, s, err);
	case KEY_WORD:
		OMT_TRY(omt_json_string(in, key->name, &text, err));
		if (!text)
			return OMT_OK;
		if (!key->words[word_place(key->words, text, strlen(text))])
			return refuse_word(key, in, text, err);
		*(int *)at = (int)word_place(key->words, text, strlen(text));
		return OMT_OK;
	default:
		return read_text(key, in, folder, texts, at, err);
	}
}

/* What the settings hold at the key: a default, in the words of the file. */
json_t *omt_bench_key_value(const omt_bench_key *key, const omt_bench_settings *s)
{
	const void *at = (const char *)s + key->at;
	json_t *array;
	switch (key->kind) {
	case KEY_INT:
		return json_integer(*(const int32_t *)at);
	case KEY_LONG:
		return json_integer(*(const int64_t *)at);
	case KEY_REAL:
		return json_real(*(const double *)at);
	case KEY_FLAG:
		return json_boolean(*(const bool *)at);
	case KEY_WORD:
		return json_string(key->words[*(const int *)at]);
	case KEY_CUTS:
		if (!s->cut_count)
			return json_null();
		array = json_array();
		for (size_t i = 0; i < s->cut_count; i++)
			json_array_append_new(array, json_integer(s->cuts[i]));
		return array;
	default:
		return *(const char *const *)at ? json_string(*(const char *const *)at)
		                                : json_null();
	}
}

static const char *environment(const char *name, const char *other)
{
	const char *value = getenv(name);
	return value && *value ? value : other;
}

void omt_bench_settings_init(omt_bench_settings *s)
{
	*s = (omt_bench_settings){
		.convention = conventions[0],
		.bootstrap = 1000,
		.profile = true,
		.roofline = true,
		.energy = true,
	};
	omt_engine_options_init(&s->engine);
	omt_limits_init(&s->limits);
	omt_bench_scenario_init(&s->scenario);
	s->scenario.target_latency_ms = 0; /* must be said */
	s->engine.backend = environment("OMT_BACKEND", "opencl,openblas,ref");
	s->engine.device = environment("OMT_DEVICE", NULL);
	s->engine.tiles = environment("OMT_TILES", "");
	s->engine.bitstream = environment("OMT_BITSTREAM", NULL);
	s->engine.weights = weights[0];
}
