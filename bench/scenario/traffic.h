/* traffic.h - one run of omt_embed() under a scenario's rules: the source that lets requests go
 * when they are due, and the sink that keeps what became of each. */
#ifndef OMT_BENCH_TRAFFIC_H
#define OMT_BENCH_TRAFFIC_H

#include "bench/probes/energy.h"
#include "bench/items.h"

/* Stages of a request, in the order it goes through them; queue is all waiting. */
typedef enum omt_stage {
	OMT_STAGE_QUEUE,
	OMT_STAGE_DECODE,
	OMT_STAGE_PREPROCESS,
	OMT_STAGE_PACK,
	OMT_STAGE_TRANSFER,
	OMT_STAGE_COMPUTE,
	OMT_STAGES
} omt_stage;
extern const char *const omt_stage_names[OMT_STAGES];

/* What became of a request: an item sent to the engine. */
typedef struct omt_request {
	double arrival_s; /* when it was due, since the run's begin */
	double total_ms;  /* from then to the delivery of its vector: the sum of the stages */
	double stage_ms[OMT_STAGES];
	uint32_t place; /* in omt_bench_items.all */
	int32_t tokens;
	uint64_t query;
	uint32_t batch;
	bool failed;
} omt_request;

/* In blocks, so that a long run never moves what it has. */
typedef struct omt_requests {
	omt_request **blocks;
	size_t count, block_count;
} omt_requests;

const omt_request *omt_requests_at(const omt_requests *requests, size_t index);

/* What is sent, and how. */
typedef struct omt_traffic {
	const omt_bench_load *load;
	omt_energy *energy; /* measured beside it; NULL: not */
	const omt_bench_items *items;
	const uint32_t *places; /* the items, by their places in items->all */
	size_t place_count;
	const char *what; /* for progress */
	omt_bench_mode mode;
	uint64_t samples_per_query; /* 1 but for multi-stream */
	double min_duration_s;
	uint64_t min_queries;
	uint64_t most;            /* items, a run that is not measured; 0: as the minima say */
	const double *arrivals_s; /* server: when each request is due */
	size_t arrival_count;
	double target_s;            /* server: a run ends early when more than `late_allowed` */
	uint64_t late_allowed;      /* requests are sure to take longer; 0 target: never */
	omt_bench_vectors *vectors; /* [file_count]: vectors of the first pass; NULL: not kept */
} omt_traffic;

typedef struct omt_trial {
	omt_requests requests;
	uint64_t queries, failed, tokens;
	omt_embed_stats stats;
	double duration_s; /* from the begin to the last delivery */
	double harness_s;  /* CPU time of source and sink, by sampling */
	double lag_s;      /* server: the most by which a request that was waited for came late */
	json_t *energy;    /* omt_energy_end(); NULL: not measured */
	bool hopeless;     /* ended early, see late_allowed */
} omt_trial;

/* Runs it; free `trial` afterwards, whatever the status. */
omt_status omt_traffic_run(const omt_traffic *traffic, omt_trial *trial, omt_error *err);
void omt_trial_free(omt_trial *trial);

#endif
