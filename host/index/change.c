/* Building an index and changing one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "index/import.h"
#include "index/index.h"
#include "index/segment_writer.h"

static const struct {
	const char *name;
	uint32_t dtype, codes;
} storages[] = {{"f32", OMT_F32, 0},
                {"bf16", OMT_BF16, 0},
                {"int8", OMT_F32, 1},
                {"int8,bf16", OMT_BF16, 1}};

static omt_status set_storage(omt_index_head *head, const char *name, omt_error *err)
{
	for (size_t i = 0; i < sizeof storages / sizeof *storages; i++)
		if (!strcmp(name ? name : "f32", storages[i].name)) {
			head->dtype = storages[i].dtype;
			head->codes = storages[i].codes;
			return OMT_OK;
		}
	return OMT_FAIL(err, BAD_ARGUMENT, "storage \"%s\", expected f32, bf16, int8 or int8,bf16",
	                name);
}

static omt_status next_import(void *user, const omt_vector **row, omt_error *err)
{
	return omt_import_next(user, row, err);
}

static void rewind_import(void *user)
{
	omt_import_rewind(user);
}

/* Whether vectors of model `theirs` may be put beside, or compared with, those of `mine`; either
 * may not be known (NULL or ""). */
static omt_status compare_models(const char *path, const char *mine, const char *theirs, bool force,
                                 omt_error *err)
{
	if (force || !mine || !*mine || !theirs || !*theirs || !strcmp(mine, theirs))
		return OMT_OK;
	return OMT_FAIL(err, MISMATCH, "%s: vectors of model %s, expected %s", path, theirs, mine);
}

omt_status omt_index_expect_model(const omt_index *index, const char *model, omt_error *err)
{
	if (compare_models("", index->head.model, model, false, NULL) == OMT_OK)
		return OMT_OK;
	return OMT_FAIL(err, MISMATCH, "%s: an index of model %s, the query is of %s", index->path,
	                index->head.model, model);
}

/* Both copies of the head, one after the other: what was there before is whole until this is. */
static omt_status write_head(int fd, const char *path, const omt_index_head *head, omt_error *err)
{
	uint8_t page[OMT_INDEX_PAGE];
	if (!omt_index_head_seal(head, page))
		return OMT_FAIL(err, NO_MEMORY, "%s: a checksum", path);
	for (uint64_t at = 0; at < OMT_INDEX_FIRST; at += OMT_INDEX_PAGE) {
		if (fsync(fd) != 0)
			return OMT_FAIL(err, IO, "%s: not written: %s", path, strerror(errno));
		OMT_TRY(omt_write_at(fd, path, at, page, sizeof page, err));
	}
	return fsync(fd) == 0 ? OMT_OK
	                      : OMT_FAIL(err, IO, "%s: not written: %s", path, strerror(errno));
}

/* A file of one segment with these rows, put in the place of `out` when it is whole. */
static omt_status write_file(const char *out, omt_index_head *head, const omt_rows *rows,
                             const char *place, const omt_progress *progress, omt_error *err)
{
	omt_output output = {0};
	omt_id_list list = {0};
	uint64_t bytes = 0;
	omt_status status;
	OMT_GOTO(omt_id_list_read(&list, rows, NULL, place, err));
	OMT_GOTO(omt_output_open(out, &output, err));
	const int fd = fileno(output.stream);
	OMT_GOTO(omt_segment_write(fd, out, OMT_INDEX_FIRST, head, &list, rows, progress, &bytes,
	                           err));
	head->version = OMT_INDEX_VERSION;
	head->number = 1;
	head->end = OMT_INDEX_FIRST + bytes;
	head->rows = list.count;
	head->deleted = 0;
	head->left_out += list.left_out;
	OMT_GOTO(write_head(fd, out, head, err));
done:
	omt_id_list_free(&list);
	const omt_status closed = omt_output_close(&output, status == OMT_OK, err);
	return status == OMT_OK ? closed : status;
}

