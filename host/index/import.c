#include "index/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/npy.h"
#include "base/number.h"

struct omt_import {
	char *path, *model;
	int32_t dimension;
	int64_t number;   /* of the row, or line, that was given */
	omt_vectors *set; /* a set of omnitile embed, which reads itself; else: */

	omt_npy npy; /* an array; or */
	omt_map map; /* a .fbin, or lines */
	const void *array;
	char type; /* of its elements, as omt_npy's; '\0': lines */
	int64_t rows;
	omt_map ids; /* lines beside an array */
	bool named;  /* there are; else rows are numbered */
	char *ids_path;
	size_t at; /* in the lines */

	json_t *object; /* of the line */
	float *values;
	char number_id[32];
	omt_vector current;
};

/* ---- opening --------------------------------------------------------------------------------- */

static omt_status take_fbin(omt_import *import, omt_error *err)
{
	uint32_t head[2];
	OMT_TRY(omt_map_open(import->path, &import->map, err));
	const size_t bytes = import->map.bytes;
	if (bytes < sizeof head)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no .fbin file", import->path);
	memcpy(head, import->map.data, sizeof head);
	if (head[1] < 1 || head[1] > OMT_MAX_DIMENSION ||
	    (uint64_t)head[0] * head[1] * sizeof(float) != bytes - sizeof head)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: %zu bytes do not hold %u vectors of %u values", import->path,
		                bytes, head[0], head[1]);
	import->type = 'f';
	import->rows = head[0];
	import->dimension = (int32_t)head[1];
	import->array = import->map.data + sizeof head;
	return OMT_OK;
}

static omt_status take_npy(omt_import *import, omt_error *err)
{
	omt_npy *npy = &import->npy;
	OMT_TRY(omt_npy_open(import->path, npy, err));
	if (!strchr("hfd", npy->type) || npy->dims != 2 || npy->shape[1] < 1 ||
	    npy->shape[1] > OMT_MAX_DIMENSION)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: not an f16, f32 or f64 array of [rows, dimension]",
		                import->path);
	import->type = npy->type;
	import->rows = npy->shape[0];
	import->dimension = (int32_t)npy->shape[1];
	import->array = npy->data;
	return OMT_OK;
}

/* What lies beside an array: ids and the model, if they do. */
static omt_status take_beside(omt_import *import, omt_error *err)
{
	json_t *about = NULL;
	const char *model = NULL;
	char *meta = omt_vectors_meta_path(import->path);
	omt_status status = OMT_OK;
	import->ids_path = omt_vectors_ids_path(import->path);
	if (!meta || !import->ids_path) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", import->path);
		goto done;
	}
	import->named = omt_file_exists(import->ids_path);
	if (import->named)
		OMT_GOTO(omt_map_open(import->ids_path, &import->ids, err));
	if (omt_file_exists(meta)) {
		OMT_GOTO(omt_json_load(meta, 1 << 20, &about, err));
		OMT_GOTO(omt_json_string((omt_json){meta, about}, "model", &model, err));
	}
	if (model && !(import->model = strdup(model)))
		status = OMT_FAIL(err, NO_MEMORY, "%s", import->path);
done:
	json_decref(about);
	free(meta);
	return status;
}

/* The dimension is the first vector's. */
static omt_status take_lines(omt_import *import, omt_error *err)
{
	const omt_vector *row;
	OMT_TRY(omt_map_open(import->path, &import->map, err));
	do
		OMT_TRY(omt_import_next(import, &row, err));
	while (row && !import->dimension);
	omt_import_rewind(import);
	return OMT_OK;
}

static omt_status take(omt_import *import, omt_error *err)
{
	struct stat info;
	const bool folder = stat(import->path, &info) == 0 && S_ISDIR(info.st_mode);
	if (folder) {
		OMT_TRY(omt_vectors_open(import->path, &import->set, err));
		import->dimension = omt_vectors_dimension(import->set);
		return OMT_OK;
	}
	if (omt_path_ends(import->path, ".jsonl"))
		return take_lines(import, err);
	OMT_TRY(omt_path_ends(import->path, ".fbin") ? take_fbin(import, err)
	                                             : take_npy(import, err));
	OMT_TRY(take_beside(import, err));
	import->values = malloc((size_t)import->dimension * sizeof(float));
	return import->values ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", import->path);
}

