#include "bench/scenario/server.h"

#include <math.h>
#include <stdlib.h>

#include "bench/scenario/arrivals.h"
#include "bench/scenario/samples.h"

#define NEAR_ENOUGH 1.025
#define LESS        0.97
#define LESS_TIMES  5
#define HALVINGS    6 /* to 1/128 of what is served at most, where hardly a request waits */
#define DOUBLINGS   20
#define ESTIMATED   32 /* items at least */

/* Streams of the seed for arrivals; the orders of items have another one. */
enum { SEARCH_STREAM = 2, RESULT_STREAM = 3 };

/* One run at server->rate, into server->trial. */
static omt_status run_at(omt_traffic *traffic, omt_server *server, uint64_t stream, bool give_up,
                         omt_error *err)
{
	const omt_bench_scenario *scenario = traffic->load->scenario;
	omt_trial_free(&server->trial);
	free(server->arrivals_s);
	traffic->arrivals_s = NULL;
	OMT_TRY(omt_arrivals_make(server->rate, traffic->min_duration_s, traffic->min_queries,
	                          scenario->seed, stream, &server->arrivals_s,
	                          &traffic->arrival_count, err));
	traffic->arrivals_s = server->arrivals_s;
	traffic->target_s = give_up ? 1e-3 * scenario->target_latency_ms : 0;
	traffic->late_allowed = omt_samples_allowed(traffic->arrival_count, scenario->percentile);
	return omt_traffic_run(traffic, &server->trial, err);
}

/* A run of the search; *valid: it met the target and kept up. */
static omt_status try_rate(omt_traffic *traffic, omt_server *server, uint64_t stream, bool *valid,
                           omt_error *err)
{
	omt_trial *trial = &server->trial;
	size_t count;
	OMT_TRY(run_at(traffic, server, stream, true, err));
	double *values = omt_trial_latencies(trial, &count);
	if (!values)
		return OMT_FAIL(err, NO_MEMORY, "%zu requests", trial->requests.count);
	const omt_verdict verdict = omt_trial_verdict(traffic, trial, values, count);
	free(values);
	*valid = count && !trial->hopeless && omt_verdict_in_time(&verdict);
	json_array_append_new(
		server->search,
		json_pack("{sf so sb sI}", "rate", server->rate, "latency_ms",
	                  count && !trial->hopeless ? json_real(verdict.latency_ms) : json_null(),
	                  "valid", *valid, "queries", (json_int_t)trial->requests.count));
	return OMT_OK;
}

/* What is served when all is there from the start, after a warm-up. */
static omt_status estimate(const omt_traffic *traffic, double *rate, omt_error *err)
{
	const int32_t warmup = traffic->load->scenario->warmup;
	omt_traffic all = *traffic;
	omt_trial trial;
	all.mode = OMT_BENCH_OFFLINE;
	all.energy = NULL;
	all.most = warmup > ESTIMATED ? (uint64_t)warmup : ESTIMATED;
	omt_status status = omt_traffic_run(&all, &trial, err);
	if (status == OMT_OK)
		*rate = (double)trial.requests.count / trial.duration_s;
	omt_trial_free(&trial);
	return status;
}

/* Two rates of factor 2, the lower one valid, the higher one not; *low 0: there is none. */
static omt_status bracket(omt_traffic *traffic, omt_server *server, double *low, double *high,
                          omt_error *err)
{
	bool valid;
	*low = *high = 0;
	for (int i = 0; i <= HALVINGS && *low <= 0; i++) {
		server->rate /= 2;
		OMT_TRY(try_rate(traffic, server, SEARCH_STREAM, &valid, err));
		*(valid ? low : high) = server->rate;
	}
	if (*low <= 0 || *high > 0)
		return OMT_OK;
	for (int i = 0; i < DOUBLINGS && *high <= 0; i++) {
		server->rate = 2 * *low;
		OMT_TRY(try_rate(traffic, server, SEARCH_STREAM, &valid, err));
		*(valid ? low : high) = server->rate;
	}
	return OMT_OK;
}

static omt_status bisect(omt_traffic *traffic, omt_server *server, double *low, double high,
                         omt_error *err)
{
	bool valid;
	while (high > NEAR_ENOUGH * *low) {
		server->rate = sqrt(*low * high);
		OMT_TRY(try_rate(traffic, server, SEARCH_STREAM, &valid, err));
		*(valid ? low : &high) = server->rate;
	}
	return OMT_OK;
}

static omt_status search(omt_traffic *traffic, omt_server *server, omt_error *err)
{
	double low, high;
	bool valid = false;
	OMT_TRY(estimate(traffic, &server->rate, err));
	OMT_TRY(bracket(traffic, server, &low, &high, err));
	if (low <= 0) /* the last trial says why */
		return OMT_OK;
	OMT_TRY(bisect(traffic, server, &low, high, err));
	for (int i = 0; i <= LESS_TIMES && !valid; i++, low *= LESS) {
		server->rate = low;
		OMT_TRY(try_rate(traffic, server, RESULT_STREAM, &valid, err));
	}
	return OMT_OK;
}

omt_status omt_server_run(omt_traffic *traffic, omt_server *server, omt_error *err)
{
	*server = (omt_server){.rate = traffic->load->scenario->rate, .search = json_array()};
	return server->rate > 0 ? run_at(traffic, server, RESULT_STREAM, false, err)
	                        : search(traffic, server, err);
}

void omt_server_free(omt_server *server)
{
	omt_trial_free(&server->trial);
	free(server->arrivals_s);
	json_decref(server->search);
	*server = (omt_server){0};
}
