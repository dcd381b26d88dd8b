/* The OpenCL backend: each device has a queue for kernels, one for what goes to slot buffers and
 * one for what comes from them, all in order. Events order the queues among each other: batch n + 1
 * travels while batch n computes, and its upload does not wait behind batch n's download. All other
 * buffers live on the compute queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exec/device_entry.h"
#include "exec/opencl.h"

typedef struct omt_cl_buffer {
	omt_buffer base;
	cl_mem memory;
	bool slot;
	/* Of a slot, NULL before the first; what comes next waits for them. */
	cl_event moved; /* last write or read */
	cl_event used;  /* last kernel */
} omt_cl_buffer;

typedef struct omt_cl {
	omt_backend base;
	omt_cl_device device;
	omt_backend_info info;
	omt_cl_tile_set tiles;
	cl_context context;
	cl_command_queue compute, upload, download;
	omt_cl_program programs[OMT_CL_CLASS_COUNT]; /* as many as classes have other tiles */
	/* Of each class, and of ops without tiles. */
	const omt_cl_program *program_of[OMT_CL_CLASS_COUNT + 1];
	uint64_t last_mark;
	cl_event marks[OMT_MARKS]; /* mark m at m % OMT_MARKS */
} omt_cl;

/* ---- events ---- */

/* Every place that keeps an event holds a reference. */
static void event_set(cl_event *place, cl_event event)
{
	if (event)
		clRetainEvent(event);
	if (*place)
		clReleaseEvent(*place);
	*place = event;
}

/* Sends a command on its way (what waits for it may be in the other queue), gives its event to a
 * mark if one is asked for, and drops the caller's reference. */
static omt_status finish_command(omt_cl *cl, cl_command_queue queue, cl_event event, uint64_t *mark,
                                 omt_error *err)
{
	cl_int code = clFlush(queue);
	const char *what = "clFlush";
	if (mark && code == CL_SUCCESS) {
		cl_event *place = &cl->marks[(cl->last_mark + 1) % OMT_MARKS];
		/* A mark that is forgotten counts as done, so it has to be. */
		if (*place) {
			code = clWaitForEvents(1, place);
			what = "clWaitForEvents";
		}
		*mark = ++cl->last_mark;
		event_set(place, event);
	}
	clReleaseEvent(event);
	return omt_cl_check(code, what, err);
}

/* The event of a mark; NULL: it was forgotten or never given. */
static cl_event mark_event(const omt_cl *cl, uint64_t mark)
{
	if (!mark || mark > cl->last_mark || cl->last_mark - mark >= OMT_MARKS)
		return NULL;
	return cl->marks[mark % OMT_MARKS];
}

/* A command that failed is done too: wait_cl() says how. */
static bool done_cl(omt_backend *self, uint64_t mark)
{
	cl_event event = mark_event((const omt_cl *)self, mark);
	cl_int state = CL_COMPLETE;
	return !event ||
	       clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state,
	                      NULL) != CL_SUCCESS ||
	       state <= CL_COMPLETE;
}

static omt_status wait_cl(omt_backend *self, uint64_t mark, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	if (mark) {
		cl_event event = mark_event(cl, mark);
		cl_int code = event ? clWaitForEvents(1, &event) : CL_SUCCESS;
		return omt_cl_check(code, "clWaitForEvents", err);
	}
	OMT_TRY(omt_cl_check(clFinish(cl->upload), "clFinish", err));
	OMT_TRY(omt_cl_check(clFinish(cl->compute), "clFinish", err));
	return omt_cl_check(clFinish(cl->download), "clFinish", err);
}

static double elapsed_cl(omt_backend *self, uint64_t first, uint64_t last)
{
	const omt_cl *cl = (const omt_cl *)self;
	cl_event from = mark_event(cl, first), to = mark_event(cl, last);
	cl_ulong begin = 0, end = 0;
	if (!from || !to)
		return 0;
	if (clGetEventProfilingInfo(from, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) !=
	            CL_SUCCESS ||
	    clGetEventProfilingInfo(to, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) !=
	            CL_SUCCESS)
		return 0;
	return end > begin ? 1e-9 * (double)(end - begin) : 0;
}

/* ---- open and close ---- */

