/* part.h - what a run was: the record's `parts` (bench/README.md), the rules, and `requests`. */
#ifndef OMT_BENCH_PART_H
#define OMT_BENCH_PART_H

#include <stdio.h>

#include "bench/scenario/traffic.h"

/* What decides whether a part is valid. */
typedef struct omt_verdict {
	omt_bench_mode mode;
	double duration_s, min_duration_s; /* server: to the last arrival */
	uint64_t queries, min_queries, items, failed;
	size_t samples; /* latencies */
	/* server: */
	double percentile, latency_ms, target_latency_ms;
	double least_ms; /* the least latency: what a request takes that waits for nobody */
	double after_s;  /* from the last arrival to the last answer */
	bool hopeless;   /* ended early: too many were late */
	double lag_ms;   /* the most that an arrival came late by the benchmark's fault */
} omt_verdict;

/* Appends why it is not valid to `reasons`, and what a reader should know to `remarks`. */
void omt_verdict_judge(const omt_verdict *verdict, json_t *reasons, json_t *remarks);

/* Server: whether the latency percentile met the target and the queue did not grow. */
bool omt_verdict_in_time(const omt_verdict *verdict);

/* The trial's; values[count]: omt_trial_latencies(). */
omt_verdict omt_trial_verdict(const omt_traffic *traffic, const omt_trial *trial,
                              const double *values, size_t count);

/* Items that did not fail a second. */
double omt_trial_rate(const omt_trial *trial);

/* Latencies of the trial's queries in ms, ascending; those with failed items are left out. Given,
 * free(); NULL: no memory. */
double *omt_trial_latencies(const omt_trial *trial, size_t *count);

/* The part's object, given; NULL: no memory. `file` NULL: of all, mixed. */
json_t *omt_part_describe(const omt_traffic *traffic, const omt_trial *trial, const char *file,
                          const char *modality);

/* Appends a line for each request; `part` is the part's number. */
omt_status omt_requests_write(FILE *stream, size_t part, const omt_traffic *traffic,
                              const omt_trial *trial, omt_error *err);

#endif
