#include "index/segment_writer.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "exec/ref.h"
#include "exec/storage.h"
#include "index/score.h"

omt_status omt_write_at(int fd, const char *path, uint64_t at, const void *data, size_t bytes,
                        omt_error *err)
{
	const uint8_t *from = data;
	while (bytes) {
		const ssize_t written = pwrite(fd, from, bytes, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return OMT_FAIL(err, IO, "%s: not written: %s", path, strerror(errno));
		from += written;
		at += (uint64_t)written;
		bytes -= (size_t)written;
	}
	return OMT_OK;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static const char *listed_id(const void *user, uint64_t number)
{
	const omt_id_list *list = user;
	return list->text + (number ? list->ends[number - 1] : 0);
}

static bool reserve(omt_id_list *list, size_t text_bytes)
{
	if (list->count == list->room) {
		const size_t room = list->room ? 2 * list->room : 1024;
		uint64_t *ends = realloc(list->ends, room * sizeof *ends);
		if (!ends)
			return false;
		list->ends = ends;
		list->room = room;
	}
	if (list->text_room - list->text_bytes < text_bytes) {
		const size_t room = 2 * list->text_room + text_bytes + 4096;
		char *text = realloc(list->text, room);
		if (!text)
			return false;
		list->text = text;
		list->text_room = room;
	}
	return true;
}

static omt_status add_id(omt_id_list *list, const char *id, const omt_id_table *taken,
                         const char *place, omt_error *err)
{
	uint64_t number;
	const size_t bytes = strlen(id) + 1;
	list->table.user = list;
	if (omt_id_table_find(&list->table, id, &number))
		return OMT_FAIL(err, BAD_FORMAT, "%s: id \"%.80s\" for the second time", place, id);
	if (taken && omt_id_table_find(taken, id, &number))
		return OMT_FAIL(err, BAD_FORMAT, "%s: id \"%.80s\" is in the index already", place,
		                id);
	if (!reserve(list, bytes))
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu ids", place, list->count);
	memcpy(list->text + list->text_bytes, id, bytes);
	list->text_bytes += bytes;
	list->ends[list->count] = list->text_bytes;
	if (!omt_id_table_add(&list->table, list->count++))
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu ids", place, list->count);
	return OMT_OK;
}

omt_status omt_id_list_read(omt_id_list *list, const omt_rows *rows, const omt_id_table *taken,
                            const char *place, omt_error *err)
{
	const omt_vector *row;
	*list = (omt_id_list){.table.id_of = listed_id};
	rows->rewind(rows->user);
	for (;;) {
		OMT_TRY(rows->next(rows->user, &row, err));
		if (!row)
			return OMT_OK;
		if (!row->vector)
			list->left_out++;
		else
			OMT_TRY(add_id(list, row->id, taken, place, err));
	}
}

void omt_id_list_free(omt_id_list *list)
{
	omt_id_table_free(&list->table);
	free(list->ends);
	free(list->text);
}

/* ---- sections -------------------------------------------------------------------------------- */

typedef struct omt_section {
	uint64_t at;    /* of the block in the file */
	uint8_t *block; /* OMT_INDEX_BLOCK */
	size_t fill;
	uint8_t *sum; /* of the block */
} omt_section;

typedef struct omt_segment_writer {
	int fd;
	const char *path;
	uint64_t at; /* of the segment */
	const omt_index_head *head;
	omt_segment_head own;
	omt_segment_layout layout;
	uint8_t *start; /* what lies before the sections */
	omt_section sections[OMT_INDEX_SECTIONS];
	uint16_t *halves; /* a row */
	float *kept;      /* of bf16 vectors: what is kept of the row */
	uint8_t *codes;
} omt_segment_writer;

static omt_status flush(const omt_segment_writer *writer, omt_section *section, omt_error *err)
{
	if (!section->fill)
		return OMT_OK;
	if (!omt_index_sum(section->block, section->fill, section->sum))
		return OMT_FAIL(err, NO_MEMORY, "%s: a checksum", writer->path);
	OMT_TRY(omt_write_at(writer->fd, writer->path, section->at, section->block, section->fill,
	                     err));
	section->at += section->fill;
	section->sum += OMT_CHECKSUM_BYTES;
	section->fill = 0;
	return OMT_OK;
}

static omt_status put(const omt_segment_writer *writer, omt_section *section, const void *data,
                      size_t bytes, omt_error *err)
{
	for (const uint8_t *from = data; bytes;) {
		const size_t left = OMT_INDEX_BLOCK - section->fill;
		const size_t part = bytes < left ? bytes : left;
		memcpy(section->block + section->fill, from, part);
		section->fill += part;
		from += part;
		bytes -= part;
		if (section->fill == OMT_INDEX_BLOCK)
			OMT_TRY(flush(writer, section, err));
	}
	return OMT_OK;
}

/* Zeros to the page's end, and the last block. */
static omt_status end_section(const omt_segment_writer *writer, omt_section *section,
                              omt_error *err)
{
	static const uint8_t zeros[OMT_INDEX_PAGE];
	const size_t over = section->fill % OMT_INDEX_PAGE;
	if (over)
		OMT_TRY(put(writer, section, zeros, OMT_INDEX_PAGE - over, err));
	return flush(writer, section, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static omt_status put_row(omt_segment_writer *writer, const float *vector, omt_error *err)
{
	const int32_t n = (int32_t)writer->head->dimension, stride = (n + 3) / 4 * 4;
	const size_t bytes = (size_t)n * omt_dtype_bytes((int32_t)writer->head->dtype);
	const void *stored = vector;
	float scale;
	if (writer->head->dtype == OMT_BF16) {
		for (int32_t i = 0; i < n; i++) {
			writer->halves[i] = omt_bf16_from_f32(vector[i]);
			writer->kept[i] = omt_f32_from_bf16(writer->halves[i]);
			if (!isfinite(writer->kept[i]))
				return OMT_FAIL(err, BAD_FORMAT, "%s: %g is too large for bf16",
				                writer->path, (double)vector[i]);
		}
		stored = writer->halves;
		vector = writer->kept;
	} else {
		writer->own.rest = fmax(writer->own.rest, omt_bf16_rest(vector, n));
	}
	/* 0 would say that nobody knows. */
	writer->own.norm = fmax(fmax(writer->own.norm, omt_norm(vector, OMT_F32, n)), FLT_MIN);
	OMT_TRY(put(writer, &writer->sections[0], stored, bytes, err));
	if (!writer->head->codes)
		return OMT_OK;
	ref_quantize(vector, writer->codes, &scale, 1, n, n, stride);
	OMT_TRY(put(writer, &writer->sections[1], writer->codes, (size_t)stride, err));
	return put(writer, &writer->sections[2], &scale, sizeof scale, err);
}

static omt_status put_rows(omt_segment_writer *writer, const omt_rows *rows,
                           const omt_progress *progress, omt_error *err)
{
	const omt_vector *row;
	uint64_t done = 0;
	rows->rewind(rows->user);
	for (;;) {
		OMT_TRY(rows->next(rows->user, &row, err));
		if (!row)
			break;
		if (!row->vector)
			continue;
		if (done++ == writer->own.rows)
			break;
		OMT_TRY(put_row(writer, row->vector, err));
		if (progress && progress->report)
			progress->report(progress->user, "index", done, writer->own.rows);
	}
	if (done != writer->own.rows)
		return OMT_FAIL(err, MISMATCH, "%s: the vectors changed while they were read",
		                writer->path);
	for (int i = 0; i < OMT_INDEX_SECTIONS; i++)
		OMT_TRY(end_section(writer, &writer->sections[i], err));
	return OMT_OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* Head and what follows up to the sections. */
static omt_status put_start(omt_segment_writer *writer, omt_error *err)
{
	omt_segment_head *own = &writer->own;
	const size_t bytes = (size_t)writer->layout.sections[0];
	if (!omt_index_sum(writer->start + sizeof *own, bytes - sizeof *own, own->body) ||
	    !omt_segment_head_seal(own))
		return OMT_FAIL(err, NO_MEMORY, "%s: a checksum", writer->path);
	memcpy(writer->start, own, sizeof *own);
	return omt_write_at(writer->fd, writer->path, writer->at, writer->start, bytes, err);
}

static omt_status open_writer(omt_segment_writer *writer, uint32_t kind, uint64_t rows,
                              uint64_t id_bytes, omt_error *err)
{
	const size_t n = writer->head->dimension;
	if (!omt_segment_lay(writer->head, kind, rows, id_bytes, &writer->layout))
		return OMT_FAIL(err, LIMIT, "%s: %llu vectors", writer->path,
		                (unsigned long long)rows);
	writer->own = (omt_segment_head){.kind = kind,
	                                 .rows = rows,
	                                 .id_bytes = id_bytes,
	                                 .bytes = writer->layout.sections[OMT_INDEX_SECTIONS]};
	writer->start = calloc(1, (size_t)writer->layout.sections[0]);
	writer->halves = malloc(n * sizeof *writer->halves);
	writer->kept = malloc(n * sizeof *writer->kept);
	writer->codes = malloc(n + 4);
	bool whole = writer->start && writer->halves && writer->kept && writer->codes;
	for (int i = 0; i < OMT_INDEX_SECTIONS && whole; i++) {
		writer->sections[i] =
			(omt_section){.at = writer->at + writer->layout.sections[i],
		                      .block = malloc(OMT_INDEX_BLOCK),
		                      .sum = writer->start + writer->layout.sums +
		                             writer->layout.blocks[i] * OMT_CHECKSUM_BYTES};
		whole = writer->sections[i].block;
	}
	return whole ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s: a segment", writer->path);
}

static void close_writer(omt_segment_writer *writer)
{
	for (int i = 0; i < OMT_INDEX_SECTIONS; i++)
		free(writer->sections[i].block);
	free(writer->start);
	free(writer->halves);
	free(writer->kept);
	free(writer->codes);
}

omt_status omt_segment_write(int fd, const char *path, uint64_t at, const omt_index_head *head,
                             const omt_id_list *list, const omt_rows *rows,
                             const omt_progress *progress, uint64_t *bytes, omt_error *err)
{
	omt_segment_writer writer = {.fd = fd, .path = path, .at = at, .head = head};
	omt_status status;
	OMT_GOTO(open_writer(&writer, OMT_SEGMENT_VECTORS, list->count, list->text_bytes, err));
	if (list->count) {
		memcpy(writer.start + writer.layout.ids, list->ends,
		       list->count * sizeof *list->ends);
		memcpy(writer.start + writer.layout.text, list->text, list->text_bytes);
	}
	OMT_GOTO(put_rows(&writer, rows, progress, err));
	OMT_GOTO(put_start(&writer, err));
	*bytes = writer.own.bytes;
done:
	close_writer(&writer);
	return status;
}

omt_status omt_segment_write_deletes(int fd, const char *path, uint64_t at,
                                     const omt_index_head *head, const uint64_t *rows, size_t count,
                                     uint64_t *bytes, omt_error *err)
{
	omt_segment_writer writer = {.fd = fd, .path = path, .at = at, .head = head};
	omt_status status;
	OMT_GOTO(open_writer(&writer, OMT_SEGMENT_DELETES, count, 0, err));
	memcpy(writer.start + writer.layout.ids, rows, count * sizeof *rows);
	OMT_GOTO(put_start(&writer, err));
	*bytes = writer.own.bytes;
done:
	close_writer(&writer);
	return status;
}
