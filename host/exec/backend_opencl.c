/* The OpenCL backend: a queue for kernels and one for transfers, both in order. Slot buffers are
 * written and read on the transfer queue; events order the two queues, so that batch n + 1 travels
 * while batch n computes. All other buffers live on the compute queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl.h"

typedef struct omt_cl_buffer {
	omt_buffer base;
	cl_mem memory;
	bool slot;
	cl_event written; /* slot: last write, which kernels have to wait for; may be NULL */
	cl_event used;    /* slot: last kernel that used it, which writes and reads wait for */
} omt_cl_buffer;

typedef struct omt_cl {
	omt_backend base;
	omt_cl_device device;
	omt_cl_tiles tiles;
	cl_context context;
	cl_command_queue compute, transfer;
	cl_program program;
	cl_kernel kernels[OMT_OP_COUNT];
	uint64_t next_mark;
	cl_event marks[OMT_MARKS];
} omt_cl;

/* ---- events
 * -------------------------------------------------------------------------------------------- */

static void event_set(cl_event *place, cl_event event)
{
	if (event)
		clRetainEvent(event);
	if (*place)
		clReleaseEvent(*place);
	*place = event;
}

/* Gives a command's event to a mark, if one is asked for, and drops the caller's reference. */
static void finish_command(omt_cl *cl, cl_event event, uint64_t *mark)
{
	if (mark) {
		*mark = ++cl->next_mark;
		event_set(&cl->marks[*mark % OMT_MARKS], event);
	}
	if (event)
		clReleaseEvent(event);
}

/* ---- open and close
 * ------------------------------------------------------------------------------------ */

static void close_cl(omt_backend *self)
{
	omt_cl *cl = (omt_cl *)self;
	if (cl->compute)
		clFinish(cl->compute);
	if (cl->transfer)
		clFinish(cl->transfer);
	for (size_t i = 0; i < OMT_MARKS; i++)
		event_set(&cl->marks[i], NULL);
	for (size_t i = 0; i < OMT_OP_COUNT; i++)
		if (cl->kernels[i])
			clReleaseKernel(cl->kernels[i]);
	if (cl->program)
		clReleaseProgram(cl->program);
	if (cl->compute)
		clReleaseCommandQueue(cl->compute);
	if (cl->transfer)
		clReleaseCommandQueue(cl->transfer);
	if (cl->context)
		clReleaseContext(cl->context);
	free(cl);
}

static omt_status open_cl(const omt_backend_options *options, omt_backend **self, omt_error *err)
{
	omt_status status;
	cl_int code;
	*self = NULL;
	omt_cl *cl = calloc(1, sizeof *cl);
	if (!cl)
		return OMT_FAIL(err, NO_MEMORY, "backend opencl");
	cl->base.class = &omt_backend_opencl;
	cl->tiles = omt_cl_default_tiles;
	OMT_GOTO(omt_cl_device_find(options->device, &cl->device, err));
	cl_device_id device = cl->device.device;
	cl->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
	OMT_GOTO(omt_cl_check(code, "clCreateContext", err));
	cl->compute = clCreateCommandQueue(cl->context, device, CL_QUEUE_PROFILING_ENABLE, &code);
	OMT_GOTO(omt_cl_check(code, "clCreateCommandQueue", err));
	cl->transfer = clCreateCommandQueue(cl->context, device, CL_QUEUE_PROFILING_ENABLE, &code);
	OMT_GOTO(omt_cl_check(code, "clCreateCommandQueue", err));
	OMT_GOTO(omt_cl_program_build(cl->context, device, &cl->tiles, &cl->program, cl->kernels,
	                              err));
	*self = &cl->base;
	return OMT_OK;
done:
	close_cl(&cl->base);
	return status;
}

static void info_cl(const omt_backend *self, omt_backend_info *info)
{
	omt_cl_device_info(&((const omt_cl *)self)->device, info);
}

static bool supports_cl(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	if (op == OMT_OP_attention)
		return ((const omt_attention_args *)args)->head_dim <= 256;
	if (op == OMT_OP_gemm) {
		const omt_gemm_args *gemm = args;
		return gemm->w_panel == 1 || gemm->w_panel == omt_cl_default_tiles.n;
	}
	return true;
}

/* ---- memory
 * -------------------------------------------------------------------------------------------- */

static void free_cl(omt_backend *self, omt_buffer *buffer)
{
	(void)self;
	omt_cl_buffer *cl_buffer = (omt_cl_buffer *)buffer;
	if (!cl_buffer)
		return;
	event_set(&cl_buffer->written, NULL);
	event_set(&cl_buffer->used, NULL);
	if (cl_buffer->memory)
		clReleaseMemObject(cl_buffer->memory);
	free(cl_buffer);
}

static omt_status alloc_cl(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                           omt_buffer **given, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	cl_int code;
	omt_status status;
	omt_backend_info info;
	*given = NULL;
	omt_cl_device_info(&cl->device, &info);
	if (bytes > info.max_alloc_bytes)
		return OMT_FAIL(err, DEVICE,
		                "%s: a buffer of %zu bytes, the device allocates %llu at most",
		                info.device, bytes, (unsigned long long)info.max_alloc_bytes);
	omt_cl_buffer *buffer = calloc(1, sizeof *buffer);
	if (!buffer)
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	buffer->base = (omt_buffer){.owner = self, .bytes = bytes};
	buffer->slot = usage == OMT_USAGE_SLOT;
	buffer->memory =
		clCreateBuffer(cl->context, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL, &code);
	OMT_GOTO(omt_cl_check(code, "clCreateBuffer", err));
	/* Copied, not used in place: mapped files are not aligned as devices ask for. */
	if (borrowed && bytes)
		OMT_GOTO(omt_cl_check(clEnqueueWriteBuffer(cl->compute, buffer->memory, CL_TRUE, 0,
		                                           bytes, borrowed, 0, NULL, NULL),
		                      "clEnqueueWriteBuffer", err));
	*given = &buffer->base;
	return OMT_OK;
done:
	free_cl(self, &buffer->base);
	return status;
}

