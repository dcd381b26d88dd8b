/* Programs as files of the cache folder (base/cache.h): programs/NAME, where NAME stands for
 * device, platform and options, so that a new driver or a new source takes the old one's place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "exec/opencl.h"

#define MOST_BYTES ((size_t)256 << 20) /* a larger binary is not kept */

enum {
	TEXTS = 32, /* texts of a source at most */
	TRAITS = 5  /* what a device and its platform say of themselves */
};

/* Where a program lies and the key that it must have; NULL: programs are not kept. */
static char *find_place(cl_device_id device, const omt_cl_source *source, char key[OMT_DIGEST_TEXT])
{
	static const cl_device_info asked[TRAITS] = {CL_DEVICE_NAME, CL_PLATFORM_NAME,
	                                             CL_DEVICE_VERSION, CL_DRIVER_VERSION,
	                                             CL_PLATFORM_VERSION};
	static const bool of_platform[TRAITS] = {false, true, false, false, true};
	char traits[TRAITS][1024] = {{0}}, name[OMT_DIGEST_TEXT + 16], file[OMT_DIGEST_TEXT];
	omt_piece pieces[1 + TRAITS + TEXTS];
	cl_platform_id platform = NULL;
	char *folder = omt_cache_folder(), *path = NULL;
	if (!folder || source->count > TEXTS)
		goto done;
	clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL);
	pieces[0] = (omt_piece){source->options, strlen(source->options)};
	for (size_t i = 0; i < TRAITS; i++) {
		if (of_platform[i])
			clGetPlatformInfo(platform, asked[i], sizeof *traits, traits[i], NULL);
		else
			clGetDeviceInfo(device, asked[i], sizeof *traits, traits[i], NULL);
		pieces[1 + i] = (omt_piece){traits[i], sizeof *traits};
	}
	for (size_t i = 0; i < source->count; i++)
		pieces[1 + TRAITS + i] = (omt_piece){source->texts[i], strlen(source->texts[i])};
	/* The first three pieces say which program, all of them which build of it. */
	if (omt_digest_pieces(pieces, 3, file, NULL) != OMT_OK ||
	    omt_digest_pieces(pieces, 1 + TRAITS + source->count, key, NULL) != OMT_OK)
		goto done;
	snprintf(name, sizeof name, "programs/%.32s", file);
	path = omt_cache_path(folder, name);
done:
	free(folder);
	return path;
}

bool omt_cl_program_load(cl_context context, cl_device_id device, const omt_cl_source *source,
                         cl_program *program)
{
	char key[OMT_DIGEST_TEXT];
	uint8_t *binary = NULL;
	size_t bytes;
	cl_int state = CL_SUCCESS, code = CL_INVALID_BINARY;
	char *path = find_place(device, source, key);
	*program = NULL;
	if (path && omt_cache_load(path, key, &binary, &bytes))
		*program =
			clCreateProgramWithBinary(context, 1, &device, &bytes,
		                                  (const unsigned char **)&binary, &state, &code);
	if (*program && code == CL_SUCCESS && state == CL_SUCCESS)
		code = clBuildProgram(*program, 1, &device, source->options, NULL, NULL);
	if (*program && (code != CL_SUCCESS || state != CL_SUCCESS)) {
		clReleaseProgram(*program);
		*program = NULL;
	}
	free(binary);
	free(path);
	return *program;
}

void omt_cl_program_save(cl_device_id device, const omt_cl_source *source, cl_program program)
{
	char key[OMT_DIGEST_TEXT];
	size_t bytes = 0;
	char *path = find_place(device, source, key);
	if (path &&
	    clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) ==
	            CL_SUCCESS &&
	    bytes && bytes <= MOST_BYTES) {
		uint8_t *binary = malloc(bytes);
		if (binary && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary,
		                               NULL) == CL_SUCCESS)
			omt_cache_save(path, key, binary, bytes);
		free(binary);
	}
	free(path);
}
