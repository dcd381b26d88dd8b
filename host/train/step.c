#include "train/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "model/spread.h"

#define CHUNK 65536 /* gradients summed at a time */

/* ---- opening ------------------------------------------------------------------------------- */

static omt_status open_worker(omt_step *step, const omt_train_settings *settings,
                              const omt_tape_options *options, omt_step_worker *worker,
                              omt_error *err)
{
	const omt_config *config = &step->model->config;
	omt_tape *first = worker == step->workers ? NULL : step->workers[0].tape;
	worker->step = step;
	worker->number = (int32_t)(worker - step->workers);
	OMT_TRY(omt_tape_open(step->model, options, first, &step->trainable, &worker->tape, err));
	OMT_TRY(omt_batch_open(config, &options->limits, &worker->batch, err));
	worker->rows =
		malloc((size_t)settings->micro_batch * (size_t)step->hidden * sizeof *worker->rows);
	worker->gradients = calloc(step->trainable.count, sizeof *worker->gradients);
	if (!worker->rows || !worker->gradients)
		return OMT_FAIL(err, NO_MEMORY, "gradients of %zu parameters",
		                step->trainable.count);
	return OMT_OK;
}

omt_status omt_step_open(const omt_model *model, const omt_train_settings *settings, omt_step *step,
                         omt_error *err)
{
	const omt_tape_options options = {
		.backend = settings->backend,
		.device = *settings->device ? settings->device : NULL,
		.limits = omt_batch_limits_of(&model->config, settings->micro_batch,
	                                      settings->max_tokens),
		.threads = 1,
		.lora = {.rank = settings->method == OMT_TRAIN_LORA ? settings->lora_rank : 0,
	                 .alpha = settings->lora_alpha,
	                 .targets = settings->targets},
		.freeze_encoders = settings->freeze_encoders,
	};
	omt_status status = OMT_OK;
	*step = (omt_step){.model = model,
	                   .again = settings->gradient_cache,
	                   .keep = settings->keep ? OMT_KEEP_CHECKPOINTS : OMT_KEEP_ALL,
	                   .hidden = model->config.text.hidden,
	                   .micro_batch = settings->micro_batch};
	step->workers = calloc((size_t)settings->threads, sizeof *step->workers);
	if (!step->workers)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%d threads", settings->threads));
	while (step->worker_count < settings->threads)
		OMT_GOTO(open_worker(step, settings, &options, &step->workers[step->worker_count++],
		                     err));
	if (options.lora.rank)
		omt_trainable_init_lora(&step->trainable, (uint64_t)settings->seed);
	status = omt_step_update(step, err);
done:
	if (status != OMT_OK)
		omt_step_close(step);
	return status;
}

static void drop_records(omt_step *step)
{
	for (int32_t i = 0; i < step->micro_count; i++) {
		omt_record_free(step->records[i]);
		step->records[i] = NULL;
	}
	step->micro_count = 0;
}

void omt_step_close(omt_step *step)
{
	drop_records(step);
	/* The first one's weights are used by others: it goes last. */
	for (int32_t i = step->worker_count; i--;) {
		omt_step_worker *worker = &step->workers[i];
		omt_tape_close(worker->tape);
		omt_batch_close(&worker->batch);
		free(worker->rows);
		free(worker->gradients);
	}
	omt_trainable_free(&step->trainable);
	free(step->workers);
	free(step->members);
	free(step->starts);
	free(step->records);
	free(step->work);
	*step = (omt_step){0};
}

/* ---- micro-batches ------------------------------------------------------------------------- */

static omt_status make_room(omt_step *step, int32_t items, omt_error *err)
{
	if (items <= step->room)
		return OMT_OK;
	const size_t room = (size_t)items;
	free(step->members);
	free(step->starts);
	free(step->records);
	free(step->work);
	step->members = malloc(2 * room * sizeof *step->members);
	step->starts = malloc((room + 1) * sizeof *step->starts);
	step->records = calloc(room, sizeof(omt_record *));
	step->work = malloc(room * sizeof *step->work);
	step->room = step->members && step->starts && step->records && step->work ? items : 0;
	return step->room ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%d items", items);
}