static omt_status open_import(const char *path, const omt_index_options *options,
                              omt_import **import, const char **model, omt_error *err)
{
	OMT_TRY(omt_import_open(path, import, err));
	*model = omt_import_model(*import);
	OMT_TRY(compare_models(path, options->model, *model, options->force, err));
	if (options->model)
		*model = options->model;
	if (*model && strlen(*model) >= OMT_INDEX_MODEL_TEXT)
		return OMT_FAIL(err, LIMIT, "%s: a model's identity of %zu characters", path,
		                strlen(*model));
	return OMT_OK;
}

omt_status omt_index_build(const char *vectors, const omt_index_options *options, const char *out,
                           omt_error *err)
{
	static const omt_index_options defaults;
	omt_index_head head = {.created_s = (uint64_t)time(NULL)};
	omt_import *import = NULL;
	const char *model = NULL;
	omt_status status;
	options = options ? options : &defaults;
	OMT_GOTO(set_storage(&head, options->storage, err));
	if (omt_files_are_one(vectors, out)) {
		status =
			OMT_FAIL(err, BAD_ARGUMENT, "%s: the index would go over its vectors", out);
		goto done;
	}
	OMT_GOTO(open_import(vectors, options, &import, &model, err));
	if (model)
		memcpy(head.model, model, strlen(model));
	head.dimension = (uint32_t)omt_import_dimension(import);
	if (!head.dimension) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no vector, hence no dimension", vectors);
		goto done;
	}
	status = write_file(out, &head, &(omt_rows){next_import, rewind_import, import}, vectors,
	                    &options->progress, err);
done:
	omt_import_close(import);
	return status;
}

/* ---- changes --------------------------------------------------------------------------------- */

typedef struct omt_change {
	int fd;
	omt_index *index;
	omt_id_table ids; /* of the vectors that are not deleted */
} omt_change;

static void end_change(omt_change *change)
{
	omt_id_table_free(&change->ids);
	omt_index_close(change->index);
	if (change->fd >= 0)
		close(change->fd); /* and with it the lock */
}

static const char *indexed_id(const void *user, uint64_t number)
{
	return omt_index_id(user, number);
}

static omt_status collect_ids(omt_change *change, omt_error *err)
{
	change->ids = (omt_id_table){.id_of = indexed_id, .user = change->index};
	for (uint64_t row = 0; row < change->index->rows; row++)
		if (!omt_index_is_deleted(change->index, row) &&
		    !omt_id_table_add(&change->ids, row))
			return OMT_FAIL(err, NO_MEMORY, "%s: ids", change->index->path);
	return OMT_OK;
}

/* Opens for writing and keeps others from it. What a killed change left behind the end goes. */
static omt_status begin_change(const char *path, omt_change *change, omt_error *err)
{
	struct stat locked, named;
	*change = (omt_change){.fd = open(path, O_RDWR | O_CLOEXEC)};
	if (change->fd < 0)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (flock(change->fd, LOCK_EX | LOCK_NB) != 0)
		return OMT_FAIL(err, IO, "%s: another process is changing it", path);
	if (fstat(change->fd, &locked) != 0 || stat(path, &named) != 0 ||
	    locked.st_ino != named.st_ino || locked.st_dev != named.st_dev)
		return OMT_FAIL(err, IO, "%s: another process has just replaced it", path);
	OMT_TRY(omt_index_open(path, &change->index, err));
	if (change->index->head.end < change->index->map.bytes &&
	    ftruncate(change->fd, (off_t)change->index->head.end) != 0)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	/* A change that is cut off in one copy needs the other one. */
	if (change->index->copies != 2)
		OMT_TRY(write_head(change->fd, path, &change->index->head, err));
	return collect_ids(change, err);
}

/* What was written behind the end when there was no more room for the rest would fill the disk. */
static omt_status drop_tail(const omt_change *change, omt_status status)
{
	if (status != OMT_OK)
		(void)!ftruncate(change->fd, (off_t)change->index->head.end);
	return status;
}

