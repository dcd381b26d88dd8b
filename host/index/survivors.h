/* survivors.h - the best candidates of queries that a rule of mining.h leaves, exactly.
 *
 * A search for some more hits than are wanted is enough where few score above the limit. For the
 * other queries it is repeated for more hits while that settles most of them; then every vector is
 * scored exactly instead and only what lies under the limit is kept, so that memory never grows
 * with the number of those above it. An index with int8 codes answers searches as nearest.h says:
 * some survivors may be missed. */
#ifndef OMT_INDEX_SURVIVORS_H
#define OMT_INDEX_SURVIVORS_H

#include "index/mining.h"

typedef struct omt_pool {
	omt_vector_sets sets; /* those that are left_out are no candidates */
	omt_searcher *searcher;
	int32_t threads; /* of exact scores; 0: all cores */
} omt_pool;

int64_t omt_pool_rows(const omt_pool *pool);
/* The exact score of a row that need not be a candidate. */
omt_status omt_pool_score(const omt_pool *pool, const float *query, int64_t row, float *score,
                          omt_error *err);

typedef struct omt_survivors {
	const float *vector; /* of the query */
	omt_mining_query rule;
	omt_neighbor *best; /* room for those that are wanted */
	size_t count;
} omt_survivors;

/* All with the same skip. Fills best and count of each; fewer than `wanted` only where there are no
 * more. */
omt_status omt_survivors_find(const omt_pool *pool, omt_survivors *of, size_t count, size_t wanted,
                              omt_error *err);

#endif
