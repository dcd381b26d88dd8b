/* omt_embed(): the compute thread. It enqueues batch n + 1 before it waits for batch n, so that the
 * device never idles while a slot is ready. */
#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include "base/clock.h"
#include "model/pipe.h"
#include "model/trace.h"

/* When the device was busy lately, to tell how much preparation ran beside it. A preparation is
 * looked at after its own batch, when all computing that could have run beside it is over; only one
 * that lasted longer than this many batches is counted short. */
#define INTERVALS 64

typedef struct omt_embedding {
	omt_engine *engine;
	omt_pipe pipe;
	const omt_sink *sink;
	omt_embed_stats stats;
	struct {
		double begin_s, end_s;
	} busy[INTERVALS];
	/* The last batch's first op, when it began by the device's clock (which begins with the
	 * run), and what to add for the host's. */
	struct {
		uint64_t first;
		double begin_s, offset_s;
	} clock;
} omt_embedding;

/* When a finished batch began and ended, by the host's clock. Marks tell times of the device's
 * clock; no batch ends after it is seen to have ended, and the closest of these sightings sets the
 * one clock by the other. */
static void locate(omt_embedding *run, const omt_slot *slot, double *begin_s, double *end_s)
{
	omt_exec *exec = run->engine->exec;
	double now_s = omt_now_s(), took_s = omt_exec_elapsed(exec, slot->first, slot->last);
	double since_s =
		run->clock.first ? omt_exec_elapsed(exec, run->clock.first, slot->last) : 0;
	double ended_s = run->clock.begin_s + since_s;
	if (since_s < took_s) { /* the run's first batch, or the last one's mark is forgotten */
		ended_s = took_s;
		run->clock.offset_s = INFINITY;
	}
	run->clock.first = slot->first;
	run->clock.begin_s = ended_s - took_s;
	run->clock.offset_s = fmin(run->clock.offset_s, now_s - ended_s);
	*end_s = ended_s + run->clock.offset_s;
	*begin_s = *end_s - took_s;
}

static double overlap_s(const omt_embedding *run, double begin_s, double end_s)
{
	double sum = 0;
	uint64_t known = run->stats.batches < INTERVALS ? run->stats.batches : INTERVALS;
	for (uint64_t i = 0; i < known; i++) {
		double begin = run->busy[i].begin_s, end = run->busy[i].end_s;
		begin = begin > begin_s ? begin : begin_s;
		end = end < end_s ? end : end_s;
		sum += end > begin ? end - begin : 0;
	}
	return sum;
}

/* An overflow in a forward pass must not go out as a vector. */
static void check_finite(omt_work *work, const float *vector, int32_t dimension)
{
	for (int32_t i = 0; i < dimension; i++)
		if (!isfinite(vector[i])) {
			OMT_FAIL(&work->failed, BAD_MODEL, "the model's vector is not finite");
			return;
		}
}

/* ---- the trace ---- */

static void trace_item(const omt_embedding *run, const omt_work *work, uint64_t index)
{
	omt_trace *trace = run->engine->options.trace;
	int32_t row = OMT_TRACE_WORKER + work->worker;
	long long batch = (long long)run->stats.batches - 1;
	double decoded_s = work->begin_s + work->decode_s;
	omt_trace_span(trace, row, work->id, work->begin_s, work->end_s, "{sI si sb sI}", "item",
	               (json_int_t)index, "tokens", work->tokens, "failed",
	               work->failed.status != OMT_OK, "batch", (json_int_t)batch);
	if (work->failed.status != OMT_OK)
		return;
	if (work->decode_s > 0)
		omt_trace_span(trace, row, "decode", work->begin_s, decoded_s, "{}");
	omt_trace_span(trace, row, "preprocess", decoded_s, work->end_s, "{}");
	omt_trace_span(trace, OMT_TRACE_FILLER, work->id, work->fill_begin_s, work->fill_end_s,
	               "{sI sI}", "item", (json_int_t)index, "batch", (json_int_t)batch);
}

static void trace_batch(const omt_embedding *run, const omt_slot *slot, double begin_s,
                        double end_s)
{
	omt_trace *trace = run->engine->options.trace;
	omt_exec *exec = run->engine->exec;
	char name[32];
	if (!trace)
		return;
	double download_s = omt_exec_elapsed(exec, slot->last, slot->last);
	double sent_s = end_s - omt_exec_elapsed(exec, slot->upload_first, slot->last);
	double upload_s = omt_exec_elapsed(exec, slot->upload_first, slot->upload_last);
	snprintf(name, sizeof name, "batch %llu", (unsigned long long)run->stats.batches);
	omt_trace_span(trace, OMT_TRACE_DEVICE, name, begin_s, end_s - download_s, "{si si}",
	               "items", slot->batch.items, "tokens", slot->batch.tokens);
	omt_trace_span(trace, OMT_TRACE_TRANSFERS, name, sent_s, sent_s + upload_s, "{ss}", "to",
	               "device");
	omt_trace_span(trace, OMT_TRACE_TRANSFERS, name, end_s - download_s, end_s, "{ss}", "to",
	               "host");
}

/* ---- the compute thread ---- */

