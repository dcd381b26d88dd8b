/* Vectors of an index as files for others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "index/index.h"

/* Vectors that are not deleted, one after the other. */
static omt_status each(const omt_index *index,
                       omt_status (*take)(void *user, const char *id, const float *values,
                                          omt_error *err),
                       void *user, omt_error *err)
{
	omt_status status = OMT_OK;
	float *values = malloc(index->head.dimension * sizeof *values);
	if (!values)
		return OMT_FAIL(err, NO_MEMORY, "%s: a vector", index->path);
	for (uint64_t row = 0; row < index->rows; row++) {
		if (omt_index_is_deleted(index, row))
			continue;
		OMT_GOTO(omt_index_vector(index, row, values, err));
		OMT_GOTO(take(user, omt_index_id(index, row), values, err));
	}
done:
	free(values);
	return status;
}

static omt_status to_writer(void *user, const char *id, const float *values, omt_error *err)
{
	void **both = user;
	const omt_index *index = both[1];
	const omt_result result = {
		.id = id, .vector = values, .dimension = (int32_t)index->head.dimension};
	return omt_writer_put(both[0], &result, err);
}

/* .npy and .jsonl are omt_writer's. */
static omt_status export_by_writer(const omt_index *index, const char *path, omt_error *err)
{
	omt_writer *writer;
	OMT_TRY(omt_writer_open(path, omt_index_model(index), (int32_t)index->head.dimension,
	                        &writer, err));
	omt_status status =
		each(index, to_writer, (void *[]){writer, (void *)(uintptr_t)index}, err);
	const omt_status closed = omt_writer_close(writer, status == OMT_OK, err);
	return status == OMT_OK ? closed : status;
}

/* ---- .fbin ----------------------------------------------------------------------------------- */

typedef struct omt_fbin {
	omt_output vectors, ids, meta;
	const omt_index *index;
} omt_fbin;

static omt_status to_fbin(void *user, const char *id, const float *values, omt_error *err)
{
	omt_fbin *fbin = user;
	json_t *object = json_pack("{so}", "id", omt_json_text(id));
	const bool whole = object && json_dumpf(object, fbin->ids.stream, JSON_COMPACT) == 0 &&
	                   fputc('\n', fbin->ids.stream) != EOF &&
	                   fwrite(values, sizeof *values, fbin->index->head.dimension,
	                          fbin->vectors.stream) == fbin->index->head.dimension;
	json_decref(object);
	return whole ? OMT_OK
	             : OMT_FAIL(err, IO, "%s: not written: %s", fbin->vectors.path,
	                        strerror(errno));
}

static omt_status open_fbin(omt_fbin *fbin, const char *path, omt_error *err)
{
	const omt_index_head *head = &fbin->index->head;
	const uint32_t sizes[2] = {(uint32_t)(head->rows - head->deleted), head->dimension};
	char *ids = omt_vectors_ids_path(path), *meta = omt_vectors_meta_path(path);
	omt_status status = ids && meta ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", path);
	if (status != OMT_OK)
		goto done;
	OMT_GOTO(omt_output_open(path, &fbin->vectors, err));
	OMT_GOTO(omt_output_open(ids, &fbin->ids, err));
	if (fwrite(sizes, sizeof sizes, 1, fbin->vectors.stream) != 1)
		status = OMT_FAIL(err, IO, "%s: not written: %s", path, strerror(errno));
	if (status != OMT_OK || !*head->model)
		goto done;
	OMT_GOTO(omt_output_open(meta, &fbin->meta, err));
	json_t *about = json_pack("{ss so si}", "omnitile", omt_version(), "model",
	                          omt_json_text(head->model), "dimension", (int)head->dimension);
	if (!about || json_dumpf(about, fbin->meta.stream, JSON_COMPACT) != 0)
		status = OMT_FAIL(err, IO, "%s: not written", meta);
	json_decref(about);
done:
	free(ids);
	free(meta);
	return status;
}

static omt_status export_fbin(const omt_index *index, const char *path, omt_error *err)
{
	omt_fbin fbin = {.index = index};
	if (index->head.rows - index->head.deleted > UINT32_MAX)
		return OMT_FAIL(err, LIMIT, "%s: more than 2^32 vectors do not fit a .fbin", path);
	omt_status status = open_fbin(&fbin, path, err);
	if (status == OMT_OK)
		status = each(index, to_fbin, &fbin, err);
	if (status == OMT_OK && !*index->head.model)
		status = omt_vectors_forget_model(path, err);
	/* The vectors last: where they are all is there. */
	omt_output *const outputs[] = {&fbin.ids, &fbin.meta, &fbin.vectors};
	const omt_status closed =
		omt_outputs_close(outputs, sizeof outputs / sizeof *outputs, status == OMT_OK, err);
	return status == OMT_OK ? closed : status;
}

omt_status omt_index_export(const omt_index *index, const char *path, omt_error *err)
{
	if (omt_path_ends(path, ".npy") || omt_path_ends(path, ".jsonl"))
		return export_by_writer(index, path, err);
	if (omt_path_ends(path, ".fbin"))
		return export_fbin(index, path, err);
	return OMT_FAIL(err, BAD_ARGUMENT, "%s: expected a name that ends in .npy, .fbin or .jsonl",
	                path);
}
