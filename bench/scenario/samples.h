/* samples.h - what many samples are told by: all of them are kept, nothing is an average of
 * percentiles. */
#ifndef OMT_BENCH_SAMPLES_H
#define OMT_BENCH_SAMPLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The nearest rank: the least value that `percent` of the values do not exceed, value number
 * ceil(percent / 100 * count) of `values`, which are ascending; 0 < percent <= 100, count > 0. */
double omt_samples_percentile(const double *values, size_t count, double percent);

/* How many of `count` may be larger than a target that this percentile must meet. */
uint64_t omt_samples_allowed(uint64_t count, double percent);

/* A bound that the percentile of all that could have been measured does not exceed, with 99 %
 * confidence, from independent samples: MLPerf's early-stopping estimate (inference_rules.adoc,
 * "Early Stopping Criterion"). It is the t-th largest value, t the largest with
 * P[Binomial(count, 1 - percent / 100) <= t] <= 1 %. False: too few samples for one. */
bool omt_samples_bound(const double *values, size_t count, double percent, double *bound);

/* {"min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max"}; sorts values. All null without
 * values. */
json_t *omt_samples_describe(double *values, size_t count);
/* {"mean", "p50", "p99"} */
json_t *omt_samples_describe_short(double *values, size_t count);

#endif
