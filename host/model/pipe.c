#include "model/pipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/item.h"

/* How often a device is asked whether it is done while its driver waits for the next batch. */
#define MOST_POLL_S       1e-3
#define MOST_EAGER_POLL_S 2e-4
#define LEAST_POLL_S      2e-5

omt_work *omt_pipe_work(const omt_pipe *pipe, uint64_t index)
{
	return &pipe->works[index % pipe->capacity];
}

#define TO_WORKERS (1u << OMT_WORKER)
#define TO_FILLER  (1u << OMT_FILLER)
#define TO_DRIVERS (1u << OMT_DRIVER)
#define TO_ALL     ((1u << OMT_WAITERS) - 1)

/* With the lock held: what these wait for may be there. */
static void tell(omt_pipe *pipe, uint32_t waiters)
{
	for (int32_t i = 0; i < OMT_WAITERS; i++)
		if (waiters >> i & 1)
			pthread_cond_broadcast(&pipe->changed[i]);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Whether the workers are ahead as far as they may. */
static bool is_full(const omt_pipe *pipe)
{
	const omt_lane_state only = pipe->lanes[0].state;
	if (pipe->lane_count == 1 && (only == OMT_LANE_READY || only == OMT_LANE_BUSY))
		return true;
	const uint64_t ahead = (uint64_t)pipe->engine->options.batch_items +
	                       (uint64_t)pipe->engine->options.threads;
	return pipe->taken - pipe->delivered >= pipe->capacity ||
	       (pipe->lane_count > 1 && pipe->taken - pipe->packed >= ahead);
}

/* Takes the next item of the source, when there is room; NULL at the end. */
static omt_item *take(omt_pipe *pipe, int32_t worker, double free_s, omt_work **given)
{
	const omt_item *item;
	omt_item *copy = NULL;
	omt_work fresh = {.worker = worker, .free_s = free_s};
	pthread_mutex_lock(&pipe->source_lock);
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stop && !pipe->ended && is_full(pipe))
		pthread_cond_wait(&pipe->changed[OMT_WORKER], &pipe->lock);
	bool go = !pipe->stop && !pipe->ended;
	pthread_mutex_unlock(&pipe->lock);

	fresh.asked_s = omt_now_s();
	bool more = go && pipe->source->next(pipe->source->user, &item);
	fresh.taken_s = omt_now_s();
	if (more) {
		copy = omt_item_copy(item);
		fresh.id = strdup(item->id ? item->id : "");
		fresh.line = item->line;
		fresh.more = item->more;
		fresh.failed = item->failed;
		if (!copy || !fresh.id)
			OMT_FAIL(&fresh.failed, NO_MEMORY, "an item of %zu parts",
			         item->part_count);
	}
	pthread_mutex_lock(&pipe->lock);
	if (more) {
		*given = omt_pipe_work(pipe, pipe->taken++);
		**given = fresh;
	} else {
		*given = NULL;
		if (go)
			pipe->last = fresh;
		pipe->ended = true;
		tell(pipe, TO_ALL);
	}
	pthread_mutex_unlock(&pipe->lock);
	pthread_mutex_unlock(&pipe->source_lock);
	return copy;
}

static void *worker(void *user)
{
	omt_pipe *pipe = user;
	const omt_engine *engine = pipe->engine;
	omt_work *work;
	pthread_mutex_lock(&pipe->lock);
	int32_t number = pipe->worker_count++;
	double free_s = omt_now_s();
	pthread_mutex_unlock(&pipe->lock);
	for (;;) {
		omt_item *item = take(pipe, number, free_s, &work);
		if (!work)
			return NULL;
		work->begin_s = omt_now_s();
		if (work->failed.status == OMT_OK)
			work->failed.status =
				omt_sample_make(engine->model, item, engine->options.max_tokens,
			                        &work->sample, &work->failed);
		free(item);
		work->tokens = work->sample.tokens;
		work->kinds = work->sample.kinds;
		work->decode_s = work->sample.decode_s;
		work->end_s = free_s = omt_now_s();
		pthread_mutex_lock(&pipe->lock);
		work->ready = true;
		tell(pipe, TO_FILLER);
		pthread_mutex_unlock(&pipe->lock);
	}
}

