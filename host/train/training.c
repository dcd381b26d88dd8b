#include "train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/run_state.h"

#define AHEAD 2 /* batches that are prepared before they are drawn */

/* ---- opening ------------------------------------------------------------------------------- */

static omt_status make_identity(omt_training *t, omt_error *err)
{
	char model[OMT_IDENTITY_TEXT];
	json_t *lists = NULL;
	omt_status status = omt_model_identity(t->model, model, err);
	if (status == OMT_OK)
		status = omt_dataset_lists(&t->dataset, &lists, err);
	if (status != OMT_OK) {
		json_decref(lists);
		return status;
	}
	t->identity = json_pack("{ss so so so}", "model", model, "settings",
	                        omt_train_settings_values(t->settings), "data",
	                        omt_dataset_values(&t->dataset), "lists", lists);
	return t->identity ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "settings");
}

static omt_status make_arrays(omt_training *t, omt_error *err)
{
	const size_t hidden = (size_t)t->step.hidden, count = t->step.trainable.count;
	const size_t queries = (size_t)t->settings->batch;
	const size_t passages = queries * (1 + (size_t)t->settings->negatives);
	t->first = calloc(count, sizeof(float));
	t->second = calloc(count, sizeof(float));
	t->vectors = malloc((queries + passages) * hidden * sizeof(float));
	t->dvectors = malloc((queries + passages) * hidden * sizeof(float));
	t->q = malloc(queries * hidden * sizeof(float));
	t->dq = malloc(queries * hidden * sizeof(float));
	t->p = malloc(passages * hidden * sizeof(float));
	t->dp = malloc(passages * hidden * sizeof(float));
	return t->first && t->second && t->vectors && t->dvectors && t->q && t->dq && t->p && t->dp
	               ? OMT_OK
	               : OMT_FAIL(err, NO_MEMORY, "a batch of %zu queries, %zu parameters", queries,
	                          count);
}

omt_status omt_training_open(const omt_train_settings *settings, const omt_progress *progress,
                             omt_training *t, omt_error *err)
{
	const size_t cache = (size_t)settings->cache_mb << 20;
	const uint64_t seed = (uint64_t)settings->seed;
	omt_status status = OMT_OK;
	*t = (omt_training){.settings = settings, .progress = progress, .evaluated = -1};
	OMT_GOTO(omt_dataset_open(settings, progress, &t->dataset, err));
	OMT_GOTO(omt_model_open(settings->model, &t->model, err));
	OMT_GOTO(make_identity(t, err));
	OMT_GOTO(omt_step_open(t->model, settings, &t->step, err));
	OMT_GOTO(omt_store_open(t->model, &t->dataset, settings->max_tokens, settings->threads,
	                        cache, &t->store, err));
	OMT_GOTO(omt_sampler_open(&t->dataset, seed, settings->same_dataset, &t->sampler, err));
	OMT_GOTO(omt_sampler_open(&t->dataset, seed, settings->same_dataset, &t->ahead, err));
	OMT_GOTO(omt_draw_open(&t->dataset, t->store, settings->batch, settings->negatives,
	                       &t->draw, err));
	OMT_GOTO(make_arrays(t, err));
	t->checkpoint = omt_path_join(settings->output, "checkpoint.safetensors");
	if (!t->checkpoint)
		status = OMT_FAIL(err, NO_MEMORY, "%s", settings->output);
done:
	if (status != OMT_OK)
		omt_training_close(t);
	return status;
}

void omt_training_close(omt_training *t)
{
	omt_train_log_close(&t->log);
	omt_draw_close(&t->draw);
	if (t->sampler.walks)
		omt_sampler_close(&t->sampler);
	if (t->ahead.walks)
		omt_sampler_close(&t->ahead);
	omt_store_close(t->store);
	if (t->step.workers)
		omt_step_close(&t->step);
	omt_model_close(t->model);
	omt_dataset_close(&t->dataset);
	json_decref(t->identity);
	free(t->first);
	free(t->second);
	free(t->vectors);
	free(t->dvectors);
	free(t->q);
	free(t->dq);
	free(t->p);
	free(t->dp);
	free(t->checkpoint);
	*t = (omt_training){0};
}

/* ---- a step -------------------------------------------------------------------------------- */

void omt_training_skipped(void *user, omt_item_key key, const omt_error *why)
{
	omt_training *t = user;
	json_t *line =
		json_pack("{sI ss so}", "step", (json_int_t)t->at, "skipped",
	                  omt_dataset_id(&t->dataset, key), "reason", omt_json_text(why->text));
	const omt_status status = omt_train_log_add(&t->log, line, NULL);
	t->failed = t->failed ? t->failed : status;
	omt_note(t->progress, "%s", why->text);
}

