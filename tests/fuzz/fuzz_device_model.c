/* What a container says of its kernels to the device model, and its settings. */
#include <stdlib.h>
#include <string.h>

#include "hls/device_model/design.h"
#include "hls/device_model/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static omt_design design;
	omt_model_settings settings;
	omt_error err;
	char *text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	omt_model_settings_init(&settings);
	omt_model_settings_parse(&settings, "model.ini", text, &err);
	if (omt_design_read("xml", text, size, &design, &err) == OMT_OK)
		for (size_t i = 0; i < design.unit_count; i++) {
			const omt_design_unit *unit = &design.units[i];
			const omt_design_kernel *kernel = &design.kernels[unit->kernel];
			if (unit->kernel >= design.kernel_count || !*unit->name ||
			    unit->base % 4096)
				abort();
			for (size_t k = 0; k < kernel->arg_count; k++)
				if (kernel->args[k].offset + kernel->args[k].bytes > kernel->range)
					abort();
		}
	free(text);
	return 0;
}
