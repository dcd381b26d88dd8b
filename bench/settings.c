#include "bench/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/keys.h"

#define MAX_POINTS 10000
#define MAX_ERRORS 20
#define TEXT_BYTES 400 /* of an error, without its file */

/* Errors by line, so that a file is told once what is wrong with it. */
typedef struct omt_bench_errors {
	const omt_bench_grid *grid;
	size_t count, kept;
	int lines[MAX_ERRORS];
	omt_error found[MAX_ERRORS];
} omt_bench_errors;

static int line_of(const omt_bench_grid *grid, const char *key)
{
	char section[64];
	int line = omt_yaml_line(&grid->yaml, key);
	snprintf(section, sizeof section, "%.*s", (int)strcspn(key, "."), key);
	line = line ? line : omt_yaml_line(&grid->yaml, section);
	return line ? line : 1;
}

/* Keeps one, once, before the first of a later line. */
static void keep_error(omt_bench_errors *errors, int line, const omt_error *error)
{
	size_t at = errors->kept;
	for (size_t i = 0; i < errors->kept; i++)
		if (!strcmp(errors->found[i].text, error->text))
			return;
	errors->count++;
	while (at && errors->lines[at - 1] > line)
		at--;
	if (at == MAX_ERRORS)
		return;
	size_t moved = (errors->kept < MAX_ERRORS ? errors->kept : MAX_ERRORS - 1) - at;
	memmove(errors->lines + at + 1, errors->lines + at, moved * sizeof *errors->lines);
	memmove(errors->found + at + 1, errors->found + at, moved * sizeof *errors->found);
	errors->lines[at] = line;
	errors->found[at] = *error;
	errors->kept += errors->kept < MAX_ERRORS;
}

omt_status omt_bench_point_refuse(const omt_bench_grid *grid, const char *key, const char *why,
                                  omt_error *err)
{
	return OMT_FAIL(err, BAD_FORMAT, "%s:%d: \"%s\" %.*s", grid->yaml.path, line_of(grid, key),
	                key, TEXT_BYTES, why);
}

static void refuse(omt_bench_errors *errors, const char *key, const char *why)
{
	omt_error error;
	omt_bench_point_refuse(errors->grid, key, why, &error);
	keep_error(errors, line_of(errors->grid, key), &error);
}

static omt_status tell_errors(const omt_bench_errors *errors, const omt_progress *progress,
                              omt_error *err)
{
	if (!errors->count)
		return OMT_OK;
	if (errors->count == 1)
		return OMT_FAIL(err, BAD_FORMAT, "%s", errors->found[0].text);
	for (size_t i = 0; i < errors->kept; i++)
		omt_note(progress, "%s", errors->found[i].text);
	return OMT_FAIL(err, BAD_FORMAT, "%.*s (the first of %zu errors)", TEXT_BYTES,
	                errors->found[0].text, errors->count);
}

/* ---- the file: its keys and types ---------------------------------------------------------- */

/* Reads one value, which stands at `where`, for its errors alone. */
static void check_value(omt_bench_errors *errors, const omt_bench_key *key, const char *where,
                        json_t *value)
{
	const int line = line_of(errors->grid, where);
	char place[TEXT_BYTES];
	omt_bench_settings scratch;
	omt_error error = {0};
	json_t *texts = json_array(), *alone = json_object();
	snprintf(place, sizeof place, "%s:%d", errors->grid->yaml.path, line);
	omt_bench_settings_init(&scratch);
	json_object_set(alone, key->name, value);
	if (omt_bench_key_read(key, (omt_json){place, alone}, errors->grid->folder, texts, &scratch,
	                       &error) != OMT_OK)
		keep_error(errors, line, &error);
	json_decref(alone);
	json_decref(texts);
}

