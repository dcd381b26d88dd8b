/* The OpenCL backend. A device that builds its kernels has a queue for them, one for what goes to
 * slot buffers and one for what comes from them, all in order. Events order the queues among each
 * other: batch n + 1 travels while batch n computes, and its upload does not wait behind batch n's
 * download. All other buffers live on the compute queue.
 *
 * A device whose program is a binary (opencl_card.h) has queues for every compute unit and bank;
 * there events order all buffers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exec/device_entry.h"
#include "exec/opencl_backend.h"

static bool done_cl(omt_backend *self, uint64_t mark)
{
	return omt_cl_order_done(&((omt_cl *)self)->order, mark);
}

/* A card may be gone without a word: kernels hang, and what is read is ones. While that is looked
 * into, another kernel may turn out to hang. */
static omt_status wait_card(omt_cl *cl, uint64_t mark, omt_error *err)
{
	omt_error why = {.status = OMT_OK}, next;
	omt_status status = omt_cl_order_wait(&cl->order, mark, &why);
	/* Without a buffer to look with, the card did not open. */
	bool looked = !cl->probe || (status != OMT_STALLED && !cl->order.suspect);
	while (!looked) {
		cl->order.suspect = false;
		const omt_status memory = omt_cl_check_memory(cl, cl->probe, 0, &next);
		looked = memory != OMT_STALLED;
		if (memory != OMT_OK && memory != OMT_STALLED) {
			status = omt_fail(&why, memory, "%s: the card is lost: %s", cl->card->name,
			                  next.text);
			cl->order.failed = why;
		} else if (memory == OMT_STALLED) {
			status = memory;
			if (why.status == OMT_STALLED)
				omt_fail_at(&next, memory, "%.240s", why.text);
			why = next;
		}
	}
	cl->order.suspect = false;
	return status == OMT_OK ? OMT_OK : omt_fail(err, status, "%s", why.text);
}

static omt_status wait_cl(omt_backend *self, uint64_t mark, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	if (cl->card)
		return wait_card(cl, mark, err);
	if (mark)
		return omt_cl_order_wait(&cl->order, mark, err);
	OMT_TRY(omt_cl_check(clFinish(cl->upload), "clFinish", err));
	OMT_TRY(omt_cl_check(clFinish(cl->compute), "clFinish", err));
	return omt_cl_check(clFinish(cl->download), "clFinish", err);
}

static double elapsed_cl(omt_backend *self, uint64_t first, uint64_t last)
{
	return omt_cl_order_elapsed(&((const omt_cl *)self)->order, first, last);
}

/* ---- open and close ---- */

static void close_cl(omt_backend *self)
{
	omt_cl *cl = (omt_cl *)self;
	cl_command_queue const queues[] = {cl->compute, cl->upload, cl->download};
	if (cl->order.watched || (cl->compute && cl->upload && cl->download))
		wait_cl(self, 0, NULL);
	if (cl->probe)
		omt_cl_free(self, cl->probe);
	/* What still hangs is in the runtime's hands, and so is all that it uses. */
	const bool hangs = cl->order.stale_count > 0 || cl->order.failed.status != OMT_OK;
	omt_cl_free_orphans(cl, hangs);
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		if (cl->order.last_mark && cl->programs[i].program && !cl->programs[i].saved)
			omt_cl_program_keep(cl->device.device, &cl->programs[i]);
	omt_cl_order_close(&cl->order);
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		omt_cl_program_free(&cl->programs[i]);
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		if (queues[i])
			clReleaseCommandQueue(queues[i]);
	if (!hangs) {
		omt_cl_card_close(cl->card);
		omt_cl_devices_release(&cl->device, &cl->context, 1);
	}
	free(cl);
}

/* Ops that have no tiles, 1 << op each. */
static uint32_t ops_without_tiles(void)
{
	uint32_t ops = (1u << OMT_OP_COUNT) - 1;
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		ops &= ~(1u << omt_cl_class_infos[i].op);
	return ops;
}

/* A program for each set of tiles, with the kernels of the classes that have it. */
static omt_status build_programs(omt_cl *cl, omt_error *err)
{
	const omt_cl_tiles *tiles = cl->tiles.of;
	omt_cl_program *program = cl->programs;
	uint32_t ops = ops_without_tiles(); /* into the first one */
	for (size_t first = 0; first < OMT_CL_CLASS_COUNT; first++) {
		if (cl->program_of[first])
			continue;
		for (size_t i = first; i < OMT_CL_CLASS_COUNT; i++)
			if (omt_cl_tiles_equal(&tiles[i], &tiles[first])) {
				cl->program_of[i] = program;
				ops |= 1u << omt_cl_class_infos[i].op;
			}
		OMT_TRY(omt_cl_program_build(cl->context, cl->device.device, &tiles[first], ops,
		                             program++, err));
		ops = 0;
	}
	cl->program_of[OMT_CL_CLASS_COUNT] = cl->programs;
	return OMT_OK;
}

