#include "tests/unit/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MOST = 32 };

static omt_error err;

static void check(cl_int code, const char *what)
{
	cr_assert_eq(omt_cl_check(code, what, &err), OMT_OK, "%s", err.text);
}

static cl_program compile(cl_context context, cl_device_id device, const card_kernel *kernel,
                          int32_t unit)
{
	char *text, options[256];
	cl_int code;
	cr_assert_eq(omt_file_read(kernel->source, 1 << 20, &text, NULL, &err), OMT_OK, "%s",
	             err.text);
	cl_program program =
		clCreateProgramWithSource(context, 1, (const char **)&text, NULL, &code);
	check(code, "clCreateProgramWithSource");
	int length = snprintf(options, sizeof options,
	                      "-cl-std=CL1.2 -cl-kernel-arg-info -w -Ihls -Idevice -DHLS_EMULATION "
	                      "-DHLS_OP_%s",
	                      omt_op_infos[kernel->op].name);
	if (unit)
		snprintf(options + length, sizeof options - (size_t)length, " -DHLS_UNIT=%d",
		         unit + 1);
	code = clCompileProgram(program, 1, &device, options, 0, NULL, NULL, NULL, NULL);
	if (code != CL_SUCCESS) {
		char log[2000] = "";
		clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log,
		                      NULL);
		cr_assert_fail("%s: %s", kernel->source, log);
	}
	free(text);
	return program;
}

void card_build(const card_kernel *kernels, size_t count, const char *path)
{
	omt_cl_device device;
	cl_context context;
	cl_program parts[MOST], program;
	cl_uint part_count = 0;
	cl_int code;
	size_t bytes;
	int32_t one;
	unsigned char *binary;
	cr_assert_eq(omt_cl_devices_open("Portable", NULL, 1, &device, &context, &one, &err),
	             OMT_OK, "%s", err.text);
	for (size_t i = 0; i < count; i++)
		for (int32_t u = 0; u < kernels[i].units; u++) {
			cr_assert_lt(part_count, MOST);
			parts[part_count++] = compile(context, device.device, &kernels[i], u);
		}
	program =
		clLinkProgram(context, 1, &device.device, "", part_count, parts, NULL, NULL, &code);
	check(code, "clLinkProgram");
	check(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL),
	      "clGetProgramInfo");
	binary = malloc(bytes);
	cr_assert_not_null(binary);
	check(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL),
	      "clGetProgramInfo");
	FILE *file = fopen(path, "wb");
	cr_assert(file && fwrite(binary, 1, bytes, file) == bytes && !fclose(file), "%s", path);
	free(binary);
	for (cl_uint i = 0; i < part_count; i++)
		clReleaseProgram(parts[i]);
	clReleaseProgram(program);
	omt_cl_devices_release(&device, &context, 1);
}

void card_manifest(const char *folder, const char *file, const char *kernels, const char *changed,
                   const char *by)
{
	char path[512], digest[OMT_DIGEST_TEXT], text[4096], entry[4096];
	omt_map map;
	snprintf(path, sizeof path, "%s/%s", folder, file);
	cr_assert_eq(omt_map_open(path, &map, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_digest_data(map.data, map.bytes, digest, &err), OMT_OK);
	omt_map_close(&map);
	snprintf(text, sizeof text,
	         "bitstreams:\n"
	         "  - name: pocl\n    card: u250\n    flow: opencl\n    target: any\n"
	         "    platform: Portable Computing Language\n    contract: %d\n    file: %s\n"
	         "    digest: %s\n    clock_mhz: 300\n"
	         "    timeout: {factor: 1000, floor_ms: 20000}\n    kernels:\n%s",
	         OMT_CONTRACT_VERSION, file, digest, kernels);
	const char *at = changed ? strstr(text, changed) : NULL;
	cr_assert(!changed || at, "no \"%s\" in the manifest", changed);
	if (at)
		snprintf(entry, sizeof entry, "%.*s%s%s", (int)(at - text), text, by,
		         at + strlen(changed));
	else
		snprintf(entry, sizeof entry, "%s", text);
	snprintf(path, sizeof path, "%s/manifest.yaml", folder);
	FILE *manifest = fopen(path, "w");
	cr_assert(manifest && fputs(entry, manifest) >= 0 && !fclose(manifest), "%s", path);
	setenv("OMT_BITSTREAMS", folder, 1);
}
