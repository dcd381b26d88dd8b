/* server.h - the server scenario: at a rate that is given, or at the highest one that is valid.
 *
 * The search: from half of what the warm-up was served at, doubled while it is valid or halved
 * until it is; then halved in between, on a scale of ratios, until the two are within 2.5 %. A
 * trial has the minimum duration and queries; one that cannot be valid any more, because more
 * requests are late than the percentile allows, ends there. All trials are of the same arrivals at
 * other speeds. The rate found is confirmed with other arrivals, and that run is the result; when
 * it is not valid, 3 % less is tried, five times at most (MLPerf's LoadGen: binary search, then
 * lower by a small delta until it holds). */
#ifndef OMT_BENCH_SERVER_H
#define OMT_BENCH_SERVER_H

#include "bench/scenario/part.h"

typedef struct omt_server {
	omt_trial trial; /* the result */
	double *arrivals_s;
	double rate;
	json_t *search; /* [{"rate", "latency_ms" (null: ended early), "valid", "queries"}] */
} omt_server;

/* traffic->arrivals_s becomes the result's. Free `server` afterwards, whatever the status. */
omt_status omt_server_run(omt_traffic *traffic, omt_server *server, omt_error *err);
void omt_server_free(omt_server *server);

#endif