/* Kernels that are built for the device. */
static omt_status open_built(omt_cl *cl, const char *tiles, omt_error *err)
{
	cl_command_queue *const queues[] = {&cl->compute, &cl->upload, &cl->download};
	OMT_TRY(omt_device_tiles(&cl->info, tiles, &cl->tiles, NULL, 0, err));
	cl->info.tile_rows =
		cl->tiles.of[OMT_CL_CLASS_gemm].m * cl->tiles.of[OMT_CL_CLASS_gemm].rows;
	OMT_TRY(omt_cl_order_open(&cl->order, NULL, false, err));
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		OMT_TRY(omt_cl_queue_open(cl->context, cl->device.device, false, queues[i], err));
	return build_programs(cl, err);
}

static omt_status open_card(omt_cl *cl, const omt_bitstreams *all, omt_error *err)
{
	OMT_TRY(omt_cl_card_open(cl->context, &cl->device, all, &cl->card, err));
	cl->info.tile_rows = omt_cl_card_params(cl->card, OMT_OP_gemm).rows;
	const uint64_t most = omt_cl_card_most_bytes(cl->card);
	if (most < cl->info.max_alloc_bytes)
		cl->info.max_alloc_bytes = most;
	cl->info.in_place = false;
	cl->info.may_stall = true;
	snprintf(cl->info.bitstream, sizeof cl->info.bitstream, "%s", cl->card->entry.name);
	cl->device.binary = NULL; /* the caller's */
	OMT_TRY(omt_cl_order_open(&cl->order, cl->card->name, cl->card->entry.flow == OMT_FLOW_xrt,
	                          err));
	return omt_cl_alloc(&cl->base, OMT_CL_PROBE_BYTES, OMT_USAGE_SLOT, NULL, &cl->probe, err);
}

/* Takes the device and its context. */
static omt_status open_device(omt_cl_device *device, cl_context *context, const omt_bitstreams *all,
                              const char *tiles, omt_backend **self, omt_error *err)
{
	omt_status status;
	omt_cl *cl = calloc(1, sizeof *cl);
	if (!cl) {
		omt_cl_devices_release(device, context, 1);
		return OMT_FAIL(err, NO_MEMORY, "backend opencl");
	}
	cl->base.class = &omt_backend_opencl;
	cl->device = *device;
	cl->context = *context;
	omt_cl_device_info(device, &cl->info);
	cl->info.panel = OMT_CL_PANEL;
	cl->info.memory = cl->context;
	const double begin_s = omt_now_s();
	if (device->binary)
		OMT_GOTO(open_card(cl, all, err));
	else
		OMT_GOTO(open_built(cl, tiles, err));
	cl->info.build_s = omt_now_s() - begin_s;
	*self = &cl->base;
	return OMT_OK;
done:
	close_cl(&cl->base);
	return status;
}

static omt_status open_cl(const omt_backend_options *options, int32_t most, omt_backend **selves,
                          int32_t *count, omt_error *err)
{
	omt_cl_device devices[OMT_MAX_DEVICES];
	cl_context contexts[OMT_MAX_DEVICES];
	omt_cl_binaries binaries;
	int32_t found = 0, opened = 0;
	*count = 0;
	omt_cl_binaries_open(options, &binaries);
	omt_status status = omt_cl_devices_open(options->device, &binaries, most, devices, contexts,
	                                        &found, err);
	if (status != OMT_OK) {
		omt_cl_binaries_close(&binaries);
		return status;
	}
	while (status == OMT_OK && opened < found) {
		status = open_device(&devices[opened], &contexts[opened], &binaries.all,
		                     options->tiles, &selves[opened], err);
		opened++;
	}
	omt_cl_binaries_close(&binaries);
	if (status == OMT_OK) {
		*count = found;
		return OMT_OK;
	}
	if (options->left_out)
		*options->left_out = *err;
	omt_cl_devices_release(devices + opened, contexts + opened, found - opened);
	for (int32_t i = 0; i < opened - 1; i++)
		close_cl(selves[i]);
	return status;
}

static void info_cl(const omt_backend *self, omt_backend_info *info)
{
	*info = ((const omt_cl *)self)->info;
}

