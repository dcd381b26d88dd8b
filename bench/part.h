/* part.h - what a run was: the record's `parts` (bench/README.md), the rules, and `requests`. */
#ifndef OMT_BENCH_PART_H
#define OMT_BENCH_PART_H

#include "bench/traffic.h"

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
	double lag_ms;   /* the most that an arrival came late by the benchmark's fault */
} omt_verdict;

/* Appends why it is not valid to `reasons`, and what a reader should know to `remarks`. */
void omt_verdict_judge(const omt_verdict *verdict, json_t *reasons, json_t *remarks);

/* The part's object, given; NULL: no memory. file NULL: mixed. */
json_t *omt_part_describe(const omt_traffic *traffic, const omt_trial *trial, const char *file,
                          const char *modality);

/* Sorted latencies of the trial's queries, in ms; those of failed items are left out. Given;
 * NULL: no memory. */
double *omt_trial_latencies(const omt_trial *trial, size_t *count);

#endif
