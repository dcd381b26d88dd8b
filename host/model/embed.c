/* omt_embed(): the calling thread. It hands out what the devices' drivers computed, in the source's
 * order, and keeps the books. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/drive.h"
#include "model/stages.h"
#include "model/trace.h"

/* When devices were busy lately, to tell how much preparation ran beside them. A preparation is
 * looked at after its own batch, when all computing that could have run beside it is over; only one
 * that lasted longer than this many batches is counted short. */
#define INTERVALS 128
/* Batches a device that are on their way: as many later ones are delivered before a transfer is
 * looked at, because it may run beside them. */
#define LATER    2
#define NO_BATCH UINT64_MAX

/* A span of one batch. */
typedef struct omt_interval {
	uint64_t batch;
	double begin_s, end_s;
} omt_interval;

typedef struct omt_embedding {
	omt_engine *engine;
	omt_pipe pipe;
	omt_tracer tracer;
	const omt_sink *sink;
	omt_embed_stats stats;
	omt_interval busy[INTERVALS]; /* by begin */
	int32_t busy_count;
	/* Transfers not looked at yet, oldest first. */
	omt_interval moved[2 * (LATER * OMT_MAX_DEVICES + 1)];
	int32_t moved_count;
} omt_embedding;

static void add_busy(omt_embedding *run, uint64_t batch, double begin_s, double end_s)
{
	if (run->busy_count == INTERVALS)
		memmove(&run->busy[0], &run->busy[1],
		        (size_t)--run->busy_count * sizeof run->busy[0]);
	int32_t at = run->busy_count++;
	for (; at > 0 && run->busy[at - 1].begin_s > begin_s; at--)
		run->busy[at] = run->busy[at - 1];
	run->busy[at] = (omt_interval){batch, begin_s, end_s};
}

/* How long at least one device was busy between two times, not counting batch `own`. */
static double overlap_s(const omt_embedding *run, uint64_t own, double begin_s, double end_s)
{
	double sum = 0;
	for (int32_t i = 0; i < run->busy_count && begin_s < end_s; i++) {
		if (run->busy[i].batch == own)
			continue;
		double begin = fmax(run->busy[i].begin_s, begin_s);
		double end = fmin(run->busy[i].end_s, end_s);
		sum += fmax(end - begin, 0);
		begin_s = fmax(begin_s, end); /* what two devices cover counts once */
	}
	return sum;
}

static void add_moved(omt_embedding *run, uint64_t batch, double begin_s, double end_s)
{
	run->moved[run->moved_count++] = (omt_interval){batch, begin_s, end_s};
}