static bool supports_cl(const omt_backend *self, omt_op op, const void *args)
{
	const omt_cl *cl = (const omt_cl *)self;
	if (cl->card)
		return !(cl->order.lost >> op & 1) && omt_cl_card_supports(cl->card, op, args);
	if (op == OMT_OP_attention)
		return ((const omt_attention_args *)args)->head_dim <= OMT_CL_HEAD_DIM;
	if (op == OMT_OP_gemm) {
		const int32_t panel = ((const omt_gemm_args *)args)->w_panel;
		return panel == 1 || panel == OMT_CL_PANEL;
	}
	if (op == OMT_OP_gemm_i8)
		return ((const omt_gemm_i8_args *)args)->w_panel == OMT_CL_PANEL;
	if (op == OMT_OP_gemm_bf16)
		return ((const omt_gemm_bf16_args *)args)->w_panel == OMT_CL_PANEL;
	return true;
}

/* ---- ops ---- */

/* Whether a buffer is of this device's memory. */
static bool is_here(const omt_cl *cl, const omt_buffer *buffer)
{
	const omt_backend *owner = buffer->owner;
	return owner && owner->class == &omt_backend_opencl &&
	       ((const omt_cl *)owner)->context == cl->context;
}

static omt_status set_arguments(const omt_cl *cl, cl_kernel kernel, omt_op op, const void *args,
                                omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	omt_buffer *const *buffers = args;
	const uint8_t *scalars = omt_op_scalars(op, args);
	cl_int code = CL_SUCCESS;
	for (int32_t i = 0; i < info->buffers && code == CL_SUCCESS; i++) {
		if (!buffers[i] || !is_here(cl, buffers[i]))
			return OMT_FAIL(err, BAD_ARGUMENT, "op %s: %s is no buffer of this device",
			                info->name, info->buffer[i].name);
		code = clSetKernelArg(kernel, (cl_uint)i, sizeof(cl_mem),
		                      &((const omt_cl_buffer *)buffers[i])->memory);
	}
	for (int32_t i = 0; i < info->scalars && code == CL_SUCCESS; i++)
		code = clSetKernelArg(kernel, (cl_uint)(info->buffers + i), 4, scalars + 4 * i);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, DEVICE, "OpenCL: clSetKernelArg of %s: %s (%d)", info->name,
		                omt_cl_error(code), code);
	return OMT_OK;
}

/* Whether an op writes its i-th buffer. */
static bool writes_buffer(omt_op op, int32_t i)
{
	return omt_op_infos[op].buffer[i].access != OMT_ACCESS_IN;
}

static omt_status commands_before(omt_cl *cl, omt_op op, const void *args, cl_command_queue queue,
                                  omt_cl_waits *waits, omt_error *err)
{
	omt_buffer *const *buffers = args;
	waits->count = 0;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		omt_cl_buffer *buffer = (omt_cl_buffer *)buffers[i];
		if (buffer->tracked)
			OMT_TRY(omt_cl_order_before(&cl->order, &buffer->uses, writes_buffer(op, i),
			                            queue, waits, err));
	}
	return OMT_OK;
}

static omt_status commands_after(omt_cl *cl, omt_op op, const void *args, const omt_cl_use *use,
                                 omt_error *err)
{
	omt_buffer *const *buffers = args;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		omt_cl_buffer *buffer = (omt_cl_buffer *)buffers[i];
		if (buffer->tracked)
			OMT_TRY(omt_cl_order_after(&cl->order, &buffer->uses, writes_buffer(op, i),
			                           use, err));
	}
	return OMT_OK;
}

/* One task of an op on a card. */
static omt_status run_task(omt_cl *cl, omt_op op, const void *args, const omt_cl_launch *launch,
                           int32_t i, const omt_cl_waits *waits, omt_cl_use *use, omt_error *err)
{
	const omt_cl_unit *unit = &launch->units[i];
	const int32_t part = i / launch->names;
	omt_op_any_args share;
	omt_cl_task task = {.op = op,
	                    .unit = part,
	                    .units = cl->card->entry.kernels[op].units,
	                    .parts = launch->parts,
	                    .tiles = launch->tiles,
	                    .predicted_s = launch->predicted_s,
	                    .patience_s = launch->patience_s};
	*use = (omt_cl_use){.queue = unit->queue};
	omt_cl_card_share(op, args, part, launch->parts, &share);
	OMT_TRY(set_arguments(cl, unit->kernel, op, &share, err));
	memcpy(task.name, unit->name, sizeof task.name);
	memcpy(task.scalars, omt_op_scalars(op, &share), 4 * (size_t)omt_op_infos[op].scalars);
	const cl_int code = clEnqueueTask(unit->queue, unit->kernel, waits->count,
	                                  waits->count ? waits->events : NULL, &use->event);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, DEVICE, "%s: launch of %s: %s (%d)", cl->card->name,
		                unit->name, omt_cl_error(code), code);
	return omt_cl_order_put(&cl->order, use, waits, &task, err);
}

