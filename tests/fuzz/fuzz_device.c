#include "exec/device_file.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_device_file file;
	omt_error err;
	if (omt_device_file_parse("fuzz.yaml", (const char *)data, size, &file, &err) == OMT_OK)
		for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++)
			(void)omt_cl_tiles_check(i, &file.tiles.of[i], &err);
	return 0;
}
