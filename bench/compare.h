/* compare.h - what a second run's figures are beside a first one's: omt_bench_compare(). */
#ifndef OMT_BENCH_COMPARE_H
#define OMT_BENCH_COMPARE_H

#include "base/json.h"

/* The interval of ratios of medians b / a, 95 %, by resampling both lists of repetitions (Efron and
 * Tibshirani 1993, section 13.3), seeded. False: a list has fewer than 2 numbers above 0. */
bool omt_bench_ratio_interval(const json_t *a, const json_t *b, double *low, double *high);

#endif
