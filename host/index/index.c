#include "index/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/number.h"
#include "base/parallel.h"

/* ---- opening --------------------------------------------------------------------------------- */

static bool make_room(omt_index *index, size_t *room)
{
	if (index->segment_count < *room)
		return true;
	*room = *room ? 2 * *room : 16;
	omt_segment *larger = realloc(index->segments, *room * sizeof *larger);
	if (!larger)
		return false;
	index->segments = larger;
	return true;
}

static omt_status read_segments(omt_index *index, omt_error *err)
{
	size_t room = 0;
	for (uint64_t at = OMT_INDEX_FIRST; at < index->head.end;) {
		if (!make_room(index, &room))
			return OMT_FAIL(err, NO_MEMORY, "%s: %zu segments", index->path, room);
		omt_segment *segment = &index->segments[index->segment_count];
		*segment = (omt_segment){.first = index->rows};
		OMT_TRY(omt_segment_read(index->path, &index->map, &index->head, at, segment, err));
		index->segment_count++;
		if (segment->head.kind == OMT_SEGMENT_VECTORS)
			index->rows += segment->head.rows;
		at += segment->head.bytes;
	}
	if (index->rows != index->head.rows)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %llu vectors, its head says %llu",
		                index->path, (unsigned long long)index->rows,
		                (unsigned long long)index->head.rows);
	return OMT_OK;
}

static int vectors_first(const void *a, const void *b)
{
	const omt_segment *x = a, *y = b;
	if (x->head.kind != y->head.kind)
		return x->head.kind < y->head.kind ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static omt_status mark_deleted(omt_index *index, omt_error *err)
{
	uint64_t count = 0;
	index->deleted = calloc(1, index->rows / 8 + 1);
	if (!index->deleted)
		return OMT_FAIL(err, NO_MEMORY, "%s: marks of vectors", index->path);
	for (size_t i = index->count; i < index->segment_count; i++)
		for (uint64_t j = 0; j < index->segments[i].head.rows; j++, count++) {
			const uint64_t row = omt_segment_deleted(&index->segments[i], j);
			if (row >= index->rows || omt_index_is_deleted(index, row))
				return OMT_FAIL(err, BAD_FORMAT,
				                "%s: vector %llu cannot be deleted", index->path,
				                (unsigned long long)row);
			index->deleted[row / 8] |= (uint8_t)(1 << row % 8);
		}
	if (count != index->head.deleted)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %llu vectors are deleted, its head says %llu",
		                index->path, (unsigned long long)count,
		                (unsigned long long)index->head.deleted);
	return OMT_OK;
}

static omt_status make_sets(omt_index *index, omt_error *err)
{
	while (index->count < index->segment_count &&
	       index->segments[index->count].head.kind == OMT_SEGMENT_VECTORS)
		index->count++;
	index->sets = calloc(index->count + 1, sizeof *index->sets);
	index->checked = calloc(index->count + 1, sizeof *index->checked);
	if (!index->sets || !index->checked)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu segments", index->path, index->count);
	for (size_t i = 0; i < index->count; i++) {
		const omt_segment *segment = &index->segments[i];
		const uint64_t *at = segment->layout.sections;
		index->sets[i] = (omt_vector_set){
			.data = segment->at + at[0],
			.count = (int64_t)segment->head.rows,
			.dtype = (int32_t)index->head.dtype,
			.norm = segment->head.norm,
			.rest = segment->head.rest,
		};
		if (index->head.codes) {
			index->sets[i].codes = (const int8_t *)segment->at + at[1];
			index->sets[i].scales = (const float *)(const void *)(segment->at + at[2]);
		}
		index->checked[i] = calloc(segment->layout.blocks[OMT_INDEX_SECTIONS] + 1,
		                           sizeof **index->checked);
		if (!index->checked[i])
			return OMT_FAIL(err, NO_MEMORY, "%s: marks of blocks", index->path);
	}
	return OMT_OK;
}