static omt_status draw(omt_training *t, omt_error *err)
{
	omt_sampler_copy(&t->ahead, &t->sampler);
	for (int i = 0; i <= AHEAD; i++)
		OMT_TRY(omt_draw_hint(&t->draw, &t->ahead, err));
	return omt_draw_make(&t->draw, &t->sampler, omt_training_skipped, t, err);
}

/* A vector with a value that is no number would spoil the loss of all. */
static omt_status check_vectors(const omt_training *t, omt_error *err)
{
	const size_t hidden = (size_t)t->step.hidden;
	for (int32_t i = 0; i < t->draw.item_count; i++)
		for (size_t j = 0; j < hidden; j++)
			if (!isfinite(t->vectors[(size_t)i * hidden + j])) {
				const omt_item_key key = t->draw.keys[i];
				return OMT_FAIL(
					err, MISMATCH,
					"the vector of item \"%.80s\" of %s is not finite",
					omt_dataset_id(&t->dataset, key),
					omt_catalog_path(omt_dataset_catalog(&t->dataset, key)));
			}
	return OMT_OK;
}

static void gather(const omt_training *t)
{
	const size_t hidden = (size_t)t->step.hidden, bytes = hidden * sizeof(float);
	for (int32_t i = 0; i < t->draw.query_count; i++)
		memcpy(t->q + (size_t)i * hidden,
		       t->vectors + (size_t)t->draw.queries[i].item * hidden, bytes);
	for (int32_t i = 0; i < t->draw.passage_count; i++)
		memcpy(t->p + (size_t)i * hidden, t->vectors + (size_t)t->draw.passages[i] * hidden,
		       bytes);
}

static void add_row(float *to, const float *from, size_t hidden, float scale)
{
	for (size_t j = 0; j < hidden; j++)
		to[j] += scale * from[j];
}

/* An item that stands in several places gets the gradients of all. */
static void scatter(const omt_training *t, float scale)
{
	const size_t hidden = (size_t)t->step.hidden;
	memset(t->dvectors, 0, (size_t)t->draw.item_count * hidden * sizeof(float));
	for (int32_t i = 0; i < t->draw.query_count; i++)
		add_row(t->dvectors + (size_t)t->draw.queries[i].item * hidden,
		        t->dq + (size_t)i * hidden, hidden, scale);
	for (int32_t i = 0; i < t->draw.passage_count; i++)
		add_row(t->dvectors + (size_t)t->draw.passages[i] * hidden,
		        t->dp + (size_t)i * hidden, hidden, scale);
}

static omt_status find_loss(omt_training *t, omt_loss_value *value, omt_error *err)
{
	const omt_loss_batch batch = {.queries = t->draw.query_count,
	                              .passages = t->draw.passage_count,
	                              .dimension = t->step.hidden,
	                              .q = t->q,
	                              .p = t->p,
	                              .starts = t->draw.starts,
	                              .passage_ids = t->draw.passage_keys,
	                              .relevant = omt_draw_relevant,
	                              .user = &t->draw};
	return omt_loss(&t->settings->loss, &batch, value, t->dq, t->dp, err);
}

/* One of the batches whose gradients a step is the mean of. */
static omt_status add_batch(omt_training *t, omt_error *err)
{
	const int32_t count = t->settings->accumulate;
	omt_loss_value value;
	OMT_TRY(draw(t, err));
	OMT_TRY(omt_step_forward(&t->step, t->draw.samples, t->draw.item_count, t->vectors, err));
	OMT_TRY(check_vectors(t, err));
	gather(t);
	OMT_TRY(find_loss(t, &value, err));
	scatter(t, 1 / (float)count);
	OMT_TRY(omt_step_backward(&t->step, t->dvectors, err));
	t->window.loss += value.loss / count;
	t->window.accuracy += value.accuracy / count;
	t->window.masked += value.masked;
	t->items += (uint64_t)t->draw.item_count;
	return OMT_OK;
}

