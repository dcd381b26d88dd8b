/* scenario.h - what is measured and by which rules, in the terms of MLPerf Inference ("MLPerf
 * Inference Benchmark", arXiv 1911.02549, section 4; its LoadGen): how requests arrive, for how
 * long, which latencies count, and what makes a result valid.
 *
 * offline        all items are there from the start; the figure is items a second
 * single-stream  a query of one item when the one before is answered; the 90th percentile of
 * latency multi-stream   a query of samples_per_query items when the one before is answered; the
 * 99th server         queries of one item arrive as a Poisson process, all modalities mixed; the
 * highest rate whose latency percentile stays within the target */
#ifndef OMT_BENCH_SCENARIO_H
#define OMT_BENCH_SCENARIO_H

#include "base/status.h"

typedef enum omt_bench_mode {
	OMT_BENCH_OFFLINE,
	OMT_BENCH_SINGLE_STREAM,
	OMT_BENCH_MULTI_STREAM,
	OMT_BENCH_SERVER,
	OMT_BENCH_MODE_COUNT
} omt_bench_mode;

/* The `scenario` mapping of a benchmark file (bench/README.md). */
typedef struct omt_bench_scenario {
	omt_bench_mode mode;
	double min_duration_s;
	int32_t min_queries, warmup, repetitions;
	int64_t seed;
	int32_t samples_per_query;
	double target_latency_ms, percentile, rate;
	const char *requests; /* path or NULL; borrowed */
	bool overlap;
} omt_bench_scenario;

#endif
