/* convention.h - how the measures of one name are made (metrics.h describes them). */
#ifndef OMT_INDEX_CONVENTION_H
#define OMT_INDEX_CONVENTION_H

#include "index/metrics.h"

/* An answer of one query. */
typedef struct omt_answer {
	const char *document; /* borrowed from the run */
	double score;
	uint32_t row;  /* in the run */
	int32_t grade; /* 0: not judged */
} omt_answer;

typedef int omt_answer_order(const void *a, const void *b); /* for qsort() */

typedef struct omt_convention {
	const char *name;
	int32_t cuts[8]; /* ends with 0 */
	bool whole;      /* map, mrr and ndcg over the whole ranking, too */
	bool absent_zero;
	bool needs_relevant; /* queries without a relevant document are left out */
	bool map_by_cut;     /* map@k is divided by min(R, k) */
	int decimals;        /* of means, except mrr's; 0: not rounded */
	omt_answer_order *order, *mrr_order;
} omt_convention;

/* Checks the settings; NULL with the error set. Fills name and columns of `scores`. */
const omt_convention *omt_convention_find(const omt_scoring *scoring, omt_scores *scores,
                                          omt_error *err);

/* Whether judged queries that are not in the run are left out. */
bool omt_convention_skips_absent(const omt_convention *by, const omt_scoring *scoring);

/* Grades of a query's judged documents, best first, into grades[rows]; how many are above 0. */
size_t omt_grades_sort(const omt_table *qrels, const uint32_t *rows, size_t count, int32_t *grades);

/* Gain of a grade at a rank from 1. */
double omt_gain_at(int32_t grade, size_t rank);

#endif