static void close_cl(omt_backend *self)
{
	omt_cl *cl = (omt_cl *)self;
	cl_command_queue const queues[] = {cl->compute, cl->upload, cl->download};
	if (cl->compute && cl->upload && cl->download)
		wait_cl(self, 0, NULL);
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		if (cl->last_mark && cl->programs[i].program && !cl->programs[i].saved)
			omt_cl_program_keep(cl->device.device, &cl->programs[i]);
	for (size_t i = 0; i < OMT_MARKS; i++)
		event_set(&cl->marks[i], NULL);
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		omt_cl_program_free(&cl->programs[i]);
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
		if (queues[i])
			clReleaseCommandQueue(queues[i]);
	omt_cl_devices_release(&cl->device, &cl->context, 1);
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

/* Takes the device and its context. */
static omt_status open_device(omt_cl_device *device, cl_context *context, const char *tiles,
                              omt_backend **self, omt_error *err)
{
	omt_status status;
	cl_int code;
	omt_cl *cl = calloc(1, sizeof *cl);
	if (!cl) {
		omt_cl_devices_release(device, context, 1);
		return OMT_FAIL(err, NO_MEMORY, "backend opencl");
	}
	cl->base.class = &omt_backend_opencl;
	cl->device = *device;
	cl->context = *context;
	cl_device_id id = device->device;
	omt_cl_device_info(device, &cl->info);
	OMT_GOTO(omt_device_tiles(&cl->info, tiles, &cl->tiles, NULL, 0, err));
	cl->info.panel = OMT_CL_PANEL;
	cl->info.tile_rows =
		cl->tiles.of[OMT_CL_CLASS_gemm].m * cl->tiles.of[OMT_CL_CLASS_gemm].rows;
	cl->info.memory = cl->context;
	cl_command_queue *const queues[] = {&cl->compute, &cl->upload, &cl->download};
	for (size_t i = 0; i < sizeof queues / sizeof *queues; i++) {
		*queues[i] =
			clCreateCommandQueue(cl->context, id, CL_QUEUE_PROFILING_ENABLE, &code);
		OMT_GOTO(omt_cl_check(code, "clCreateCommandQueue", err));
	}
	const double begin_s = omt_now_s();
	OMT_GOTO(build_programs(cl, err));
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
	int32_t found, opened = 0;
	*count = 0;
	OMT_TRY(omt_cl_devices_open(options->device, most, devices, contexts, &found, err));
	omt_status status = OMT_OK;
	while (status == OMT_OK && opened < found) {
		status = open_device(&devices[opened], &contexts[opened], options->tiles,
		                     &selves[opened], err);
		opened++;
	}
	if (status == OMT_OK) {
		*count = found;
		return OMT_OK;
	}
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
	(void)self;
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

/* ---- memory ---- */

static void free_cl(omt_backend *self, omt_buffer *buffer)
{
	(void)self;
	omt_cl_buffer *freed = (omt_cl_buffer *)buffer;
	if (!freed)
		return;
	event_set(&freed->moved, NULL);
	event_set(&freed->used, NULL);
	/* The runtime keeps the memory until the commands that use it are done. */
	if (freed->memory)
		clReleaseMemObject(freed->memory);
	free(freed);
}

/* Pages of a file as they are mapped. NULL: the runtime wants a copy (it may refuse memory that it
 * cannot write). */
static cl_mem use_in_place(const omt_cl *cl, size_t bytes, const void *borrowed)
{
	cl_int code;
	cl_mem memory = bytes ? clCreateBuffer(cl->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
	                                       bytes, (void *)(uintptr_t)borrowed, &code)
	                      : NULL;
	return memory;
}

static omt_status alloc_cl(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                           omt_buffer **given, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	cl_int code;
	*given = NULL;
	if (bytes > cl->info.max_alloc_bytes)
		return OMT_FAIL(
			err, DEVICE, "%s: a buffer of %zu bytes, the device allocates %llu at most",
			cl->info.device, bytes, (unsigned long long)cl->info.max_alloc_bytes);
	omt_cl_buffer *buffer = calloc(1, sizeof *buffer);
	if (!buffer)
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	buffer->base = (omt_buffer){.owner = self, .bytes = bytes};
	buffer->slot = usage == OMT_USAGE_SLOT;
	if (borrowed && cl->info.in_place && (uintptr_t)borrowed % OMT_IN_PLACE_ALIGN == 0)
		buffer->memory = use_in_place(cl, bytes, borrowed);
	const bool copied = !buffer->memory;
	code = CL_SUCCESS;
	/* OpenCL has no empty buffers. */
	if (copied)
		buffer->memory = clCreateBuffer(cl->context, CL_MEM_READ_WRITE, bytes ? bytes : 1,
		                                NULL, &code);
	if (code == CL_SUCCESS && copied && borrowed && bytes)
		code = clEnqueueWriteBuffer(cl->compute, buffer->memory, CL_TRUE, 0, bytes,
		                            borrowed, 0, NULL, NULL);
	if (code != CL_SUCCESS) {
		free_cl(self, &buffer->base);
		return OMT_FAIL(err, DEVICE, "%s: a buffer of %zu bytes: %s (%d)", cl->info.device,
		                bytes, omt_cl_error(code), code);
	}
	*given = &buffer->base;
	return OMT_OK;
}

/* A write (from) or a read (to); nothing to move still is a command, for its mark. */
static omt_status transfer(omt_cl *cl, omt_cl_buffer *buffer, size_t offset, size_t bytes,
                           const void *from, void *to, uint64_t *mark, omt_error *err)
{
	cl_command_queue queue = !buffer->slot ? cl->compute : to ? cl->download : cl->upload;
	cl_event before[2], event;
	cl_uint waits = 0;
	if (buffer->used)
		before[waits++] = buffer->used;
	if (buffer->moved)
		before[waits++] = buffer->moved;
	cl_event *first = waits ? before : NULL;
	const char *what;
	cl_int code;
	if (!bytes) {
		what = "clEnqueueMarkerWithWaitList";
		code = clEnqueueMarkerWithWaitList(queue, waits, first, &event);
	} else if (to) {
		what = "clEnqueueReadBuffer";
		code = clEnqueueReadBuffer(queue, buffer->memory, CL_FALSE, offset, bytes, to,
		                           waits, first, &event);
	} else {
		what = "clEnqueueWriteBuffer";
		code = clEnqueueWriteBuffer(queue, buffer->memory, CL_FALSE, offset, bytes, from,
		                            waits, first, &event);
	}
	OMT_TRY(omt_cl_check(code, what, err));
	if (buffer->slot)
		event_set(&buffer->moved, event);
	return finish_command(cl, queue, event, mark, err);
}

static omt_status write_cl(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                           size_t bytes, uint64_t *mark, omt_error *err)
{
	return transfer((omt_cl *)self, (omt_cl_buffer *)buffer, offset, bytes, data, NULL, mark,
	                err);
}

static omt_status read_cl(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                          size_t bytes, uint64_t *mark, omt_error *err)
{
	/* A read leaves the content as it is, but the buffer remembers it for the next kernel. */
	return transfer((omt_cl *)self, (omt_cl_buffer *)buffer, offset, bytes, NULL, data, mark,
	                err);
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

/* The transfers that an op has to wait for. */
static cl_uint transfers_before(omt_op op, const void *args, cl_event waits[OMT_OP_MAX_BUFFERS])
{
	omt_buffer *const *buffers = args;
	cl_uint count = 0;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		const omt_cl_buffer *buffer = (const omt_cl_buffer *)buffers[i];
		if (buffer->moved)
			waits[count++] = buffer->moved;
	}
	return count;
}

static omt_status run_cl(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                         omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	omt_buffer *const *buffers = args;
	cl_event waits[OMT_OP_MAX_BUFFERS], event;
	size_t global[3], local[3];
	cl_int code;
	const omt_cl_program *program = cl->program_of[omt_cl_class_of(op, args)];
	OMT_TRY(set_arguments(cl, program->kernels[op], op, args, err));
	cl_uint count = transfers_before(op, args, waits);
	cl_event *first = count ? waits : NULL;
	if (omt_cl_launch_size(op, args, &program->tiles, cl->info.compute_units, global, local))
		code = clEnqueueNDRangeKernel(cl->compute, program->kernels[op], 3, NULL, global,
		                              local, count, first, &event);
	else
		code = clEnqueueMarkerWithWaitList(cl->compute, count, first, &event);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, DEVICE, "OpenCL: launch of %s: %s (%d)", omt_op_infos[op].name,
		                omt_cl_error(code), code);
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		omt_cl_buffer *buffer = (omt_cl_buffer *)buffers[i];
		if (buffer->slot)
			event_set(&buffer->used, event);
	}
	return finish_command(cl, cl->compute, event, mark, err);
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
	.alloc = alloc_cl,
	.free = free_cl,
	.write = write_cl,
	.read = read_cl,
	.run = run_cl,
	.done = done_cl,
	.wait = wait_cl,
	.elapsed = elapsed_cl,
};
