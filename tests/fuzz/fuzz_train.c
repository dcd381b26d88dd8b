#include "tests/fuzz/input.h"
#include "train/settings.h"

/* The file of a training; what was read can be told and compared with itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_train_settings settings;
	omt_error err;
	if (omt_train_settings_parse("fuzz.yaml", (const char *)data, size, NULL, 0, &settings,
	                             &err) != OMT_OK)
		return 0;
	json_t *values = omt_train_settings_values(&settings);
	if (!values || omt_train_settings_compare(values, values, &err) != OMT_OK)
		abort();
	json_decref(values);
	omt_train_settings_free(&settings);
	return 0;
}