static omt_status run_tasks(omt_cl *cl, omt_op op, const void *args, uint64_t *mark, omt_error *err)
{
	const omt_cl_launch launch = omt_cl_card_launch(cl->card, op, args);
	const int32_t count = launch.parts * launch.names;
	omt_cl_use uses[OMT_BITSTREAM_UNITS * OMT_BITSTREAM_NAMES], joined = {0};
	omt_cl_waits waits;
	omt_status status = OMT_OK;
	int32_t made = 0;
	OMT_GOTO(commands_before(cl, op, args, NULL, &waits, err));
	while (made < count) {
		OMT_GOTO(run_task(cl, op, args, &launch, made, &waits, &uses[made], err));
		made++;
	}
	if (count > 1)
		OMT_GOTO(omt_cl_order_join(&cl->order, uses, count, &joined, err));
	const omt_cl_use *last = count > 1 ? &joined : &uses[0];
	OMT_GOTO(commands_after(cl, op, args, last, err));
	OMT_GOTO(omt_cl_order_mark(&cl->order, &uses[0], last, mark, err));
done:
	while (made)
		omt_cl_use_clear(&uses[--made]);
	omt_cl_use_clear(&joined);
	return status;
}

static omt_status run_cl(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                         omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	omt_cl_waits waits;
	omt_cl_use use = {.queue = cl->compute};
	size_t global[3], local[3];
	cl_int code;
	if (cl->card)
		return run_tasks(cl, op, args, mark, err);
	const omt_cl_program *program = cl->program_of[omt_cl_class_of(op, args)];
	OMT_TRY(set_arguments(cl, program->kernels[op], op, args, err));
	OMT_TRY(commands_before(cl, op, args, cl->compute, &waits, err));
	const cl_event *first = waits.count ? waits.events : NULL;
	if (omt_cl_launch_size(op, args, &program->tiles, cl->info.compute_units, global, local))
		code = clEnqueueNDRangeKernel(cl->compute, program->kernels[op], 3, NULL, global,
		                              local, waits.count, first, &use.event);
	else
		code = clEnqueueMarkerWithWaitList(cl->compute, waits.count, first, &use.event);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, DEVICE, "OpenCL: launch of %s: %s (%d)", omt_op_infos[op].name,
		                omt_cl_error(code), code);
	OMT_TRY(omt_cl_order_put(&cl->order, &use, &waits, NULL, err));
	omt_status status = commands_after(cl, op, args, &use, err);
	if (status == OMT_OK)
		status = omt_cl_order_mark(&cl->order, &use, &use, mark, err);
	omt_cl_use_clear(&use);
	return status;
}

/* ---- other tiles ---- */

const omt_cl_tile_set *omt_cl_tiles_of(const omt_backend *self)
{
	return &((const omt_cl *)self)->tiles;
}

omt_status omt_cl_class_build(omt_backend *self, omt_cl_class class, const omt_cl_tiles *tiles,
                              omt_cl_program *program, omt_error *err)
{
	const omt_cl *cl = (const omt_cl *)self;
	return omt_cl_program_build(cl->context, cl->device.device, tiles,
	                            1u << omt_cl_class_infos[class].op, program, err);
}

void omt_cl_class_use(omt_backend *self, omt_cl_class class, const omt_cl_program *program)
{
	omt_cl *cl = (omt_cl *)self;
	for (size_t i = 0; !program; i++)
		if (omt_cl_tiles_equal(&cl->programs[i].tiles, &cl->tiles.of[class]))
			program = &cl->programs[i];
	cl->program_of[class] = program;
}

const omt_backend_class omt_backend_opencl = {
	.name = "opencl",
	.open = open_cl,
	.close = close_cl,
	.info = info_cl,
	.supports = supports_cl,
	.alloc = omt_cl_alloc,
	.free = omt_cl_free,
	.write = omt_cl_write,
	.read = omt_cl_read,
	.run = run_cl,
	.done = done_cl,
	.wait = wait_cl,
	.elapsed = elapsed_cl,
};
