/* The rig of an OpenCL device: kernels of device/roofline.cl, timed by their events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl.h"
#include "exec/roofline.h"

#define CHAINS       12  /* ROOFLINE_CHAINS */
#define WORDS        256 /* ROOFLINE_WORDS */
#define UNROLLED     8   /* vectors that a work-item reads at a time */
#define GROUPS_A_CPU 1   /* groups a compute unit */
#define GROUPS_A_GPU 32

/* A kernel, and the devices that it is for by the floats of their registers, as the runtime tells
 * them (1: it makes vectors of work-items). */
typedef struct way {
	omt_roof kind;
	const char *kernel;
	int32_t lanes; /* of its vectors */
	int32_t low, high;
} way;

#define MANY 64
static const way ways[] = {
	{OMT_ROOF_F32, "roofline_f32_1", 1, 1, 1},
	{OMT_ROOF_F32, "roofline_f32_4", 4, 2, 8},
	{OMT_ROOF_F32, "roofline_f32_8", 8, 8, 16},
	{OMT_ROOF_F32, "roofline_f32_16", 16, 16, MANY},
	{OMT_ROOF_INT8, "roofline_int8", 4 * 16, 1, MANY},
	{OMT_ROOF_BF16, "roofline_bf16", 2 * 16, 1, MANY},
	{OMT_ROOF_READ, "roofline_read_4", 4, 1, 1},
	{OMT_ROOF_READ, "roofline_read_16", 16, 2, MANY},
	{OMT_ROOF_COPY, "roofline_copy_4", 4, 1, 1},
	{OMT_ROOF_COPY, "roofline_copy_16", 16, 2, MANY},
};
#define WAYS (sizeof ways / sizeof *ways)

typedef struct rig {
	omt_cl_device device;
	cl_context context;
	cl_command_queue queue;
	cl_program program;
	cl_mem out, words, data;
	omt_roofline_work works[WAYS];
	size_t work_count, local, groups;
	int32_t dots; /* ROOFLINE_DOTS */
} rig;

/* Seconds of a launch, from its start to its end on the device. */
static omt_status launch(const rig *r, cl_kernel kernel, double *seconds, omt_error *err)
{
	const size_t global = r->groups * r->local;
	cl_ulong begin = 0, end = 0;
	cl_event event;
	OMT_TRY(omt_cl_check(clEnqueueNDRangeKernel(r->queue, kernel, 1, NULL, &global, &r->local,
	                                            0, NULL, &event),
	                     "clEnqueueNDRangeKernel", err));
	cl_int code = clWaitForEvents(1, &event);
	if (code == CL_SUCCESS)
		code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof begin,
		                               &begin, NULL);
	if (code == CL_SUCCESS)
		code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end,
		                               NULL);
	clReleaseEvent(event);
	*seconds = end > begin ? 1e-9 * (double)(end - begin) : 1e-9;
	return omt_cl_check(code, "timing a kernel", err);
}

/* Vectors of a group's part of a set. */
static int32_t part_of(const rig *r, const way *w, size_t set)
{
	const size_t each = UNROLLED * r->local;
	const size_t vectors = set / sizeof(float) / (size_t)w->lanes / r->groups;
	return (int32_t)(vectors < each ? each : vectors / each * each);
}

static omt_status run(void *self, const omt_roofline_work *work, size_t set, int32_t steps,
                      omt_roofline_done *done, omt_error *err)
{
	const rig *r = self;
	const way *w = work->way;
	const double items = (double)(r->groups * r->local), lanes = w->lanes;
	cl_int code;
	cl_uint at = 0;
	cl_kernel kernel = clCreateKernel(r->program, w->kernel, &code);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, DEVICE, "OpenCL: clCreateKernel: %s: %s (%d)", w->kernel,
		                omt_cl_error(code), code);
	if (work->kind == OMT_ROOF_READ || work->kind == OMT_ROOF_COPY) {
		const bool copies = work->kind == OMT_ROOF_COPY;
		const int32_t part = part_of(r, w, copies ? set / 2 : set);
		if (!copies)
			code |= clSetKernelArg(kernel, at++, sizeof r->out, &r->out);
		code |= clSetKernelArg(kernel, at++, sizeof r->data, &r->data);
		code |= clSetKernelArg(kernel, at++, sizeof part, &part);
		done->amount = (copies ? 2.0 : 1.0) * (double)r->groups * part * lanes *
		               (double)sizeof(float) * steps;
	} else {
		const bool dots = work->kind != OMT_ROOF_F32;
		code |= clSetKernelArg(kernel, at++, sizeof r->out, &r->out);
		if (dots)
			code |= clSetKernelArg(kernel, at++, sizeof r->words, &r->words);
		done->amount = 2 * items * lanes * (dots ? r->dots : CHAINS) * steps;
	}
	code |= clSetKernelArg(kernel, at++, sizeof steps, &steps);
	omt_status status = code == CL_SUCCESS ? launch(r, kernel, &done->seconds, err)
	                                       : omt_cl_check(code, "clSetKernelArg", err);
	clReleaseKernel(kernel);
	return status;
}

