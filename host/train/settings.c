#include "train/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "index/list.h"

#define MAX_SETS 1000

/* ---- keys ---------------------------------------------------------------------------------- */

#define WORD(name, text) text,
static const char *const contrasts[] = {OMT_CONTRAST_LIST(WORD) NULL};
static const char *const schedules[] = {OMT_SCHEDULE_LIST(WORD) NULL};
#undef WORD
static const char *const methods[] = {"full", "lora", NULL};
static const char *const keeps[] = {"all", "checkpoints", NULL};
const char *const omt_train_dtypes[] = {"bf16", "f32", NULL};

#define OF(kind, member)    OMT_FIELD_OF(kind, omt_train_settings, member)
#define TEXT(member)        OMT_FIELD_TEXT_OF(omt_train_settings, member)
#define BOOL(member)        OMT_FIELD_BOOL_OF(omt_train_settings, member)
#define WORDS(member, name) OMT_FIELD_WORD_OF(omt_train_settings, member, name)

/* Where things lie, and what does not change the parameters. */
static const omt_field place_fields[] = {
	{"model", TEXT(model)},
	{"output", TEXT(output)},
	{"cache_mb", OF(INT64, cache_mb), 0, 1 << 30},
	{"save_every", OF(INT64, save_every), 1, 1e12},
	{"log_every", OF(INT64, log_every), 1, 1e12},
	{"dtype", WORDS(dtype, omt_train_dtypes)},
	{0},
};

static const omt_field run_fields[] = {
	{"method", WORDS(method, methods)},
	{"freeze_encoders", BOOL(freeze_encoders)},
	{"batch", OF(INT, batch), 1, 1 << 20},
	{"same_dataset", BOOL(same_dataset)},
	{"micro_batch", OF(INT, micro_batch), 1, 65536},
	{"max_tokens", OF(INT, max_tokens), 16, 1 << 20},
	{"gradient_cache", BOOL(gradient_cache)},
	{"keep", WORDS(keep, keeps)},
	{"accumulate", OF(INT, accumulate), 1, 65536},
	{"steps", OF(INT64, steps), 1, 1e12},
	{"seed", OF(INT64, seed), 0, 9007199254740991.0},
	{"threads", OF(INT, threads), 1, 256},
	{"backend", TEXT(backend)},
	{"device", TEXT(device)},
	{0},
};

static const omt_field part_fields[] = {
	{"lora", OMT_FIELD_PART(SECTION)},
	{"data", OMT_FIELD_PART(LIST)},
	{"loss", OMT_FIELD_PART(SECTION)},
	{"optimiser", OMT_FIELD_PART(SECTION)},
	{"limits", OMT_FIELD_PART(SECTION)},
	{"eval", OMT_FIELD_PART(SECTION)},
	{0},
};

static const omt_field lora_fields[] = {
	{"rank", OF(INT, lora_rank), 1, 4096},
	{"alpha", OF(REAL, lora_alpha), 1e-6, 1e6},
	{"targets", OMT_FIELD_PART(LIST)},
	{0},
};

static const omt_field loss_fields[] = {
	{"temperature", OF(REAL, loss.temperature), 1e-4, 100},
	{"contrast", WORDS(loss.contrast, contrasts)},
	{"symmetric", BOOL(loss.symmetric)},
	{"mask_ids", BOOL(loss.mask_ids)},
	{"mask_margin", OMT_FIELD_PART(OTHER)},
	{"negatives", OF(INT, negatives), 0, 1000},
	{0},
};

static const omt_field optimiser_fields[] = {
	{"lr", OF(REAL, optimiser.lr), 0, 1e3},
	{"betas", OMT_FIELD_PART(LIST)},
	{"eps", OF(REAL, optimiser.eps), 1e-30, 1},
	{"weight_decay", OF(REAL, optimiser.weight_decay), 0, 1e3},
	{"clip", OF(REAL, optimiser.clip), 0, 1e9},
	{"warmup", OF(INT64, optimiser.warmup), 0, 1e12},
	{"schedule", WORDS(optimiser.schedule, schedules)},
	{"lr_end", OF(REAL, optimiser.lr_end), 0, 1},
	{0},
};

