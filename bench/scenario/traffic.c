#include "bench/scenario/traffic.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/scenario/meter.h"

const char *const omt_stage_names[OMT_STAGES] = {"queue", "decode",   "preprocess",
                                                 "pack",  "transfer", "compute"};

/* ---- requests ---- */

enum { BLOCK = 4096 };

/* NULL: no memory. */
static omt_request *add_request(omt_requests *requests)
{
	const size_t block = requests->count / BLOCK;
	if (block == requests->block_count) {
		omt_request **blocks = realloc(requests->blocks, (block + 1) * sizeof *blocks);
		if (!blocks)
			return NULL;
		requests->blocks = blocks;
		blocks[block] = malloc(BLOCK * sizeof **blocks);
		if (!blocks[block])
			return NULL;
		requests->block_count++;
	}
	return &requests->blocks[block][requests->count++ % BLOCK];
}

const omt_request *omt_requests_at(const omt_requests *requests, size_t index)
{
	return &requests->blocks[index / BLOCK][index % BLOCK];
}

static void free_requests(omt_requests *requests)
{
	for (size_t i = 0; i < requests->block_count; i++)
		free(requests->blocks[i]);
	free(requests->blocks);
	*requests = (omt_requests){0};
}

/* ---- what source and sink share ---- */

typedef struct omt_flow {
	const omt_traffic *traffic;
	omt_trial *trial;
	double begin_s;

	/* The source's: the engine takes one item at a time, from any thread. */
	omt_order sent;
	uint64_t given;
	double given_s; /* when the last one was */
	omt_item item;  /* that one */
	omt_meter source_meter;

	/* The sink's, in the calling thread. */
	omt_order received;
	omt_meter sink_meter;
	uint64_t late;
	size_t overdue; /* arrivals that were due a target's time ago */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t answered;
	bool ended;
	bool waits;     /* the source, for answers */
	double query_s; /* when the query that waits for answers was sent */
} omt_flow;

/* ---- the source ---- */

#define LOOK_UP_S 0.1

/* The last item was taken after the minimum, so its vector came after it, too. */
static bool minima_met(const omt_flow *flow)
{
	const omt_traffic *traffic = flow->traffic;
	return flow->given_s >= traffic->min_duration_s &&
	       flow->given / traffic->samples_per_query >= traffic->min_queries;
}

/* Whether there is a further item by the rules of the mode. */
static bool has_next(const omt_flow *flow)
{
	const omt_traffic *traffic = flow->traffic;
	if (traffic->most)
		return flow->given < traffic->most;
	switch (traffic->mode) {
	case OMT_BENCH_OFFLINE: /* every item is in it as often */
		return !flow->given || flow->given % traffic->place_count || !minima_met(flow);
	case OMT_BENCH_SERVER:
		return flow->given < traffic->arrival_count;
	default:
		return flow->given % traffic->samples_per_query || !minima_met(flow);
	}
}

/* Waits for an arrival; looks up now and then whether anybody wants to stop. */
static void wait_until(omt_flow *flow, double due_s)
{
	const omt_bench_load *load = flow->traffic->load;
	double now_s = omt_now_s();
	const bool early = now_s < due_s;
	for (; !flow->ended && now_s < due_s; now_s = omt_now_s()) {
		const double look_s = fmin(due_s, now_s + LOOK_UP_S);
		const struct timespec until = {.tv_sec = (time_t)look_s,
		                               .tv_nsec = (long)((look_s - floor(look_s)) * 1e9)};
		flow->ended = load->stop && load->stop(load->user);
		pthread_cond_clockwait(&flow->changed, &flow->lock, CLOCK_MONOTONIC, &until);
	}
	if (early && !flow->ended)
		flow->trial->lag_s = fmax(flow->trial->lag_s, now_s - due_s);
}

/* Waits until the item is due, or the run is to end. */
static void wait_for_turn(omt_flow *flow)
{
	const omt_traffic *traffic = flow->traffic;
	if (traffic->mode == OMT_BENCH_SERVER && flow->given < traffic->arrival_count)
		wait_until(flow, flow->begin_s + traffic->arrivals_s[flow->given]);
	else if (traffic->mode != OMT_BENCH_OFFLINE &&
	         flow->given % traffic->samples_per_query == 0)
		while (!flow->ended && flow->answered < flow->given) {
			flow->waits = true;
			pthread_cond_wait(&flow->changed, &flow->lock);
			flow->waits = false;
		}
}

