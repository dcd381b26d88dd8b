/* omt_plan(): the real forward code, walked with a recorder in the place of a device. What it
 * counts is what would be enqueued: no second description of the model can drift from the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "exec/device_entry.h"
#include "model/memory.h"
#include "model/plan.h"
#include "token/prompt.h"

void omt_plan_content(omt_op op, const void *args, const int32_t *content[OMT_OP_MAX_BUFFERS])
{
	omt_buffer *const *buffers = args;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++)
		content[i] = omt_op_infos[op].buffer[i].element == OMT_ELEMENT_i32
		                     ? omt_exec_recorded(buffers[i])
		                     : NULL;
}

void omt_plan_record(omt_planner *plan, omt_op op, const void *args,
                     const int32_t *const content[OMT_OP_MAX_BUFFERS])
{
	const void *scalars = omt_op_scalars(op, args);
	const size_t bytes = (size_t)omt_op_infos[op].scalars * sizeof(omt_scalar_i32);
	const size_t content_bytes = OMT_OP_MAX_BUFFERS * sizeof *content;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->lines[i].op == op && !memcmp(plan->lines[i].scalars, scalars, bytes) &&
		    !memcmp(plan->lines[i].content, content, content_bytes)) {
			plan->lines[i].launches++;
			return;
		}
	if (plan->count == plan->capacity) {
		size_t capacity = plan->capacity ? 2 * plan->capacity : 64;
		omt_plan_line *grown = realloc(plan->lines, capacity * sizeof *grown);
		if (!grown) {
			plan->failed = true;
			return;
		}
		plan->lines = grown;
		plan->capacity = capacity;
	}
	omt_plan_line *line = &plan->lines[plan->count++];
	*line = (omt_plan_line){.op = op, .launches = 1, .cost = omt_op_cost_of(op, args)};
	memcpy(line->scalars, scalars, bytes);
	memcpy(line->content, content, content_bytes);
}

static void record(void *user, omt_op op, const void *args)
{
	omt_planner *plan = user;
	const int32_t *content[OMT_OP_MAX_BUFFERS] = {0};
	if (op == OMT_OP_pack) {
		plan->packs = true;
		plan->pack.op = op;
		memcpy(plan->pack.scalars, omt_op_scalars(op, args),
		       (size_t)omt_op_infos[op].scalars * sizeof *plan->pack.scalars);
	}
	if (!plan->recording)
		return;
	omt_plan_content(op, args, content);
	omt_plan_record(plan, op, args, content);
}

const void *omt_plan_args(const omt_plan_line *line, omt_plan_any_args *args)
{
	const omt_op_info *info = &omt_op_infos[line->op];
	*args = (omt_plan_any_args){0};
	memcpy((omt_buffer **)args + info->buffers, line->scalars,
	       (size_t)info->scalars * sizeof(omt_scalar_i32));
	return args;
}

/* ---- the device ---------------------------------------------------------------------------- */

/* No device that is here: those that need not be are told, too. */
static omt_status no_device(const omt_error *why, omt_error *err)
{
	char names[256];
	omt_device_shipped_names(names, sizeof names);
	return omt_fail(err, why->status, "%s; described are%s", why->text, names);
}

omt_status omt_plan_device(const omt_engine_options *options, omt_device_file *file, omt_error *err)
{
	omt_exec *exec;
	omt_error why;
	bool there;
	OMT_TRY(omt_device_named(options->device, file, &there, err));
	if (there)
		return OMT_OK;
	*file = (omt_device_file){0};
	if (omt_exec_open(options->backend,
	                  &(omt_backend_options){.device = options->device,
	                                         .tiles = options->tiles,
	                                         .bitstream = options->bitstream},
	                  &exec, &why) != OMT_OK)
		return why.status == OMT_DEVICE && options->device
		               ? no_device(&why, err)
		               : omt_fail(err, why.status, "%s", why.text);
	omt_exec_info(exec, &file->info);
	omt_exec_close(exec);
	return OMT_OK;
}

/* ---- the sample ---------------------------------------------------------------------------- */

static omt_status blank_patches(const omt_model *model, int32_t frames, int32_t side,
                                omt_patches *patches, omt_error *err)
{
	const omt_vision_config *c = &model->config.vision;
	int32_t factor = c->patch * c->merge;
	int32_t rounded = side < factor ? factor : (side + factor / 2) / factor * factor;
	*patches = (omt_patches){.t = (frames + c->temporal_patch - 1) / c->temporal_patch,
	                         .h = rounded / c->patch,
	                         .w = rounded / c->patch,
	                         .row = c->channels * c->temporal_patch * c->patch * c->patch,
	                         .frames = frames,
	                         .seconds_per_grid = 1.0};
	patches->data = calloc(1, omt_patches_bytes(&model->prep, patches));
	return patches->data ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "a picture of side %d", side);
}