/* A list of values: no empty one, none twice; it becomes an axis. */
static void check_list(omt_bench_errors *errors, omt_bench_grid *grid, const omt_bench_key *key,
                       json_t *list)
{
	const size_t count = json_array_size(list);
	if (!key->grid) {
		refuse(errors, key->name, "takes one value, not a list");
		return;
	}
	if (!count)
		refuse(errors, key->name, "is an empty list");
	for (size_t i = 0; i < count; i++) {
		char entry[64];
		json_t *value = json_array_get(list, i);
		snprintf(entry, sizeof entry, "%s[%zu]", key->name, i);
		if (json_is_null(value) || json_is_array(value) || json_is_object(value))
			refuse(errors, entry, "is not a single value");
		else
			check_value(errors, key, entry, value);
		for (size_t j = 0; j < i; j++)
			if (json_equal(value, json_array_get(list, j)))
				refuse(errors, entry, "is there already");
	}
	if (grid->points > MAX_POINTS / (count ? count : 1))
		refuse(errors, key->name, "makes a grid of more than 10000 points");
	else if (count)
		grid->points *= count;
	json_object_set(grid->axes, key->name, list);
}

/* The keys of one mapping, in the file's order. */
static void check_keys(omt_bench_errors *errors, omt_bench_grid *grid, const char *section,
                       json_t *object)
{
	const char *name;
	json_t *value;
	char full[512];
	json_object_foreach(object, name, value)
	{
		snprintf(full, sizeof full, "%s%s%s", section, *section ? "." : "", name);
		const omt_bench_key *key = omt_bench_key_find(full);
		if (!key)
			refuse(errors, full, "is an unknown key");
		else if (json_is_null(value))
			continue;
		else if (key->kind != KEY_SECTION && key->kind != KEY_CUTS && json_is_array(value))
			check_list(errors, grid, key, value);
		else if (key->kind != KEY_SECTION)
			check_value(errors, key, full, value);
		else if (!json_is_object(value))
			refuse(errors, full, "is not a mapping of keys");
		else
			check_keys(errors, grid, full, value);
	}
}

/* ---- points -------------------------------------------------------------------------------- */

static const json_t *find_value(const json_t *root, const char *name)
{
	const char *dot = strchr(name, '.');
	const json_t *at = dot ? json_object_getn(root, name, (size_t)(dot - name)) : root;
	const json_t *value = json_object_get(at, dot ? dot + 1 : name);
	return json_is_null(value) ? NULL : value;
}

static void set_nested(json_t *root, const char *name, json_t *value)
{
	const char *dot = strchr(name, '.');
	json_t *at = dot ? json_object_getn(root, name, (size_t)(dot - name)) : root;
	if (!at) {
		at = json_object();
		json_object_setn_new(root, name, (size_t)(dot - name), at);
	}
	json_object_set_new(at, dot ? dot + 1 : name, value);
}

/* Each axis' place at a point: the last axis is the lowest digit of the point's number. */
static void choose(const omt_bench_grid *grid, size_t number, json_t *varies)
{
	const char *name;
	json_t *list;
	size_t rest = grid->points;
	json_object_foreach(grid->axes, name, list)
	{
		const size_t count = json_array_size(list);
		rest /= count;
		json_object_set(varies, name, json_array_get(list, number / rest % count));
	}
}

static omt_status read_key(const omt_bench_grid *grid, const omt_bench_key *key,
                           omt_bench_point *point, omt_error *err)
{
	omt_status status = OMT_OK;
	json_t *value = json_object_get(point->varies, key->name);
	value = value ? value : (json_t *)(uintptr_t)find_value(grid->yaml.root, key->name);
	if (value) {
		json_t *alone = json_object();
		json_object_set(alone, key->name, value);
		status = omt_bench_key_read(key, (omt_json){grid->yaml.path, alone}, grid->folder,
		                            point->texts, &point->s, err);
		json_decref(alone);
	}
	set_nested(point->settings, key->name,
	           value ? json_incref(value) : omt_bench_key_value(key, &point->s));
	return status;
}

