#include "index/vectors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/npy.h"
#include "index/manifest.h"

struct omt_vectors {
	char *path;
	bool folder;
	omt_manifest manifest; /* of a folder */
	char *model;
	int32_t dimension;
	int64_t rows, files;

	/* The file that is open, of number file - 1. */
	int64_t file, row;
	bool open;
	omt_npy npy;
	omt_map ids;
	char *ids_path;
	size_t at; /* in the ids */
	json_t *object;
	omt_vector current;
};

static char *beside(const char *path, const char *ending)
{
	size_t length = strlen(path);
	char *name = NULL;
	if (length > 4 && !strcmp(path + length - 4, ".npy"))
		length -= 4;
	return asprintf(&name, "%.*s%s", (int)length, path, ending) < 0 ? NULL : name;
}

char *omt_vectors_ids_path(const char *path)
{
	return beside(path, ".ids.jsonl");
}

char *omt_vectors_meta_path(const char *path)
{
	return beside(path, ".meta.json");
}

omt_status omt_vectors_forget_model(const char *path, omt_error *err)
{
	char *meta = omt_vectors_meta_path(path);
	if (!meta)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	omt_status status = OMT_OK;
	if (unlink(meta) != 0 && errno != ENOENT)
		status = OMT_FAIL(err, IO, "%s: %s", meta, strerror(errno));
	free(meta);
	return status;
}

char *omt_vectors_shard_path(const char *folder, int64_t shard)
{
	char name[64];
	snprintf(name, sizeof name, "vectors-%05lld.npy", (long long)shard);
	return omt_path_join(folder, name);
}

/* ---- opening ------------------------------------------------------------------------------- */

static omt_status open_npy(const char *path, omt_npy *npy, omt_error *err)
{
	OMT_TRY(omt_npy_open(path, npy, err));
	if (npy->type == 'f' && npy->dims == 2 && npy->shape[1] >= 1 &&
	    npy->shape[1] <= OMT_MAX_DIMENSION)
		return OMT_OK;
	omt_npy_close(npy);
	return OMT_FAIL(err, BAD_FORMAT, "%s: not an f32 array of [rows, dimension]", path);
}

static char *file_path(const omt_vectors *vectors, int64_t file)
{
	return vectors->folder ? omt_vectors_shard_path(vectors->path, file)
	                       : strdup(vectors->path);
}

/* Adds the rows of a file to the sum. */
static omt_status look_at(omt_vectors *vectors, int64_t file, omt_error *err)
{
	omt_npy npy = {0};
	omt_status status;
	char *path = file_path(vectors, file);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", vectors->path);
	OMT_GOTO(open_npy(path, &npy, err));
	if (!vectors->dimension)
		vectors->dimension = (int32_t)npy.shape[1];
	if (npy.shape[1] != vectors->dimension)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: vectors of %lld values, expected %d", path,
		                  (long long)npy.shape[1], vectors->dimension);
	vectors->rows += npy.shape[0];
done:
	omt_npy_close(&npy);
	free(path);
	return status;
}

/* The model's identity from the file beside; without that file it is not told. */
static omt_status read_meta(omt_vectors *vectors, omt_error *err)
{
	json_t *all = NULL;
	const char *model = NULL;
	char *path = omt_vectors_meta_path(vectors->path);
	omt_status status = path ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", vectors->path);
	if (!path || !omt_file_exists(path))
		goto done;
	OMT_GOTO(omt_json_load(path, 1 << 20, &all, err));
	if (!json_is_object(all)) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an object", path);
		goto done;
	}
	OMT_GOTO(omt_json_string((omt_json){path, all}, "model", &model, err));
	if (model && !(vectors->model = strdup(model)))
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
done:
	json_decref(all);
	free(path);
	return status;
}

static omt_status open_folder(omt_vectors *vectors, omt_error *err)
{
	omt_manifest *manifest = &vectors->manifest;
	int64_t missing = 0, first = 0;
	char *path = omt_manifest_path(vectors->path);
	omt_status status = path ? omt_manifest_load(path, manifest, err)
	                         : OMT_FAIL(err, NO_MEMORY, "%s", vectors->path);
	free(path);
	if (status != OMT_OK)
		return status;
	vectors->dimension = manifest->dimension;
	vectors->files = manifest->shards;
	for (int64_t i = manifest->shards - 1; i >= 0; i--) {
		char *shard = omt_vectors_shard_path(vectors->path, i);
		if (!shard)
			return OMT_FAIL(err, NO_MEMORY, "%s", vectors->path);
		if (!omt_file_exists(shard)) {
			missing++;
			first = i;
		}
		free(shard);
	}
	if (missing)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: %lld of %lld shards are missing, the first is %05lld: the "
		                "same omnitile embed goes on with them",
		                vectors->path, (long long)missing, (long long)manifest->shards,
		                (long long)first);
	return OMT_OK;
}

