/* retrieval.h - how well the vectors of a run find what they should. */
#ifndef OMT_BENCH_RETRIEVAL_H
#define OMT_BENCH_RETRIEVAL_H

#include "bench/settings.h"
#include "index/metrics.h"

/* Finds the passages nearest to every query, exactly, by vectors cut to the settings' dimension;
 * measures by their convention, with chance beside them: the record's `retrieval`, given. Answers
 * go to the settings' `run`, too. */
omt_status omt_bench_retrieval(const omt_bench_settings *settings,
                               const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                               const omt_progress *progress, json_t **retrieval, omt_error *err);

#endif
