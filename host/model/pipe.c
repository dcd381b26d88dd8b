#include "model/pipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

omt_work *omt_pipe_work(const omt_pipe *pipe, uint64_t index)
{
	return &pipe->works[index % pipe->capacity];
}

/* ---- workers ----------------------------------------------------------------------------------
 */

/* A copy that outlives the source's item: one block for the parts and all their texts. */
static omt_item *item_copy(const omt_item *item)
{
	size_t bytes = sizeof(omt_item) + item->part_count * sizeof(omt_part);
	for (size_t i = 0; i < item->part_count; i++)
		bytes += item->parts[i].kind == OMT_TEXT ? item->parts[i].text_bytes + 1
		                                         : strlen(item->parts[i].path) + 1;
	omt_item *copy = malloc(bytes);
	if (!copy)
		return NULL;
	omt_part *parts = (omt_part *)(copy + 1);
	char *text = (char *)(parts + item->part_count);
	*copy = *item;
	copy->parts = parts;
	for (size_t i = 0; i < item->part_count; i++) {
		parts[i] = item->parts[i];
		bool is_text = parts[i].kind == OMT_TEXT;
		size_t length = is_text ? parts[i].text_bytes : strlen(parts[i].path);
		memcpy(text, is_text ? parts[i].text : parts[i].path, length);
		text[length] = '\0';
		if (is_text)
			parts[i].text = text;
		else
			parts[i].path = text;
		text += length + 1;
	}
	return copy;
}

/* Takes the next item of the source, when there is room; NULL at the end. */
static omt_item *take(omt_pipe *pipe, omt_work **given)
{
	const omt_item *item;
	omt_item *copy = NULL;
	pthread_mutex_lock(&pipe->source_lock);
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stop && !pipe->ended && pipe->taken - pipe->delivered >= pipe->capacity)
		pthread_cond_wait(&pipe->changed, &pipe->lock);
	bool go = !pipe->stop && !pipe->ended;
	pthread_mutex_unlock(&pipe->lock);

	bool more = go && pipe->source->next(pipe->source->user, &item);
	omt_work fresh = {.taken_s = omt_now_s()};
	if (more) {
		copy = item_copy(item);
		fresh.id = strdup(item->id ? item->id : "");
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
		pipe->ended = true;
	}
	pthread_cond_broadcast(&pipe->changed);
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
	pthread_mutex_unlock(&pipe->lock);
	for (;;) {
		omt_item *item = take(pipe, &work);
		if (!work)
			return NULL;
		work->worker = number;
		work->begin_s = omt_now_s();
		if (work->failed.status == OMT_OK)
			work->failed.status =
				omt_sample_make(engine->model, item, engine->options.max_tokens,
			                        &work->sample, &work->failed);
		free(item);
		work->tokens = work->sample.tokens;
		work->kinds = work->sample.kinds;
		work->decode_s = work->sample.decode_s;
		work->end_s = omt_now_s();
		pthread_mutex_lock(&pipe->lock);
		work->ready = true;
		pthread_cond_broadcast(&pipe->changed);
		pthread_mutex_unlock(&pipe->lock);
	}
}

/* ---- filler ------------------------------------------------------------------------------------
 */

/* The work with this index once it is prepared; NULL when the run ends before it. */
static omt_work *next_prepared(omt_pipe *pipe, uint64_t index)
{
	omt_work *work = omt_pipe_work(pipe, index);
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stop && !(index < pipe->taken && work->ready) &&
	       !(pipe->ended && index >= pipe->taken))
		pthread_cond_wait(&pipe->changed, &pipe->lock);
	if (pipe->stop || index >= pipe->taken)
		work = NULL;
	pthread_mutex_unlock(&pipe->lock);
	return work;
}

static void set_state(omt_pipe *pipe, omt_lane *lane, omt_lane_state state)
{
	pthread_mutex_lock(&pipe->lock);
	lane->state = state;
	pthread_cond_broadcast(&pipe->changed);
	pthread_mutex_unlock(&pipe->lock);
}

static bool begin_lane(omt_pipe *pipe, omt_lane *lane, uint64_t first)
{
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stop && lane->state != OMT_LANE_FREE)
		pthread_cond_wait(&pipe->changed, &pipe->lock);
	bool go = !pipe->stop;
	if (go)
		lane->state = OMT_LANE_FILLING;
	pthread_mutex_unlock(&pipe->lock);
	if (go) {
		lane->first = first;
		lane->count = 0;
		omt_batch_clear(&lane->slot->batch);
	}
	return go;
}

/* Packs one lane until it is full or the items end. Returns the index of the next item. */
static uint64_t fill_lane(omt_pipe *pipe, omt_lane *lane, uint64_t index, bool *more)
{
	omt_batch *batch = &lane->slot->batch;
	while (lane->count < (uint64_t)pipe->engine->options.batch_items) {
		omt_work *work = next_prepared(pipe, index);
		*more = work != NULL;
		if (!work)
			break;
		if (work->failed.status == OMT_OK) {
			if (!omt_batch_fits(batch, &work->sample))
				break;
			work->fill_begin_s = omt_now_s();
			omt_batch_add(batch, &work->sample);
			omt_sample_free(&work->sample);
			work->fill_end_s = omt_now_s();
		}
		lane->count++;
		index++;
	}
	return index;
}