/* ---- filler ---------------------------------------------------------------------------------- */

/* Whether a unit has nothing to compute that a READY lane would not give it. */
static bool is_idle(const omt_pipe *pipe)
{
	const omt_engine *engine = pipe->engine;
	int32_t idle = 0, live = 0;
	for (int32_t i = 0; i < engine->unit_count; i++) {
		live += !engine->shares[i].lost;
		idle += !engine->shares[i].lost && !engine->shares[i].batches;
	}
	for (int32_t i = 0; i < pipe->lane_count; i++)
		idle -= pipe->lanes[i].state == OMT_LANE_READY;
	return idle > 0 || !live;
}

/* The next work for a lane once it is prepared; NULL when the lane is to go without it or, then
 * *more is false, the run ends before it. */
static omt_work *next_prepared(omt_pipe *pipe, const omt_lane *lane, bool *more)
{
	const uint64_t index = lane->first + lane->count;
	const bool eager =
		pipe->engine->options.eager && lane->count && !omt_pipe_work(pipe, index - 1)->more;
	omt_work *work = omt_pipe_work(pipe, index);
	bool ready;
	pthread_mutex_lock(&pipe->lock);
	for (;;) {
		ready = index < pipe->taken && work->ready;
		*more = !pipe->stop && (index < pipe->taken || !pipe->ended);
		if (ready || !*more || (eager && is_idle(pipe)))
			break;
		pthread_cond_wait(&pipe->changed[OMT_FILLER], &pipe->lock);
	}
	pthread_mutex_unlock(&pipe->lock);
	return ready && *more ? work : NULL;
}

/* The lane for the next batch, once there is a free one and room for its outcome; NULL: stopped. */
static omt_lane *begin_lane(omt_pipe *pipe)
{
	omt_lane *lane = NULL;
	const double asked_s = omt_now_s();
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stop && !lane) {
		bool room = pipe->batches - pipe->batches_out < (uint64_t)pipe->engine->window;
		for (int32_t i = 0; room && !lane && i < pipe->lane_count; i++)
			if (pipe->lanes[i].state == OMT_LANE_FREE)
				lane = &pipe->lanes[i];
		if (!lane)
			pthread_cond_wait(&pipe->changed[OMT_FILLER], &pipe->lock);
	}
	if (lane) {
		*lane = (omt_lane){.batch = lane->batch,
		                   .state = OMT_LANE_FILLING,
		                   .number = pipe->batches,
		                   .first = pipe->packed,
		                   .asked_s = asked_s,
		                   .given_s = omt_now_s()};
		omt_batch_clear(lane->batch);
	}
	pthread_mutex_unlock(&pipe->lock);
	return lane;
}

/* Packs one lane until it is full, is to go or the items end; false at their end. */
static bool fill_lane(omt_pipe *pipe, omt_lane *lane)
{
	omt_batch *batch = lane->batch;
	bool more = true;
	while (lane->count < (uint64_t)pipe->engine->options.batch_items) {
		omt_work *work = next_prepared(pipe, lane, &more);
		if (!work)
			return more;
		if (work->failed.status == OMT_OK) {
			if (!omt_batch_fits(batch, &work->sample))
				break;
			work->fill_begin_s = omt_now_s();
			omt_batch_add(batch, &work->sample);
			omt_sample_free(&work->sample);
			work->fill_end_s = omt_now_s();
		}
		lane->count++;
		pthread_mutex_lock(&pipe->lock);
		pipe->packed++;
		tell(pipe, TO_WORKERS);
		pthread_mutex_unlock(&pipe->lock);
	}
	return true;
}

