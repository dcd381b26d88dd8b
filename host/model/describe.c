/* omt_engine_describe(): an engine as JSON, and the times of its ops. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "model/engine_private.h"

/* 0: it uses another unit's weights. */
static size_t weights_bytes(const omt_unit *unit)
{
	size_t bytes = 0;
	for (size_t i = 0; i < unit->own.owned_count; i++)
		bytes += unit->own.owned[i]->bytes;
	return bytes;
}

static json_t *describe_unit(const omt_engine *engine, int32_t number)
{
	const omt_unit *unit = &engine->units[number];
	const size_t bytes = omt_exec_bytes(unit->exec), weights = weights_bytes(unit);
	char part[32] = "";
	if (unit->info.parts)
		snprintf(part, sizeof part, "%d/%d", unit->info.part, unit->info.parts);
	return json_pack("{ss ss* ss* sb sI sI sI sI sI sI sf sf ss*}", "device", unit->info.device,
	                 "bitstream", *unit->info.bitstream ? unit->info.bitstream : NULL, "part",
	                 unit->info.parts ? part : NULL, "own_weights", unit->params == &unit->own,
	                 "memory_bytes", (json_int_t)bytes, "weights_bytes", (json_int_t)weights,
	                 "work_bytes", (json_int_t)(bytes - weights), "items",
	                 (json_int_t)unit->items, "batches", (json_int_t)unit->batches, "fallbacks",
	                 (json_int_t)omt_exec_fallbacks(unit->exec), "compute_s", unit->compute_s,
	                 "gflops", 1e-9 * engine->shares[number].speed, "error",
	                 unit->failed.status == OMT_OK ? NULL : unit->failed.text);
}

void omt_engine_profile(omt_engine *engine, bool on)
{
	engine->profiled = on;
	for (int32_t i = 0; i < engine->unit_count; i++) {
		if (on)
			engine->units[i].times = (omt_op_times){0};
		omt_exec_time_ops(engine->units[i].exec, on ? &engine->units[i].times : NULL);
	}
}

/* Of all units; NULL: none was timed. */
static json_t *describe_ops(const omt_engine *engine)
{
	json_t *ops = json_array();
	for (int row = 0; row < OMT_OP_ROWS; row++) {
		uint64_t launches = 0;
		double seconds = 0;
		omt_op_cost cost = {0};
		for (int32_t i = 0; i < engine->unit_count; i++) {
			const omt_op_times *times = &engine->units[i].times;
			launches += times->rows[row].launches;
			seconds += times->rows[row].seconds;
			cost.flops += times->rows[row].cost.flops;
			cost.bytes += times->rows[row].cost.bytes;
		}
		if (!launches)
			continue;
		json_array_append_new(ops, json_pack("{ss ss* sI sf sf sf}", "op",
		                                     omt_op_infos[omt_op_of_row(row)].name, "class",
		                                     omt_class_of_row(row), "launches",
		                                     (json_int_t)launches, "seconds", seconds,
		                                     "flops", cost.flops, "bytes", cost.bytes));
	}
	if (!json_array_size(ops)) {
		json_decref(ops);
		ops = NULL;
	}
	return ops;
}

char *omt_engine_describe(const omt_engine *engine)
{
	const omt_backend_info *info = &engine->units[0].info;
	const omt_engine_options *options = &engine->options;
	json_t *devices = json_array();
	size_t bytes = 0, weights = 0;
	double build_s = 0;
	for (int32_t i = 0; i < engine->unit_count; i++) {
		bytes += omt_exec_bytes(engine->units[i].exec);
		weights += weights_bytes(&engine->units[i]);
		build_s += engine->units[i].info.build_s;
		json_array_append_new(devices, describe_unit(engine, i));
	}
	json_t *all = json_pack(
		"{ss ss ss ss ss ss sI si si si sb si si si sI sI sI s{sf sf sf} so so*}", "chain",
		omt_exec_chain(engine->units[0].exec), "device", info->device, "platform",
		info->platform, "driver", info->driver, "device_version", info->version, "weights",
		options->weights ? options->weights : omt_matrices_names[0], "device_memory_bytes",
		(json_int_t)info->memory_bytes, "compute_units", info->compute_units, "panel",
		info->panel, "slots", options->slots, "eager", options->eager, "batch_items",
		options->batch_items, "max_tokens", options->max_tokens, "threads",
		options->threads, "memory_bytes", (json_int_t)bytes, "weights_bytes",
		(json_int_t)weights, "work_bytes", (json_int_t)(bytes - weights), "start",
		"build_s", build_s, "load_s", engine->load_s, "open_s", engine->open_s, "devices",
		devices, "ops", describe_ops(engine));
	char *described = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return described;
}