static omt_status blank_mel(const omt_model *model, double seconds, omt_mel *mel, omt_error *err)
{
	const omt_prep_config *c = &model->prep;
	mel->frames = (int32_t)(seconds * c->rate_hz / c->hop);
	mel->data = calloc((size_t)mel->frames + 1, (size_t)c->mel_bins * sizeof(float));
	return mel->data ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%g seconds of sound", seconds);
}

omt_status omt_plan_sample(const omt_model *model, const omt_plan_options *options,
                           omt_sample *sample, omt_error *err)
{
	omt_part parts[4] = {0};
	size_t part_count = 0, segment_count = 0, bytes = 2 * (size_t)options->text_tokens;
	char *prompt = NULL, *text = malloc(bytes + 1);
	omt_segment *segments = calloc(3, sizeof *segments);
	omt_status status = OMT_OK;
	if (!text || !segments) {
		status = OMT_FAIL(err, NO_MEMORY, "a text of %d tokens", options->text_tokens);
		goto done;
	}
	for (size_t i = 0; i < bytes; i++)
		text[i] = i % 2 ? 'a' : ' ';
	parts[part_count++] = (omt_part){.kind = OMT_TEXT, .text = text, .text_bytes = bytes};
	if (options->image_pixels) {
		parts[part_count++].kind = segments[segment_count].kind = OMT_IMAGE;
		OMT_GOTO(blank_patches(model, 1, options->image_pixels,
		                       &segments[segment_count++].patches, err));
	}
	if (options->video_frames) {
		parts[part_count++].kind = segments[segment_count].kind = OMT_VIDEO;
		OMT_GOTO(blank_patches(model, options->video_frames, 224,
		                       &segments[segment_count++].patches, err));
	}
	if (options->audio_seconds > 0) {
		parts[part_count++].kind = segments[segment_count].kind = OMT_AUDIO;
		OMT_GOTO(blank_mel(model, options->audio_seconds, &segments[segment_count++].mel,
		                   err));
	}
	OMT_GOTO(omt_prompt_render("", parts, part_count, &prompt, &bytes, err));
	status = omt_sample_assemble(model, prompt, bytes, segments, segment_count,
	                             options->engine.max_tokens, sample, err);
	segments = NULL; /* taken */
done:
	for (size_t i = 0; segments && i < segment_count; i++) {
		free(segments[i].patches.data);
		free(segments[i].mel.data);
	}
	free(segments);
	free(prompt);
	free(text);
	return status;
}

/* ---- the plan ------------------------------------------------------------------------------ */

static json_t *line_json(const omt_plan_line *line, const omt_backend_info *info,
                         const omt_device_speed *speed)
{
	const omt_op_info *op = &omt_op_infos[line->op];
	json_t *shape = json_object();
	for (int32_t i = 0; i < op->scalars; i++) {
		omt_scalar_f32 real;
		memcpy(&real, &line->scalars[i], sizeof real);
		json_object_set_new(shape, op->scalar[i].name,
		                    op->scalar[i].element == OMT_ELEMENT_f32
		                            ? json_real((double)real)
		                            : json_integer(line->scalars[i]));
	}
	json_t *json = json_pack("{ss so sI sf sf}", "op", op->name, "shape", shape, "launches",
	                         (json_int_t)line->launches, "flops",
	                         line->cost.flops * (double)line->launches, "bytes",
	                         line->cost.bytes * (double)line->launches);
	if (OMT_CL_FOR_GEMMS >> line->op & 1 && info->tile_rows) {
		int32_t m = line->scalars[0], n = line->scalars[1];
		json_object_set_new(
			json, "tiles",
			json_integer((json_int_t)((m + info->tile_rows - 1) / info->tile_rows) *
		                     ((n + info->panel - 1) / info->panel)));
	}
	if (speed->peak_gflops > 0 && speed->bandwidth_gbs > 0) {
		double compute = line->cost.flops / speed->peak_gflops * 1e-6;
		double memory = line->cost.bytes / speed->bandwidth_gbs * 1e-6;
		json_object_set_new(json, "bound",
		                    json_string(compute > memory ? "compute" : "memory"));
		json_object_set_new(
			json, "roofline_ms",
			json_real((compute > memory ? compute : memory) * (double)line->launches));
	}
	return json;
}

