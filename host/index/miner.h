/* miner.h - what omt_mine() knows before its first query: where everything with an id lies. */
#ifndef OMT_INDEX_MINER_H
#define OMT_INDEX_MINER_H

#include "base/file.h"
#include "index/index.h"
#include "index/kinds.h"
#include "index/survivors.h"
#include "index/trec.h"

typedef struct omt_mine_counts {
	uint64_t passages, judged, without_positives, without_vector, missing_positives,
		without_passage, unknown_kind; /* omnitile.h */
} omt_mine_counts;

typedef struct omt_miner {
	const omt_mine_options *o;
	omt_mining_rule rule;
	size_t wanted; /* survivors a query, of which k are drawn */
	omt_pool pool;
	omt_output output;
	omt_mine_counts counts;

	/* Passages in memory. */
	omt_vector_set memory;
	omt_searcher *searcher;

	/* Judgements. */
	omt_qrels *qrels;
	uint32_t *order, *starts;
	int64_t *places; /* [documents]: the row of each, -1: none */

	/* Queries, [count]. */
	omt_names names;
	uint32_t *numbers;    /* in the judgements */
	bool *asked;          /* it has a positive among the passages */
	int64_t *own;         /* the row of the same id, -1: none; NULL: it is a candidate */
	uint8_t *query_kinds; /* zeros: not asked for */

	/* Passages, [rows]. */
	uint8_t *row_kinds; /* NULL: not asked for */
	uint8_t *left_out;  /* a bit a row, of the pair */

	omt_kind_pair pairs[OMT_KIND_PAIRS];
	size_t pair_count; /* at least 1 */
} omt_miner;

/* Reads and checks everything, and begins the output. Whatever comes of it, omt_miner_close(),
 * which removes an output that was not closed. */
omt_status omt_miner_open(const omt_mine_options *options, omt_miner *miner, omt_error *err);
void omt_miner_close(omt_miner *miner);

const char *omt_miner_id(const omt_miner *miner, uint64_t row);
uint8_t omt_miner_kind(const omt_miner *miner, int64_t row); /* 0 where kinds are not asked for */
/* Judgements of a query, as rows of their table. */
const uint32_t *omt_miner_judged(const omt_miner *miner, size_t query, uint32_t *count);
/* Where the passage of a judgement lies; -1: it is no positive, or not there. */
int64_t omt_miner_positive(const omt_miner *miner, uint32_t judgement);
/* From now on only the pair's candidates are found. */
void omt_miner_restrict(omt_miner *miner, const omt_kind_pair *pair);

#endif
