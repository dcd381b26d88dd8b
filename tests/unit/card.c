#include "tests/unit/card.h"

#include <math.h>
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

/* ---- rounds ---- */

omt_buffer *card_buffer(omt_exec *exec, omt_usage usage, size_t bytes, const void *content)
{
	omt_buffer *made;
	cr_assert_eq(omt_exec_alloc(exec, bytes, usage, content, &made, &err), OMT_OK, "%s",
	             err.text);
	return made;
}

/* Norm, two rotations in place: what a round reads another one writes a moment later. */
static void enqueue(card_rounds *r, int round, uint64_t *mark)
{
	omt_exec *exec = r->exec;
	cr_assert_eq(omt_exec_write(exec, r->in[round % 2], 0, r->sent[round], 4 * CARD_FLOATS,
	                            NULL, &err),
	             OMT_OK);
	cr_assert_eq(OMT_RUN(exec, l2norm, &err, .x = r->in[round % 2], .out = r->work,
	                     .rows = CARD_ROWS, .cols = CARD_COLS, .ldx = CARD_COLS,
	                     .ldo = CARD_COLS, .eps = 1e-12f),
	             OMT_OK, "%s", err.text);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(OMT_RUN(exec, rotary, &err, .x = r->work, .cosines = r->cosines,
		                     .sines = r->sines, .rows = CARD_ROWS, .heads = 4,
		                     .head_dim = CARD_COLS / 4, .ldx = CARD_COLS),
		             OMT_OK, "%s", err.text);
	cr_assert_eq(OMT_RUN(exec, l2norm, &err, .x = r->work, .out = r->out[round % 2],
	                     .rows = CARD_ROWS, .cols = CARD_COLS, .ldx = CARD_COLS,
	                     .ldo = CARD_COLS, .eps = 1e-12f),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_exec_read(exec, r->out[round % 2], 0, r->received[round], 4 * CARD_FLOATS,
	                           mark, &err),
	             OMT_OK, "%s", err.text);
}

void card_rounds_run(card_rounds *r, omt_exec *exec)
{
	uint64_t mark = 0;
	float angles[2][CARD_ROWS * CARD_COLS / 8];
	r->exec = exec;
	for (int i = 0; i < CARD_ROWS * CARD_COLS / 8; i++) {
		angles[0][i] = cosf((float)i);
		angles[1][i] = sinf((float)i);
	}
	for (int round = 0; round < CARD_ROUNDS; round++) {
		for (int i = 0; i < CARD_FLOATS; i++)
			r->sent[round][i] = (float)((round * 7919 + i) % 1000) - 300;
		r->sent[round][0] = r->first[round] != 0 ? r->first[round] : r->sent[round][0];
	}
	for (int i = 0; i < 2; i++) {
		r->in[i] = card_buffer(exec, OMT_USAGE_SLOT, 4 * CARD_FLOATS, NULL);
		r->out[i] = card_buffer(exec, OMT_USAGE_SLOT, 4 * CARD_FLOATS, NULL);
	}
	r->work = card_buffer(exec, OMT_USAGE_WORK, 4 * CARD_FLOATS, NULL);
	r->cosines = card_buffer(exec, OMT_USAGE_WEIGHT, sizeof angles[0], angles[0]);
	r->sines = card_buffer(exec, OMT_USAGE_WEIGHT, sizeof angles[1], angles[1]);
	for (int round = 0; round < CARD_ROUNDS; round++)
		enqueue(r, round, &mark);
	cr_assert_eq(omt_exec_wait(exec, mark, &err), OMT_OK, "%s", err.text);
	omt_buffer *all[] = {r->in[0], r->in[1], r->out[0], r->out[1],
	                     r->work,  r->sines, r->cosines};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		omt_exec_free(exec, all[i]);
}

void card_rounds_compare(const card_rounds *got, const card_rounds *wanted)
{
	for (int round = 0; round < CARD_ROUNDS; round++)
		for (int i = 0; i < CARD_FLOATS; i++)
			cr_assert_float_eq(got->received[round][i], wanted->received[round][i],
			                   1e-6, "round %d, element %d: %g, not %g", round, i,
			                   (double)got->received[round][i],
			                   (double)wanted->received[round][i]);
}
