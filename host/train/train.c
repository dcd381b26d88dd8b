#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/clock.h"
#include "base/file.h"
#include "train/evaluate.h"
#include "train/save.h"
#include "train/training.h"

/* A call of omt_train(). */
typedef struct omt_train_run {
	const omt_train_options *options;
	omt_train_settings settings;
	omt_training training;
	int64_t first;       /* step it began at */
	double begin_s;      /* when */
	double line_s;       /* when the last line of the log was written */
	double evaluating_s; /* since then */
	uint64_t line_items; /* items before it */
	double waited_s;     /* by the store, before it */
	double tape_s;       /* in tapes, before it */
	double busy_s;       /* of the workers there, before it */
} omt_train_run;

static bool stops(void *user)
{
	const omt_train_run *run = user;
	return run->options->stop && run->options->stop(run->options->user);
}

static void skipped(void *user, omt_item_key key, const omt_error *why)
{
	omt_train_run *run = user;
	omt_training_skipped(&run->training, key, why);
}

/* ---- lines of the log ---------------------------------------------------------------------- */

static omt_status log_begin(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	json_t *line = json_pack("{sI sO sI sI}", "step", (json_int_t)t->at, "run", t->identity,
	                         "parameters", (json_int_t)t->step.trainable.count, "steps",
	                         (json_int_t)run->settings.steps);
	return omt_train_log_add(&t->log, line, err);
}

/* Means over the steps since the last line. */
static omt_status log_steps(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	const double now_s = omt_now_s(), steps = (double)t->window.steps;
	const double passed_s = now_s - run->line_s - run->evaluating_s;
	const omt_store_counts counts = omt_store_count(t->store);
	const double tape_s = t->step.tape_s - run->tape_s, busy_s = omt_step_busy_s(&t->step);
	const double left = (double)(run->settings.steps - t->at);
	const double each_s = (now_s - run->begin_s) / (double)(t->at - run->first);
	json_t *line = json_pack(
		"{sI sI sf sf sf sf sI sf sf sf sf sf sf sI}", "step", (json_int_t)t->at, "steps",
		(json_int_t)run->settings.steps, "loss", t->window.loss / steps, "accuracy",
		t->window.accuracy / steps, "lr",
		omt_optimiser_rate(&run->settings.optimiser, t->at - 1), "grad_norm", t->norm,
		"masked", (json_int_t)t->window.masked, "items_per_s",
		(double)(t->items - run->line_items) / passed_s, "waited_share",
		(counts.waited_s - run->waited_s) / passed_s, "tape_share", tape_s / passed_s,
		"busy_share", (busy_s - run->busy_s) / (tape_s * t->step.worker_count), "seconds",
		now_s - run->begin_s, "left_s", left * each_s, "skipped",
		(json_int_t)counts.failed);
	t->window = (omt_train_window){0};
	run->line_s = now_s;
	run->evaluating_s = 0;
	run->line_items = t->items;
	run->waited_s = counts.waited_s;
	run->tape_s = t->step.tape_s;
	run->busy_s = busy_s;
	return omt_train_log_add(&t->log, line, err);
}

static omt_status log_end(omt_train_run *run, const char *path, omt_error *err)
{
	omt_training *t = &run->training;
	const omt_store_counts counts = omt_store_count(t->store);
	const uint64_t skipped = counts.failed + omt_dataset_broken(&t->dataset);
	json_t *line =
		json_pack("{sI ss sI sf}", "step", (json_int_t)t->at, "written", path, "skipped",
	                  (json_int_t)skipped, "seconds", omt_now_s() - run->begin_s);
	return omt_train_log_add(&t->log, line, err);
}

/* ---- parts of a run ------------------------------------------------------------------------ */

static omt_status evaluate_sets(omt_train_run *run, double begin_s, omt_error *err)
{
	omt_training *t = &run->training;
	const omt_evaluation evaluation = {.settings = &run->settings,
	                                   .dataset = &t->dataset,
	                                   .store = t->store,
	                                   .step = &t->step,
	                                   .skipped = skipped,
	                                   .stop = stops,
	                                   .user = run};
	for (size_t i = 0; i < t->dataset.eval_count; i++) {
		json_t *measured;
		OMT_TRY(omt_evaluate(&evaluation, &t->dataset.evals[i], &measured, err));
		json_object_set_new(measured, "step", json_integer((json_int_t)t->at));
		json_object_set_new(measured, "seconds", json_real(omt_now_s() - begin_s));
		OMT_TRY(omt_train_log_add(&t->log, measured, err));
	}
	return OMT_OK;
}

