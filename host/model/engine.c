#include "model/engine.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/engine_private.h"
#include "model/memory.h"

#define MAX_SLOTS 16

void omt_engine_options_init(omt_engine_options *options)
{
	*options = (omt_engine_options){
		.slots = 2, .batch_items = 8, .max_tokens = 8192, .threads = 1};
}

static omt_status check_options(const omt_engine_options *options, omt_error *err)
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
	if (options->weights && strcmp(options->weights, "stored") != 0 &&
	    strcmp(options->weights, "int8") != 0)
		return OMT_FAIL(err, BAD_ARGUMENT, "weights is \"%s\", expected stored or int8",
		                options->weights);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (settings[i].value < settings[i].low || settings[i].value > settings[i].high)
			return OMT_FAIL(err, BAD_ARGUMENT, "%s is %d, expected %d to %d",
			                settings[i].name, settings[i].value, settings[i].low,
			                settings[i].high);
	return OMT_OK;
}

static bool wants_int8(const omt_engine_options *options)
{
	return options->weights && !strcmp(options->weights, "int8");
}

omt_status omt_engine_open_on(const omt_model *model, const omt_engine_options *options,
                              omt_exec *exec, omt_engine **given, omt_error *err)
{
	omt_status status = OMT_OK;
	*given = NULL;
	omt_engine *engine = calloc(1, sizeof *engine);
	if (!engine) {
		omt_exec_close(exec);
		return OMT_FAIL(err, NO_MEMORY, "an engine");
	}
	engine->model = model;
	engine->exec = exec;
	engine->options = *options;
	omt_exec_info(exec, &engine->info);
	omt_batch_limits limits =
		omt_batch_limits_of(&model->config, options->batch_items, options->max_tokens);

	engine->slots = calloc((size_t)options->slots, sizeof *engine->slots);
	if (!engine->slots) {
		status = OMT_FAIL(err, NO_MEMORY, "%d slots", options->slots);
		goto done;
	}
	const omt_load load = {.info = &engine->info,
	                       .int8 = wants_int8(options),
	                       .cache = options->cache,
	                       .progress = &options->progress};
	OMT_GOTO(omt_params_load(model, exec, &load, &engine->params, err));
	OMT_GOTO(omt_workspace_open(&model->config, &limits,
	                            wants_int8(options) && engine->info.panel > 1, exec,
	                            &engine->work, err));
	for (; engine->slot_count < options->slots; engine->slot_count++) {
		omt_slot *slot = &engine->slots[engine->slot_count];
		OMT_GOTO(omt_batch_open(&model->config, &limits, exec, &slot->batch, err));
		slot->vectors = malloc(limits.items * (size_t)model->config.text.hidden *
		                       sizeof *slot->vectors);
		if (!slot->vectors) {
			omt_batch_close(exec, &slot->batch);
			status = OMT_FAIL(err, NO_MEMORY, "%zu vectors", limits.items);
			goto done;
		}
	}
	*given = engine;
	engine = NULL;
done:
	omt_engine_close(engine);
	return status;
}

/* The thread budget: the cores this process may use, less the preparation threads'. */
static int32_t cores_left(int32_t threads)
{
	cpu_set_t set;
	int32_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	return cores > threads ? cores - threads : 1;
}

omt_status omt_engine_open(const omt_model *model, const omt_engine_options *options,
                           omt_engine **engine, omt_error *err)
{
	omt_engine_options defaults;
	omt_exec *exec;
	omt_engine_options_init(&defaults);
	if (!options)
		options = &defaults;
	*engine = NULL;
	OMT_TRY(check_options(options, err));
	const omt_backend_options backend = {.device = options->device,
	                                     .threads = cores_left(options->threads)};
	omt_backend_info info;
	OMT_TRY(omt_exec_open(options->backend, &backend, &exec, err));
	omt_exec_info(exec, &info);
	omt_status status = omt_memory_check(model, options, &info, err);
	if (status != OMT_OK) {
		omt_exec_close(exec);
		return status;
	}
	return omt_engine_open_on(model, options, exec, engine, err);
}

void omt_engine_close(omt_engine *engine)
{
	if (!engine)
		return;
	for (int32_t i = 0; i < engine->slot_count; i++) {
		omt_batch_close(engine->exec, &engine->slots[i].batch);
		free(engine->slots[i].vectors);
	}
	free(engine->slots);
	omt_workspace_close(engine->exec, &engine->work);
	omt_params_free(engine->exec, &engine->params);
	omt_exec_close(engine->exec);
	free(engine);
}

const omt_model *omt_engine_model(const omt_engine *engine)
{
	return engine->model;
}

omt_exec *omt_engine_exec(omt_engine *engine)
{
	return engine->exec;
}

char *omt_engine_describe(const omt_engine *engine)
{
	const omt_backend_info *info = &engine->info;
	json_t *all = json_pack(
		"{ss ss ss ss ss ss sI si si si si si si sI}", "chain",
		omt_exec_chain(engine->exec), "device", info->device, "platform", info->platform,
		"driver", info->driver, "device_version", info->version, "weights",
		wants_int8(&engine->options) ? "int8" : "stored", "device_memory_bytes",
		(json_int_t)info->memory_bytes, "compute_units", info->compute_units, "panel",
		info->panel, "slots", engine->options.slots, "batch_items",
		engine->options.batch_items, "max_tokens", engine->options.max_tokens, "threads",
		engine->options.threads, "memory_bytes", (json_int_t)omt_exec_bytes(engine->exec));
	char *described = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return described;
}

omt_status omt_slot_enqueue(omt_engine *engine, omt_slot *slot, const omt_tap *tap, omt_error *err)
{
	omt_forward forward = {.config = &engine->model->config,
	                       .params = &engine->params,
	                       .exec = engine->exec,
	                       .work = &engine->work,
	                       .batch = &slot->batch,
	                       .tap = tap,
	                       .first = &slot->first};
	size_t bytes = (size_t)slot->batch.items * (size_t)engine->model->config.text.hidden *
	               sizeof *slot->vectors;
	OMT_TRY(omt_batch_upload(engine->exec, &slot->batch, &slot->upload_first,
	                         &slot->upload_last, err));
	OMT_TRY(omt_forward_run(&forward, err));
	return omt_exec_read(engine->exec, slot->batch.device.vectors, 0, slot->vectors, bytes,
	                     &slot->last, err);
}

omt_status omt_engine_forward(omt_engine *engine, const omt_sample *samples, size_t count,
                              const omt_tap *tap, float *vectors, omt_error *err)
{
	omt_slot *slot = &engine->slots[0];
	omt_batch_clear(&slot->batch);
	for (size_t i = 0; i < count; i++) {
		if (!omt_batch_fits(&slot->batch, &samples[i]))
			return OMT_FAIL(err, LIMIT,
			                "a batch of %zu samples is beyond %d items of %d "
			                "tokens together",
			                count, engine->options.batch_items,
			                engine->options.max_tokens);
		omt_batch_add(&slot->batch, &samples[i]);
	}
	OMT_TRY(omt_slot_enqueue(engine, slot, tap, err));
	OMT_TRY(omt_exec_wait(engine->exec, slot->last, err));
	memcpy(vectors, slot->vectors,
	       count * (size_t)engine->model->config.text.hidden * sizeof *vectors);
	return OMT_OK;
}
