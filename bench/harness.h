/* harness.h - the inside of omt_bench(): settings, passes over a data set, retrieval, the record.
 *
 * A pass embeds the items of one file (passages or queries) and one modality, so that throughput
 * and latency belong to a modality; it is repeated, medians are over the repetitions. Terms are
 * MLPerf's: latency is from an item being taken to its vector being delivered, percentiles are by
 * nearest rank. */
#ifndef OMT_BENCH_HARNESS_H
#define OMT_BENCH_HARNESS_H

#include "base/yaml.h"
#include "bench/scenario.h"
#include "index/metrics.h"

#define OMT_BENCH_CUTS OMT_METRIC_CUTS

typedef struct omt_bench_settings {
	omt_yaml yaml;
	char *model, *passages, *queries, *qrels; /* paths */
	char *output, *trace;                     /* paths or NULL */
	char *device;                             /* NULL: not said */
	omt_engine_options engine;
	int32_t warmup, repetitions;
	int32_t cuts[OMT_BENCH_CUTS];
	size_t cut_count;
} omt_bench_settings;

/* Paths in the file are relative to its folder; unknown keys are errors. */
omt_status omt_bench_settings_load(const char *path, omt_bench_settings *settings, omt_error *err);
void omt_bench_settings_free(omt_bench_settings *settings);

/* Runs all passes over one file: one object for each modality in it is appended to `passes`. */
omt_status omt_bench_passes(omt_engine *engine, const omt_bench_settings *settings,
                            const char *list, omt_role role, const omt_progress *progress,
                            json_t *passes, omt_bench_vectors *vectors, omt_error *err);

/* Measures of every query against all passages, and chance beside them; given. */
omt_status omt_bench_retrieval(const omt_bench_settings *settings,
                               const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                               json_t **retrieval, omt_error *err);

#endif
