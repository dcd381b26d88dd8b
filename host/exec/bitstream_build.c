#include "exec/bitstream_build.h"

#include <stdlib.h>
#include <string.h>

#include "exec/hls_source.h"
#include "exec/opencl.h"

#define MAX_OBJECTS (OMT_OP_COUNT * OMT_BITSTREAM_UNITS)

typedef struct cl_build {
	const omt_bitstreams *all;
	const omt_bitstream *entry;
	const char *sources;
	omt_cl_device device;
	cl_context context;
	cl_program objects[MAX_OBJECTS], linked;
	cl_uint count;
} cl_build;

/* The first device that the entry fits; else the last one's reason. */
static omt_status find_device(cl_build *build, omt_error *err)
{
	omt_cl_device devices[OMT_CL_LISTED];
	int32_t count;
	omt_status status = OMT_UNSUPPORTED;
	OMT_TRY(omt_cl_devices_list(devices, &count, err));
	for (int32_t i = 0; i < count && status != OMT_OK; i++) {
		omt_backend_info info;
		const omt_bitstream *found;
		omt_cl_device_info(&devices[i], &info);
		status = omt_bitstreams_find(build->all, build->entry->name, info.platform,
		                             info.device, &found, err);
		build->device = devices[i];
	}
	return status;
}

/* Given, free(). */
static omt_status unit_text(const cl_build *build, omt_op op, int32_t unit, char **text,
                            omt_error *err)
{
	char *path = NULL;
	size_t bytes;
	omt_status status = OMT_OK;
	*text = NULL;
	FILE *to = open_memstream(text, &bytes);
	if (!to)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", build->sources));
	OMT_GOTO(omt_hls_source_find(build->sources, op, &path, err));
	fprintf(to, "#define HLS_EMULATION 1\n");
	if (unit)
		fprintf(to, "#define HLS_UNIT %d\n", unit + 1);
	omt_hls_defines(to, op, &build->entry->kernels[op].params, "#define ", " ", "\n");
	OMT_GOTO(omt_hls_source_flatten(path, to, err));
done:
	if (to && fclose(to) && status == OMT_OK)
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
	free(path);
	return status;
}

static omt_status compile_unit(cl_build *build, omt_op op, int32_t unit, omt_error *err)
{
	char *text;
	cl_int code;
	omt_status status = unit_text(build, op, unit, &text, err);
	if (status != OMT_OK) {
		free(text);
		return status;
	}
	cl_program *program = &build->objects[build->count];
	*program = clCreateProgramWithSource(build->context, 1, (const char **)&text, NULL, &code);
	free(text);
	OMT_TRY(omt_cl_check(code, "clCreateProgramWithSource", err));
	build->count++;
	code = clCompileProgram(*program, 1, &build->device.device,
	                        "-cl-std=CL1.2 -cl-kernel-arg-info -Werror", 0, NULL, NULL, NULL,
	                        NULL);
	if (code == CL_SUCCESS)
		return OMT_OK;
	omt_cl_build_failed(*program, build->device.device, code, "clCompileProgram", err);
	return omt_fail_at(err, OMT_DEVICE, "%s: %s", build->entry->name, omt_op_infos[op].name);
}

static omt_status compile_all(cl_build *build, omt_error *err)
{
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t unit = 0; unit < build->entry->kernels[op].units; unit++)
			OMT_TRY(compile_unit(build, op, unit, err));
	return OMT_OK;
}

static omt_status check_kernel(const cl_build *build, omt_op op, int32_t name, int32_t unit,
                               omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	char text[OMT_BITSTREAM_UNIT_TEXT];
	cl_int code;
	cl_uint count = 0;
	omt_bitstream_unit(build->entry, &build->entry->kernels[op], name, unit, text);
	cl_kernel kernel = clCreateKernel(build->linked, text, &code);
	if (code != CL_SUCCESS)
		return OMT_FAIL(err, MISMATCH, "%s: the source of %s makes no kernel %s",
		                build->entry->name, info->name, text);
	clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
	clReleaseKernel(kernel);
	if (count != (cl_uint)(info->buffers + info->scalars))
		return OMT_FAIL(err, MISMATCH, "%s: kernel %s has %u arguments, the contract %d",
		                build->entry->name, text, count, info->buffers + info->scalars);
	return OMT_OK;
}