/* Looks at the transfers of batches before `batch`. */
static void settle_moved(omt_embedding *run, uint64_t batch)
{
	int32_t done = 0;
	for (; done < run->moved_count && run->moved[done].batch < batch; done++) {
		const omt_interval *moved = &run->moved[done];
		run->stats.transfer_s += moved->end_s - moved->begin_s;
		run->stats.hidden_transfer_s +=
			overlap_s(run, moved->batch, moved->begin_s, moved->end_s);
	}
	run->moved_count -= done;
	memmove(run->moved, run->moved + done, (size_t)run->moved_count * sizeof *run->moved);
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

/* ---- delivery ---- */

static omt_status put_items(omt_embedding *run, const omt_outcome *done, omt_error *err)
{
	const int32_t dimension = run->engine->model->config.text.hidden;
	const float *vector = done->vectors;
	const uint64_t batch = run->stats.batches - 1;
	for (uint64_t i = 0; i < done->count; i++) {
		omt_work *work = omt_pipe_work(&run->pipe, done->first + i);
		const bool prepared = work->failed.status == OMT_OK;
		if (prepared && done->failed.status != OMT_OK)
			work->failed = done->failed;
		else if (prepared)
			check_finite(work, vector, dimension);
		const bool good = work->failed.status == OMT_OK;
		omt_result result = {
			.index = done->first + i,
			.id = work->id,
			.line = work->line,
			.failed = work->failed,
			.vector = good ? vector : NULL,
			.dimension = dimension,
			.tokens = work->tokens,
			.kinds = work->kinds,
			.batch = batch,
			.taken_s = work->taken_s,
			.delivered_s = omt_now_s(),
		};
		omt_stages_fill(work, prepared ? done : NULL, &result);
		vector += prepared ? dimension : 0;
		run->stats.items++;
		run->stats.failed += !good;
		run->stats.tokens += (uint64_t)work->tokens;
		run->stats.prepare_s += 1e-3 * result.prepare_ms;
		run->stats.hidden_s += overlap_s(run, NO_BATCH, work->begin_s, work->end_s);
		if (prepared)
			run->stats.hidden_s +=
				overlap_s(run, NO_BATCH, work->fill_begin_s, work->fill_end_s);
		omt_tracer_item(&run->tracer, batch, result.index, work);
		OMT_TRY(run->sink->put(run->sink->user, &result, err));
	}
	return OMT_OK;
}

/* Hands out the results of a batch. */
static omt_status deliver(omt_embedding *run, const omt_outcome *done, omt_error *err)
{
	omt_unit *unit = &run->engine->units[done->unit];
	const double seen_s = omt_now_s(), took_s = done->computed_s - done->begin_s;
	const uint64_t number = run->stats.batches;
	const uint64_t late = LATER * (uint64_t)run->engine->unit_count;
	omt_tracer_batch(&run->tracer, number, done);
	if (took_s > 0) {
		settle_moved(run, number < late ? 0 : number - late);
		add_busy(run, number, done->begin_s, done->computed_s);
		add_moved(run, number, done->sent_s, done->arrived_s);
		add_moved(run, number, done->fetched_s, done->end_s);
		unit->items += (uint64_t)done->items;
		unit->batches++;
		unit->compute_s += took_s;
		run->stats.compute_s += took_s;
	}
	run->stats.batches++;
	OMT_TRY(put_items(run, done, err));
	omt_tracer_delivered(&run->tracer, number, seen_s);
	return OMT_OK;
}

/* Tells of what devices had to say, and of every one that failed since it was asked last. */
static void tell_lost(omt_embedding *run)
{
	const omt_progress *progress = &run->engine->options.progress;
	omt_error why, said;
	while (omt_pipe_take_note(&run->pipe, &said))
		omt_note(progress, "%s", said.text);
	for (int32_t i; (i = omt_pipe_lost(&run->pipe, &why)) >= 0;) {
		int32_t left = 0;
		run->engine->units[i].failed = why;
		for (int32_t j = 0; j < run->engine->unit_count; j++)
			left += run->engine->units[j].failed.status == OMT_OK;
		omt_note(progress, "device %d failed, %d go on: %.400s", i + 1, left, why.text);
	}
}

static omt_status deliver_all(omt_embedding *run, omt_error *err)
{
	const omt_outcome *done;
	while ((done = omt_pipe_next(&run->pipe))) {
		tell_lost(run);
		OMT_TRY(deliver(run, done, err));
		omt_pipe_release(&run->pipe, done);
	}
	return OMT_OK;
}

omt_status omt_embed(omt_engine *engine, const omt_source *source, const omt_sink *sink,
                     omt_embed_stats *stats, omt_error *err)
{
	omt_embedding run = {.engine = engine, .sink = sink};
	omt_driver drivers[OMT_MAX_DEVICES];
	int32_t driver_count;
	double begin_s = omt_now_s();
	OMT_TRY(omt_pipe_open(engine, source, &run.pipe, err));
	omt_status status = omt_drivers_start(&run.pipe, drivers, &driver_count, err);
	omt_tracer_begin(&run.tracer, engine->options.trace, engine->unit_count, begin_s);
	if (status == OMT_OK)
		status = deliver_all(&run, err);
	if (status != OMT_OK)
		omt_pipe_stop(&run.pipe);
	const double done_s = omt_now_s();
	omt_drivers_join(drivers, driver_count);
	tell_lost(&run);
	settle_moved(&run, NO_BATCH);
	const omt_work last = omt_pipe_close(&run.pipe);
	omt_tracer_end(&run.tracer, &last, done_s);
	run.stats.wall_s = omt_now_s() - begin_s;
	if (stats)
		*stats = run.stats;
	return status;
}
