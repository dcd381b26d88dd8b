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
	float *floor;   /* [queries rounded up to a group]: what scores less is not taken */
	double *margin; /* [queries]: an inexact score is at most so far off; 0: all are as good as
	                   exact */
	uint8_t *marks;
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

/* Makes all scores of a query exact and sorts: the first *found (`wanted` at most) are its best,
 * greater scores first, equal ones by row. Queries may be finished by several threads. */
bool omt_candidates_finish(omt_candidates *all, size_t query, size_t *found);

#endif
