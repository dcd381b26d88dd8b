#include "model/engine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "model/engine_private.h"
#include "model/memory.h"

#define MAX_SLOTS 16
/* Batches a unit and items in all that may be between the last one delivered and the last one
 * packed: a unit slower than the others by more takes no batch. */
#define WINDOW       16
#define WINDOW_ITEMS 4096
#define REST         sizeof((omt_engine){0}.rest)

void omt_engine_options_init(omt_engine_options *options)
{
	*options = (omt_engine_options){
		.slots = 2, .batch_items = 8, .max_tokens = 8192, .threads = 1};
}

/* OMT_MATRICES_COUNT: no such ones. */
static omt_matrices matrices_of(const omt_engine_options *options)
{
	omt_matrices i = 0;
	while (options->weights && i < OMT_MATRICES_COUNT &&
	       strcmp(options->weights, omt_matrices_names[i]) != 0)
		i++;
	return i;
}

omt_status omt_engine_options_check(const omt_engine_options *options, omt_error *err)
{
	const struct {
		const char *name;
		int32_t value, low, high;
	} settings[] = {
		{"slots", options->slots, 1, MAX_SLOTS},
		{"batch_items", options->batch_items, 1, 65536},
		{"max_tokens", options->max_tokens, 16, 1 << 20},
		{"threads", options->threads, 1, 256},
	};
	if (matrices_of(options) == OMT_MATRICES_COUNT)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "weights is \"%s\", expected stored, int8 or bf16",
		                options->weights);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (settings[i].value < settings[i].low || settings[i].value > settings[i].high)
			return OMT_FAIL(err, BAD_ARGUMENT, "%s is %d, expected %d to %d",
			                settings[i].name, settings[i].value, settings[i].low,
			                settings[i].high);
	return OMT_OK;
}

/* The first unit of this one's memory: it has the weights. */
static const omt_unit *weights_of(const omt_engine *engine, const omt_unit *unit)
{
	const omt_unit *owner = engine->units;
	while (owner < unit && (!unit->info.memory || owner->info.memory != unit->info.memory))
		owner++;
	return owner;
}

static omt_status open_unit(omt_engine *engine, omt_unit *unit, const omt_batch_limits *limits,
                            omt_error *err)
{
	const omt_model *model = engine->model;
	const omt_engine_options *options = &engine->options;
	const omt_matrices matrices = matrices_of(options);
	const omt_unit *owner = weights_of(engine, unit);
	unit->params = &owner->own;
	const omt_load load = {.info = &unit->info,
	                       .matrices = matrices,
	                       .cache = engine->cache ? engine->cache : options->cache,
	                       .progress = &options->progress};
	const double begin_s = omt_now_s();
	if (owner == unit)
		OMT_TRY(omt_params_load(model, unit->exec, &load, &unit->own, err));
	engine->load_s += omt_now_s() - begin_s;
	OMT_TRY(omt_workspace_open(&model->config, limits,
	                           matrices == OMT_MATRICES_INT8 && unit->info.panel > 1,
	                           unit->exec, &unit->work, err));
	while (unit->slot_count < OMT_UNIT_SLOTS && unit->slot_count < options->slots) {
		OMT_TRY(omt_batch_device_open(&model->config, limits, unit->exec,
		                              &unit->slots[unit->slot_count].device, err));
		unit->slot_count++;
	}
	engine->shares[unit - engine->units].room = unit->slot_count;
	return OMT_OK;
}

/* Batches on the host: those that units compute and those that are packed meanwhile. Results of
 * several units come in any order: so many batches may be between the first one missing and the
 * last one begun. */
static omt_status open_batches(omt_engine *engine, const omt_batch_limits *limits, omt_error *err)
{
	const omt_engine_options *options = &engine->options;
	const int32_t count = engine->unit_count * options->slots;
	const int32_t few = WINDOW_ITEMS / options->batch_items, most = WINDOW * engine->unit_count;
	engine->window = few < most ? few : most;
	if (engine->window < count || engine->unit_count == 1)
		engine->window = count;
	engine->batches = calloc((size_t)count, sizeof *engine->batches);
	engine->vectors = malloc((size_t)engine->window * limits->items *
	                         (size_t)engine->model->config.text.hidden * sizeof(float));
	if (!engine->batches || !engine->vectors)
		return OMT_FAIL(err, NO_MEMORY, "%d batches of %zu vectors", engine->window,
		                limits->items);
	for (; engine->batch_count < count; engine->batch_count++)
		OMT_TRY(omt_batch_open(&engine->model->config, limits,
		                       &engine->batches[engine->batch_count], err));
	return OMT_OK;
}

