/* scorer.h - scores of blocks of vectors against a batch of queries: on the host, exactly, or by a
 * backend's gemm.
 *
 * A block is enqueued while the one before is looked at: put, put, take, put, take, ..., take. The
 * vectors are the rows of gemm's A, so that they are used as they lie; the queries are its packed
 * weights. */
#ifndef OMT_INDEX_SCORER_H
#define OMT_INDEX_SCORER_H

#include "exec/exec.h"
#include "index/nearest.h"

typedef enum omt_precision {
	OMT_SCORES_EXACT, /* on the host */
	OMT_SCORES_F32,
	OMT_SCORES_BF16, /* of what bf16 keeps of queries and vectors */
	OMT_SCORES_CODES /* int8 */
} omt_precision;

typedef struct omt_block {
	const omt_vector_set *set;
	int64_t first;
	size_t rows;
} omt_block;

typedef struct omt_scorer omt_scorer;

/* For blocks of `rows` vectors at most. Queries are borrowed. exec: NULL for exact scores. */
omt_status omt_scorer_open(omt_exec *exec, int32_t threads, omt_precision precision,
                           const float *queries, size_t query_count, int32_t dimension, size_t rows,
                           omt_scorer **scorer, omt_error *err);
void omt_scorer_close(omt_scorer *scorer); /* NULL is allowed */

size_t omt_scorer_ld(const omt_scorer *scorer); /* of its scores: a multiple of OMT_SCORE_GROUP */

omt_status omt_scorer_put(omt_scorer *scorer, const omt_block *block, omt_error *err);
/* The scores [rows, ld] of the oldest block that was put, until the next but one is. */
omt_status omt_scorer_take(omt_scorer *scorer, const float **scores, omt_error *err);

#endif