/* Flops of an item's matrices. */
static double work_of(const omt_config *config, const omt_sample *sample)
{
	omt_batch alone = {.config = config, .tokens = sample->tokens};
	for (size_t i = 0; i < sample->segment_count; i++) {
		const omt_segment *segment = &sample->segments[i];
		alone.patches += segment->patches.t * segment->patches.h * segment->patches.w;
		alone.convolved += (segment->mel.frames + 1) / 2;
	}
	return omt_spread_work(&alone);
}

static int by_work(const void *a, const void *b, void *user)
{
	const double *work = user;
	const int32_t one = *(const int32_t *)a, other = *(const int32_t *)b;
	if (work[one] != work[other])
		return work[one] > work[other] ? -1 : 1;
	return (one > other) - (one < other);
}

/* Deals order[items] to step->micro_count micro-batches, forth and back; false: one holds more than
 * a forward may. */
static bool deal(omt_step *step, const int32_t *order)
{
	const omt_batch_limits *limits = &step->workers[0].batch.limits;
	const int32_t count = step->micro_count, items = step->item_count;
	int32_t at = 0;
	for (int32_t m = 0; m < count; m++) {
		size_t tokens = 0, pixels = 0;
		step->starts[m] = at;
		for (int32_t round = 0; round * count < items; round++) {
			const int32_t i = round * count + (round % 2 ? count - 1 - m : m);
			if (i >= items)
				continue;
			step->members[at++] = order[i];
			tokens += (size_t)step->samples[order[i]]->tokens;
			pixels += step->samples[order[i]]->pixel_bytes;
		}
		if (at - step->starts[m] > step->micro_batch || tokens > limits->tokens ||
		    pixels > limits->pixels)
			return false;
	}
	step->starts[count] = at;
	return true;
}

static omt_status plan(omt_step *step, const omt_sample *const *samples, int32_t count,
                       omt_error *err)
{
	const int32_t workers = step->worker_count;
	drop_records(step);
	OMT_TRY(make_room(step, count, err));
	step->samples = samples;
	step->item_count = count;
	int32_t *order = step->members + step->room;
	for (int32_t i = 0; i < count; i++) {
		step->work[i] = work_of(&step->model->config, samples[i]);
		order[i] = i;
	}
	qsort_r(order, (size_t)count, sizeof *order, by_work, step->work);
	int32_t micros = (count + step->micro_batch - 1) / step->micro_batch;
	for (;; micros++) {
		micros = (micros + workers - 1) / workers * workers;
		step->micro_count = micros < count ? micros : count;
		/* An item alone always fits: it was made with this limit. */
		if (deal(step, order) || step->micro_count == count)
			return OMT_OK;
	}
}

/* ---- phases -------------------------------------------------------------------------------- */

static omt_status forward(omt_step_worker *worker, int32_t micro, omt_keep keep, bool wanted,
                          omt_error *err)
{
	omt_step *step = worker->step;
	const int32_t first = step->starts[micro], end = step->starts[micro + 1];
	const size_t hidden = (size_t)step->hidden;
	omt_batch_clear(&worker->batch);
	for (int32_t i = first; i < end; i++)
		omt_batch_add(&worker->batch, step->samples[step->members[i]]);
	OMT_TRY(omt_tape_forward(worker->tape, &worker->batch, keep,
	                         keep == OMT_KEEP_NOTHING ? NULL : &step->records[micro],
	                         worker->rows, err));
	for (int32_t i = first; wanted && i < end; i++)
		memcpy(step->vectors + (size_t)step->members[i] * hidden,
		       worker->rows + (size_t)(i - first) * hidden, hidden * sizeof(float));
	return OMT_OK;
}

static omt_status backward(omt_step_worker *worker, int32_t micro, omt_error *err)
{
	omt_step *step = worker->step;
	const int32_t first = step->starts[micro], end = step->starts[micro + 1];
	const size_t hidden = (size_t)step->hidden;
	if (step->again)
		OMT_TRY(forward(worker, micro, step->keep, false, err));
	for (int32_t i = first; i < end; i++)
		memcpy(worker->rows + (size_t)(i - first) * hidden,
		       step->dvectors + (size_t)step->members[i] * hidden, hidden * sizeof(float));
	omt_record *record = step->records[micro];
	step->records[micro] = NULL; /* taken */
	return omt_tape_backward(worker->tape, record, worker->rows, worker->gradients, err);
}