omt_status omt_engine_open_on(const omt_model *model, const omt_engine_options *options,
                              omt_exec **execs, int32_t count, omt_engine **given, omt_error *err)
{
	omt_status status = OMT_OK;
	*given = NULL;
	omt_engine *engine = calloc(1, sizeof *engine);
	if (!engine) {
		while (count--)
			omt_exec_close(execs[count]);
		return OMT_FAIL(err, NO_MEMORY, "an engine");
	}
	engine->model = model;
	engine->options = *options;
	engine->unit_count = count;
	for (int32_t i = 0; i < count; i++) {
		engine->units[i].exec = execs[i];
		omt_exec_info(execs[i], &engine->units[i].info);
	}
	omt_batch_limits limits =
		omt_batch_limits_of(&model->config, options->batch_items, options->max_tokens);
	for (int32_t i = 0; i < count; i++)
		OMT_GOTO(open_unit(engine, &engine->units[i], &limits, err));
	OMT_GOTO(open_batches(engine, &limits, err));
	if (options->cache && !(engine->cache = strdup(options->cache)))
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "the cache's path"));
	/* Strings are the caller's, who may free them now. */
	engine->options.weights = omt_matrices_names[matrices_of(options)];
	engine->options.backend = engine->options.device = NULL;
	engine->options.cache = engine->options.tiles = engine->options.bitstream = NULL;
	*given = engine;
	engine = NULL;
done:
	omt_engine_close(engine);
	return status;
}

static void close_unit(omt_unit *unit)
{
	for (int32_t i = 0; i < unit->slot_count; i++)
		omt_batch_device_close(unit->exec, &unit->slots[i].device);
	omt_workspace_close(unit->exec, &unit->work);
	omt_params_free(unit->exec, &unit->own);
	omt_exec_close(unit->exec);
}

/* The thread budget: the cores this process may use, less the preparation threads'. */
static int32_t cores_left(int32_t threads)
{
	const int32_t cores = omt_parallel_cores();
	return cores > threads ? cores - threads : 1;
}

/* Compares the plan with every memory that the devices have. */
static omt_status check_memory(const omt_model *model, const omt_engine_options *options,
                               omt_exec **execs, int32_t count, omt_error *err)
{
	for (int32_t i = 0; i < count; i++) {
		omt_backend_info info, other;
		int32_t units = 1;
		omt_exec_info(execs[i], &info);
		for (int32_t j = 0; info.memory && j < count; j++) {
			omt_exec_info(execs[j], &other);
			units += j != i && other.memory == info.memory;
		}
		OMT_TRY(omt_memory_check(model, options, &info, units, err));
	}
	return OMT_OK;
}

/* "reason; goes on with openblas,ref" */
static void say_rest(const omt_error *why, const char *rest, omt_error *note)
{
	OMT_FAIL(note, DEVICE, "%.400s; goes on with %s", why->text, rest);
}

static void note_rest(const omt_engine_options *options, const omt_error *why, const char *rest)
{
	omt_error note;
	say_rest(why, rest, &note);
	omt_note(&options->progress, "%s", note.text);
}

/* On a chain whose first backend that can be opened takes it all; rest[64] gets the names behind
 * it. */
static omt_status open_chain(const omt_model *model, const omt_engine_options *options,
                             const char *chain, omt_engine **engine, char *rest, omt_error *err)
{
	omt_exec *execs[OMT_MAX_DEVICES];
	omt_error left_out = {.status = OMT_OK};
	int32_t count;
	const omt_backend_options backend = {.device = options->device,
	                                     .tiles = options->tiles,
	                                     .bitstream = options->bitstream,
	                                     .threads = cores_left(options->threads),
	                                     .left_out = &left_out};
	*rest = '\0';
	OMT_TRY(omt_exec_open_all(chain, &backend, OMT_MAX_DEVICES, execs, &count, err));
	if (left_out.status != OMT_OK)
		note_rest(options, &left_out, omt_exec_chain(execs[0]));
	const char *comma = strchr(omt_exec_chain(execs[0]), ',');
	if (comma && !omt_backend_device(&backend) && !omt_backend_bitstream(&backend))
		snprintf(rest, REST, "%s", comma + 1);
	omt_status status = check_memory(model, options, execs, count, err);
	if (status == OMT_OK)
		return omt_engine_open_on(model, options, execs, count, engine, err);
	while (count--)
		omt_exec_close(execs[count]);
	return status;
}

