#include "exec/device_file.h"

#include <stdio.h>
#include <string.h>

#include "base/yaml.h"

bool omt_is_device_file(const char *device)
{
	size_t length = device ? strlen(device) : 0;
	return length > 5 && !strcmp(device + length - 5, ".yaml");
}

static omt_status read_device(const omt_yaml *yaml, const char *path, omt_backend_info *info,
                              omt_device_speed *speed, omt_error *err)
{
	static const char *const keys[] = {"device",          "backend",         "memory_bytes",
	                                   "max_alloc_bytes", "peak_gflops",     "bandwidth_gbs",
	                                   "link_gbs",        "compute_units",   "panel",
	                                   "tile_rows",       "fails_after_ops", NULL};
	omt_json in = omt_yaml_at(yaml, "");
	const char *device = path, *backend = "opencl";
	int64_t memory = 0, max_alloc = 0;
	OMT_TRY(omt_yaml_only(yaml, "", keys, err));
	OMT_TRY(omt_json_string(in, "device", &device, err));
	OMT_TRY(omt_json_string(in, "backend", &backend, err));
	OMT_TRY(omt_json_int64(in, "memory_bytes", 0, INT64_MAX, &memory, err));
	OMT_TRY(omt_json_int64(in, "max_alloc_bytes", 0, INT64_MAX, &max_alloc, err));
	OMT_TRY(omt_json_real(in, "peak_gflops", 0, 1e9, &speed->peak_gflops, err));
	OMT_TRY(omt_json_real(in, "bandwidth_gbs", 0, 1e9, &speed->bandwidth_gbs, err));
	speed->link_gbs = speed->bandwidth_gbs;
	OMT_TRY(omt_json_real(in, "link_gbs", 0, 1e9, &speed->link_gbs, err));
	OMT_TRY(omt_json_int64(in, "fails_after_ops", 0, INT64_MAX, &speed->fails_after_ops, err));
	OMT_TRY(omt_json_int(in, "compute_units", 1, 1 << 20, &info->compute_units, err));
	OMT_TRY(omt_json_int(in, "panel", 1, 1024, &info->panel, err));
	OMT_TRY(omt_json_int(in, "tile_rows", 0, 1024, &info->tile_rows, err));
	info->memory_bytes = (uint64_t)memory;
	info->max_alloc_bytes = (uint64_t)max_alloc;
	snprintf(info->device, sizeof info->device, "%s", device);
	snprintf(info->backend, sizeof info->backend, "%s", backend);
	return OMT_OK;
}

omt_status omt_device_file_load(const char *path, omt_backend_info *info, omt_device_speed *speed,
                                omt_error *err)
{
	omt_yaml yaml;
	*info = (omt_backend_info){.panel = 1, .compute_units = 1};
	*speed = (omt_device_speed){0};
	OMT_TRY(omt_yaml_load(path, &yaml, err));
	omt_status status = read_device(&yaml, path, info, speed, err);
	omt_yaml_free(&yaml);
	return status;
}