static void end_lane(omt_pipe *pipe, omt_lane *lane)
{
	lane->work = omt_spread_work(lane->batch);
	pthread_mutex_lock(&pipe->lock);
	lane->state = lane->count ? OMT_LANE_READY : OMT_LANE_FREE;
	if (lane->count) {
		omt_outcome *outcome = omt_pipe_outcome(pipe, lane);
		*outcome = (omt_outcome){.first = lane->first,
		                         .count = lane->count,
		                         .vectors = outcome->vectors,
		                         .asked_s = lane->asked_s,
		                         .given_s = lane->given_s,
		                         .items = lane->batch->items,
		                         .tokens = lane->batch->tokens};
		pipe->batches++;
		pipe->ready_items += lane->count;
		pipe->ready_work += lane->work;
	}
	tell(pipe, TO_DRIVERS);
	pthread_mutex_unlock(&pipe->lock);
}

static void *filler(void *user)
{
	omt_pipe *pipe = user;
	omt_lane *lane;
	bool more = true;
	while (more && (lane = begin_lane(pipe))) {
		more = fill_lane(pipe, lane);
		end_lane(pipe, lane);
	}
	pthread_mutex_lock(&pipe->lock);
	pipe->filled = true;
	tell(pipe, TO_ALL);
	pthread_mutex_unlock(&pipe->lock);
	return NULL;
}

/* ---- drivers ---- */

/* Waits until the pipe changes or it is time to ask again whether the unit's batch is done: for an
 * eager engine half of the time that the unit's speed says is left, an eighth of that by which it
 * is late. */
static void wait_a_little(omt_pipe *pipe, const omt_share *share)
{
	const double took_s = share->speed > 0 ? share->pending / share->speed : 0;
	const double left_s = share->since_s + took_s - omt_now_s();
	double wait_s = MOST_POLL_S;
	struct timespec until;
	if (pipe->engine->options.eager)
		wait_s = fmin(fmax(left_s > 0 ? left_s / 2 : -left_s / 8, LEAST_POLL_S),
		              MOST_EAGER_POLL_S);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(1e9 * wait_s);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_clockwait(&pipe->changed[OMT_DRIVER], &pipe->lock, CLOCK_MONOTONIC, &until);
}

/* The oldest READY lane; *over: no lane is or will be. */
static omt_lane *oldest_ready(const omt_pipe *pipe, bool *over)
{
	omt_lane *oldest = NULL;
	*over = pipe->filled;
	for (int32_t i = 0; i < pipe->lane_count; i++) {
		omt_lane *lane = &pipe->lanes[i];
		*over = *over && lane->state == OMT_LANE_FREE;
		if (lane->state == OMT_LANE_READY && (!oldest || lane->number < oldest->number))
			oldest = lane;
	}
	return oldest;
}

/* Work from this lane on, as far as it is known: to the end of the source, else what may be
 * computed before this lane's turn to be delivered. */
static double work_left(const omt_pipe *pipe, const omt_lane *next)
{
	double left = next->work * pipe->engine->window;
	double come = 0;
	if (!pipe->ended)
		return left;
	for (int32_t i = 0; i < pipe->lane_count; i++)
		if (pipe->lanes[i].state == OMT_LANE_READY)
			come += pipe->lanes[i].work;
	come += pipe->ready_work / (double)pipe->ready_items *
	        (double)(pipe->taken - pipe->ready_items);
	return fmin(left, come);
}

static bool is_for(const omt_pipe *pipe, const omt_lane *lane, int32_t unit)
{
	const omt_engine *engine = pipe->engine;
	return engine->shares[unit].lost ||
	       omt_spread_choose(engine->shares, engine->unit_count, lane->work,
	                         work_left(pipe, lane), omt_now_s()) == unit;
}

omt_lane *omt_pipe_take(omt_pipe *pipe, int32_t unit, bool (*give_up)(void *user), void *user)
{
	omt_lane *lane;
	bool over = false;
	pthread_mutex_lock(&pipe->lock);
	for (;;) {
		lane = pipe->stop ? NULL : oldest_ready(pipe, &over);
		if (pipe->stop || (lane && is_for(pipe, lane, unit)))
			break;
		lane = NULL;
		if (over || (give_up && give_up(user)))
			break;
		if (give_up)
			wait_a_little(pipe, &pipe->engine->shares[unit]);
		else
			pthread_cond_wait(&pipe->changed[OMT_DRIVER], &pipe->lock);
	}
	if (lane) {
		lane->state = OMT_LANE_BUSY;
		lane->unit = unit;
		omt_spread_take(&pipe->engine->shares[unit], lane->work, omt_now_s());
		/* The next lane may be for another unit, or wanted by one. */
		tell(pipe, TO_DRIVERS | TO_FILLER);
	}
	pthread_mutex_unlock(&pipe->lock);
	return lane;
}