omt_status omt_engine_open(const omt_model *model, const omt_engine_options *options,
                           omt_engine **engine, omt_error *err)
{
	omt_engine_options defaults;
	omt_error why;
	char chain[REST], rest[REST];
	const double begin_s = omt_now_s();
	omt_engine_options_init(&defaults);
	if (!options)
		options = &defaults;
	*engine = NULL;
	OMT_TRY(omt_engine_options_check(options, err));
	omt_status status = open_chain(model, options, options->backend, engine, rest, &why);
	/* A device that has no room after all. */
	while (status == OMT_DEVICE && *rest) {
		note_rest(options, &why, rest);
		memcpy(chain, rest, sizeof chain);
		status = open_chain(model, options, chain, engine, rest, &why);
	}
	if (status != OMT_OK)
		return omt_fail(err, status, "%s", why.text);
	memcpy((*engine)->rest, rest, sizeof rest);
	(*engine)->open_s = omt_now_s() - begin_s;
	return OMT_OK;
}

omt_status omt_unit_move(omt_engine *engine, omt_unit *unit, const omt_error *why, omt_error *note)
{
	const omt_backend_options backend = {.threads = cores_left(engine->options.threads)};
	const omt_batch_limits limits = omt_batch_limits_of(
		&engine->model->config, engine->options.batch_items, engine->options.max_tokens);
	char chain[REST];
	if (!*engine->rest)
		return why->status;
	memcpy(chain, engine->rest, sizeof chain);
	say_rest(why, chain, note);
	close_unit(unit);
	const omt_unit before = *unit;
	*unit = (omt_unit){
		.items = before.items, .batches = before.batches, .compute_s = before.compute_s};
	OMT_TRY(omt_exec_open(chain, &backend, &unit->exec, note));
	omt_exec_info(unit->exec, &unit->info);
	const char *comma = strchr(omt_exec_chain(unit->exec), ',');
	snprintf(engine->rest, sizeof engine->rest, "%s", comma ? comma + 1 : "");
	return open_unit(engine, unit, &limits, note);
}

void omt_engine_close(omt_engine *engine)
{
	if (!engine)
		return;
	for (int32_t i = 0; i < engine->batch_count; i++)
		omt_batch_close(&engine->batches[i]);
	free(engine->batches);
	free(engine->vectors);
	free(engine->cache);
	/* The first one last: others may use its weights. */
	for (int32_t i = engine->unit_count - 1; i >= 0; i--)
		close_unit(&engine->units[i]);
	free(engine);
}

omt_exec *omt_engine_exec(omt_engine *engine)
{
	return engine->units[0].exec;
}

omt_status omt_unit_enqueue(omt_unit *unit, omt_slot *slot, omt_batch *batch, const omt_tap *tap,
                            float *vectors, omt_error *err)
{
	omt_forward forward = {.config = batch->config,
	                       .params = unit->params,
	                       .exec = unit->exec,
	                       .work = &unit->work,
	                       .batch = batch,
	                       .tap = tap,
	                       .first = &slot->first,
	                       .last = &slot->computed};
	size_t bytes = (size_t)batch->items * (size_t)batch->config->text.hidden * sizeof *vectors;
	batch->device = slot->device;
	OMT_TRY(omt_batch_upload(unit->exec, batch, &slot->upload_first, &slot->upload_last, err));
	OMT_TRY(omt_forward_run(&forward, err));
	return omt_exec_read(unit->exec, slot->device.vectors, 0, vectors, bytes, &slot->last, err);
}

omt_status omt_engine_forward(omt_engine *engine, const omt_sample *samples, size_t count,
                              const omt_tap *tap, float *vectors, omt_error *err)
{
	omt_unit *unit = &engine->units[0];
	omt_batch *batch = &engine->batches[0];
	omt_batch_clear(batch);
	for (size_t i = 0; i < count; i++) {
		if (!omt_batch_fits(batch, &samples[i]))
			return OMT_FAIL(err, LIMIT,
			                "a batch of %zu samples is beyond %d items of %d "
			                "tokens together",
			                count, engine->options.batch_items,
			                engine->options.max_tokens);
		omt_batch_add(batch, &samples[i]);
	}
	OMT_TRY(omt_unit_enqueue(unit, &unit->slots[0], batch, tap, vectors, err));
	return omt_exec_wait(unit->exec, unit->slots[0].last, err);
}