omt_status omt_training_step(omt_training *t, omt_error *err)
{
	const omt_train_settings *s = t->settings;
	omt_status status = OMT_OK;
	omt_step_clear(&t->step);
	for (int32_t i = 0; i < s->accumulate; i++)
		OMT_GOTO(add_batch(t, err));
	OMT_GOTO(omt_optimiser_step(&s->optimiser, t->at, &t->step.trainable,
	                            omt_step_gradients(&t->step), t->first, t->second, s->threads,
	                            &t->norm, err));
	OMT_GOTO(omt_step_update(&t->step, err));
	t->window.steps++;
	t->at++;
	if (t->failed)
		OMT_GOTO(omt_fail(err, t->failed, "%s: cannot be written", t->log.path));
done:
	if (status != OMT_OK)
		omt_fail_at(err, status, "step %lld", (long long)t->at + 1);
	return status;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

omt_status omt_training_save(omt_training *t, omt_error *err)
{
	const omt_train_window *window = &t->window;
	OMT_TRY(omt_train_log_sync(&t->log, err));
	json_t *state = json_pack("{si sI sI sI s{sI sf sf sI} so sO}", "layout", 1, "step",
	                          (json_int_t)t->at, "evaluated", (json_int_t)t->evaluated,
	                          "log_bytes", (json_int_t)t->log.bytes, "window", "steps",
	                          (json_int_t)window->steps, "loss", window->loss, "accuracy",
	                          window->accuracy, "masked", (json_int_t)window->masked, "sampler",
	                          omt_sampler_state(&t->sampler), "identity", t->identity);
	omt_status status = state ? omt_run_state_save(t->checkpoint, &t->step.trainable, t->first,
	                                               t->second, state, err)
	                          : OMT_FAIL(err, NO_MEMORY, "%s", t->checkpoint);
	json_decref(state);
	return status;
}

/* The same model, data and settings as the checkpoint's. */
static omt_status compare(const omt_training *t, const json_t *state, omt_error *err)
{
	const json_t *before = json_object_get(state, "identity");
	const char *const goes_on = "(--restart begins anew)";
	omt_error differs;
	if (!json_equal(json_object_get(before, "model"), json_object_get(t->identity, "model")))
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: of another model than %s %s", t->checkpoint,
		                t->settings->model, goes_on);
	if (omt_train_settings_compare(json_object_get(before, "settings"),
	                               json_object_get(t->identity, "settings"),
	                               &differs) != OMT_OK)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: %.300s %s", t->checkpoint, differs.text,
		                goes_on);
	if (omt_train_settings_compare(json_object_get(before, "data"),
	                               json_object_get(t->identity, "data"), &differs) != OMT_OK)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: the data has changed: %.300s %s",
		                t->checkpoint, differs.text, goes_on);
	const json_t *lists = json_object_get(before, "lists"); /* of a run of late */
	if (lists && omt_train_settings_compare(lists, json_object_get(t->identity, "lists"),
	                                        &differs) != OMT_OK)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: a list has changed: %.300s %s",
		                t->checkpoint, differs.text, goes_on);
	return OMT_OK;
}

static omt_status take_state(omt_training *t, const json_t *state, omt_error *err)
{
	const omt_json in = {t->checkpoint, state};
	omt_json window, sampler;
	int64_t log_bytes = -1;
	int32_t layout = 0;
	t->at = -1;
	OMT_TRY(omt_json_int(in, "layout", 1, 1, &layout, err));
	OMT_TRY(omt_json_int64(in, "step", 0, t->settings->steps, &t->at, err));
	OMT_TRY(omt_json_int64(in, "evaluated", -1, t->settings->steps, &t->evaluated, err));
	OMT_TRY(omt_json_int64(in, "log_bytes", 0, INT64_MAX, &log_bytes, err));
	OMT_TRY(omt_json_member(in, "window", &window, err));
	OMT_TRY(omt_json_member(in, "sampler", &sampler, err));
	if (!layout || t->at < 0 || log_bytes < 0 || !window.object || !sampler.object)
		return OMT_FAIL(err, BAD_FORMAT, "%s: the state is not whole", t->checkpoint);
	OMT_TRY(omt_json_int64(window, "steps", 0, INT64_MAX, &t->window.steps, err));
	OMT_TRY(omt_json_int64(window, "masked", 0, INT64_MAX, &t->window.masked, err));
	OMT_TRY(omt_json_real(window, "loss", -INFINITY, INFINITY, &t->window.loss, err));
	OMT_TRY(omt_json_real(window, "accuracy", 0, INFINITY, &t->window.accuracy, err));
	OMT_TRY(omt_sampler_resume(&t->sampler, sampler, err));
	OMT_TRY(omt_train_log_keep(&t->log, (uint64_t)log_bytes, err));
	if (t->log.bytes < (uint64_t)log_bytes)
		omt_note(t->progress, "lines of the log are lost: it is shorter than when the "
		                      "checkpoint was written");
	return OMT_OK;
}

omt_status omt_training_resume(omt_training *t, bool *found, omt_error *err)
{
	json_t *state;
	*found = omt_file_exists(t->checkpoint);
	if (!*found)
		return OMT_OK;
	OMT_TRY(omt_run_state_read(t->checkpoint, &state, err));
	omt_status status;
	OMT_GOTO(compare(t, state, err));
	OMT_GOTO(take_state(t, state, err));
	OMT_GOTO(omt_run_state_load(t->checkpoint, &t->step.trainable, t->first, t->second, err));
	status = omt_step_update(&t->step, err);
done:
	json_decref(state);
	return status;
}