static omt_status build(rig *r, int32_t width, omt_error *err)
{
	char macros[1024];
	/* As many sums as fit beside what they are made of: twelve are too few for AVX-512's dot
	 * product of bf16, which takes six cycles. */
	r->dots = width >= 16 ? 24 : 4;
	size_t length = (size_t)snprintf(macros, sizeof macros, "-DROOFLINE_DOTS=%d", r->dots);
	for (size_t i = 0; i < WAYS; i++) {
		if (width < ways[i].low || width > ways[i].high)
			continue;
		r->works[r->work_count++] = (omt_roofline_work){ways[i].kind, &ways[i]};
		length += (size_t)snprintf(macros + length, sizeof macros - length,
		                           " -DOMT_KERNEL_%s", ways[i].kernel);
	}
	return omt_cl_program_build_plain(r->context, r->device.device, macros, &r->program, err);
}

/* A buffer of `count` times `value`. */
static omt_status make(const rig *r, size_t count, cl_int value, cl_mem *buffer, omt_error *err)
{
	cl_int code;
	*buffer = clCreateBuffer(r->context, CL_MEM_READ_WRITE, count * sizeof value, NULL, &code);
	OMT_TRY(omt_cl_check(code, "clCreateBuffer", err));
	code = clEnqueueFillBuffer(r->queue, *buffer, &value, sizeof value, 0, count * sizeof value,
	                           0, NULL, NULL);
	if (code == CL_SUCCESS)
		code = clFinish(r->queue);
	return omt_cl_check(code, "clEnqueueFillBuffer", err);
}

static omt_status measure(rig *r, const omt_backend_info *info, const omt_roofline_effort *effort,
                          omt_roofs *roofs, omt_error *err)
{
	const bool cpu = !strcmp(info->type, "cpu");
	const cl_int small = 0x3a803a80; /* 1/1024 twice in bf16, and nearly that in f32 */
	omt_rig shared = {.self = r, .run = run, .works = r->works};
	cl_int code;
	r->local = cpu ? 1 : OMT_CL_GROUP;
	r->groups = (size_t)info->compute_units * (cpu ? GROUPS_A_CPU : GROUPS_A_GPU);
	shared.most_bytes = info->max_alloc_bytes < info->memory_bytes / 4 ? info->max_alloc_bytes
	                                                                   : info->memory_bytes / 4;
	r->queue = clCreateCommandQueue(r->context, r->device.device, CL_QUEUE_PROFILING_ENABLE,
	                                &code);
	OMT_TRY(omt_cl_check(code, "clCreateCommandQueue", err));
	OMT_TRY(build(r, info->vector_width > 0 ? info->vector_width : 1, err));
	shared.work_count = r->work_count;
	OMT_TRY(make(r, 1 + r->groups * r->local, small, &r->out, err));
	/* A word of int8 is two ints where the device has no instruction for it. */
	OMT_TRY(make(r, 2 * (WORDS + (size_t)r->dots), small, &r->words, err));
	const size_t most = effort->largest_bytes < shared.most_bytes ? effort->largest_bytes
	                                                              : shared.most_bytes;
	/* Of a small set each group has its least part all the same. */
	const size_t least = 2 * r->groups * r->local * UNROLLED * 16 * sizeof(float);
	OMT_TRY(make(r, (most < least ? least : most) / sizeof(float), 0, &r->data, err));
	return omt_rig_measure(&shared, effort, roofs, err);
}

static void close_rig(rig *r)
{
	cl_mem *const buffers[] = {&r->out, &r->words, &r->data};
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		if (*buffers[i])
			clReleaseMemObject(*buffers[i]);
	if (r->program)
		clReleaseProgram(r->program);
	if (r->queue)
		clReleaseCommandQueue(r->queue);
	omt_cl_devices_release(&r->device, &r->context, 1);
}

omt_status omt_roofline_opencl(const char *wanted, const omt_roofline_effort *effort,
                               omt_roofs *roofs, omt_backend_info *info, omt_error *err)
{
	rig r = {0};
	int32_t count;
	OMT_TRY(omt_cl_devices_open(wanted, NULL, 1, &r.device, &r.context, &count, err));
	omt_cl_device_info(&r.device, info);
	omt_status status = measure(&r, info, effort, roofs, err);
	close_rig(&r);
	return status;
}