static omt_status link_all(cl_build *build, omt_error *err)
{
	cl_int code;
	build->linked = clLinkProgram(build->context, 1, &build->device.device, NULL, build->count,
	                              build->objects, NULL, NULL, &code);
	if (code != CL_SUCCESS && build->linked)
		return omt_cl_build_failed(build->linked, build->device.device, code,
		                           "clLinkProgram", err);
	OMT_TRY(omt_cl_check(code, "clLinkProgram", err));
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t unit = 0; unit < build->entry->kernels[op].units; unit++)
			for (int32_t i = 0; i < build->entry->kernels[op].name_count; i++)
				OMT_TRY(check_kernel(build, op, i, unit, err));
	return OMT_OK;
}

static omt_status write_binary(const cl_build *build, omt_error *err)
{
	size_t bytes = 0;
	unsigned char *data = NULL;
	omt_output output = {0};
	omt_status status = OMT_OK;
	char *path = omt_bitstream_path(build->all, build->entry);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", build->all->path);
	OMT_GOTO(omt_cl_check(clGetProgramInfo(build->linked, CL_PROGRAM_BINARY_SIZES, sizeof bytes,
	                                       &bytes, NULL),
	                      "clGetProgramInfo", err));
	data = malloc(bytes + !bytes);
	if (!data || !bytes)
		OMT_GOTO(OMT_FAIL(err, DEVICE, "%s: no binary of %zu bytes", build->entry->name,
		                  bytes));
	OMT_GOTO(omt_cl_check(
		clGetProgramInfo(build->linked, CL_PROGRAM_BINARIES, sizeof data, &data, NULL),
		"clGetProgramInfo", err));
	OMT_GOTO(omt_output_open(path, &output, err));
	fwrite(data, 1, bytes, output.stream); /* what is not written is told by close */
	status = omt_output_close(&output, true, err);
done:
	free(data);
	free(path);
	return status;
}

omt_status omt_bitstream_compile(const omt_bitstreams *all, const omt_bitstream *entry,
                                 const char *sources, omt_error *err)
{
	cl_build build = {.all = all, .entry = entry, .sources = sources};
	cl_int code;
	omt_status status;
	OMT_TRY(find_device(&build, err));
	build.context = clCreateContext(NULL, 1, &build.device.device, NULL, NULL, &code);
	OMT_TRY(omt_cl_check(code, "clCreateContext", err));
	OMT_GOTO(compile_all(&build, err));
	OMT_GOTO(link_all(&build, err));
	OMT_GOTO(write_binary(&build, err));
done:
	for (cl_uint i = 0; i < build.count; i++)
		clReleaseProgram(build.objects[i]);
	if (build.linked)
		clReleaseProgram(build.linked);
	clReleaseContext(build.context);
	return status;
}

/* ---- the entry of a manifest ---- */

omt_status omt_bitstream_build(const char *manifest, const char *name, const char *sources,
                               const char *recipe, omt_error *err)
{
	omt_bitstreams all;
	const omt_bitstream *entry;
	omt_status status;
	OMT_TRY(omt_bitstreams_load(manifest, &all, err));
	OMT_GOTO(omt_bitstreams_find(&all, name, NULL, NULL, &entry, err));
	if (entry->flow == OMT_FLOW_opencl || !strcmp(entry->target, "emulation")) {
		OMT_GOTO(omt_bitstream_compile(&all, entry, sources, err));
		status = omt_bitstream_digest(manifest, name, err);
	} else if (recipe) {
		status = omt_bitstream_recipe(&all, entry, sources, recipe, err);
	} else {
		status = OMT_FAIL(err, BAD_ARGUMENT,
		                  "%s: %s's tools make it: no folder for what they take", name,
		                  omt_flow_infos[entry->flow].name);
	}
done:
	omt_bitstreams_free(&all);
	return status;
}