/* DIR, DIR/qrels/SPLIT.tsv, ... of a BEIR folder. */
static omt_status read_beir(omt_bench_point *point)
{
	omt_bench_settings *s = &point->s;
	char *qrels = NULL;
	if (!s->beir)
		return OMT_OK;
	OMT_TRY(omt_bench_keep_path(point->texts, s->beir, "corpus.jsonl", &s->passages));
	OMT_TRY(omt_bench_keep_path(point->texts, s->beir, "queries.jsonl", &s->queries));
	if (asprintf(&qrels, "qrels/%s.tsv", s->split ? s->split : "test") < 0)
		return OMT_NO_MEMORY;
	omt_status status = omt_bench_keep_path(point->texts, s->beir, qrels, &s->qrels);
	free(qrels);
	return status;
}

/* run.trec of point 2 becomes run-3.trec. */
static omt_status number_path(omt_bench_point *point, size_t number, const char **path)
{
	char *numbered = NULL;
	if (!*path)
		return OMT_OK;
	const char *slash = strrchr(*path, '/'), *dot = strrchr(*path, '.');
	const char *end = dot && (!slash || dot > slash + 1) ? dot : *path + strlen(*path);
	if (asprintf(&numbered, "%.*s-%zu%s", (int)(end - *path), *path, number + 1, end) < 0)
		return OMT_NO_MEMORY;
	omt_status status = omt_bench_keep_text(point->texts, numbered, path);
	free(numbered);
	return status;
}

omt_status omt_bench_point_open(const omt_bench_grid *grid, size_t number, omt_bench_point *point,
                                omt_error *err)
{
	omt_status status = OMT_OK;
	*point = (omt_bench_point){
		.settings = json_object(), .varies = json_object(), .texts = json_array()};
	omt_bench_settings_init(&point->s);
	choose(grid, number, point->varies);
	for (size_t i = 0; i < omt_bench_key_count; i++)
		if (omt_bench_keys[i].kind != KEY_SECTION)
			OMT_GOTO(read_key(grid, &omt_bench_keys[i], point, err));
	if (point->s.scenario.mode != OMT_BENCH_MODELLED)
		json_object_del(point->settings, "card");
	OMT_GOTO(read_beir(point));
	if (grid->points > 1) {
		OMT_GOTO(number_path(point, number, &point->s.run));
		OMT_GOTO(number_path(point, number, &point->s.scenario.requests));
	}
done:
	if (status == OMT_NO_MEMORY)
		OMT_FAIL(err, NO_MEMORY, "%s: a point of the grid", grid->yaml.path);
	if (status != OMT_OK)
		omt_bench_point_free(point);
	return status;
}

void omt_bench_point_free(omt_bench_point *point)
{
	json_decref(point->settings);
	json_decref(point->varies);
	json_decref(point->texts);
	*point = (omt_bench_point){0};
}

/* ---- what cannot be together --------------------------------------------------------------- */

static bool says(const omt_bench_grid *grid, const char *key)
{
	return find_value(grid->yaml.root, key) != NULL;
}

bool omt_bench_is_modelled(const omt_bench_settings *s)
{
	return !strcmp(s->engine.backend, "model");
}

static bool ends_in_yaml(const char *name, size_t length)
{
	return length > 5 && !strncmp(name + length - 5, ".yaml", 5);
}

/* How many of the devices are files of device models, or are not. */
static size_t count_devices(const omt_bench_settings *s, bool files)
{
	size_t count = 0;
	for (const char *at = s->engine.device; at; at = strchr(at, ',')) {
		at += *at == ',';
		count += ends_in_yaml(at, strcspn(at, ",")) == files;
	}
	return count;
}

/* A point of a file. */
typedef struct omt_bench_case {
	const omt_bench_grid *grid;
	const omt_bench_settings *s;
} omt_bench_case;

static bool no_model(const omt_bench_case *c)
{
	return !c->s->model;
}

static bool no_data(const omt_bench_case *c)
{
	return !c->s->passages;
}

static bool two_kinds_of_data(const omt_bench_case *c)
{
	return c->s->beir && (says(c->grid, "data.passages") || says(c->grid, "data.queries") ||
	                      says(c->grid, "data.qrels"));
}

