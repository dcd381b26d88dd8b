#include "index/index_file.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "exec/storage.h"

#define MAX_ROWS ((uint64_t)1 << 40)

static const char head_magic[8] = {'O', 'M', 'T', 'I', 'N', 'D', 'E', 'X'};
static const char segment_magic[8] = {'O', 'M', 'T', 'S', 'E', 'G', 'M', 'T'};

_Static_assert(sizeof(omt_index_head) <= OMT_INDEX_PAGE && sizeof(omt_segment_head) == 88,
               "structs of the file have no gaps");
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "index files are mapped as they are: little endian"
#endif

static uint64_t to_page(uint64_t at)
{
	return (at + OMT_INDEX_PAGE - 1) / OMT_INDEX_PAGE * OMT_INDEX_PAGE;
}

bool omt_index_sum(const void *data, size_t bytes, uint8_t sum[OMT_CHECKSUM_BYTES])
{
	omt_hash *hash = omt_hash_new();
	if (!hash)
		return false;
	omt_hash_begin(hash);
	omt_hash_add(hash, data, bytes);
	omt_hash_end(hash, sum);
	omt_hash_free(hash);
	return true;
}

/* ---- layout ---------------------------------------------------------------------------------- */

bool omt_segment_lay(const omt_index_head *head, uint32_t kind, uint64_t rows, uint64_t id_bytes,
                     omt_segment_layout *layout)
{
	const uint64_t n = head->dimension;
	const uint64_t row_bytes[OMT_INDEX_SECTIONS] = {n * omt_dtype_bytes((int32_t)head->dtype),
	                                                head->codes ? (n + 3) / 4 * 4 : 0,
	                                                head->codes ? sizeof(float) : 0};
	uint64_t sizes[OMT_INDEX_SECTIONS] = {0};
	*layout = (omt_segment_layout){.ids = sizeof(omt_segment_head)};
	if (rows > MAX_ROWS || id_bytes > MAX_ROWS)
		return false;
	layout->text = layout->ids + rows * sizeof(uint64_t);
	layout->sums = layout->text + (id_bytes + 15) / 16 * 16;
	for (int i = 0; i < OMT_INDEX_SECTIONS; i++) {
		if (kind == OMT_SEGMENT_VECTORS)
			sizes[i] = to_page(rows * row_bytes[i]);
		layout->blocks[i + 1] =
			layout->blocks[i] + (sizes[i] + OMT_INDEX_BLOCK - 1) / OMT_INDEX_BLOCK;
	}
	layout->sections[0] =
		to_page(layout->sums + layout->blocks[OMT_INDEX_SECTIONS] * OMT_CHECKSUM_BYTES);
	for (int i = 0; i < OMT_INDEX_SECTIONS; i++)
		layout->sections[i + 1] = layout->sections[i] + sizes[i];
	return true;
}

/* ---- heads ----------------------------------------------------------------------------------- */

#define HEAD_SUMMED    (offsetof(omt_index_head, sum) + OMT_CHECKSUM_BYTES)
#define SEGMENT_SUMMED (offsetof(omt_segment_head, sum) + OMT_CHECKSUM_BYTES)

bool omt_index_head_seal(const omt_index_head *head, uint8_t page[OMT_INDEX_PAGE])
{
	memset(page, 0, OMT_INDEX_PAGE);
	memcpy(page, head, sizeof *head);
	memcpy(page, head_magic, sizeof head_magic);
	return omt_index_sum(page + HEAD_SUMMED, OMT_INDEX_PAGE - HEAD_SUMMED,
	                     page + offsetof(omt_index_head, sum));
}

bool omt_segment_head_seal(omt_segment_head *head)
{
	memcpy(head->magic, segment_magic, sizeof segment_magic);
	return omt_index_sum((const uint8_t *)head + SEGMENT_SUMMED, sizeof *head - SEGMENT_SUMMED,
	                     head->sum);
}

/* A copy of the head that is whole. */
static bool read_copy(const uint8_t *page, omt_index_head *head)
{
	uint8_t sum[OMT_CHECKSUM_BYTES];
	memcpy(head, page, sizeof *head);
	return !memcmp(head->magic, head_magic, sizeof head_magic) &&
	       head->version == OMT_INDEX_VERSION && !head->zero &&
	       omt_index_sum(page + HEAD_SUMMED, OMT_INDEX_PAGE - HEAD_SUMMED, sum) &&
	       !memcmp(sum, head->sum, sizeof sum);
}

static omt_status check_head(const char *path, const omt_index_head *head, size_t bytes,
                             omt_error *err)
{
	if (head->dimension < 1 || head->dimension > OMT_MAX_DIMENSION ||
	    (head->dtype != OMT_F32 && head->dtype != OMT_BF16) || head->codes > 1 ||
	    head->rows > MAX_ROWS || head->deleted > head->rows || head->end < OMT_INDEX_FIRST ||
	    !memchr(head->model, '\0', sizeof head->model))
		return OMT_FAIL(err, BAD_FORMAT, "%s: its head cannot be", path);
	if (head->end > bytes)
		return OMT_FAIL(err, BAD_FORMAT, "%s: truncated: %zu of %llu bytes", path, bytes,
		                (unsigned long long)head->end);
	return OMT_OK;
}

