/* scenario.h - what is measured and by which rules, in the terms of MLPerf Inference ("MLPerf
 * Inference Benchmark", arXiv 1911.02549, section 4; inference_rules.adoc, "Scenarios" and
 * "LoadGen Operation"): how requests arrive, for how long, which latencies count, what is valid.
 *
 *   offline        all items are there from the start; the figure is items a second
 *   single-stream  a query of one item when the one before is answered; the 90th percentile of
 *                  latency
 *   multi-stream   a query of samples_per_query items when the one before is answered; the 99th
 *   server         queries of one item arrive as a Poisson process, all modalities mixed; the
 *                  highest rate whose latency percentile stays within the target
 *   modelled       nothing is timed: what a card that need not be here would take (modelled.h)
 *
 * A part is one file and one modality, in server mode everything mixed. Its items are gone through
 * again in an order of the seed's until it lasted min_duration_s and had min_queries queries:
 * offline whole passes, the first one in the file's order, other modes in shuffled order until both
 * are met. `warmup` items go before each part and are in no figure.
 *
 * A query's latency is from the moment it was scheduled for to the delivery of its last vector, so
 * that a server that falls behind cannot hide it. All samples are kept; percentiles are by nearest
 * rank. A part says why it is not valid. */
#ifndef OMT_BENCH_SCENARIO_H
#define OMT_BENCH_SCENARIO_H

#include <jansson.h>

#include "base/status.h"

typedef enum omt_bench_mode {
	OMT_BENCH_OFFLINE,
	OMT_BENCH_SINGLE_STREAM,
	OMT_BENCH_MULTI_STREAM,
	OMT_BENCH_SERVER,
	OMT_BENCH_MODELLED,
	OMT_BENCH_MODE_COUNT
} omt_bench_mode;

/* "offline", "single-stream", ...: in files and records; NULL at the end. */
extern const char *const omt_bench_mode_names[OMT_BENCH_MODE_COUNT + 1];

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

/* bench/README.md's defaults. */
void omt_bench_scenario_init(omt_bench_scenario *scenario);

/* A list of items. */
typedef struct omt_bench_file {
	const char *name, *path; /* "passages" or "queries", the list; borrowed */
	omt_role role;
	omt_limits limits; /* of items that do not say their own */
} omt_bench_file;

/* Vectors of one file, by the order of its items. */
typedef struct omt_bench_vectors {
	int32_t dimension;
	size_t count;
	float *data; /* [count, dimension]; rows of NaN for items without a vector; NULL: the mode
	                makes none */
	json_t *ids; /* array */
} omt_bench_vectors;

void omt_bench_vectors_free(omt_bench_vectors *vectors);

typedef struct omt_bench_load {
	omt_engine *engine; /* of modes other than offline: opened with options.eager, or batches
	                       wait for items that only come after them */
	const omt_bench_scenario *scenario;
	const omt_bench_file *files;
	size_t file_count;
	uint64_t most;     /* items of a part, in a run that is in no figure; 0: as the scenario
	                      says */
	bool energy;       /* of each part, too (bench/probes/energy.h) */
	omt_trace *trace;  /* the engine's; NULL: none */
	int32_t dimension; /* of the engine's vectors */
	omt_progress progress;
	bool (*stop)(void *user); /* true: OMT_STOPPED soon; asked from any thread; may be NULL */
	void *user;
} omt_bench_load;

/* Runs every part: *parts is the record's array (bench/README.md), given. vectors[file_count] get
 * every file's ids, and offline the vectors of the first repetition; free each. A file's bad items
 * are failed items; a file that cannot be read or has no items is an error. Requests, when the
 * scenario asks for them, are written after the last part. */
omt_status omt_bench_scenario_run(const omt_bench_load *load, json_t **parts,
                                  omt_bench_vectors *vectors, omt_error *err);

/* Puts `serial` into each part of `parts`: what the same part did with another engine, of one slot.
 */
void omt_bench_parts_compare(json_t *parts, const json_t *serial);

#endif
