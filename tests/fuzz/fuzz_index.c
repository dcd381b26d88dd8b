/* An index file whose checksums are set right, or nothing behind them would be reached. */
#include <string.h>

#include "index/index_file.h"
#include "tests/fuzz/input.h"

static void search(omt_index *index)
{
	static const float query[64];
	omt_hit hits[4];
	size_t found;
	omt_error err;
	for (int32_t dimension = 1; dimension <= 64; dimension++)
		if (omt_index_search(index, query, 1, dimension, 4, hits, &found, &err) == OMT_OK)
			for (size_t i = 0; i < found; i++)
				if (!hits[i].id)
					abort();
	(void)omt_index_verify(index, &err);
	omt_free(omt_index_describe(index));
}

/* Checksums of the sections' blocks, of the body and of the head. Returns the segment's bytes; 0:
 * it cannot be one. */
static uint64_t seal_segment(uint8_t *at, uint64_t left, const omt_index_head *head)
{
	omt_segment_head own;
	omt_segment_layout layout;
	if (left < sizeof own)
		return 0;
	memcpy(&own, at, sizeof own);
	if (!omt_segment_lay(head, own.kind, own.rows, own.id_bytes, &layout) ||
	    layout.sections[OMT_INDEX_SECTIONS] > left)
		return 0;
	for (int i = 0; i < OMT_INDEX_SECTIONS; i++)
		for (uint64_t block = layout.blocks[i]; block < layout.blocks[i + 1]; block++) {
			const uint64_t begin =
				layout.sections[i] + (block - layout.blocks[i]) * OMT_INDEX_BLOCK;
			const uint64_t rest = layout.sections[i + 1] - begin;
			omt_index_sum(at + begin, rest < OMT_INDEX_BLOCK ? rest : OMT_INDEX_BLOCK,
			              at + layout.sums + block * OMT_CHECKSUM_BYTES);
		}
	omt_index_sum(at + sizeof own, layout.sections[0] - sizeof own, own.body);
	omt_segment_head_seal(&own);
	memcpy(at, &own, sizeof own);
	return layout.sections[OMT_INDEX_SECTIONS];
}

static void seal(uint8_t *data, size_t size)
{
	omt_index_head head;
	uint8_t page[OMT_INDEX_PAGE];
	memcpy(&head, data, sizeof head);
	omt_index_head_seal(&head, page);
	memcpy(data, page, sizeof page);
	if (!head.dimension || head.dimension > OMT_MAX_DIMENSION)
		return;
	for (uint64_t at = OMT_INDEX_FIRST, bytes; at < size; at += bytes)
		if (!(bytes = seal_segment(data + at, size - at, &head)))
			break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_index *index;
	omt_error err;
	char path[64];
	uint8_t *copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (size >= OMT_INDEX_FIRST)
		seal(copy, size);
	int fd = fuzz_file(copy, size, path);
	if (omt_index_open(path, &index, &err) == OMT_OK) {
		search(index);
		omt_index_close(index);
	}
	close(fd);
	free(copy);
	return 0;
}