static json_t *plan_json(const omt_planner *plan, const omt_engine *engine, const omt_batch *batch,
                         const omt_device_file *file)
{
	const omt_backend_info *info = &file->info;
	json_t *ops = json_array();
	double flops = 0, bytes = 0, roofline_ms = 0;
	json_int_t launches = 0;
	for (size_t i = 0; i < plan->count; i++) {
		const omt_plan_line *line = &plan->lines[i];
		json_t *json = line_json(line, info, &file->speed);
		flops += line->cost.flops * (double)line->launches;
		bytes += line->cost.bytes * (double)line->launches;
		launches += (json_int_t)line->launches;
		roofline_ms += json_real_value(json_object_get(json, "roofline_ms"));
		json_array_append_new(ops, json);
	}
	omt_exec *exec = engine->units[0].exec;
	const omt_memory memory = {.bytes = omt_exec_bytes(exec),
	                           .largest = omt_exec_largest(exec)};
	json_t *all = json_pack(
		"{s{ss ss sI sI si si} si si sI sf sf sI sI sb so}", "device", "name", info->device,
		"backend", info->backend, "memory_bytes", (json_int_t)info->memory_bytes,
		"max_alloc_bytes", (json_int_t)info->max_alloc_bytes, "panel", info->panel,
		"tile_rows", info->tile_rows, "items", batch->items, "tokens", batch->tokens,
		"launches", launches, "flops", flops, "bytes", bytes, "memory_bytes",
		(json_int_t)memory.bytes, "largest_bytes", (json_int_t)memory.largest, "fits",
		omt_memory_fits(&memory, info), "ops", ops);
	if (roofline_ms > 0)
		json_object_set_new(all, "roofline_ms", json_real(roofline_ms));
	return all;
}

/* The plan as text, with what the kernels of hls/ do of it where they are the device's. */
static omt_status write_plan(const omt_planner *plan, const omt_engine *engine,
                             const omt_plan_options *options, const omt_device_file *file,
                             char **json, omt_error *err)
{
	json_t *all = plan->failed ? NULL : plan_json(plan, engine, &engine->batches[0], file);
	omt_status status = all ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "the plan");
	if (status == OMT_OK && file->is_card)
		status = omt_plan_on_card(plan, options, &file->card, all, err);
	else if (status == OMT_OK && !strcmp(file->info.backend, "hls"))
		status = omt_plan_simulated(plan, all, err);
	if (status == OMT_OK && !(*json = json_dumps(all, JSON_INDENT(1))))
		status = OMT_FAIL(err, NO_MEMORY, "the plan");
	json_decref(all);
	return status;
}

omt_status omt_plan(const omt_model *model, const omt_plan_options *options, char **json,
                    omt_error *err)
{
	omt_planner plan = {0};
	omt_device_file *file = calloc(1, sizeof *file);
	omt_exec *exec;
	omt_engine *engine = NULL;
	omt_sample sample = {0};
	omt_engine_options engine_options = options->engine;
	omt_status status = OMT_OK;
	*json = NULL;
	if (!file)
		return OMT_FAIL(err, NO_MEMORY, "a device");
	if (options->items < 1 || options->text_tokens < 0 || options->image_pixels < 0 ||
	    options->video_frames < 0 || !(options->audio_seconds >= 0)) {
		status = OMT_FAIL(err, BAD_ARGUMENT, "a plan needs items > 0 and sizes >= 0");
		goto done;
	}
	if (engine_options.batch_items < options->items)
		engine_options.batch_items = options->items;
	OMT_GOTO(omt_engine_options_check(&engine_options, err));
	OMT_GOTO(omt_plan_device(&options->engine, file, err));
	if (!file->is_card && memcmp(&options->card, &(omt_plan_card){0}, sizeof options->card)) {
		status = OMT_FAIL(
			err, BAD_ARGUMENT,
			"%s: no FPGA card: it has no pe, width, rows, cols, depth, clock or "
			"entry",
			file->info.device);
		goto done;
	}
	OMT_GOTO(omt_exec_open_recorder(&(omt_recorder){record, &plan, true}, &file->info, &exec,
	                                err));
	OMT_GOTO(omt_engine_open_on(model, &engine_options, &exec, 1, &engine, err));
	OMT_GOTO(omt_plan_sample(model, options, &sample, err));
	omt_unit *unit = &engine->units[0];
	omt_batch *batch = &engine->batches[0];
	for (int32_t i = 0; i < options->items; i++) {
		if (!omt_batch_fits(batch, &sample)) {
			status = OMT_FAIL(err, LIMIT,
			                  "%d items of %d tokens are beyond max_tokens %d",
			                  options->items, sample.tokens, engine_options.max_tokens);
			goto done;
		}
		omt_batch_add(batch, &sample);
	}
	plan.recording = true;
	OMT_GOTO(omt_unit_enqueue(unit, &unit->slots[0], batch, NULL, engine->vectors, err));
	status = write_plan(&plan, engine, options, file, json, err);
done:
	omt_sample_free(&sample);
	omt_engine_close(engine);
	free(plan.lines);
	free(file);
	return status;
}