static omt_status write_cl(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                           size_t bytes, uint64_t *mark, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	omt_cl_buffer *to = (omt_cl_buffer *)buffer;
	cl_event event;
	if (!bytes)
		return OMT_OK;
	cl_uint waits = to->slot && to->used ? 1 : 0;
	OMT_TRY(omt_cl_check(clEnqueueWriteBuffer(to->slot ? cl->transfer : cl->compute, to->memory,
	                                          CL_FALSE, offset, bytes, data, waits,
	                                          waits ? &to->used : NULL, &event),
	                     "clEnqueueWriteBuffer", err));
	if (to->slot)
		event_set(&to->written, event);
	finish_command(cl, event, mark);
	return OMT_OK;
}

static omt_status read_cl(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                          size_t bytes, uint64_t *mark, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	const omt_cl_buffer *from = (const omt_cl_buffer *)buffer;
	cl_event event;
	if (!bytes)
		return OMT_OK;
	cl_uint waits = from->slot && from->used ? 1 : 0;
	/* The kernel that is waited for has to be on its way. */
	if (waits)
		clFlush(cl->compute);
	OMT_TRY(omt_cl_check(clEnqueueReadBuffer(from->slot ? cl->transfer : cl->compute,
	                                         from->memory, CL_FALSE, offset, bytes, data, waits,
	                                         waits ? &from->used : NULL, &event),
	                     "clEnqueueReadBuffer", err));
	finish_command(cl, event, mark);
	clFlush(from->slot ? cl->transfer : cl->compute);
	return OMT_OK;
}

/* ---- ops
 * ------------------------------------------------------------------------------------------------
 */

static omt_status set_arguments(cl_kernel kernel, omt_op op, const void *args, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	omt_buffer *const *buffers = args;
	const uint8_t *scalars = omt_op_scalars(op, args);
	cl_int code = CL_SUCCESS;
	for (int32_t i = 0; i < info->buffers && code == CL_SUCCESS; i++)
		code = clSetKernelArg(kernel, (cl_uint)i, sizeof(cl_mem),
		                      &((const omt_cl_buffer *)buffers[i])->memory);
	for (int32_t i = 0; i < info->scalars && code == CL_SUCCESS; i++)
		code = clSetKernelArg(kernel, (cl_uint)(info->buffers + i), 4, scalars + 4 * i);
	return omt_cl_check(code, "clSetKernelArg", err);
}

static omt_status run_cl(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                         omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	omt_buffer *const *buffers = args;
	cl_event waits[OMT_OP_MAX_BUFFERS], event;
	cl_uint wait_count = 0;
	size_t global[3], local[3];
	bool slots = false;
	cl_uint dimensions = omt_cl_launch_size(op, args, &cl->tiles, global, local);
	if (!global[0] || !global[1] || !global[2])
		return OMT_OK;
	OMT_TRY(set_arguments(cl->kernels[op], op, args, err));
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		const omt_cl_buffer *buffer = (const omt_cl_buffer *)buffers[i];
		slots |= buffer->slot;
		if (buffer->slot && buffer->written)
			waits[wait_count++] = buffer->written;
	}
	/* The transfers that are waited for have to be on their way. */
	if (wait_count)
		clFlush(cl->transfer);
	OMT_TRY(omt_cl_check(clEnqueueNDRangeKernel(cl->compute, cl->kernels[op], dimensions, NULL,
	                                            global, local, wait_count,
	                                            wait_count ? waits : NULL,
	                                            slots || mark ? &event : NULL),
	                     omt_op_infos[op].name, err));
	if (!slots && !mark)
		return OMT_OK;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		omt_cl_buffer *buffer = (omt_cl_buffer *)buffers[i];
		if (buffer->slot)
			event_set(&buffer->used, event);
	}
	finish_command(cl, event, mark);
	return OMT_OK;
}

static omt_status wait_cl(omt_backend *self, uint64_t mark, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	if (!mark) {
		OMT_TRY(omt_cl_check(clFinish(cl->transfer), "clFinish", err));
		return omt_cl_check(clFinish(cl->compute), "clFinish", err);
	}
	if (cl->next_mark - mark >= OMT_MARKS || !cl->marks[mark % OMT_MARKS])
		return OMT_OK;
	clFlush(cl->compute);
	clFlush(cl->transfer);
	return omt_cl_check(clWaitForEvents(1, &cl->marks[mark % OMT_MARKS]), "clWaitForEvents",
	                    err);
}

static double elapsed_cl(omt_backend *self, uint64_t first, uint64_t last)
{
	const omt_cl *cl = (const omt_cl *)self;
	cl_ulong begin = 0, end = 0;
	if (!first || !last || cl->next_mark - first >= OMT_MARKS ||
	    cl->next_mark - last >= OMT_MARKS)
		return 0;
	if (clGetEventProfilingInfo(cl->marks[first % OMT_MARKS], CL_PROFILING_COMMAND_START,
	                            sizeof begin, &begin, NULL) != CL_SUCCESS ||
	    clGetEventProfilingInfo(cl->marks[last % OMT_MARKS], CL_PROFILING_COMMAND_END,
	                            sizeof end, &end, NULL) != CL_SUCCESS)
		return 0;
	return end > begin ? 1e-9 * (double)(end - begin) : 0;
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
	.wait = wait_cl,
	.elapsed = elapsed_cl,
};