omt_status omt_import_open(const char *path, omt_import **given, omt_error *err)
{
	omt_import *import = calloc(1, sizeof *import);
	*given = NULL;
	if (!import || !(import->path = strdup(path))) {
		omt_import_close(import);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	omt_status status = take(import, err);
	if (status == OMT_OK)
		*given = import;
	else
		omt_import_close(import);
	return status;
}

void omt_import_close(omt_import *import)
{
	if (!import)
		return;
	omt_vectors_close(import->set);
	omt_npy_close(&import->npy);
	omt_map_close(&import->map);
	omt_map_close(&import->ids);
	json_decref(import->object);
	free(import->ids_path);
	free(import->values);
	free(import->model);
	free(import->path);
	free(import);
}

int32_t omt_import_dimension(const omt_import *import)
{
	return import->dimension;
}

const char *omt_import_model(const omt_import *import)
{
	return import->set ? omt_vectors_model(import->set) : import->model;
}

void omt_import_rewind(omt_import *import)
{
	import->number = 0;
	import->at = 0;
	if (import->set)
		omt_vectors_rewind(import->set);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The next line as an object with an id; *there false at the end. */
static omt_status next_line(omt_import *import, const char *path, const omt_map *lines, bool *there,
                            omt_error *err)
{
	char place[512];
	const size_t left = lines->bytes - import->at;
	*there = left > 0;
	if (!left)
		return OMT_OK;
	const char *text = (const char *)lines->data + import->at, *stop = memchr(text, '\n', left);
	const size_t bytes = stop ? (size_t)(stop - text) : left;
	import->at += bytes + (stop != NULL);
	snprintf(place, sizeof place, "%s:%lld", path, (long long)import->number + 1);
	json_decref(import->object);
	import->object = NULL;
	OMT_TRY(omt_json_parse(place, text, bytes, &import->object, err));
	const json_t *id = json_object_get(import->object, "id");
	import->current = (omt_vector){.id = json_string_value(id)};
	if (json_is_integer(id)) {
		snprintf(import->number_id, sizeof import->number_id, "%lld",
		         (long long)json_integer_value(id));
		import->current.id = import->number_id;
	} else if (!import->current.id || !*import->current.id ||
	           strlen(import->current.id) != json_string_length(id)) {
		return OMT_FAIL(err, BAD_FORMAT, "%s: no id", place);
	}
	return OMT_OK;
}

/* The line's vector, if it has one. */
static omt_status read_embedding(omt_import *import, omt_error *err)
{
	const json_t *list = json_object_get(import->object, "embedding");
	size_t count = json_array_size(list);
	if (!list && json_object_get(import->object, "error"))
		return OMT_OK;
	if (!json_is_array(list) || !count || count > OMT_MAX_DIMENSION ||
	    (import->dimension && count != (size_t)import->dimension))
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s:%lld: \"embedding\" is no array of %s%d numbers", import->path,
		                (long long)import->number + 1, import->dimension ? "" : "1 to ",
		                import->dimension ? import->dimension : OMT_MAX_DIMENSION);
	if (!import->values && !(import->values = malloc(count * sizeof(float))))
		return OMT_FAIL(err, NO_MEMORY, "%s", import->path);
	import->dimension = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(list, i);
		if (!json_is_number(value))
			return OMT_FAIL(err, BAD_FORMAT, "%s:%lld: embedding[%zu] is not a number",
			                import->path, (long long)import->number + 1, i);
		import->values[i] = (float)json_number_value(value);
	}
	import->current.vector = import->values;
	return OMT_OK;
}

/* Values of the row that import->number counts. */
static void read_values(omt_import *import)
{
	const size_t n = (size_t)import->dimension, at = (size_t)import->number * n;
	for (size_t i = 0; i < n; i++) {
		if (import->type == 'h')
			import->values[i] =
				omt_f32_from_f16(((const uint16_t *)import->array)[at + i]);
		else if (import->type == 'd')
			import->values[i] = (float)((const double *)import->array)[at + i];
		else
			memcpy(&import->values[i], (const uint8_t *)import->array + 4 * (at + i),
			       4);
	}
	import->current.vector = import->values;
}

