/* index.h - an opened index, as its readers and its writers see it. */
#ifndef OMT_INDEX_INDEX_H
#define OMT_INDEX_INDEX_H

#include <stdatomic.h>

#include "index/index_file.h"
#include "index/nearest.h"

struct omt_index {
	char *path;
	omt_map map;
	omt_index_head head;
	int copies; /* of the head that are whole and equal: 2, or 1 */
	omt_segment *segments;
	size_t count, segment_count; /* of vectors: they come first; of all */
	uint64_t rows;
	uint8_t *deleted;       /* a bit a vector */
	omt_vector_set *sets;   /* of segments[0 .. count - 1] */
	atomic_uchar **checked; /* a byte a block of these: it is whole */
	omt_searcher_options search;
	omt_searcher *searcher;
};

bool omt_index_is_deleted(const omt_index *index, uint64_t row);
const char *omt_index_id(const omt_index *index, uint64_t row);
/* What a search goes over: every vector that is not deleted, with its check. The searcher, which it
 * opens when omt_index_use() did not, is index->searcher. */
omt_status omt_index_sets(omt_index *index, omt_vector_sets *sets, omt_error *err);
/* A vector as f32, checked; `values` has room for it. */
omt_status omt_index_vector(const omt_index *index, uint64_t row, float *values, omt_error *err);

#endif
