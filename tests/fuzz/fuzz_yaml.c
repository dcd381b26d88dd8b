#include "base/yaml.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"model", "data", NULL};
	omt_yaml yaml;
	omt_error err;
	if (omt_yaml_parse("fuzz.yaml", (const char *)data, size, &yaml, &err) == OMT_OK) {
		(void)omt_yaml_only(&yaml, "", keys, &err);
		omt_yaml_free(&yaml);
	}
	return 0;
}