static bool next(void *user, const omt_item **item)
{
	omt_flow *flow = user;
	const omt_traffic *traffic = flow->traffic;
	pthread_mutex_lock(&flow->lock);
	wait_for_turn(flow);
	omt_meter_begin(&flow->source_meter);
	const double woken_s = omt_now_s();
	const bool more = !flow->ended && has_next(flow);
	if (more && flow->given % traffic->samples_per_query == 0)
		flow->query_s = woken_s - flow->begin_s;
	pthread_mutex_unlock(&flow->lock);
	if (more) {
		flow->item = *traffic->items->all[omt_order_next(&flow->sent)].item;
		flow->item.more = ++flow->given % traffic->samples_per_query != 0;
		*item = &flow->item;
		flow->given_s = woken_s - flow->begin_s;
	}
	omt_meter_end(&flow->source_meter);
	return more;
}

/* ---- the sink ---- */

/* When the request was due, and how long its stages took from then. */
static void time_request(const omt_flow *flow, const omt_result *result, omt_request *request)
{
	const omt_traffic *traffic = flow->traffic;
	const double taken_s = result->taken_s - flow->begin_s;
	const double stage_ms[OMT_STAGES] = {[OMT_STAGE_DECODE] = result->decode_ms,
	                                     [OMT_STAGE_PREPROCESS] = result->preprocess_ms,
	                                     [OMT_STAGE_PACK] = result->pack_ms,
	                                     [OMT_STAGE_TRANSFER] = result->transfer_ms,
	                                     [OMT_STAGE_COMPUTE] = result->compute_ms};
	request->arrival_s = traffic->mode == OMT_BENCH_OFFLINE ? taken_s
	                     : traffic->mode == OMT_BENCH_SERVER
	                             ? traffic->arrivals_s[result->index]
	                             : flow->query_s;
	request->total_ms = 1e3 * (result->delivered_s - flow->begin_s - request->arrival_s);
	double queue_ms = request->total_ms;
	for (int stage = OMT_STAGE_QUEUE + 1; stage < OMT_STAGES; stage++) {
		request->stage_ms[stage] = stage_ms[stage];
		queue_ms -= stage_ms[stage];
	}
	request->stage_ms[OMT_STAGE_QUEUE] = queue_ms;
}

static void keep_vector(const omt_flow *flow, const omt_result *result, uint32_t place)
{
	const omt_traffic *traffic = flow->traffic;
	const omt_bench_item *item = &traffic->items->all[place];
	if (!traffic->vectors || result->index >= traffic->place_count || !result->vector)
		return;
	const omt_bench_vectors *vectors = &traffic->vectors[item->file];
	memcpy(vectors->data + item->row * (size_t)vectors->dimension, result->vector,
	       (size_t)vectors->dimension * sizeof(float));
}

/* Whether so many requests are late by now, answered or not, that the target cannot be met any
 * more. Answers come in the order of arrivals. */
static bool is_hopeless(omt_flow *flow, double now_s)
{
	const omt_traffic *traffic = flow->traffic;
	const uint64_t answered = flow->trial->requests.count;
	if (traffic->target_s <= 0)
		return false;
	while (flow->overdue < traffic->arrival_count &&
	       traffic->arrivals_s[flow->overdue] < now_s - traffic->target_s)
		flow->overdue++;
	const uint64_t waiting = flow->overdue > answered ? flow->overdue - answered : 0;
	return flow->late + waiting > traffic->late_allowed;
}

/* How far the run is, in thousandths of its minima. */
static void report(const omt_flow *flow, double now_s)
{
	const omt_traffic *traffic = flow->traffic;
	const omt_progress *progress = &traffic->load->progress;
	const double count = (double)flow->trial->requests.count;
	double done = traffic->mode == OMT_BENCH_OFFLINE ? count / (double)traffic->place_count : 1;
	if (!progress->report || traffic->most)
		return;
	if (traffic->min_duration_s > 0)
		done = fmin(done, now_s / traffic->min_duration_s);
	if (traffic->min_queries)
		done = fmin(done,
		            count / (double)(traffic->min_queries * traffic->samples_per_query));
	progress->report(progress->user, traffic->what, (uint64_t)(1000 * fmin(done, 1)), 1000);
}