omt_status omt_vectors_open(const char *path, omt_vectors **given, omt_error *err)
{
	struct stat info;
	omt_status status = OMT_OK;
	*given = NULL;
	omt_vectors *vectors = calloc(1, sizeof *vectors);
	if (!vectors || !(vectors->path = strdup(path))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	vectors->files = 1;
	vectors->folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
	OMT_GOTO(vectors->folder ? open_folder(vectors, err) : read_meta(vectors, err));
	for (int64_t i = 0; i < vectors->files; i++)
		OMT_GOTO(look_at(vectors, i, err));
	*given = vectors;
	vectors = NULL;
done:
	omt_vectors_close(vectors);
	return status;
}

static void close_file(omt_vectors *vectors)
{
	json_decref(vectors->object);
	vectors->object = NULL;
	omt_npy_close(&vectors->npy);
	omt_map_close(&vectors->ids);
	free(vectors->ids_path);
	vectors->ids_path = NULL;
	vectors->open = false;
	vectors->at = 0;
	vectors->row = 0;
}

void omt_vectors_close(omt_vectors *vectors)
{
	if (!vectors)
		return;
	close_file(vectors);
	omt_manifest_free(&vectors->manifest);
	free(vectors->model);
	free(vectors->path);
	free(vectors);
}

int64_t omt_vectors_rows(const omt_vectors *vectors)
{
	return vectors->rows;
}

int32_t omt_vectors_dimension(const omt_vectors *vectors)
{
	return vectors->dimension;
}

const char *omt_vectors_model(const omt_vectors *vectors)
{
	return vectors->folder ? vectors->manifest.model : vectors->model;
}

void omt_vectors_rewind(omt_vectors *vectors)
{
	close_file(vectors);
	vectors->file = 0;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static omt_status open_file(omt_vectors *vectors, omt_error *err)
{
	char *path = file_path(vectors, vectors->file++);
	omt_status status = OMT_OK;
	if (!path || !(vectors->ids_path = omt_vectors_ids_path(path))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", vectors->path);
		goto done;
	}
	vectors->open = true;
	OMT_GOTO(open_npy(path, &vectors->npy, err));
	if (vectors->npy.shape[1] != vectors->dimension) {
		status = OMT_FAIL(err, MISMATCH, "%s: changed while it was read", path);
		goto done;
	}
	OMT_GOTO(omt_map_open(vectors->ids_path, &vectors->ids, err));
done:
	free(path);
	return status;
}

static bool all_finite(const float *values, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}

/* The line of the ids that belongs to the row. */
static omt_status read_row(omt_vectors *vectors, omt_error *err)
{
	const char *text = (const char *)vectors->ids.data + vectors->at, *error = NULL;
	size_t left = vectors->ids.bytes - vectors->at;
	const char *stop = left ? memchr(text, '\n', left) : NULL;
	size_t bytes = stop ? (size_t)(stop - text) : left;
	const float *values =
		(const float *)vectors->npy.data + vectors->row * vectors->npy.shape[1];
	char place[512];
	snprintf(place, sizeof place, "%s:%lld", vectors->ids_path, (long long)vectors->row + 1);
	if (!left)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %lld ids for %lld vectors", vectors->ids_path,
		                (long long)vectors->row, (long long)vectors->npy.shape[0]);
	json_decref(vectors->object);
	vectors->object = NULL;
	OMT_TRY(omt_json_parse(place, text, bytes, &vectors->object, err));
	const json_t *id = json_object_get(vectors->object, "id");
	const char *name = json_string_value(id);
	if (!name || !*name || strlen(name) != json_string_length(id))
		return OMT_FAIL(err, BAD_FORMAT, "%s: no id", place);
	omt_json in = {place, vectors->object};
	vectors->current = (omt_vector){.id = name};
	OMT_TRY(omt_json_string(in, "error", &error, err));
	OMT_TRY(omt_json_int64(in, "line", 0, INT64_MAX, &vectors->current.line, err));
	vectors->current.error = error;
	if (!error && all_finite(values, vectors->dimension))
		vectors->current.vector = values;
	vectors->at += bytes + (stop != NULL);
	vectors->row++;
	return OMT_OK;
}

omt_status omt_vectors_next(omt_vectors *vectors, const omt_vector **row, omt_error *err)
{
	*row = NULL;
	while (vectors->open || vectors->file < vectors->files) {
		if (!vectors->open)
			OMT_TRY(open_file(vectors, err));
		if (vectors->row < vectors->npy.shape[0]) {
			OMT_TRY(read_row(vectors, err));
			*row = &vectors->current;
			return OMT_OK;
		}
		if (vectors->at < vectors->ids.bytes)
			return OMT_FAIL(err, BAD_FORMAT, "%s: more than %lld ids, one a vector",
			                vectors->ids_path, (long long)vectors->npy.shape[0]);
		close_file(vectors);
	}
	return OMT_OK;
}