static bool split_of_nothing(const omt_bench_case *c)
{
	return c->s->split && !c->s->beir;
}

static bool qrels_without_queries(const omt_bench_case *c)
{
	return c->s->qrels && !c->s->queries;
}

static bool retrieval_without_qrels(const omt_bench_case *c)
{
	return says(c->grid, "retrieval") && !c->s->qrels;
}

static bool retrieval_of_zeros(const omt_bench_case *c)
{
	return says(c->grid, "retrieval") && omt_bench_is_modelled(c->s);
}

static bool model_in_chain(const omt_bench_case *c)
{
	return strstr(c->s->engine.backend, "model") && !omt_bench_is_modelled(c->s);
}

static bool device_is_no_file(const omt_bench_case *c)
{
	return omt_bench_is_modelled(c->s) && (!c->s->engine.device || count_devices(c->s, false));
}

static bool device_is_a_file(const omt_bench_case *c)
{
	return !omt_bench_is_modelled(c->s) && count_devices(c->s, true);
}

static bool odd_frames(const omt_bench_case *c)
{
	return c->s->limits.max_frames % 2;
}

static bool no_target(const omt_bench_case *c)
{
	return c->s->scenario.mode == OMT_BENCH_SERVER && c->s->scenario.target_latency_ms <= 0;
}

static bool overlap_of_one(const omt_bench_case *c)
{
	return c->s->scenario.overlap && c->s->engine.slots == 1;
}

static bool is_modelled(const omt_bench_case *c)
{
	return c->s->scenario.mode == OMT_BENCH_MODELLED;
}

static bool no_card(const omt_bench_case *c)
{
	return is_modelled(c) && !c->s->card_name;
}

static bool modelled_twice(const omt_bench_case *c)
{
	return is_modelled(c) && omt_bench_is_modelled(c->s);
}

static bool trace_of_nothing(const omt_bench_case *c)
{
	return is_modelled(c) && c->s->trace;
}

static bool many_traces(const omt_bench_case *c)
{
	return c->s->trace && c->grid->points > 1;
}

/* The file's one name, also where it is not there yet; its folder is, or nothing can be. */
static char *real_name(const char *path)
{
	char *found = path ? realpath(path, NULL) : NULL, *folder, *within, *name = NULL;
	if (found || !path)
		return found;
	folder = omt_path_folder(path);
	within = folder ? realpath(folder, NULL) : NULL;
	if (within) {
		const char *slash = strrchr(path, '/');
		name = omt_path_join(within, slash ? slash + 1 : path);
	}
	free(within);
	free(folder);
	return name ? name : strdup(path);
}

/* What is written must be nothing that is read, and no file twice, by whatever names: the file
 * that is written as number `written` against those before it and all that are read. */
static bool is_twice(const omt_bench_case *c, size_t written)
{
	const char *const given[] = {c->s->output, c->s->trace,       c->s->scenario.requests,
	                             c->s->run,    c->s->passages,    c->s->queries,
	                             c->s->qrels,  c->grid->yaml.path};
	enum { READ = 4, ALL = sizeof given / sizeof *given };
	char *name = real_name(given[written]);
	bool twice = false;
	for (size_t i = 0; name && i < ALL; i++) {
		char *other = i < written || i >= READ ? real_name(given[i]) : NULL;
		twice = twice || (other && !strcmp(name, other));
		free(other);
	}
	free(name);
	return twice;
}

static bool output_twice(const omt_bench_case *c)
{
	return is_twice(c, 0);
}

static bool trace_twice(const omt_bench_case *c)
{
	return is_twice(c, 1);
}

static bool requests_twice(const omt_bench_case *c)
{
	return is_twice(c, 2);
}

static bool run_twice(const omt_bench_case *c)
{
	return is_twice(c, 3);
}

