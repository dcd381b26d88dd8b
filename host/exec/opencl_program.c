#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/embedded.h"
#include "exec/opencl.h"

#define MAX_SOURCES 32

/* ---- the check against the contract ---- */

/* One argument of a kernel, as the runtime tells it and as the contract has it. */
typedef struct argument {
	cl_kernel_arg_address_qualifier space;
	bool constant;
	char name[64], type[32];
} argument;

static cl_int ask_argument(cl_kernel kernel, cl_uint i, argument *got)
{
	cl_kernel_arg_type_qualifier qualifiers = 0;
	*got = (argument){0};
	const struct {
		cl_kernel_arg_info key;
		size_t bytes;
		void *value;
	} asked[] = {
		{CL_KERNEL_ARG_NAME, sizeof got->name, got->name},
		{CL_KERNEL_ARG_TYPE_NAME, sizeof got->type, got->type},
		{CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof got->space, &got->space},
		{CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof qualifiers, &qualifiers},
	};
	for (size_t j = 0; j < sizeof asked / sizeof *asked; j++) {
		cl_int code = clGetKernelArgInfo(kernel, i, asked[j].key, asked[j].bytes,
		                                 asked[j].value, NULL);
		if (code != CL_SUCCESS)
			return code;
	}
	got->constant = qualifiers & CL_KERNEL_ARG_TYPE_CONST;
	return CL_SUCCESS;
}

static argument contract_argument(const omt_op_info *info, int32_t i)
{
	static const char *const types[] = {"float", "int", "uchar"};
	argument wanted = {.space = CL_KERNEL_ARG_ADDRESS_PRIVATE};
	if (i < info->buffers) {
		wanted.space = CL_KERNEL_ARG_ADDRESS_GLOBAL;
		wanted.constant = info->buffer[i].access == OMT_ACCESS_IN;
		snprintf(wanted.name, sizeof wanted.name, "%s", info->buffer[i].name);
		snprintf(wanted.type, sizeof wanted.type, "%s*", types[info->buffer[i].element]);
	} else {
		i -= info->buffers;
		snprintf(wanted.name, sizeof wanted.name, "%s", info->scalar[i].name);
		snprintf(wanted.type, sizeof wanted.type, "%s", types[info->scalar[i].element]);
	}
	return wanted;
}

static omt_status check_argument(cl_kernel kernel, const omt_op_info *info, int32_t i,
                                 omt_error *err)
{
	argument got, wanted = contract_argument(info, i);
	cl_int code = ask_argument(kernel, (cl_uint)i, &got);
	/* A runtime may have no names to give (programs from binaries): the count has to do. */
	if (code == CL_KERNEL_ARG_INFO_NOT_AVAILABLE)
		return OMT_OK;
	OMT_TRY(omt_cl_check(code, "clGetKernelArgInfo", err));
	/* Whether a scalar is const says nothing to the caller, and runtimes differ. */
	bool same = got.space == wanted.space &&
	            (got.constant == wanted.constant || i >= info->buffers) &&
	            !strcmp(got.name, wanted.name) && !strcmp(got.type, wanted.type);
	if (same)
		return OMT_OK;
	return OMT_FAIL(err, DEVICE,
	                "OpenCL: kernel %s, argument %d is \"%s%s%s %s\", the contract has "
	                "\"%s%s%s %s\"",
	                info->name, i, got.space == CL_KERNEL_ARG_ADDRESS_GLOBAL ? "global " : "",
	                got.constant ? "const " : "", got.type, got.name,
	                i < info->buffers ? "global " : "", wanted.constant ? "const " : "",
	                wanted.type, wanted.name);
}

/* XRT knows an argument's name; of its type it has what the binary's maker wrote. */
static omt_status check_name(cl_kernel kernel, const omt_op_info *info, int32_t i, omt_error *err)
{
	const argument wanted = contract_argument(info, i);
	char name[64] = "";
	if (clGetKernelArgInfo(kernel, (cl_uint)i, CL_KERNEL_ARG_NAME, sizeof name, name, NULL) !=
	            CL_SUCCESS ||
	    !*name || !strcmp(name, wanted.name))
		return OMT_OK;
	return OMT_FAIL(err, DEVICE,
	                "OpenCL: kernel %s, argument %d is \"%.63s\", the contract has \"%s\"",
	                info->name, i, name, wanted.name);
}