static void *filler(void *user)
{
	omt_pipe *pipe = user;
	uint64_t index = 0;
	bool more = true;
	for (int32_t i = 0; more; i = (i + 1) % pipe->lane_count) {
		omt_lane *lane = &pipe->lanes[i];
		if (!begin_lane(pipe, lane, index))
			break;
		index = fill_lane(pipe, lane, index, &more);
		set_state(pipe, lane, lane->count ? OMT_LANE_READY : OMT_LANE_FREE);
	}
	pthread_mutex_lock(&pipe->lock);
	pipe->filled = true;
	pthread_cond_broadcast(&pipe->changed);
	pthread_mutex_unlock(&pipe->lock);
	return NULL;
}

/* ---- the compute thread's side
 * -------------------------------------------------------------------- */

static void wait_a_little(omt_pipe *pipe)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += OMT_PIPE_POLL_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_clockwait(&pipe->changed, &pipe->lock, CLOCK_MONOTONIC, &until);
}

omt_lane *omt_pipe_ready(omt_pipe *pipe, int32_t index, bool (*give_up)(void *user), void *user)
{
	omt_lane *lane = &pipe->lanes[index % pipe->lane_count];
	pthread_mutex_lock(&pipe->lock);
	while (lane->state != OMT_LANE_READY && !pipe->filled && !(give_up && give_up(user)))
		if (give_up)
			wait_a_little(pipe);
		else
			pthread_cond_wait(&pipe->changed, &pipe->lock);
	if (lane->state == OMT_LANE_READY)
		lane->state = OMT_LANE_BUSY;
	else
		lane = NULL;
	pthread_mutex_unlock(&pipe->lock);
	return lane;
}

void omt_pipe_release(omt_pipe *pipe, omt_lane *lane)
{
	for (uint64_t i = 0; i < lane->count; i++) {
		omt_work *work = omt_pipe_work(pipe, lane->first + i);
		free(work->id);
		work->id = NULL;
		work->ready = false;
	}
	pthread_mutex_lock(&pipe->lock);
	pipe->delivered += lane->count;
	lane->state = OMT_LANE_FREE;
	pthread_cond_broadcast(&pipe->changed);
	pthread_mutex_unlock(&pipe->lock);
}

/* ---- open and close
 * ------------------------------------------------------------------------------- */

omt_status omt_pipe_open(omt_engine *engine, const omt_source *source, omt_pipe *pipe,
                         omt_error *err)
{
	int32_t workers = engine->options.threads;
	*pipe = (omt_pipe){.engine = engine, .source = source, .lane_count = engine->slot_count};
	pipe->capacity = (uint64_t)engine->options.batch_items;
	if (engine->slot_count > 1)
		pipe->capacity =
			pipe->capacity * ((uint64_t)engine->slot_count + 1) + (uint64_t)workers;
	pipe->works = calloc(pipe->capacity, sizeof *pipe->works);
	pipe->lanes = calloc((size_t)pipe->lane_count, sizeof *pipe->lanes);
	pipe->threads = calloc((size_t)workers + 1, sizeof *pipe->threads);
	pthread_mutex_init(&pipe->lock, NULL);
	pthread_mutex_init(&pipe->source_lock, NULL);
	pthread_cond_init(&pipe->changed, NULL);
	if (!pipe->works || !pipe->lanes || !pipe->threads) {
		omt_pipe_close(pipe);
		return OMT_FAIL(err, NO_MEMORY, "a queue of %llu items",
		                (unsigned long long)pipe->capacity);
	}
	for (int32_t i = 0; i < pipe->lane_count; i++)
		pipe->lanes[i].slot = &engine->slots[i];
	for (; pipe->thread_count <= workers; pipe->thread_count++)
		if (pthread_create(&pipe->threads[pipe->thread_count], NULL,
		                   pipe->thread_count < workers ? worker : filler, pipe) != 0) {
			omt_pipe_close(pipe);
			return OMT_FAIL(err, NO_MEMORY, "%d threads", workers + 1);
		}
	return OMT_OK;
}

void omt_pipe_close(omt_pipe *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->stop = true;
	pthread_cond_broadcast(&pipe->changed);
	pthread_mutex_unlock(&pipe->lock);
	for (int32_t i = 0; i < pipe->thread_count; i++)
		pthread_join(pipe->threads[i], NULL);
	for (uint64_t i = 0; pipe->works && i < pipe->capacity; i++) {
		free(pipe->works[i].id);
		omt_sample_free(&pipe->works[i].sample);
	}
	free(pipe->works);
	free(pipe->lanes);
	free(pipe->threads);
	pthread_cond_destroy(&pipe->changed);
	pthread_mutex_destroy(&pipe->source_lock);
	pthread_mutex_destroy(&pipe->lock);
	*pipe = (omt_pipe){0};
}