static const struct {
	const char *key;
	bool (*broken)(const omt_bench_case *c);
	const char *why;
} rules[] = {
	{"model", no_model, "is missing"},
	{"data", no_data, "names neither passages nor a BEIR folder"},
	{"data.beir", two_kinds_of_data, "stands beside passages, queries or qrels: one or those"},
	{"data.split", split_of_nothing, "is of a BEIR folder, and data.beir is missing"},
	{"data.qrels", qrels_without_queries, "needs data.queries"},
	{"retrieval", retrieval_without_qrels, "needs data.queries and data.qrels, or data.beir"},
	{"retrieval", retrieval_of_zeros, "cannot be on backend model: its vectors are zeros"},
	{"backend", model_in_chain, "has model in a chain: it stands alone"},
	{"device", device_is_no_file, "is not a .yaml file, which backend model takes"},
	{"device", device_is_a_file, "is a model of a device, which only backend model takes"},
	{"limits.max_frames", odd_frames, "is odd, expected an even number"},
	{"scenario.target_latency_ms", no_target, "is missing: mode server needs it"},
	{"scenario.overlap", overlap_of_one, "compares with engine.slots: 1, which is this point"},
	{"card.name", no_card, "is missing: scenario.mode modelled needs it"},
	{"backend", modelled_twice,
         "makes no vectors: scenario.mode modelled measures them on hls"},
	{"trace", trace_of_nothing, "says nothing where nothing is timed"},
	{"trace", many_traces, "would be written by each point of the grid: no lists beside it"},
	{"output", output_twice, "is also read here"},
	{"trace", trace_twice, "is also written or read elsewhere here"},
	{"scenario.requests", requests_twice, "is also written or read elsewhere here"},
	{"retrieval.run", run_twice, "is also written or read elsewhere here"},
};

static omt_status check_rules(omt_bench_errors *errors, const omt_bench_grid *grid, omt_error *err)
{
	unsigned used = 0;
	for (size_t number = 0; number < grid->points; number++) {
		omt_bench_point point;
		OMT_TRY(omt_bench_point_open(grid, number, &point, err));
		used |= 1u << point.s.scenario.mode;
		for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
			if (rules[i].broken(&(omt_bench_case){grid, &point.s}))
				refuse(errors, rules[i].key, rules[i].why);
		omt_bench_point_free(&point);
	}
	for (size_t i = 0; i < omt_bench_key_count; i++) {
		const omt_bench_key *key = &omt_bench_keys[i];
		if (key->modes && !(key->modes & used) && says(grid, key->name))
			refuse(errors, key->name, "says nothing in this scenario.mode");
	}
	return OMT_OK;
}

/* ---- the whole file ------------------------------------------------------------------------ */

static omt_status open_grid(omt_bench_grid *grid, const omt_progress *progress, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_bench_errors *errors = calloc(1, sizeof *errors);
	grid->folder = omt_path_folder(grid->yaml.path);
	grid->axes = json_object();
	grid->points = 1;
	if (!errors || !grid->folder || !grid->axes) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", grid->yaml.path);
		goto done;
	}
	errors->grid = grid;
	check_keys(errors, grid, "", grid->yaml.root);
	if (!errors->count)
		OMT_GOTO(check_rules(errors, grid, err));
	status = tell_errors(errors, progress, err);
done:
	free(errors);
	if (status != OMT_OK)
		omt_bench_grid_free(grid);
	return status;
}

omt_status omt_bench_grid_load(const char *path, const omt_progress *progress, omt_bench_grid *grid,
                               omt_error *err)
{
	*grid = (omt_bench_grid){0};
	OMT_TRY(omt_yaml_load(path, &grid->yaml, err));
	return open_grid(grid, progress, err);
}

omt_status omt_bench_grid_parse(const char *path, const char *text, size_t bytes,
                                const omt_progress *progress, omt_bench_grid *grid, omt_error *err)
{
	*grid = (omt_bench_grid){0};
	OMT_TRY(omt_yaml_parse(path, text, bytes, &grid->yaml, err));
	return open_grid(grid, progress, err);
}

void omt_bench_grid_free(omt_bench_grid *grid)
{
	omt_yaml_free(&grid->yaml);
	free(grid->folder);
	json_decref(grid->axes);
	*grid = (omt_bench_grid){0};
}