omt_status omt_cl_kernel_check(cl_kernel kernel, omt_op op, bool names_only, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	const int32_t wanted = info->buffers + info->scalars;
	cl_uint count = 0;
	OMT_TRY(omt_cl_check(
		clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL),
		"clGetKernelInfo", err));
	if (count != (cl_uint)wanted)
		return OMT_FAIL(err, DEVICE, "OpenCL: kernel %s has %u arguments, the contract %d",
		                info->name, count, wanted);
	for (int32_t i = 0; i < wanted; i++)
		OMT_TRY(names_only ? check_name(kernel, info, i, err)
		                   : check_argument(kernel, info, i, err));
	return OMT_OK;
}

/* ---- building ---- */

omt_status omt_cl_build_failed(cl_program program, cl_device_id device, cl_int code,
                               const char *what, omt_error *err)
{
	size_t bytes = 0;
	clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
	char *log = calloc(1, bytes + 1);
	if (log)
		clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
	const char *from = log ? strstr(log, "error") : NULL;
	OMT_FAIL(err, DEVICE, "OpenCL: %s: %s: %.300s", what, omt_cl_error(code),
	         from  ? from
	         : log ? log
	               : "no build log");
	free(log);
	return OMT_DEVICE;
}

/* Instructions that PoCL's compiler may not know of though the device, this CPU, has them. */
static const char *cpu_options(cl_device_id device)
{
	cl_device_type type = 0;
	clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
#if defined(__x86_64__)
	if (type == CL_DEVICE_TYPE_CPU && __builtin_cpu_supports("avx512vnni"))
		return __builtin_cpu_supports("avx512bf16") ? " -DOMT_X86_VNNI -DOMT_X86_BF16"
		                                            : " -DOMT_X86_VNNI";
#endif
	return "";
}

/* The kernels of a built program, found to be those of the contract. */
static omt_status make_kernels(omt_cl_program *program, omt_error *err)
{
	cl_int code;
	for (int32_t op = 0; op < OMT_OP_COUNT; op++) {
		if (!(program->ops >> op & 1))
			continue;
		program->kernels[op] =
			clCreateKernel(program->program, omt_op_infos[op].name, &code);
		if (code != CL_SUCCESS)
			return OMT_FAIL(err, DEVICE, "OpenCL: clCreateKernel: %s: %s (%d)",
			                omt_op_infos[op].name, omt_cl_error(code), code);
		OMT_TRY(omt_cl_kernel_check(program->kernels[op], (omt_op)op, false, err));
	}
	return OMT_OK;
}

void omt_cl_program_free(omt_cl_program *program)
{
	for (size_t i = 0; i < OMT_OP_COUNT; i++)
		if (program->kernels[i])
			clReleaseKernel(program->kernels[i]);
	if (program->program)
		clReleaseProgram(program->program);
	*program = (omt_cl_program){0};
}

/* A program of this source with OpenCL's compiler. */
static omt_status build_source(cl_context context, cl_device_id device, const omt_cl_source *source,
                               cl_program *program, omt_error *err)
{
	cl_int code;
	const char **texts = (const char **)(uintptr_t)source->texts;
	*program = clCreateProgramWithSource(context, (cl_uint)source->count, texts, NULL, &code);
	OMT_TRY(omt_cl_check(code, "clCreateProgramWithSource", err));
	code = clBuildProgram(*program, 1, &device, source->options, NULL, NULL);
	if (code == CL_SUCCESS)
		return OMT_OK;
	return omt_cl_build_failed(*program, device, code, "clBuildProgram", err);
}