/* A worker's micro-batches, one after the other. */
static void run_worker(omt_step_worker *worker,
                       omt_status (*phase)(omt_step_worker *worker, int32_t micro, omt_error *err))
{
	const omt_step *step = worker->step;
	const double begin_s = omt_now_s();
	omt_status status = OMT_OK;
	for (int32_t m = worker->number; m < step->micro_count && status == OMT_OK;
	     m += step->worker_count)
		status = phase(worker, m, &worker->failed);
	worker->failed.status = status;
	worker->busy_s += omt_now_s() - begin_s;
}

static omt_status forward_wanted(omt_step_worker *worker, int32_t micro, omt_error *err)
{
	return forward(worker, micro, worker->step->phase_keep, true, err);
}

static void run_forward(void *user, size_t i)
{
	run_worker(&((omt_step *)user)->workers[i], forward_wanted);
}

static void run_backward(void *user, size_t i)
{
	run_worker(&((omt_step *)user)->workers[i], backward);
}

static omt_status run_all(omt_step *step, void (*phase)(void *user, size_t i), omt_error *err)
{
	const double begin_s = omt_now_s();
	omt_parallel(step->worker_count, (size_t)step->worker_count, phase, step);
	step->tape_s += omt_now_s() - begin_s;
	for (int32_t i = 0; i < step->worker_count; i++) {
		const omt_error *failed = &step->workers[i].failed;
		if (failed->status == OMT_OK)
			continue;
		drop_records(step);
		return omt_fail(err, failed->status, "%s", failed->text);
	}
	return OMT_OK;
}

static omt_status vectors_of(omt_step *step, const omt_sample *const *samples, int32_t count,
                             omt_keep keep, float *vectors, omt_error *err)
{
	OMT_TRY(plan(step, samples, count, err));
	step->vectors = vectors;
	step->phase_keep = keep;
	return run_all(step, run_forward, err);
}

omt_status omt_step_embed(omt_step *step, const omt_sample *const *samples, int32_t count,
                          float *vectors, omt_error *err)
{
	return vectors_of(step, samples, count, OMT_KEEP_NOTHING, vectors, err);
}

omt_status omt_step_forward(omt_step *step, const omt_sample *const *samples, int32_t count,
                            float *vectors, omt_error *err)
{
	return vectors_of(step, samples, count, step->again ? OMT_KEEP_NOTHING : step->keep,
	                  vectors, err);
}

omt_status omt_step_backward(omt_step *step, const float *dvectors, omt_error *err)
{
	step->dvectors = dvectors;
	OMT_TRY(run_all(step, run_backward, err));
	drop_records(step);
	return OMT_OK;
}

/* ---- gradients ----------------------------------------------------------------------------- */

static void clear(void *user, size_t i)
{
	omt_step *step = user;
	memset(step->workers[i].gradients, 0, step->trainable.count * sizeof(float));
}

void omt_step_clear(omt_step *step)
{
	omt_parallel(step->worker_count, (size_t)step->worker_count, clear, step);
}

static void sum(void *user, size_t chunk)
{
	const omt_step *step = user;
	const size_t first = chunk * CHUNK, left = step->trainable.count - first;
	const size_t end = first + (left < CHUNK ? left : CHUNK);
	float *to = step->workers[0].gradients;
	for (int32_t w = 1; w < step->worker_count; w++) {
		const float *from = step->workers[w].gradients;
		for (size_t i = first; i < end; i++)
			to[i] += from[i];
	}
}

const float *omt_step_gradients(omt_step *step)
{
	omt_parallel(step->worker_count, (step->trainable.count + CHUNK - 1) / CHUNK, sum, step);
	return step->workers[0].gradients;
}

double omt_step_busy_s(const omt_step *step)
{
	double busy_s = 0;
	for (int32_t i = 0; i < step->worker_count; i++)
		busy_s += step->workers[i].busy_s;
	return busy_s;
}

omt_status omt_step_update(omt_step *step, omt_error *err)
{
	for (int32_t i = 0; i < step->worker_count; i++)
		OMT_TRY(omt_tape_update(step->workers[i].tape, err));
	return OMT_OK;
}
