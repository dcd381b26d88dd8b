/* significance.h - how sure a mean over queries is, and a difference of two.
 *
 * All by resampling, seeded, the same on every machine. Counts are turned into p values as
 * (count + 1) / (resamples + 1), so that none is 0 (Davison and Hinkley 1997, section 4.2). */
#ifndef OMT_INDEX_SIGNIFICANCE_H
#define OMT_INDEX_SIGNIFICANCE_H

#include "base/json.h"

/* 95 % percentile intervals (Efron and Tibshirani 1993, section 13.3) of the means of each column
 * of values[rows, columns] over its rows: the same draws of rows for all columns. */
omt_status omt_bootstrap_means(const double *values, size_t rows, size_t columns, int32_t resamples,
                               uint64_t seed, double *low, double *high, omt_error *err);

typedef struct omt_paired {
	double difference;      /* mean of b - a */
	double low, high;       /* its 95 % percentile interval */
	double p_randomisation; /* two-sided: signs of the differences at random (Fisher; Smucker,
	                           Allan and Carterette 2007); all of them when they are no more
	                           than the resamples, then exact */
	double p_bootstrap; /* two-sided: studentised differences, shifted to mean 0 (Sakai 2006) */
} omt_paired;

/* a and b are [rows, columns]: a row a query, the same one in both; paired[columns] is filled, the
 * same draws for all columns. resamples > 0. */
omt_status omt_paired_compare(const double *a, const double *b, size_t rows, size_t columns,
                              int32_t resamples, uint64_t seed, omt_paired *paired, omt_error *err);

/* Two results of omt_scores_per_query(): every measure and cut-off that both have, over the
 * queries that both have: {"queries": N, "ndcg": {"10": {"difference", "low", "high",
 * "p_randomisation", "p_bootstrap"}}}. Given. Objects of another shape, from files, are
 * OMT_BAD_FORMAT. */
omt_status omt_per_query_compare(const json_t *a, const json_t *b, int32_t resamples, uint64_t seed,
                                 json_t **compared, omt_error *err);

#endif