static bool load_cached(cl_context context, cl_device_id device, const omt_cl_source *source,
                        omt_cl_program *program)
{
	const omt_cl_program wanted = *program;
	if (!omt_cl_program_load(context, device, source, &program->program))
		return false;
	if (make_kernels(program, NULL) == OMT_OK)
		return true;
	omt_cl_program_free(program);
	*program = wanted;
	return false;
}

/* What all programs are built with. No warnings: PoCL prints how many there were to standard error,
 * ninety where vectors of 16 are not a register. */
static size_t common_options(cl_device_id device, char *text, size_t size)
{
	return (size_t)snprintf(text, size, "-cl-std=CL1.2 -cl-kernel-arg-info -w -DGEMM_FEW=%d%s",
	                        OMT_CL_FEW, cpu_options(device));
}

/* "-cl-std=CL1.2 ... -DTILE_M=16 ... -DOMT_KERNEL_gemm ..." */
static void build_options(cl_device_id device, const omt_cl_tiles *tiles, uint32_t ops, char *text,
                          size_t size)
{
	size_t length = common_options(device, text, size);
	for (omt_cl_tile i = 0; i < OMT_CL_TILE_COUNT; i++)
		length += (size_t)snprintf(text + length, size - length, " -D%s=%d",
		                           omt_cl_tile_infos[i].macro, omt_cl_tile_get(tiles, i));
	for (int32_t op = 0; op < OMT_OP_COUNT; op++)
		if (ops >> op & 1)
			length += (size_t)snprintf(text + length, size - length, " -DOMT_KERNEL_%s",
			                           omt_op_infos[op].name);
}

static omt_status take_texts(const char *texts[MAX_SOURCES], omt_error *err)
{
	if (omt_kernel_sources_count > MAX_SOURCES)
		return OMT_FAIL(err, LIMIT, "%zu kernel files, at most %d",
		                omt_kernel_sources_count, MAX_SOURCES);
	for (size_t i = 0; i < omt_kernel_sources_count; i++)
		texts[i] = omt_kernel_sources[i].text;
	return OMT_OK;
}

/* What a program of these tiles is made of: texts[MAX_SOURCES] and options[OPTIONS]. */
#define OPTIONS 1024
static omt_status make_source(cl_device_id device, const omt_cl_program *program,
                              const char **texts, char *options, omt_cl_source *source,
                              omt_error *err)
{
	OMT_TRY(take_texts(texts, err));
	build_options(device, &program->tiles, program->ops, options, OPTIONS);
	*source = (omt_cl_source){texts, omt_kernel_sources_count, options};
	return OMT_OK;
}

omt_status omt_cl_program_build(cl_context context, cl_device_id device, const omt_cl_tiles *tiles,
                                uint32_t ops, omt_cl_program *program, omt_error *err)
{
	const char *texts[MAX_SOURCES];
	char options[OPTIONS];
	omt_cl_source source;
	*program = (omt_cl_program){.tiles = *tiles, .ops = ops};
	OMT_TRY(make_source(device, program, texts, options, &source, err));
	program->saved = load_cached(context, device, &source, program);
	if (program->saved)
		return OMT_OK;
	OMT_TRY(build_source(context, device, &source, &program->program, err));
	return make_kernels(program, err);
}

void omt_cl_program_keep(cl_device_id device, const omt_cl_program *program)
{
	const char *texts[MAX_SOURCES];
	char options[OPTIONS];
	omt_cl_source source;
	if (make_source(device, program, texts, options, &source, NULL) == OMT_OK)
		omt_cl_program_save(device, &source, program->program);
}

omt_status omt_cl_program_build_plain(cl_context context, cl_device_id device, const char *macros,
                                      cl_program *program, omt_error *err)
{
	const char *texts[MAX_SOURCES];
	char options[OPTIONS];
	*program = NULL;
	OMT_TRY(take_texts(texts, err));
	const size_t length = common_options(device, options, OPTIONS);
	snprintf(options + length, OPTIONS - length, " %s", macros);
	const omt_cl_source source = {texts, omt_kernel_sources_count, options};
	return build_source(context, device, &source, program, err);
}