static omt_status next_of_array(omt_import *import, bool *there, omt_error *err)
{
	*there = import->number < import->rows;
	if (import->named) {
		bool line;
		OMT_TRY(next_line(import, import->ids_path, &import->ids, &line, err));
		if (line != *there)
			return OMT_FAIL(err, BAD_FORMAT, "%s: %s %lld ids for %lld vectors",
			                import->ids_path, line ? "more than" : "only",
			                (long long)import->number, (long long)import->rows);
	} else {
		snprintf(import->number_id, sizeof import->number_id, "%lld",
		         (long long)import->number);
		import->current = (omt_vector){.id = import->number_id};
	}
	if (*there)
		read_values(import);
	return OMT_OK;
}

omt_status omt_import_next(omt_import *import, const omt_vector **row, omt_error *err)
{
	bool there;
	*row = NULL;
	if (import->set)
		return omt_vectors_next(import->set, row, err);
	if (import->type) {
		OMT_TRY(next_of_array(import, &there, err));
	} else {
		OMT_TRY(next_line(import, import->path, &import->map, &there, err));
		if (there)
			OMT_TRY(read_embedding(import, err));
	}
	if (!there)
		return OMT_OK;
	import->number++;
	for (int32_t i = 0; import->current.vector && i < import->dimension; i++)
		if (!isfinite(import->values[i]))
			import->current.vector = NULL;
	*row = &import->current;
	return OMT_OK;
}

/* ---- a whole file ---------------------------------------------------------------------------- */

/* What is given, with what it points to behind it. */
typedef struct omt_loading {
	omt_loaded given;
	char **ids;
	float *values;
	char *model, *path;
	size_t room;
} omt_loading;

void omt_vectors_unload(omt_loaded *loaded)
{
	omt_loading *loading = (omt_loading *)loaded;
	if (!loading)
		return;
	for (size_t i = 0; i < loading->given.count; i++)
		free(loading->ids[i]);
	free(loading->ids);
	free(loading->values);
	free(loading->model);
	free(loading->path);
	free(loading);
}

static bool keep(omt_loading *loading, const omt_vector *row, size_t dimension)
{
	size_t *count = &loading->given.count;
	if (*count == loading->room) {
		const size_t room = loading->room ? 2 * loading->room : 64;
		char **ids = realloc(loading->ids, room * sizeof *ids);
		loading->ids = ids ? ids : loading->ids;
		float *values = realloc(loading->values, room * dimension * sizeof *values);
		loading->values = values ? values : loading->values;
		if (!ids || !values)
			return false;
		loading->room = room;
	}
	memcpy(loading->values + *count * dimension, row->vector, dimension * sizeof(float));
	loading->ids[*count] = strdup(row->id);
	return loading->ids[*count] && ++*count;
}

omt_status omt_vectors_load(const char *path, omt_loaded **given, omt_error *err)
{
	omt_import *import = NULL;
	omt_status status;
	const omt_vector *row;
	omt_loading *loading = calloc(1, sizeof *loading);
	*given = NULL;
	if (!loading)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	OMT_GOTO(omt_import_open(path, &import, err));
	const char *model = omt_import_model(import);
	loading->path = strdup(path);
	if (!loading->path || (model && !(loading->model = strdup(model)))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	for (;;) {
		OMT_GOTO(omt_import_next(import, &row, err));
		if (!row)
			break;
		loading->given.left_out += !row->vector;
		if (row->vector && !keep(loading, row, (size_t)omt_import_dimension(import))) {
			status = OMT_FAIL(err, NO_MEMORY, "%s: %zu vectors", path, loading->room);
			goto done;
		}
	}
	loading->given.dimension = omt_import_dimension(import);
	loading->given.values = loading->values;
	loading->given.ids = (const char *const *)loading->ids;
	loading->given.model = loading->model;
	loading->given.path = loading->path;
	*given = &loading->given;
	loading = NULL;
done:
	omt_import_close(import);
	omt_vectors_unload(loading ? &loading->given : NULL);
	return status;
}
