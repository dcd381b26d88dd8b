/* compare.h - what a second run's figures are beside a first one's: omt_bench_compare(). */
#ifndef OMT_BENCH_COMPARE_H
#define OMT_BENCH_COMPARE_H

#include "base/json.h"

/* A figure of a part or of a record. */
typedef struct omt_bench_metric {
	const char *name;
	const char *object; /* of the part, or of the record; NULL: itself */
	bool of_part;       /* otherwise of the record */
	bool higher_is_better;
} omt_bench_metric;

/* A figure's name to its metric. "ndcg@10", "map": one of retrieval's, with the measure's name
 * before the @. NULL: no such figure. */
const omt_bench_metric *omt_bench_metric_find(const char *name);

/* The interval of ratios of medians b / a, 95 %, by resampling both lists of repetitions (Efron and
 * Tibshirani 1993, section 13.3), seeded. False: a list has fewer than 2 numbers above 0. */
bool omt_bench_ratio_interval(const json_t *a, const json_t *b, double *low, double *high);

/* The record of `records` that is the same point as `record`: of the same key; or else the only
 * one with the same `point`; or else the only one there is, when `record` is the only one of
 * `others`, too. NULL: none. */
json_t *omt_bench_match(const json_t *record, const json_t *others, const json_t *records);

#endif
