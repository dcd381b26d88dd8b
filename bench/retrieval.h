/* retrieval.h - how well the vectors of a run find what they should. */
#ifndef OMT_BENCH_RETRIEVAL_H
#define OMT_BENCH_RETRIEVAL_H

#include "bench/settings.h"
#include "index/metrics.h"

/* Measures of every query against all passages, and chance beside them: the record's `retrieval`,
 * given. */
omt_status omt_bench_retrieval(const omt_bench_settings *settings,
                               const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                               json_t **retrieval, omt_error *err);

#endif
