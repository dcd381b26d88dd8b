#include "base/npy.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_npy npy;
	omt_error err;
	char path[64];
	int fd = fuzz_file(data, size, path);
	if (omt_npy_open(path, &npy, &err) == OMT_OK) {
		size_t item = npy.type == 'u' ? 1 : npy.type == 'l' ? 8 : 4;
		volatile uint8_t sum = 0;
		for (size_t i = 0; i < (size_t)npy.count * item; i++)
			sum = (uint8_t)(sum + ((const uint8_t *)npy.data)[i]);
		omt_npy_close(&npy);
	}
	close(fd);
	return 0;
}
