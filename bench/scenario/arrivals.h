/* arrivals.h - when requests come in server mode: a Poisson process. Gaps between arrivals are
 * independent and exponential, -log(1 - u) / rate with u uniform in [0, 1) from base/random.h, so
 * that the arrivals of a seed at another rate are the same ones, closer together. */
#ifndef OMT_BENCH_ARRIVALS_H
#define OMT_BENCH_ARRIVALS_H

#include "base/random.h"
#include "base/status.h"

/* The next gap of a process of rate 1. */
double omt_arrivals_gap(omt_random *random);

/* Times in seconds since the begin, ascending, until there are `queries` of them at least and the
 * last one is at `duration_s` or later. Streams of a seed are independent. Given, free(). More than
 * 100 million arrivals are OMT_LIMIT. */
omt_status omt_arrivals_make(double rate, double duration_s, uint64_t queries, int64_t seed,
                             uint64_t stream, double **times_s, size_t *count, omt_error *err);

#endif