static const omt_field limit_fields[] = {
	{"recipe", WORDS(limits.recipe, omt_list_recipes)},
	{"fps", OF(REAL, limits.fps), 0.001, 1000},
	{"min_frames", OF(INT, limits.min_frames), 2, 100000},
	{"max_frames", OF(INT, limits.max_frames), 2, 100000},
	{"image_min_pixels", OF(INT64, limits.image_min_pixels), 0, 1 << 30},
	{"image_max_pixels", OF(INT64, limits.image_max_pixels), 0, 1 << 30},
	{"video_min_pixels", OF(INT64, limits.video_min_pixels), 1, 1 << 30},
	{"video_max_pixels", OF(INT64, limits.video_max_pixels), 1, 1 << 30},
	{"max_samples", OF(INT64, limits.max_samples), 400, 1 << 30},
	{"max_seconds", OF(REAL, limits.max_seconds), 0, 1e9},
	{"frames", WORDS(limits.frames, omt_list_frames)},
	{"scene_threshold", OF(REAL, limits.scene_threshold), 0, 1},
	{"subtitles", WORDS(limits.subtitles, omt_list_subtitles)},
	{"subtitle_language", TEXT(subtitle_language)},
	{"max_characters", OF(INT64, limits.max_characters), 1, 1 << 30},
	{"page", BOOL(limits.page)},
	{0},
};

static const omt_field eval_fields[] = {
	{"every", OF(INT64, eval_every), 0, 1e12},
	{"k", OMT_FIELD_PART(LIST)},
	{"sets", OMT_FIELD_PART(LIST)},
	{0},
};

#define DATA_TEXT(member) OMT_FIELD_TEXT_OF(omt_train_data, member)
static const omt_field data_fields[] = {
	{"name", DATA_TEXT(name)},
	{"queries", DATA_TEXT(queries)},
	{"passages", DATA_TEXT(passages)},
	{"qrels", DATA_TEXT(qrels)},
	{"negatives", DATA_TEXT(negatives)},
	{"weight", OMT_FIELD_OF(REAL, omt_train_data, weight), 0, 1e9},
	{"fusion", OMT_FIELD_WORD_OF(omt_train_data, fusion, omt_list_fusions)},
	{0},
};

/* Mappings of the file, and the name under which their values are kept. */
static const struct section {
	const char *name;
	const omt_field *fields;
	bool decides; /* the parameters at the end */
} sections[] = {
	{"lora", lora_fields, true},           {"loss", loss_fields, true},
	{"optimiser", optimiser_fields, true}, {"limits", limit_fields, true},
	{"eval", eval_fields, false},
};
#define SECTIONS (sizeof sections / sizeof *sections)

static void set_defaults(omt_train_settings *s)
{
	*s = (omt_train_settings){
		.lora_rank = 16,
		.lora_alpha = 32,
		.loss = {.temperature = 0.02, .mask_ids = true, .mask_margin = INFINITY},
		.negatives = 4,
		.batch = 32,
		.same_dataset = true,
		.micro_batch = 32,
		.max_tokens = 8192,
		.accumulate = 1,
		.optimiser = {.lr = 1e-4,
	                      .beta1 = 0.9,
	                      .beta2 = 0.999,
	                      .eps = 1e-8,
	                      .weight_decay = 0.01,
	                      .clip = 1,
	                      .schedule = OMT_SCHEDULE_COSINE},
		.seed = 1,
		.threads = omt_parallel_cores(),
		.cache_mb = 4096,
		.save_every = 200,
		.log_every = 10,
		.backend = "openblas",
		.cuts = {1, 10},
		.cut_count = 2,
	};
	memcpy(s->targets, omt_lora_projections, sizeof omt_lora_projections);
	omt_limits_init(&s->limits);
}

/* ---- reading ------------------------------------------------------------------------------- */

static omt_status refuse(const omt_train_settings *s, const char *key, const char *why,
                         omt_error *err)
{
	char place[OMT_YAML_PLACE];
	omt_yaml_place(&s->yaml, key, place);
	return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" %s", place, key, why);
}

/* The value at `name` of a section that is there, with its place for messages. */
static omt_json value_at(const omt_train_settings *s, const char *section, const char *name,
                         char place[OMT_YAML_PLACE])
{
	char key[128];
	snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", name);
	omt_yaml_place(&s->yaml, key, place);
	return (omt_json){place, omt_yaml_at(&s->yaml, section).object};
}

