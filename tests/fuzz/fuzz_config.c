#include "model/config.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_config config;
	omt_error err;
	if (omt_config_load(fuzz_folder(data, size, "config.json"), &config, &err) == OMT_OK)
		omt_config_free(&config);
	return 0;
}