omt_status omt_index_open(const char *path, omt_index **given, omt_error *err)
{
	omt_status status;
	omt_index *index = calloc(1, sizeof *index);
	*given = NULL;
	if (!index || !(index->path = strdup(path))) {
		omt_index_close(index);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	OMT_GOTO(omt_map_open(path, &index->map, err));
	OMT_GOTO(omt_index_head_read(path, &index->map, &index->head, &index->copies, err));
	OMT_GOTO(read_segments(index, err));
	if (index->segment_count)
		qsort(index->segments, index->segment_count, sizeof *index->segments,
		      vectors_first);
	OMT_GOTO(make_sets(index, err));
	OMT_GOTO(mark_deleted(index, err));
	*given = index;
	index = NULL;
done:
	omt_index_close(index);
	return status;
}

void omt_index_close(omt_index *index)
{
	if (!index)
		return;
	omt_searcher_free(index->searcher);
	for (size_t i = 0; index->checked && i < index->count; i++)
		free(index->checked[i]);
	free(index->checked);
	free(index->sets);
	free(index->deleted);
	free(index->segments);
	omt_map_close(&index->map);
	free(index->path);
	free(index);
}

/* ---- what it holds --------------------------------------------------------------------------- */

const char *omt_index_model(const omt_index *index)
{
	return *index->head.model ? index->head.model : NULL;
}

int32_t omt_index_dimension(const omt_index *index)
{
	return (int32_t)index->head.dimension;
}

char *omt_index_describe(const omt_index *index)
{
	char created[32] = "";
	const time_t when = (time_t)index->head.created_s;
	struct tm utc;
	if (gmtime_r(&when, &utc)) /* a file may say a time that no calendar has */
		strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
	const omt_index_head *head = &index->head;
	json_t *object = json_pack(
		"{so si so sI ss ss sI sI sI sI ss si}", "path", omt_json_text(index->path),
		"version", (int)head->version, "model", omt_json_text(head->model), "dimension",
		(json_int_t)head->dimension, "vectors", head->dtype == OMT_F32 ? "f32" : "bf16",
		"candidates", head->codes ? "int8" : "vectors", "count",
		(json_int_t)(head->rows - head->deleted), "deleted", (json_int_t)head->deleted,
		"left_out", (json_int_t)head->left_out, "bytes", (json_int_t)head->end, "created",
		created, "segments", (int)index->segment_count);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

bool omt_index_is_deleted(const omt_index *index, uint64_t row)
{
	return index->deleted[row / 8] >> (row % 8) & 1;
}

static const omt_segment *segment_of(const omt_index *index, uint64_t row)
{
	size_t low = 0, high = index->count;
	while (high - low > 1) {
		const size_t middle = (low + high) / 2;
		if (index->segments[middle].first <= row)
			low = middle;
		else
			high = middle;
	}
	/* An empty one may begin where the one with the row does. */
	while (row - index->segments[low].first >= index->segments[low].head.rows)
		low++;
	return &index->segments[low];
}

const char *omt_index_id(const omt_index *index, uint64_t row)
{
	const omt_segment *segment = segment_of(index, row);
	return omt_segment_id(segment, row - segment->first);
}

/* ---- checksums of sections ------------------------------------------------------------------- */

typedef struct omt_check {
	const omt_index *index;
	size_t segment;
	uint64_t first; /* block */
	atomic_int status;
	_Atomic uint64_t bad;
} omt_check;

static void check_block(void *user, size_t i)
{
	omt_check *check = user;
	const uint64_t block = check->first + i;
	atomic_uchar *mark = &check->index->checked[check->segment][block];
	bool known;
	if (atomic_load_explicit(mark, memory_order_relaxed))
		return;
	if (omt_segment_block_is_whole(&check->index->segments[check->segment], block, &known)) {
		atomic_store_explicit(mark, 1, memory_order_relaxed);
		return;
	}
	check->bad = block;
	check->status = known ? OMT_BAD_FORMAT : OMT_NO_MEMORY;
}

static bool are_checked(const omt_index *index, size_t segment, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++)
		if (!atomic_load_explicit(&index->checked[segment][i], memory_order_relaxed))
			return false;
	return true;
}

/* Blocks [first, end) of a segment's sections are as they were written. */
static omt_status check_blocks(const omt_index *index, size_t segment, uint64_t first, uint64_t end,
                               omt_error *err)
{
	if (are_checked(index, segment, first, end))
		return OMT_OK;
	omt_check check = {.index = index, .segment = segment, .first = first};
	if (end - first == 1)
		check_block(&check, 0);
	else
		omt_parallel(index->search.threads, end - first, check_block, &check);
	if (check.status == OMT_NO_MEMORY)
		return OMT_FAIL(err, NO_MEMORY, "%s: a checksum", index->path);
	if (check.status != OMT_OK)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: damaged: block %llu of segment %zu (checksums differ)",
		                index->path, (unsigned long long)check.bad, segment);
	return OMT_OK;
}