static omt_status read_targets(omt_train_settings *s, omt_error *err)
{
	char place[OMT_YAML_PLACE];
	const omt_json in = value_at(s, "lora", "targets", place);
	const json_t *list = NULL;
	size_t i;
	json_t *entry;
	OMT_TRY(omt_json_list(in, "targets", OMT_LORA_TARGETS, &list, err));
	if (!list)
		return OMT_OK;
	if (!json_array_size(list))
		return refuse(s, "lora.targets", "is an empty list", err);
	memset(s->targets, 0, sizeof s->targets);
	json_array_foreach(list, i, entry)
	{
		const char *target = omt_lora_projection(json_string_value(entry));
		if (!target)
			return refuse(s, "lora.targets", "takes " OMT_LORA_PROJECTIONS, err);
		for (size_t j = 0; j < i; j++)
			if (s->targets[j] == target)
				return refuse(s, "lora.targets", "names one twice", err);
		s->targets[i] = target;
	}
	return OMT_OK;
}

/* "none" or a number. */
static omt_status read_margin(omt_train_settings *s, omt_error *err)
{
	char place[OMT_YAML_PLACE];
	const omt_json in = value_at(s, "loss", "mask_margin", place);
	const json_t *value = json_object_get(in.object, "mask_margin");
	if (json_is_string(value) && !strcmp(json_string_value(value), "none"))
		return OMT_OK;
	return omt_json_real(in, "mask_margin", -2, 2, &s->loss.mask_margin, err);
}

static omt_status read_betas(omt_train_settings *s, omt_error *err)
{
	char place[OMT_YAML_PLACE];
	double betas[2] = {s->optimiser.beta1, s->optimiser.beta2};
	size_t count = 2;
	OMT_TRY(omt_json_reals(value_at(s, "optimiser", "betas", place), "betas", betas, 2, &count,
	                       err));
	if (count != 2 || !(betas[0] >= 0 && betas[0] < 1 && betas[1] >= 0 && betas[1] < 1))
		return refuse(s, "optimiser.betas", "takes two numbers from 0 to below 1", err);
	s->optimiser.beta1 = betas[0];
	s->optimiser.beta2 = betas[1];
	return OMT_OK;
}

static omt_status read_cuts(omt_train_settings *s, omt_error *err)
{
	char place[OMT_YAML_PLACE];
	OMT_TRY(omt_json_ints(value_at(s, "eval", "k", place), "k", 1, 1000, s->cuts,
	                      OMT_TRAIN_CUTS, &s->cut_count, err));
	return s->cut_count ? OMT_OK : refuse(s, "eval.k", "is an empty list", err);
}

/* A path of the file, relative to its folder. */
static omt_status join(const char *folder, char path[OMT_TRAIN_PATH], omt_error *err)
{
	char *joined = *path ? omt_path_join(folder, path) : strdup("");
	if (!joined)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	const size_t bytes = strlen(joined) + 1;
	if (bytes <= OMT_TRAIN_PATH)
		memcpy(path, joined, bytes);
	free(joined);
	return bytes <= OMT_TRAIN_PATH ? OMT_OK
	                               : OMT_FAIL(err, LIMIT, "%s/%.200s: too long", folder, path);
}

static omt_status read_set(omt_train_settings *s, const char *folder, const char *at,
                           omt_train_data *set, omt_error *err)
{
	static const char *const needed[] = {"queries", "passages", "qrels"};
	char *const paths[] = {set->queries, set->passages, set->qrels, set->negatives};
	set->weight = 1;
	OMT_TRY(omt_fields_read(&s->yaml, at, data_fields, set, err));
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (i < sizeof needed / sizeof *needed && !*paths[i]) {
			char why[64];
			snprintf(why, sizeof why, "has no \"%s\"", needed[i]);
			return refuse(s, at, why, err);
		}
		OMT_TRY(join(folder, paths[i], err));
	}
	if (!*set->name) /* by its place */
		snprintf(set->name, sizeof set->name, "%s", at);
	return OMT_OK;
}

