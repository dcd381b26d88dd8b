/* candidates.h - what may still be among the best of each query of a batch. */
#ifndef OMT_INDEX_CANDIDATES_H
#define OMT_INDEX_CANDIDATES_H

#include "base/status.h"

typedef struct omt_candidate {
	int64_t row;
	float score;
	bool exact; /* not gemm's */
} omt_candidate;

/* The score that is exact; false: it could not be told, and the search is over. `next`: the row
 * that will be asked for next; -1: none. */
typedef bool (*omt_rescore)(void *user, size_t query, int64_t row, int64_t next, float *score);

typedef struct omt_candidates {
	size_t queries, wanted, room; /* room a query: above it the worst are dropped */
	omt_candidate *list;          /* [queries, room] */
	size_t *count;                /* [queries] */
	size_t *shrunk;               /* [queries]: the count when the floor was set */
	float *floor;   /* [queries rounded up to a group]: what scores less is not taken */
	float *bounds;  /* [queries] */
	double *margin; /* [queries]: an inexact score is at most so far off; 0: all are as good as
	                   exact */
	uint8_t *marks;
	uint8_t *rest; /* [queries]: 1: omt_candidates_take_rest() has to look */
	omt_rescore rescore;
	void *user;
} omt_candidates;

/* Keeps the `wanted` best of each query, and what may be. Margins are 0. */
omt_status omt_candidates_init(omt_candidates *all, size_t queries, size_t wanted,
                               omt_rescore rescore, void *user, omt_error *err);
void omt_candidates_free(omt_candidates *all); /* zeros are allowed */
/* Bytes that a query takes. */
size_t omt_candidates_bytes(size_t wanted);

/* scores[i * ld + q] is the score of row first + i for query q; ld is a multiple of a group, rows
 * come in ascending order. left_out as in omt_vector_sets. False: rescoring failed. */
bool omt_candidates_take(omt_candidates *all, const float *scores, size_t ld, int64_t first,
                         size_t rows, const uint8_t *left_out, bool exact);

/* What a device kept of a block's scores: of each query the `kept` best of `rows` rows above a
 * bound, as op topk writes them; places are those in the block. */
typedef struct omt_best {
	const float *scores;  /* [queries, kept] */
	const int32_t *place; /* [queries, kept] */
	size_t kept, rows;
} omt_best;

/* What a query's score has to be greater than to be taken, [queries], until the next call; NULL:
 * some query has too few candidates to tell, or rescoring failed. */
const float *omt_candidates_bounds(omt_candidates *all);

/* omt_candidates_take() of a block whose first row is `first`, by its best scores alone. *whole:
 * for some query they do not show that nothing else of the block may be among the best;
 * omt_candidates_take_rest() has to look at all scores before the next block is taken. */
bool omt_candidates_take_best(omt_candidates *all, const omt_best *best, int64_t first,
                              const uint8_t *left_out, bool *whole);
bool omt_candidates_take_rest(omt_candidates *all, const omt_best *best, const float *scores,
                              size_t ld, int64_t first, const uint8_t *left_out);

/* Makes all scores of a query exact and sorts: the first *found (`wanted` at most) are its best,
 * greater scores first, equal ones by row. Queries may be finished by several threads. */
bool omt_candidates_finish(omt_candidates *all, size_t query, size_t *found);

#endif
