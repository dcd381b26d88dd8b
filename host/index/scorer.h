/* scorer.h - scores of blocks of vectors against a batch of queries: on the host, exactly, or by a
 * backend's gemm, which may keep all but each query's best.
 *
 * A block is enqueued while the one before is looked at: put, put, take, put, take, ..., take. The
 * vectors are the rows of gemm's A, so that they are used as they lie; the queries are its packed
 * weights. */
#ifndef OMT_INDEX_SCORER_H
#define OMT_INDEX_SCORER_H

#include "exec/exec.h"
#include "index/candidates.h"
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

typedef struct omt_scorer_options {
	omt_exec *exec; /* NULL: exact scores */
	int32_t threads;
	omt_precision precision;
	const float *queries; /* borrowed */
	size_t query_count;
	int32_t dimension;
	size_t rows; /* of a block at most */
	size_t kept; /* scores of a query that leave the device when a block is cut; 0: none is */
} omt_scorer_options;

omt_status omt_scorer_open(const omt_scorer_options *options, omt_scorer **scorer, omt_error *err);
void omt_scorer_close(omt_scorer *scorer); /* NULL is allowed */

/* bounds: all scores are read; [query_count]: the block is cut on the device, of each query the
 * `kept` best above the bound are (op topk). */
omt_status omt_scorer_put(omt_scorer *scorer, const omt_block *block, const float *bounds,
                          omt_error *err);

/* What is left of the oldest block that was put, until the next but one is. */
typedef struct omt_scores {
	const float *all; /* [rows, ld]; NULL: of a block that was cut */
	size_t ld;        /* a multiple of OMT_SCORE_GROUP */
	omt_best best;
} omt_scores;
omt_status omt_scorer_take(omt_scorer *scorer, omt_scores *scores, omt_error *err);
/* All scores of the block that was taken last, before the next is taken or the next but one put. */
omt_status omt_scorer_read_all(omt_scorer *scorer, omt_scores *scores, omt_error *err);

#endif
