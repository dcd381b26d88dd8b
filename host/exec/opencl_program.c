#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/kernels.h"
#include "exec/opencl.h"

#define MAX_SOURCES 32

const omt_cl_tiles omt_cl_default_tiles = {
	.m = 12, .rows = 2, .n = 16, .panels = 8, .k = 128, .keys = 16};

/* ---- the check against the contract
 * ------------------------------------------------------------------ */

static omt_status drifted(omt_op op, int32_t arg, const char *what, const char *got, omt_error *err)
{
	return OMT_FAIL(err, DEVICE, "OpenCL: kernel %s, argument %d: %s is %s, not the contract's",
	                omt_op_infos[op].name, arg, what, got);
}

static omt_status check_buffer(cl_kernel kernel, omt_op op, int32_t i, omt_error *err)
{
	static const char *const types[] = {"float*", "int*", "uchar*"};
	const omt_op_info *info = &omt_op_infos[op];
	cl_kernel_arg_address_qualifier space = 0;
	cl_kernel_arg_type_qualifier qualifiers = 0;
	char name[64] = "", type[64] = "";
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_NAME, sizeof name, name, NULL);
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL);
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof space,
	                   &space, NULL);
	clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof qualifiers,
	                   &qualifiers, NULL);
	if (strcmp(name, info->buffer[i].name))
		return drifted(op, i, "the name", name, err);
	if (strcmp(type, types[info->buffer[i].element]))
		return drifted(op, i, "the type", type, err);
	if (space != CL_KERNEL_ARG_ADDRESS_GLOBAL)
		return drifted(op, i, "the address space", "not global", err);
	bool constant = qualifiers & CL_KERNEL_ARG_TYPE_CONST;
	if (constant != (info->buffer[i].access == OMT_ACCESS_IN))
		return drifted(op, i, "the access", constant ? "const" : "not const", err);
	return OMT_OK;
}

static omt_status check_scalar(cl_kernel kernel, omt_op op, int32_t i, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	cl_uint at = (cl_uint)(info->buffers + i);
	char name[64] = "", type[64] = "";
	clGetKernelArgInfo(kernel, at, CL_KERNEL_ARG_NAME, sizeof name, name, NULL);
	clGetKernelArgInfo(kernel, at, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL);
	if (strcmp(name, info->scalar[i].name))
		return drifted(op, (int32_t)at, "the name", name, err);
	if (strcmp(type, info->scalar[i].element == OMT_ELEMENT_f32 ? "float" : "int"))
		return drifted(op, (int32_t)at, "the type", type, err);
	return OMT_OK;
}

static omt_status check_kernel(cl_kernel kernel, omt_op op, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	cl_uint count = 0;
	char type[64];
	OMT_TRY(omt_cl_check(
		clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL),
		"clGetKernelInfo", err));
	if (count != (cl_uint)(info->buffers + info->scalars))
		return OMT_FAIL(err, DEVICE, "OpenCL: kernel %s has %u arguments, the contract %d",
		                info->name, count, info->buffers + info->scalars);
	/* A runtime may have no names to give (binaries, some drivers): the count has to do then.
	 */
	if (clGetKernelArgInfo(kernel, 0, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL) !=
	    CL_SUCCESS)
		return OMT_OK;
	for (int32_t i = 0; i < info->buffers; i++)
		OMT_TRY(check_buffer(kernel, op, i, err));
	for (int32_t i = 0; i < info->scalars; i++)
		OMT_TRY(check_scalar(kernel, op, i, err));
	return OMT_OK;
}

/* ---- building
 * ---------------------------------------------------------------------------------------- */

static omt_status build_failed(cl_program program, cl_device_id device, cl_int code, omt_error *err)
{
	char log[4096] = "";
	clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
	return OMT_FAIL(err, DEVICE, "OpenCL: clBuildProgram: %s: %.300s", omt_cl_error(code), log);
}