/* omt_vector_sets' check. */
static omt_status check_rows(void *user, size_t set, bool codes, int64_t first, int64_t count,
                             omt_error *err)
{
	const omt_index *index = user;
	const omt_segment_layout *layout = &index->segments[set].layout;
	const uint64_t n = index->head.dimension;
	const uint64_t row_bytes[OMT_INDEX_SECTIONS] = {n * (index->head.dtype == OMT_F32 ? 4 : 2),
	                                                (n + 3) / 4 * 4, sizeof(float)};
	for (int section = codes; section < (codes ? OMT_INDEX_SECTIONS : 1); section++) {
		const uint64_t begin = (uint64_t)first * row_bytes[section];
		const uint64_t end = begin + (uint64_t)count * row_bytes[section];
		if (end > begin)
			OMT_TRY(check_blocks(
				index, set, layout->blocks[section] + begin / OMT_INDEX_BLOCK,
				layout->blocks[section] + (end - 1) / OMT_INDEX_BLOCK + 1, err));
	}
	return OMT_OK;
}

omt_status omt_index_verify(const omt_index *index, omt_error *err)
{
	for (size_t i = 0; i < index->count; i++)
		OMT_TRY(check_blocks(index, i, 0,
		                     index->segments[i].layout.blocks[OMT_INDEX_SECTIONS], err));
	if (index->copies != 2)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: one of the two copies of its head is damaged, or a change was "
		                "cut off; nothing else is: the next change writes both again",
		                index->path);
	return OMT_OK;
}

omt_status omt_index_vector(const omt_index *index, uint64_t row, float *values, omt_error *err)
{
	const omt_segment *segment = segment_of(index, row);
	const size_t set = (size_t)(segment - index->segments), n = index->head.dimension;
	const size_t at = (size_t)(row - segment->first) * n;
	OMT_TRY(check_rows((void *)(uintptr_t)index, set, false, (int64_t)(row - segment->first), 1,
	                   err));
	if (index->head.dtype == OMT_F32)
		memcpy(values, (const float *)index->sets[set].data + at, n * sizeof *values);
	else
		for (size_t i = 0; i < n; i++)
			values[i] = omt_f32_from_bf16(
				((const uint16_t *)index->sets[set].data)[at + i]);
	return OMT_OK;
}

/* ---- searching ------------------------------------------------------------------------------- */

omt_status omt_index_use(omt_index *index, const char *backend, const char *device, int32_t threads,
                         omt_error *err)
{
	omt_searcher_free(index->searcher);
	index->searcher = NULL;
	index->search.threads = threads;
	return omt_searcher_new(
		&(omt_searcher_options){.backend = backend, .device = device, .threads = threads},
		&index->searcher, err);
}

omt_status omt_index_sets(omt_index *index, omt_vector_sets *sets, omt_error *err)
{
	*sets = (omt_vector_sets){.set = index->sets,
	                          .count = index->count,
	                          .dimension = (int32_t)index->head.dimension,
	                          .left_out = index->deleted,
	                          .check = check_rows,
	                          .user = index};
	return index->searcher ? OMT_OK : omt_index_use(index, NULL, NULL, 0, err);
}

omt_status omt_index_search(omt_index *index, const float *queries, size_t query_count,
                            int32_t dimension, size_t k, omt_hit *hits, size_t *found,
                            omt_error *err)
{
	if (dimension != (int32_t)index->head.dimension)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: vectors of %u values, the query has %d",
		                index->path, index->head.dimension, dimension);
	omt_vector_sets sets;
	OMT_TRY(omt_index_sets(index, &sets, err));
	size_t wanted = 0;
	omt_neighbor *near =
		omt_mul_size(query_count, k, &wanted) ? calloc(wanted, sizeof *near) : NULL;
	if (!near && wanted)
		return OMT_FAIL(err, NO_MEMORY, "%zu hits for each of %zu queries", k, query_count);
	omt_status status = omt_searcher_find(index->searcher, &sets, queries, query_count, k, near,
	                                      found, err);
	for (size_t q = 0; q < query_count && status == OMT_OK; q++)
		for (size_t i = q * k; i < q * k + found[q]; i++)
			hits[i] = (omt_hit){omt_index_id(index, (uint64_t)near[i].row),
			                    (uint64_t)near[i].row, near[i].score};
	free(near);
	return status;
}