/* The entries of a list of data sets, `key` being "data" or "eval.sets". */
static omt_status read_sets(omt_train_settings *s, const char *folder, const char *key,
                            omt_train_data **sets, size_t *count, omt_error *err)
{
	const char *dot = strchr(key, '.');
	char section[16], at[64], place[OMT_YAML_PLACE];
	const json_t *list = NULL;
	snprintf(section, sizeof section, "%.*s", dot ? (int)(dot - key) : 0, key);
	const char *name = dot ? dot + 1 : key;
	OMT_TRY(omt_json_list(value_at(s, section, name, place), name, MAX_SETS, &list, err));
	*count = json_array_size(list);
	*sets = calloc(*count + 1, sizeof **sets);
	if (!*sets)
		return OMT_FAIL(err, NO_MEMORY, "%s", place);
	for (size_t i = 0; i < *count; i++) {
		snprintf(at, sizeof at, "%s[%zu]", key, i);
		if (!json_is_object(json_array_get(list, i)))
			return refuse(s, at, "is not a mapping of keys", err);
		OMT_TRY(read_set(s, folder, at, &(*sets)[i], err));
		for (size_t j = 0; j < i; j++)
			if (!strcmp((*sets)[i].name, (*sets)[j].name))
				return refuse(s, at, "has the name of another one", err);
	}
	return OMT_OK;
}

/* ---- what cannot be together --------------------------------------------------------------- */

static omt_status check(const omt_train_settings *s, omt_error *err)
{
	double weights = 0;
	for (size_t i = 0; i < s->data_count; i++)
		weights += s->data[i].weight;
	const struct {
		bool wrong;
		const char *key, *why;
	} rules[] = {
		{!*s->model, "model", "is missing: the checkpoint to start from"},
		{!*s->output, "output", "is missing: the folder of the run"},
		{!s->steps, "steps", "is missing"},
		{!s->data_count, "data", "is missing: a list of data sets"},
		{s->data_count && !(weights > 0), "data", "has no weight above 0"},
		{s->limits.max_frames % 2, "limits.max_frames", "is not an even number"},
		{s->method == OMT_TRAIN_FULL && omt_yaml_at(&s->yaml, "lora").object, "lora",
	         "stands beside method: full"},
		{s->method == OMT_TRAIN_LORA && s->freeze_encoders, "freeze_encoders",
	         "is said for method: full; LoRA never trains the encoders"},
		{s->eval_every && !s->eval_count, "eval.sets", "is missing, there is eval.every"},
		{!s->gradient_cache && s->keep, "keep",
	         "takes checkpoints with gradient_cache: true; without it all is kept"},
		{s->loss.symmetric && s->batch < 2, "loss.symmetric", "needs a batch of several"},
	};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].wrong)
			return refuse(s, rules[i].key, rules[i].why, err);
	return OMT_OK;
}

/* The keys at the top are of three tables. */
static omt_status read_top(omt_train_settings *s, omt_error *err)
{
	enum { MOST = 32 };
	static const omt_field *const tables[] = {place_fields, run_fields, part_fields};
	omt_field all[MOST] = {{0}};
	size_t count = 0;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const omt_field *f = tables[i]; f->key; f++)
			all[count++] = *f;
	return omt_fields_read(&s->yaml, "", all, s, err);
}

static omt_status read_all(omt_train_settings *s, const char *path, omt_error *err)
{
	char *folder = omt_path_folder(path);
	omt_status status;
	if (!folder)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	OMT_GOTO(read_top(s, err));
	for (size_t i = 0; i < SECTIONS; i++)
		OMT_GOTO(omt_fields_read(&s->yaml, sections[i].name, sections[i].fields, s, err));
	OMT_GOTO(read_targets(s, err));
	OMT_GOTO(read_margin(s, err));
	OMT_GOTO(read_betas(s, err));
	OMT_GOTO(read_cuts(s, err));
	OMT_GOTO(read_sets(s, folder, "data", &s->data, &s->data_count, err));
	OMT_GOTO(read_sets(s, folder, "eval.sets", &s->evals, &s->eval_count, err));
	OMT_GOTO(join(folder, s->model, err));
	OMT_GOTO(join(folder, s->output, err));
	s->optimiser.steps = s->steps;
	s->limits.subtitle_language = *s->subtitle_language ? s->subtitle_language : NULL;
	status = check(s, err);
done:
	free(folder);
	return status;
}