omt_outcome *omt_pipe_outcome(const omt_pipe *pipe, const omt_lane *lane)
{
	return &pipe->outcomes[lane->number % (uint64_t)pipe->engine->window];
}

void omt_pipe_done(omt_pipe *pipe, omt_lane *lane)
{
	pthread_mutex_lock(&pipe->lock);
	omt_outcome *outcome = omt_pipe_outcome(pipe, lane);
	omt_spread_done(&pipe->engine->shares[lane->unit], lane->work,
	                outcome->end_s - outcome->begin_s, omt_now_s());
	outcome->unit = lane->unit;
	outcome->done = true;
	lane->state = OMT_LANE_FREE;
	tell(pipe, TO_ALL);
	pthread_mutex_unlock(&pipe->lock);
}

int32_t omt_pipe_lose(omt_pipe *pipe, int32_t unit, const omt_error *why)
{
	omt_share *shares = pipe->engine->shares;
	int32_t left = 0;
	pthread_mutex_lock(&pipe->lock);
	shares[unit] = (omt_share){.lost = true};
	for (int32_t i = 0; i < pipe->lane_count; i++)
		if (pipe->lanes[i].state == OMT_LANE_BUSY && pipe->lanes[i].unit == unit)
			pipe->lanes[i].state = OMT_LANE_READY;
	for (int32_t i = 0; i < pipe->engine->unit_count; i++)
		left += !shares[i].lost;
	if (left)
		pipe->lost[unit] = *why;
	tell(pipe, TO_ALL);
	pthread_mutex_unlock(&pipe->lock);
	return left;
}

void omt_pipe_note(omt_pipe *pipe, const omt_error *note)
{
	pthread_mutex_lock(&pipe->lock);
	if (pipe->note_count < OMT_PIPE_NOTES)
		pipe->notes[pipe->note_count++] = *note;
	pthread_mutex_unlock(&pipe->lock);
}

void omt_pipe_regain(omt_pipe *pipe, int32_t unit, const omt_error *note)
{
	omt_pipe_note(pipe, note);
	pthread_mutex_lock(&pipe->lock);
	pipe->engine->shares[unit] = (omt_share){.room = pipe->engine->units[unit].slot_count};
	tell(pipe, TO_ALL);
	pthread_mutex_unlock(&pipe->lock);
}

void omt_pipe_fail(omt_pipe *pipe, int32_t unit, const omt_error *why)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->lost[unit] = *why;
	pthread_mutex_unlock(&pipe->lock);
}

/* ---- the calling thread ---- */

const omt_outcome *omt_pipe_next(omt_pipe *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	const omt_outcome *next =
		&pipe->outcomes[pipe->batches_out % (uint64_t)pipe->engine->window];
	while (!next->done && !(pipe->filled && pipe->batches_out == pipe->batches))
		pthread_cond_wait(&pipe->changed[OMT_CALLER], &pipe->lock);
	if (!next->done)
		next = NULL;
	pthread_mutex_unlock(&pipe->lock);
	return next;
}

void omt_pipe_release(omt_pipe *pipe, const omt_outcome *outcome)
{
	for (uint64_t i = 0; i < outcome->count; i++) {
		omt_work *work = omt_pipe_work(pipe, outcome->first + i);
		free(work->id);
		work->id = NULL;
		work->ready = false;
	}
	pthread_mutex_lock(&pipe->lock);
	pipe->outcomes[pipe->batches_out % (uint64_t)pipe->engine->window].done = false;
	pipe->batches_out++;
	pipe->delivered += outcome->count;
	tell(pipe, TO_WORKERS | TO_FILLER);
	pthread_mutex_unlock(&pipe->lock);
}

