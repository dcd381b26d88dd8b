#include "model/memory.h"

#include <stdio.h>

#define LEAST_TOKENS 16 /* that an engine may be opened for */

static void ignore(void *user, omt_op op, const void *args)
{
	(void)user;
	(void)op;
	(void)args;
}

omt_status omt_memory_plan(const omt_model *model, const omt_engine_options *options,
                           const omt_backend_info *info, int32_t units, omt_memory *memory,
                           omt_error *err)
{
	const omt_recorder recorder = {.op = ignore};
	omt_engine_options quiet = *options;
	omt_engine *engine;
	omt_exec *exec;
	*memory = (omt_memory){0};
	quiet.progress = (omt_progress){0};
	OMT_TRY(omt_exec_open_recorder(&recorder, info, &exec, err));
	OMT_TRY(omt_engine_open_on(model, &quiet, &exec, 1, &engine, err));
	memory->bytes = omt_exec_bytes(exec);
	memory->largest = omt_exec_largest(exec);
	for (size_t i = 0; i < engine->units[0].own.owned_count; i++)
		memory->weights += engine->units[0].own.owned[i]->bytes;
	memory->bytes += (size_t)(units - 1) * (memory->bytes - memory->weights);
	omt_engine_close(engine);
	return OMT_OK;
}

bool omt_memory_fits(const omt_memory *memory, const omt_backend_info *info)
{
	return (!info->memory_bytes || memory->bytes <= info->memory_bytes) &&
	       (!info->max_alloc_bytes || memory->largest <= info->max_alloc_bytes);
}

/* The most tokens a batch that fit; 0: none do. */
static int32_t find_tokens(const omt_model *model, const omt_engine_options *options,
                           const omt_backend_info *info, int32_t units)
{
	omt_engine_options fewer = *options;
	int32_t fit = 0, high = options->max_tokens;
	omt_memory memory;
	for (int32_t low = LEAST_TOKENS; low < high;) {
		fewer.max_tokens = low + (high - low) / 2;
		if (omt_memory_plan(model, &fewer, info, units, &memory, NULL) == OMT_OK &&
		    omt_memory_fits(&memory, info)) {
			fit = fewer.max_tokens;
			low = fit + 1;
		} else {
			high = fewer.max_tokens;
		}
	}
	return fit;
}

omt_status omt_memory_check(const omt_model *model, const omt_engine_options *options,
                            const omt_backend_info *info, int32_t units, omt_error *err)
{
	omt_memory memory;
	char advice[96] = "fewer tokens do not help";
	OMT_TRY(omt_memory_plan(model, options, info, units, &memory, err));
	if (omt_memory_fits(&memory, info))
		return OMT_OK;
	int32_t tokens = find_tokens(model, options, info, units);
	if (tokens)
		snprintf(advice, sizeof advice, "max_tokens %d would fit", tokens);
	if (info->memory_bytes && memory.bytes > info->memory_bytes)
		return OMT_FAIL(err, LIMIT,
		                "%s has %.3f GB of memory, %.3f GB are needed (weights %.3f GB, "
		                "the rest for batches of %d tokens, devices in it: %d): %s",
		                info->device, (double)info->memory_bytes * 1e-9,
		                (double)memory.bytes * 1e-9, (double)memory.weights * 1e-9,
		                options->max_tokens, units, advice);
	return OMT_FAIL(err, LIMIT,
	                "%s allocates %llu bytes at most, batches of %d tokens need a buffer of "
	                "%zu: %s",
	                info->device, (unsigned long long)info->max_alloc_bytes,
	                options->max_tokens, memory.largest, advice);
}