omt_status omt_train_settings_parse(const char *path, const char *text, size_t bytes,
                                    const char *const *sets, size_t set_count,
                                    omt_train_settings *settings, omt_error *err)
{
	omt_status status;
	set_defaults(settings);
	OMT_GOTO(omt_yaml_parse(path, text, bytes, &settings->yaml, err));
	for (size_t i = 0; i < set_count; i++)
		OMT_GOTO(omt_yaml_set(&settings->yaml, sets[i], err));
	OMT_GOTO(read_all(settings, path, err));
done:
	if (status != OMT_OK)
		omt_train_settings_free(settings);
	return status;
}

omt_status omt_train_settings_load(const char *path, const char *const *sets, size_t set_count,
                                   omt_train_settings *settings, omt_error *err)
{
	char *text;
	size_t bytes;
	*settings = (omt_train_settings){0};
	OMT_TRY(omt_file_read(path, 1 << 20, &text, &bytes, err));
	omt_status status =
		omt_train_settings_parse(path, text, bytes, sets, set_count, settings, err);
	free(text);
	return status;
}

void omt_train_settings_free(omt_train_settings *settings)
{
	free(settings->data);
	free(settings->evals);
	omt_yaml_free(&settings->yaml);
	*settings = (omt_train_settings){0};
}

/* ---- values that a resumed run must share -------------------------------------------------- */

static json_t *data_values(const omt_train_settings *s)
{
	json_t *sets = json_object();
	for (size_t i = 0; i < s->data_count; i++) {
		const omt_train_data *set = &s->data[i];
		json_object_set_new(sets, set->name,
		                    json_pack("{sf ss}", "weight", set->weight, "fusion",
		                              omt_list_fusions[set->fusion]));
	}
	return sets;
}

json_t *omt_train_settings_values(const omt_train_settings *s)
{
	json_t *all = json_object(), *targets = json_array();
	json_object_set_new(all, "", omt_fields_values(run_fields, s));
	for (size_t i = 0; i < SECTIONS; i++)
		if (sections[i].decides && (sections[i].fields != lora_fields || s->method))
			json_object_set_new(all, sections[i].name,
			                    omt_fields_values(sections[i].fields, s));
	for (size_t i = 0; s->targets[i]; i++)
		json_array_append_new(targets, json_string(s->targets[i]));
	if (s->method == OMT_TRAIN_LORA)
		json_object_set(json_object_get(all, "lora"), "targets", targets);
	json_decref(targets);
	json_object_set_new(json_object_get(all, "loss"), "mask_margin",
	                    isfinite(s->loss.mask_margin) ? json_real(s->loss.mask_margin)
	                                                  : json_string("none"));
	json_object_set_new(json_object_get(all, "optimiser"), "betas",
	                    json_pack("[ff]", s->optimiser.beta1, s->optimiser.beta2));
	json_object_set_new(all, "data", data_values(s));
	return all;
}

static omt_status differ(const char *section, const char *key, const json_t *before,
                         const json_t *now, omt_error *err)
{
	char *a = before ? json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	char *b = now ? json_dumps(now, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	omt_status status =
		OMT_FAIL(err, BAD_ARGUMENT, "\"%s%s%s\" was %.100s and is %.100s", section,
	                 *section ? "." : "", key, a ? a : "not there", b ? b : "not there");
	free(a);
	free(b);
	return status;
}

/* `one` against `other`; swapped: `one` is what is now. */
static omt_status compare_one_way(const json_t *one, const json_t *other, bool swapped,
                                  omt_error *err)
{
	const char *section, *key;
	json_t *values, *value;
	json_object_foreach((json_t *)(uintptr_t)one, section, values)
	{
		const json_t *others = json_object_get(other, section);
		json_object_foreach(values, key, value)
		{
			const json_t *against = json_object_get(others, key);
			if (!json_equal(value, (json_t *)(uintptr_t)against))
				return swapped ? differ(section, key, against, value, err)
				               : differ(section, key, value, against, err);
		}
	}
	return OMT_OK;
}

omt_status omt_train_settings_compare(const json_t *before, const json_t *now, omt_error *err)
{
	OMT_TRY(compare_one_way(before, now, false, err));
	return compare_one_way(now, before, true, err);
}