omt_status omt_cl_program_build(cl_context context, cl_device_id device, const omt_cl_tiles *tiles,
                                cl_program *program, cl_kernel kernels[OMT_OP_COUNT],
                                omt_error *err)
{
	const char *texts[MAX_SOURCES];
	char options[256];
	cl_int code;
	if (omt_kernel_source_count > MAX_SOURCES)
		return OMT_FAIL(err, DEVICE, "%zu kernel files", omt_kernel_source_count);
	for (size_t i = 0; i < omt_kernel_source_count; i++)
		texts[i] = omt_kernel_sources[i].text;
	*program = clCreateProgramWithSource(context, (cl_uint)omt_kernel_source_count, texts, NULL,
	                                     &code);
	OMT_TRY(omt_cl_check(code, "clCreateProgramWithSource", err));
	snprintf(
		options, sizeof options,
		"-cl-std=CL1.2 -cl-kernel-arg-info -DTILE_M=%d -DTILE_R=%d -DTILE_N=%d -DTILE_P=%d "
		"-DTILE_K=%d -DTILE_KEYS=%d",
		tiles->m, tiles->rows, tiles->n, tiles->panels, tiles->k, tiles->keys);
	code = clBuildProgram(*program, 1, &device, options, NULL, NULL);
	if (code != CL_SUCCESS)
		return build_failed(*program, device, code, err);
	for (int32_t op = 0; op < OMT_OP_COUNT; op++) {
		kernels[op] = clCreateKernel(*program, omt_op_infos[op].name, &code);
		OMT_TRY(omt_cl_check(code, omt_op_infos[op].name, err));
		OMT_TRY(check_kernel(kernels[op], (omt_op)op, err));
	}
	return OMT_OK;
}

static size_t blocks(int32_t items, int32_t block)
{
	return items > 0 ? ((size_t)items + (size_t)block - 1) / (size_t)block : 0;
}

/* Work-items of a group: ops by element run in vectors of them; ops by row or tile do their own. */
#define GROUP 64

/* Which scalars of the arguments are the global sizes; 0 (a buffer's place): one. */
#define AT(op, scalar) offsetof(omt_##op##_args, scalar)
static const struct {
	size_t group, size[3];
} launches[OMT_OP_COUNT] = {
	[OMT_OP_attention] = {1,
                              {AT(attention, max_len), AT(attention, heads),
                               AT(attention, sequences)}},
	[OMT_OP_rmsnorm] = {1, {AT(rmsnorm, rows)}},
	[OMT_OP_layernorm] = {1, {AT(layernorm, rows)}},
	[OMT_OP_l2norm] = {1, {AT(l2norm, rows)}},
	[OMT_OP_rotary] = {1, {AT(rotary, heads), AT(rotary, rows)}},
	[OMT_OP_glu] = {GROUP, {AT(glu, cols), AT(glu, rows)}},
	[OMT_OP_rows] = {GROUP, {AT(rows, cols), AT(rows, count)}},
	[OMT_OP_unfold] = {GROUP, {AT(unfold, channels), AT(unfold, out_rows)}},
	[OMT_OP_pairs] = {GROUP, {AT(pairs, cols), AT(pairs, out_rows)}},
	[OMT_OP_pool] = {GROUP, {AT(pool, cols), AT(pool, sequences)}},
};

cl_uint omt_cl_launch_size(omt_op op, const void *args, const omt_cl_tiles *tiles, size_t global[3],
                           size_t local[3])
{
	size_t group = launches[op].group;
	for (int i = 0; i < 3; i++) {
		int32_t size = 1;
		if (launches[op].size[i])
			memcpy(&size, (const uint8_t *)args + launches[op].size[i], sizeof size);
		global[i] = size > 0 ? (size_t)size : 0;
		local[i] = 1;
	}
	if (op == OMT_OP_gemm) {
		const omt_gemm_args *gemm = args;
		group = 1;
		global[0] = blocks(gemm->m, tiles->m * tiles->rows);
		global[1] = blocks(gemm->n, tiles->n * tiles->panels);
	} else if (op == OMT_OP_pack) {
		const omt_pack_args *pack = args;
		group = GROUP;
		global[0] = (size_t)pack->k * (size_t)pack->panel;
		global[1] = blocks(pack->n, pack->panel);
	}
	global[0] = (global[0] + group - 1) / group * group;
	local[0] = group;
	return 3;
}