omt_status omt_index_append(const char *path, const char *vectors, const omt_index_options *options,
                            omt_error *err)
{
	static const omt_index_options defaults;
	omt_change change;
	omt_import *import = NULL;
	omt_id_list list = {0};
	const char *model;
	uint64_t bytes;
	omt_status status;
	options = options ? options : &defaults;
	OMT_GOTO(begin_change(path, &change, err));
	omt_index_head head = change.index->head;
	OMT_GOTO(open_import(vectors, options, &import, &model, err));
	OMT_GOTO(compare_models(vectors, head.model, model, options->force, err));
	if (omt_import_dimension(import) &&
	    omt_import_dimension(import) != (int32_t)head.dimension) {
		status =
			OMT_FAIL(err, BAD_ARGUMENT, "%s: vectors of %d values, those of %s have %u",
		                 vectors, omt_import_dimension(import), path, head.dimension);
		goto done;
	}
	const omt_rows rows = {next_import, rewind_import, import};
	OMT_GOTO(omt_id_list_read(&list, &rows, &change.ids, vectors, err));
	OMT_GOTO(drop_tail(&change, omt_segment_write(change.fd, path, head.end, &head, &list,
	                                              &rows, &options->progress, &bytes, err)));
	head.number++;
	head.end += bytes;
	head.rows += list.count;
	head.left_out += list.left_out;
	OMT_GOTO(write_head(change.fd, path, &head, err));
done:
	omt_id_list_free(&list);
	omt_import_close(import);
	end_change(&change);
	return status;
}

omt_status omt_index_delete(const char *path, const char *const *ids, size_t count, bool force,
                            uint64_t *deleted, omt_error *err)
{
	omt_change change;
	uint64_t bytes;
	omt_status status;
	size_t found = 0;
	uint64_t *rows = malloc((count + 1) * sizeof *rows);
	*deleted = 0;
	if (!rows)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu ids", path, count);
	OMT_GOTO(begin_change(path, &change, err));
	omt_index_head head = change.index->head;
	for (size_t i = 0; i < count; i++) {
		uint64_t row;
		if (!omt_id_table_find(&change.ids, ids[i], &row)) {
			if (force)
				continue;
			status = OMT_FAIL(err, BAD_ARGUMENT, "%s: no id \"%.80s\"", path, ids[i]);
			goto done;
		}
		/* An id that is named twice is deleted once. */
		if (omt_index_is_deleted(change.index, row))
			continue;
		change.index->deleted[row / 8] |= (uint8_t)(1 << row % 8);
		rows[found++] = row;
	}
	if (found) {
		status = omt_segment_write_deletes(change.fd, path, head.end, &head, rows, found,
		                                   &bytes, err);
		OMT_GOTO(drop_tail(&change, status));
		head.number++;
		head.end += bytes;
		head.deleted += found;
		OMT_GOTO(write_head(change.fd, path, &head, err));
	}
	*deleted = found;
done:
	free(rows);
	end_change(&change);
	return status;
}

/* ---- compaction ------------------------------------------------------------------------------ */

typedef struct omt_index_rows {
	const omt_index *index;
	uint64_t next;
	float *values;
	omt_vector current;
} omt_index_rows;

static omt_status next_kept(void *user, const omt_vector **row, omt_error *err)
{
	omt_index_rows *rows = user;
	*row = NULL;
	while (rows->next < rows->index->rows && omt_index_is_deleted(rows->index, rows->next))
		rows->next++;
	if (rows->next == rows->index->rows)
		return OMT_OK;
	OMT_TRY(omt_index_vector(rows->index, rows->next, rows->values, err));
	rows->current =
		(omt_vector){.id = omt_index_id(rows->index, rows->next++), .vector = rows->values};
	*row = &rows->current;
	return OMT_OK;
}

static void rewind_kept(void *user)
{
	((omt_index_rows *)user)->next = 0;
}

omt_status omt_index_compact(const char *path, const omt_progress *progress, omt_error *err)
{
	omt_change change;
	omt_index_rows rows = {0};
	omt_status status;
	OMT_GOTO(begin_change(path, &change, err));
	omt_index_head head = change.index->head;
	rows.index = change.index;
	rows.values = malloc(head.dimension * sizeof *rows.values);
	if (!rows.values) {
		status = OMT_FAIL(err, NO_MEMORY, "%s: a vector", path);
		goto done;
	}
	status = write_file(path, &head, &(omt_rows){next_kept, rewind_kept, &rows}, path, progress,
	                    err);
done:
	free(rows.values);
	end_change(&change);
	return status;
}
