/* omt_embed(): the compute thread. It enqueues batch n + 1 before it waits for batch n, so that the
 * device never idles while a slot is ready. */
#include <math.h>

#include "base/clock.h"
#include "model/pipe.h"

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
} omt_embedding;

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
		OMT_TRY(run->sink->put(run->sink->user, &result, err));
	}
	return OMT_OK;
}

/* Waits for the oldest batch in flight, hands out its results and frees its slot. */
static omt_status finish(omt_embedding *run, omt_lane *lane, double begin_s, omt_error *err)
{
	double compute_s = 0;
	if (lane->slot->batch.items) {
		OMT_TRY(omt_exec_wait(run->engine->exec, lane->slot->last, err));
		compute_s =
			omt_exec_elapsed(run->engine->exec, lane->slot->first, lane->slot->last);
	}
	uint64_t at = run->stats.batches++ % INTERVALS;
	run->busy[at].end_s = omt_now_s();
	run->busy[at].begin_s = run->busy[at].end_s - compute_s;
	if (run->busy[at].begin_s < begin_s)
		run->busy[at].begin_s = begin_s;
	run->stats.compute_s += compute_s;
	OMT_TRY(deliver(run, lane, compute_s, err));
	omt_pipe_release(&run->pipe, lane);
	return OMT_OK;
}

/* At most two batches are on the device: one computing, one waiting behind it. A backend that is
 * not asynchronous has computed a batch when it is enqueued: its results go out at once. */
static omt_status drive(omt_embedding *run, omt_error *err)
{
	omt_lane *flying = NULL;
	double flying_since_s = 0;
	for (int32_t turn = 0;;) {
		omt_lane *lane = omt_pipe_ready(&run->pipe, turn, flying == NULL);
		if (!lane && !flying)
			return OMT_OK;
		double since_s = omt_now_s();
		if (lane) {
			turn = (turn + 1) % run->pipe.lane_count;
			if (lane->slot->batch.items)
				OMT_TRY(omt_slot_enqueue(run->engine, lane->slot, NULL, err));
		}
		if (flying)
			OMT_TRY(finish(run, flying, flying_since_s, err));
		flying = lane;
		flying_since_s = since_s;
		if (lane && !run->engine->info.asynchronous) {
			OMT_TRY(finish(run, lane, since_s, err));
			flying = NULL;
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