static omt_status evaluate(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	const double begin_s = omt_now_s();
	const omt_store_counts before = omt_store_count(t->store);
	const double tape_s = t->step.tape_s, busy_s = omt_step_busy_s(&t->step);
	const uint64_t logged = t->log.bytes;
	const omt_status status = evaluate_sets(run, begin_s, err);
	if (status == OMT_STOPPED) /* the run goes on with the first set again */
		OMT_TRY(omt_train_log_keep(&t->log, logged, err));
	OMT_TRY(status);
	t->evaluated = t->at;
	run->evaluating_s += omt_now_s() - begin_s;
	run->waited_s += omt_store_count(t->store).waited_s - before.waited_s;
	run->tape_s += t->step.tape_s - tape_s;
	run->busy_s += omt_step_busy_s(&t->step) - busy_s;
	return OMT_OK;
}

static bool is_due(int64_t at, int64_t every, int64_t end)
{
	return every && (at % every == 0 || at == end);
}

/* final/ or adapter/; given, free(). */
static omt_status export_path(const omt_train_settings *s, char **path, omt_error *err)
{
	*path = omt_path_join(s->output, s->method == OMT_TRAIN_FULL ? "final" : "adapter");
	return *path ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", s->output);
}

/* Whose path is the caller's to free. */
static omt_status export(const omt_train_run *run, char **path, omt_error *err)
{
	const omt_train_settings *s = &run->settings;
	const omt_training *t = &run->training;
	const omt_lora lora = {s->lora_rank, s->lora_alpha, s->targets};
	const bool full = s->method == OMT_TRAIN_FULL;
	OMT_TRY(export_path(s, path, err));
	return full ? omt_trainable_save_model(&t->step.trainable, t->model, *path,
	                                       omt_train_dtypes[s->dtype], &run->options->progress,
	                                       err)
	            : omt_trainable_save_adapter(&t->step.trainable, &lora, t->model, *path, err);
}

static omt_status finish(omt_train_run *run, omt_error *err)
{
	char *path = NULL;
	omt_status status = export(run, &path, err);
	if (status == OMT_OK)
		status = log_end(run, path, err);
	free(path);
	return status;
}

/* A stopped run keeps what it has. */
static omt_status stop(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	OMT_TRY(omt_training_save(t, err));
	return OMT_FAIL(err, STOPPED, "stopped after step %lld of %lld; the same command goes on",
	                (long long)t->at, (long long)run->settings.steps);
}

/* A stop while it evaluates keeps the run, too. */
static omt_status evaluate_or_stop(omt_train_run *run, omt_error *err)
{
	const omt_status status = evaluate(run, err);
	return status == OMT_STOPPED ? stop(run, err) : status;
}

static omt_status loop(omt_train_run *run, omt_error *err)
{
	const omt_train_settings *s = &run->settings;
	omt_training *t = &run->training;
	while (t->at < s->steps) {
		if (t->evaluated < t->at && is_due(t->at, s->eval_every, s->steps))
			OMT_TRY(evaluate_or_stop(run, err));
		if (stops(run))
			return stop(run, err);
		OMT_TRY(omt_training_step(t, err));
		if (is_due(t->at, s->log_every, s->steps))
			OMT_TRY(log_steps(run, err));
		if (is_due(t->at, s->save_every, s->steps))
			OMT_TRY(omt_training_save(t, err));
	}
	if (s->eval_every && t->evaluated < t->at) {
		OMT_TRY(evaluate_or_stop(run, err));
		OMT_TRY(omt_training_save(t, err));
	}
	return finish(run, err);
}

/* ---- the call ------------------------------------------------------------------------------ */