omt_status omt_index_head_read(const char *path, const omt_map *map, omt_index_head *head,
                               int *copies, omt_error *err)
{
	omt_index_head second;
	uint32_t version = 0;
	if (map->bytes < 16 || memcmp(map->data, head_magic, sizeof head_magic) != 0) {
		/* A damaged first copy does not hide the second one. */
		if (map->bytes < OMT_INDEX_FIRST ||
		    memcmp(map->data + OMT_INDEX_PAGE, head_magic, sizeof head_magic) != 0)
			return OMT_FAIL(err, BAD_FORMAT, "%s: not an index file", path);
	} else {
		memcpy(&version, map->data + 8, sizeof version);
		if (version == 1)
			return OMT_FAIL(err, UNSUPPORTED,
			                "%s: index version 1, expected %d: build it from its "
			                "vectors again",
			                path, OMT_INDEX_VERSION);
	}
	if (map->bytes < OMT_INDEX_FIRST)
		return OMT_FAIL(err, BAD_FORMAT, "%s: truncated in its head", path);
	const bool first_whole = read_copy(map->data, head);
	const bool second_whole = read_copy(map->data + OMT_INDEX_PAGE, &second);
	if (!first_whole && !second_whole && version > OMT_INDEX_VERSION && version < 1000)
		return OMT_FAIL(err, UNSUPPORTED, "%s: index version %u, expected %d", path,
		                version, OMT_INDEX_VERSION);
	if (!first_whole && !second_whole)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: damaged: no copy of its head is whole (checksums differ)",
		                path);
	*copies = 1 + (first_whole && second_whole && !memcmp(head, &second, sizeof second));
	if (!first_whole || (second_whole && second.number > head->number))
		*head = second;
	return check_head(path, head, map->bytes, err);
}

/* ---- segments -------------------------------------------------------------------------------- */

const char *omt_segment_id(const omt_segment *segment, uint64_t row)
{
	uint64_t begin = 0;
	if (row)
		memcpy(&begin, segment->at + segment->layout.ids + (row - 1) * sizeof begin,
		       sizeof begin);
	return (const char *)segment->at + segment->layout.text + begin;
}

uint64_t omt_segment_deleted(const omt_segment *segment, uint64_t i)
{
	uint64_t row;
	memcpy(&row, segment->at + segment->layout.ids + i * sizeof row, sizeof row);
	return row;
}

/* Each id ends in the only NUL of it, and is not empty. */
static bool ids_are_sound(const omt_segment *segment)
{
	const uint8_t *ends = segment->at + segment->layout.ids;
	const char *text = (const char *)segment->at + segment->layout.text;
	uint64_t begin = 0, end;
	for (uint64_t i = 0; i < segment->head.rows; i++, begin = end) {
		memcpy(&end, ends + i * sizeof end, sizeof end);
		if (end > segment->head.id_bytes || end < begin + 2 ||
		    memchr(text + begin, '\0', end - begin) != text + end - 1)
			return false;
	}
	return begin == segment->head.id_bytes;
}

omt_status omt_segment_read(const char *path, const omt_map *map, const omt_index_head *head,
                            uint64_t at, omt_segment *segment, omt_error *err)
{
	uint8_t sum[OMT_CHECKSUM_BYTES];
	omt_segment_head *own = &segment->head;
	const unsigned long long place = at;
	if (head->end - at < sizeof *own)
		return OMT_FAIL(err, BAD_FORMAT, "%s: a segment is cut off at byte %llu", path,
		                place);
	segment->at = map->data + at;
	memcpy(own, segment->at, sizeof *own);
	if (memcmp(own->magic, segment_magic, sizeof segment_magic) != 0 ||
	    !omt_index_sum(segment->at + SEGMENT_SUMMED, sizeof *own - SEGMENT_SUMMED, sum) ||
	    memcmp(sum, own->sum, sizeof sum) != 0)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: damaged: the segment at byte %llu has no whole head", path,
		                place);
	const omt_segment_layout *layout = &segment->layout;
	if ((own->kind != OMT_SEGMENT_VECTORS && own->kind != OMT_SEGMENT_DELETES) ||
	    (own->kind == OMT_SEGMENT_DELETES && own->id_bytes) || own->zero || !(own->norm >= 0) ||
	    !isfinite(own->norm) || !(own->rest >= 0) ||
	    !omt_segment_lay(head, own->kind, own->rows, own->id_bytes, &segment->layout) ||
	    own->bytes != layout->sections[OMT_INDEX_SECTIONS] || own->bytes > head->end - at)
		return OMT_FAIL(err, BAD_FORMAT, "%s: the segment at byte %llu cannot be", path,
		                place);
	if (!omt_index_sum(segment->at + sizeof *own, layout->sections[0] - sizeof *own, sum) ||
	    memcmp(sum, own->body, sizeof sum) != 0)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: damaged: ids of the segment at byte %llu (checksums differ)",
		                path, place);
	if (own->kind == OMT_SEGMENT_VECTORS && !ids_are_sound(segment))
		return OMT_FAIL(err, BAD_FORMAT, "%s: the segment at byte %llu has no sound ids",
		                path, place);
	return OMT_OK;
}

bool omt_segment_block_is_whole(const omt_segment *segment, uint64_t block, bool *known)
{
	const omt_segment_layout *layout = &segment->layout;
	uint8_t sum[OMT_CHECKSUM_BYTES];
	int section = 0;
	while (block >= layout->blocks[section + 1])
		section++;
	const uint64_t begin =
		layout->sections[section] + (block - layout->blocks[section]) * OMT_INDEX_BLOCK;
	const uint64_t left = layout->sections[section + 1] - begin;
	*known = omt_index_sum(segment->at + begin,
	                       (size_t)(left < OMT_INDEX_BLOCK ? left : OMT_INDEX_BLOCK), sum);
	return *known &&
	       !memcmp(sum, segment->at + layout->sums + block * OMT_CHECKSUM_BYTES, sizeof sum);
}