static omt_status take(omt_flow *flow, const omt_result *result, double now_s, omt_error *err)
{
	omt_trial *trial = flow->trial;
	const omt_traffic *traffic = flow->traffic;
	const uint32_t place = omt_order_next(&flow->received);
	omt_request *request = add_request(&trial->requests);
	if (!request)
		return OMT_FAIL(err, NO_MEMORY, "%zu requests", trial->requests.count);
	*request = (omt_request){.place = place,
	                         .tokens = result->tokens,
	                         .query = result->index / traffic->samples_per_query,
	                         .batch = (uint32_t)result->batch,
	                         .failed = result->failed.status != OMT_OK};
	time_request(flow, result, request);
	keep_vector(flow, result, place);
	flow->late += request->total_ms > 1e3 * traffic->target_s;
	trial->hopeless = trial->hopeless || is_hopeless(flow, now_s);
	trial->duration_s = now_s;
	report(flow, now_s);
	if (traffic->load->stop && traffic->load->stop(traffic->load->user))
		return OMT_FAIL(err, STOPPED, "%s: stopped after %zu items", traffic->what,
		                trial->requests.count);
	return OMT_OK;
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	omt_flow *flow = user;
	omt_meter_begin(&flow->sink_meter);
	omt_status status = take(flow, result, result->delivered_s - flow->begin_s, err);
	pthread_mutex_lock(&flow->lock);
	const bool whole = ++flow->answered % flow->traffic->samples_per_query == 0;
	flow->ended = flow->ended || status != OMT_OK || flow->trial->hopeless;
	const bool wake = flow->ended || (whole && flow->waits);
	pthread_mutex_unlock(&flow->lock);
	if (wake)
		pthread_cond_signal(&flow->changed);
	omt_meter_end(&flow->sink_meter);
	return status;
}

/* ---- a run ---- */

/* Embeds, with its energy beside it where that is asked for. */
static omt_status embed(omt_flow *flow, omt_error *err)
{
	const omt_traffic *traffic = flow->traffic;
	omt_trial *trial = flow->trial;
	if (traffic->energy)
		OMT_TRY(omt_energy_begin(traffic->energy, err));
	flow->begin_s = omt_now_s();
	omt_status status = omt_embed(traffic->load->engine, &(omt_source){next, flow},
	                              &(omt_sink){put, flow}, &trial->stats, err);
	if (traffic->energy)
		trial->energy = omt_energy_end(traffic->energy, trial->requests.count);
	if (status == OMT_OK && flow->ended && !trial->hopeless)
		return OMT_FAIL(err, STOPPED, "%s: stopped after %zu items", traffic->what,
		                trial->requests.count);
	return status;
}

omt_status omt_traffic_run(const omt_traffic *traffic, omt_trial *trial, omt_error *err)
{
	omt_flow flow = {.traffic = traffic, .trial = trial};
	omt_status status;
	const bool shuffled = traffic->load->scenario->mode != OMT_BENCH_OFFLINE;
	const int64_t seed = traffic->load->scenario->seed;
	*trial = (omt_trial){0};
	pthread_mutex_init(&flow.lock, NULL);
	pthread_cond_init(&flow.changed, NULL);
	OMT_GOTO(omt_order_open(&flow.sent, traffic->places, traffic->place_count, seed, shuffled,
	                        err));
	OMT_GOTO(omt_order_open(&flow.received, traffic->places, traffic->place_count, seed,
	                        shuffled, err));
	omt_meter_open(&flow.source_meter);
	omt_meter_open(&flow.sink_meter);
	OMT_GOTO(embed(&flow, err));
	for (size_t i = 0; i < trial->requests.count; i++) {
		const omt_request *request = omt_requests_at(&trial->requests, i);
		trial->failed += request->failed;
		trial->tokens += (uint64_t)request->tokens;
	}
	trial->queries = trial->requests.count / traffic->samples_per_query;
	trial->harness_s =
		omt_meter_total_s(&flow.source_meter) + omt_meter_total_s(&flow.sink_meter);
done:
	omt_order_close(&flow.sent);
	omt_order_close(&flow.received);
	pthread_cond_destroy(&flow.changed);
	pthread_mutex_destroy(&flow.lock);
	return status;
}

void omt_trial_free(omt_trial *trial)
{
	free_requests(&trial->requests);
	json_decref(trial->energy);
	trial->energy = NULL;
}