/* Samples and sizes: {"plan": ...} to the caller's line. */
static omt_status tell_plan(const omt_train_run *run, omt_error *err)
{
	const omt_train_settings *s = &run->settings;
	const omt_training *t = &run->training;
	const size_t count = t->step.trainable.count;
	const int64_t items = (int64_t)s->batch * (2 + s->negatives);
	json_t *plan = json_pack(
		"{s{ss sI sI sI si sI sI sI sI sI so so}}", "plan", "method",
		s->method == OMT_TRAIN_FULL ? "full" : "lora", "parameters", (json_int_t)count,
		"tensors", (json_int_t)t->step.trainable.part_count, "steps", (json_int_t)s->steps,
		"threads", s->threads, "queries_per_step", (json_int_t)s->batch * s->accumulate,
		"items_per_batch_at_most", (json_int_t)items, "micro_batches_at_least",
		(json_int_t)((items + s->micro_batch - 1) / s->micro_batch), "state_bytes",
		(json_int_t)(count * (3 + (size_t)s->threads) * sizeof(float)), "cache_bytes",
		(json_int_t)(s->cache_mb << 20), "data", omt_dataset_values(&t->dataset),
		"settings", omt_train_settings_values(s));
	char *text = plan ? json_dumps(plan, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(plan);
	if (text && run->options->line)
		run->options->line(run->options->user, text);
	free(text);
	return text ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "plan");
}

static bool has(const omt_train_settings *s, const char *name)
{
	char *path = omt_path_join(s->output, name);
	const bool there = path && omt_file_exists(path);
	free(path);
	return there;
}

/* What the run will write is neither its model nor, in a folder that no run has used, another's. */
static omt_status check_export(const omt_train_run *run, omt_error *err)
{
	const omt_train_settings *s = &run->settings;
	const bool known =
		run->options->restart || has(s, "log.jsonl") || has(s, "checkpoint.safetensors");
	char *path;
	OMT_TRY(export_path(s, &path, err));
	omt_status status = OMT_OK;
	if (omt_files_are_one(path, s->model))
		status = OMT_FAIL(err, BAD_ARGUMENT,
		                  "%s: the run would write over the model that it starts from",
		                  path);
	else if (!known && omt_file_exists(path))
		status = OMT_FAIL(err, BAD_ARGUMENT,
		                  "%s: is there, and no run's (--restart replaces it)", path);
	free(path);
	return status;
}

/* The folder, its log, and where an earlier call of it came to. */
static omt_status take_up(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	char *path = omt_cache_path(run->settings.output, "log.jsonl"); /* and folders */
	bool found = false;
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", run->settings.output);
	omt_status status = omt_train_log_open(path, &t->log, err);
	free(path);
	OMT_TRY(status);
	t->log.line = run->options->line;
	t->log.user = run->options->user;
	if (run->options->restart && unlink(t->checkpoint) != 0 && errno != ENOENT)
		return OMT_FAIL(err, IO, "%s: %s", t->checkpoint, strerror(errno));
	OMT_TRY(omt_training_resume(t, &found, err));
	if (!found && run->options->export_only)
		return OMT_FAIL(err, IO, "%s: no checkpoint yet", t->checkpoint);
	if (!found)
		OMT_TRY(omt_train_log_keep(&t->log, 0, err));
	if (!t->log.bytes)
		OMT_TRY(log_begin(run, err));
	if (!found)
		return OMT_OK;
	omt_note(&run->options->progress, "goes on after step %lld of %lld", (long long)t->at,
	         (long long)run->settings.steps);
	return OMT_OK;
}

static omt_status train(omt_train_run *run, omt_error *err)
{
	omt_training *t = &run->training;
	if (run->options->restart && run->options->export_only)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "--export writes what a run has, which --restart would remove");
	OMT_TRY(check_export(run, err));
	OMT_TRY(omt_training_open(&run->settings, &run->options->progress, t, err));
	if (run->options->dry_run)
		return tell_plan(run, err);
	OMT_TRY(take_up(run, err));
	run->first = t->at;
	run->begin_s = run->line_s = omt_now_s();
	return run->options->export_only ? finish(run, err) : loop(run, err);
}

omt_status omt_train(const char *yaml_path, const omt_train_options *options, omt_error *err)
{
	omt_train_run run = {.options = options ? options : &(omt_train_options){0}};
	OMT_TRY(omt_train_settings_load(yaml_path, run.options->set, run.options->set_count,
	                                &run.settings, err));
	omt_status status = train(&run, err);
	omt_training_close(&run.training);
	omt_train_settings_free(&run.settings);
	return status;
}