static omt_status deliver(omt_embedding *run, const omt_lane *lane, double compute_s,
                          omt_error *err)
{
	int32_t dimension = run->engine->model->config.text.hidden, row = 0;
	for (uint64_t i = 0; i < lane->count; i++) {
		omt_work *work = omt_pipe_work(&run->pipe, lane->first + i);
		const float *vector = lane->slot->vectors + (size_t)row * (size_t)dimension;
		if (work->failed.status == OMT_OK) {
			check_finite(work, vector, dimension);
			row++;
		}
		bool good = work->failed.status == OMT_OK;
		double fill_s = work->fill_end_s - work->fill_begin_s;
		double prepare_s = work->end_s - work->begin_s + (good ? fill_s : 0);
		omt_result result = {
			.index = lane->first + i,
			.id = work->id,
			.failed = work->failed,
			.vector = good ? vector : NULL,
			.dimension = dimension,
			.tokens = work->tokens,
			.kinds = work->kinds,
			.prepare_ms = 1e3 * prepare_s,
			.latency_ms = 1e3 * (omt_now_s() - work->taken_s),
			.batch = run->stats.batches - 1,
			.compute_ms = 1e3 * compute_s,
		};
		run->stats.items++;
		run->stats.failed += !good;
		run->stats.tokens += (uint64_t)work->tokens;
		run->stats.prepare_s += prepare_s;
		run->stats.hidden_s += overlap_s(run, work->begin_s, work->end_s);
		if (good)
			run->stats.hidden_s += overlap_s(run, work->fill_begin_s, work->fill_end_s);
		trace_item(run, work, result.index);
		OMT_TRY(run->sink->put(run->sink->user, &result, err));
	}
	return OMT_OK;
}

/* Waits for the oldest batch in flight, hands out its results and frees its slot. */
static omt_status finish(omt_embedding *run, omt_lane *lane, omt_error *err)
{
	double begin_s = 0, end_s = 0;
	if (lane->slot->batch.items) {
		OMT_TRY(omt_exec_wait(run->engine->exec, lane->slot->last, err));
		locate(run, lane->slot, &begin_s, &end_s);
		trace_batch(run, lane->slot, begin_s, end_s);
	}
	double seen_s = omt_now_s();
	uint64_t number = run->stats.batches++;
	run->busy[number % INTERVALS].begin_s = begin_s;
	run->busy[number % INTERVALS].end_s = end_s;
	run->stats.compute_s += end_s - begin_s;
	OMT_TRY(deliver(run, lane, end_s - begin_s, err));
	omt_trace_span(run->engine->options.trace, OMT_TRACE_COMPUTE_THREAD, "deliver", seen_s,
	               omt_now_s(), "{sI}", "batch", (json_int_t)number);
	omt_pipe_release(&run->pipe, lane);
	return OMT_OK;
}

static omt_status enqueue(const omt_embedding *run, omt_slot *slot, omt_error *err)
{
	double begin_s = omt_now_s();
	if (!slot->batch.items)
		return OMT_OK;
	OMT_TRY(omt_slot_enqueue(run->engine, slot, NULL, err));
	omt_trace_span(run->engine->options.trace, OMT_TRACE_COMPUTE_THREAD, "enqueue", begin_s,
	               omt_now_s(), "{si}", "items", slot->batch.items);
	return OMT_OK;
}

/* Whether the batch in flight has to be delivered, for the pipe's wait for another one. */
typedef struct omt_flight {
	omt_exec *exec;
	omt_lane *lane; /* NULL: none */
} omt_flight;

static bool landed(void *user)
{
	const omt_flight *flight = user;
	return !flight->lane->slot->batch.items ||
	       omt_exec_done(flight->exec, flight->lane->slot->last);
}

/* At most two batches are on the device: one computing, one waiting behind it. While one computes,
 * a slot that becomes ready is enqueued at once, not after the delivery. A backend that is not
 * asynchronous has computed a batch when it is enqueued: its results go out at once. */
static omt_status drive(omt_embedding *run, omt_error *err)
{
	omt_flight flying = {run->engine->exec, NULL};
	for (int32_t turn = 0;;) {
		omt_lane *lane =
			omt_pipe_ready(&run->pipe, turn, flying.lane ? landed : NULL, &flying);
		if (!lane && !flying.lane)
			return OMT_OK;
		if (lane) {
			turn = (turn + 1) % run->pipe.lane_count;
			OMT_TRY(enqueue(run, lane->slot, err));
		}
		if (flying.lane)
			OMT_TRY(finish(run, flying.lane, err));
		flying.lane = lane;
		if (lane && !run->engine->info.asynchronous) {
			OMT_TRY(finish(run, lane, err));
			flying.lane = NULL;
		}
	}
}

omt_status omt_embed(omt_engine *engine, const omt_source *source, const omt_sink *sink,
                     omt_embed_stats *stats, omt_error *err)
{
	omt_embedding run = {.engine = engine, .sink = sink};
	double begin_s = omt_now_s();
	OMT_TRY(omt_pipe_open(engine, source, &run.pipe, err));
	omt_status status = drive(&run, err);
	if (status != OMT_OK)
		omt_exec_wait(engine->exec, 0, NULL); /* nothing may still use the slots */
	omt_pipe_close(&run.pipe);
	run.stats.wall_s = omt_now_s() - begin_s;
	if (stats)
		*stats = run.stats;
	return status;
}