bool omt_pipe_take_note(omt_pipe *pipe, omt_error *note)
{
	pthread_mutex_lock(&pipe->lock);
	const bool there = pipe->note_count > 0;
	if (there) {
		*note = pipe->notes[0];
		pipe->note_count--;
		memmove(pipe->notes, pipe->notes + 1,
		        (size_t)pipe->note_count * sizeof *pipe->notes);
	}
	pthread_mutex_unlock(&pipe->lock);
	return there;
}

int32_t omt_pipe_lost(omt_pipe *pipe, omt_error *why)
{
	int32_t lost = -1;
	pthread_mutex_lock(&pipe->lock);
	for (int32_t i = 0; lost < 0 && i < pipe->engine->unit_count; i++)
		if (pipe->lost[i].status != OMT_OK && !pipe->lost_told[i]) {
			pipe->lost_told[i] = true;
			*why = pipe->lost[i];
			lost = i;
		}
	pthread_mutex_unlock(&pipe->lock);
	return lost;
}

/* ---- open and close
 * ------------------------------------------------------------------------------- */

omt_status omt_pipe_open(omt_engine *engine, const omt_source *source, omt_pipe *pipe,
                         omt_error *err)
{
	const int32_t workers = engine->options.threads;
	const uint64_t items = (uint64_t)engine->options.batch_items;
	const size_t floats = (size_t)items * (size_t)engine->model->config.text.hidden;
	*pipe = (omt_pipe){.engine = engine, .source = source, .lane_count = engine->batch_count};
	pipe->capacity = items;
	if (pipe->lane_count > 1)
		pipe->capacity = items * ((uint64_t)engine->window + 1) + (uint64_t)workers;
	pipe->works = calloc(pipe->capacity, sizeof *pipe->works);
	pipe->lanes = calloc((size_t)pipe->lane_count, sizeof *pipe->lanes);
	pipe->outcomes = calloc((size_t)engine->window, sizeof *pipe->outcomes);
	pipe->threads = calloc((size_t)workers + 1, sizeof *pipe->threads);
	pthread_mutex_init(&pipe->lock, NULL);
	pthread_mutex_init(&pipe->source_lock, NULL);
	for (int32_t i = 0; i < OMT_WAITERS; i++)
		pthread_cond_init(&pipe->changed[i], NULL);
	if (!pipe->works || !pipe->lanes || !pipe->outcomes || !pipe->threads) {
		omt_pipe_close(pipe);
		return OMT_FAIL(err, NO_MEMORY, "a queue of %llu items",
		                (unsigned long long)pipe->capacity);
	}
	for (int32_t i = 0; i < pipe->lane_count; i++)
		pipe->lanes[i].batch = &engine->batches[i];
	for (int32_t i = 0; i < engine->window; i++)
		pipe->outcomes[i].vectors = engine->vectors + (size_t)i * floats;
	for (; pipe->thread_count <= workers; pipe->thread_count++)
		if (pthread_create(&pipe->threads[pipe->thread_count], NULL,
		                   pipe->thread_count < workers ? worker : filler, pipe) != 0) {
			omt_pipe_close(pipe);
			return OMT_FAIL(err, NO_MEMORY, "%d threads", workers + 1);
		}
	return OMT_OK;
}

void omt_pipe_stop(omt_pipe *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->stop = true;
	tell(pipe, TO_ALL);
	pthread_mutex_unlock(&pipe->lock);
}

omt_work omt_pipe_close(omt_pipe *pipe)
{
	omt_pipe_stop(pipe);
	for (int32_t i = 0; i < pipe->thread_count; i++)
		pthread_join(pipe->threads[i], NULL);
	for (uint64_t i = 0; pipe->works && i < pipe->capacity; i++) {
		free(pipe->works[i].id);
		omt_sample_free(&pipe->works[i].sample);
	}
	free(pipe->works);
	free(pipe->lanes);
	free(pipe->outcomes);
	free(pipe->threads);
	for (int32_t i = 0; i < OMT_WAITERS; i++)
		pthread_cond_destroy(&pipe->changed[i]);
	pthread_mutex_destroy(&pipe->source_lock);
	pthread_mutex_destroy(&pipe->lock);
	const omt_work last = pipe->last;
	*pipe = (omt_pipe){0};
	return last;
}
