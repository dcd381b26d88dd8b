/* nearest.h - the k nearest vectors of each query, exactly, on any backend.
 *
 * A score is the inner product: products and sum in f64 (a product of two f32 is exact there), in
 * one order of additions, then rounded to f32. Hits are the k greatest scores, equal ones by
 * ascending row. Both are the same bits on every backend, for a query alone or among others, and
 * wherever in a set a vector lies.
 *
 * How: a backend's gemm scores a block of vectors against all queries; what may still be among the
 * best is kept as a candidate, and only those are scored as said above. A sum of n products in f32
 * differs from the exact one by at most n u |q| |x| / (1 - n u), u = 2^-24, in any order of
 * additions (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1): a vector whose
 * gemm score lies further than twice that below the k-th best gemm score cannot be a hit. With int8
 * codes the candidates are the best by the codes' products, and nothing bounds their error: some
 * hits may be missed (bench/results has how many).
 *
 * Of a device whose memory is its own not all scores come back: once it is known what a query's
 * score has to beat, blocks are cut to the best scores of each query that do (op topk), some more
 * than hits are wanted. Where the device had no room for all of them, the block's scores are read
 * whole. */
#ifndef OMT_INDEX_NEAREST_H
#define OMT_INDEX_NEAREST_H

#include "base/status.h"
#include "device/contract.h"

/* Rows of vectors, borrowed. Rows of sets one after the other are numbered through. */
typedef struct omt_vector_set {
	const void *data; /* [count, dimension] of `dtype`; in place on a device that shares the
	                     host's memory when it lies at a multiple of 4096 */
	int64_t count;
	int32_t dtype; /* OMT_F32 or OMT_BF16 */
	double norm;   /* no vector is longer, all are finite; 0: the vectors are looked at, and
	                  those that are not finite (NaN: a failed item) left out */
	double rest; /* with `norm`: no vector differs by a longer one from what bf16 keeps of it */
	/* What candidates are taken by instead of `data`; NULL: `data` itself. Rows of `dimension`
	 * int8 rounded up to a multiple of 4, times a scale a row. */
	const int8_t *codes;
	const float *scales;
} omt_vector_set;

typedef struct omt_vector_sets {
	const omt_vector_set *set;
	size_t count;
	int32_t dimension;
	const uint8_t *left_out; /* bit r % 8 of byte r / 8: row r is no hit; NULL: all may be */
	/* Called before rows [first, first + count) of a set (`codes`: its codes and scales) are
	 * read, by any thread; another status ends the search. NULL: nobody asks. */
	omt_status (*check)(void *user, size_t set, bool codes, int64_t first, int64_t count,
	                    omt_error *err);
	void *user;
} omt_vector_sets;

typedef struct omt_neighbor {
	int64_t row;
	float score;
} omt_neighbor;

/* Whether a device keeps all but the best scores of a block to itself. */
typedef enum omt_cut {
	OMT_CUT_AUTO, /* where they would have to leave its memory */
	OMT_CUT_ALWAYS,
	OMT_CUT_NEVER
} omt_cut;

typedef struct omt_searcher_options {
	const char *backend; /* a chain, as in omt_engine_options; NULL: the default one, and a few
	                        queries are scored on the host, which memory bounds anyway */
	const char *device;
	int32_t threads;    /* on the host; 0: all cores */
	int64_t candidates; /* a query when there are codes; 0: 2 k + 100 */
	omt_cut cut;
} omt_searcher_options;

/* Backends open at the first search that needs them. One thread at a time. */
typedef struct omt_searcher omt_searcher;
omt_status omt_searcher_new(const omt_searcher_options *options, omt_searcher **searcher,
                            omt_error *err);
void omt_searcher_free(omt_searcher *searcher); /* NULL is allowed */

/* Blocks of vectors that were searched on a device so far. */
typedef struct omt_search_blocks {
	uint64_t cut;   /* only the best scores left the device */
	uint64_t whole; /* of these: they did not do, and all were read */
} omt_search_blocks;
omt_search_blocks omt_searcher_blocks(const omt_searcher *searcher);

/* hits[query_count * k], best first; found[query_count] how many are set. Queries are [query_count,
 * dimension], dense; one that is not finite is OMT_BAD_ARGUMENT. */
omt_status omt_searcher_find(omt_searcher *searcher, const omt_vector_sets *sets,
                             const float *queries, size_t query_count, size_t k, omt_neighbor *hits,
                             size_t *found, omt_error *err);

#endif
