#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "exec/device_entry.h"
#include "exec/opencl.h"

#define MAX_PLATFORMS 16

bool omt_cl_device_little(cl_device_id device)
{
	cl_bool little = CL_FALSE;
	clGetDeviceInfo(device, CL_DEVICE_ENDIAN_LITTLE, sizeof little, &little, NULL);
	return little;
}

const char *omt_cl_device_unfit(cl_device_id device)
{
	cl_bool available = CL_FALSE, compiler = CL_FALSE;
	size_t group = 0;
	char version[1024] = "";
	int major = 0, minor = 0;
	clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
	clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
	clGetDeviceInfo(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
	clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof version - 1, version, NULL);
	bool numbered = sscanf(version, "OpenCL %d.%d", &major, &minor) == 2;
	if (!compiler)
		return "no compiler for kernels";
	if (!available)
		return "not available";
	if (!numbered || major < 1 || (major == 1 && minor < 2))
		return "older than OpenCL 1.2";
	if (group < OMT_CL_GROUP)
		return "groups of fewer than 64 work-items";
	return NULL;
}

omt_status omt_cl_devices_list(omt_cl_device *devices, int32_t *count, omt_error *err)
{
	cl_platform_id platforms[MAX_PLATFORMS];
	cl_uint platform_count = 0;
	cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &platform_count);
	*count = 0;
	if (code == -1001 || (code == CL_SUCCESS && !platform_count))
		return OMT_FAIL(err, DEVICE,
		                "no OpenCL platform is installed (pocl-opencl-icd, or "
		                "a vendor's)");
	OMT_TRY(omt_cl_check(code, "clGetPlatformIDs", err));
	for (cl_uint p = 0; p < platform_count && p < MAX_PLATFORMS; p++) {
		cl_device_id ids[OMT_CL_LISTED];
		cl_uint id_count = 0;
		code = clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, OMT_CL_LISTED, ids,
		                      &id_count);
		for (cl_uint i = 0; code == CL_SUCCESS && i < id_count && *count < OMT_CL_LISTED;
		     i++) {
			devices[*count] = (omt_cl_device){
				.platform = platforms[p], .device = ids[i], .number = *count};
			(*count)++;
		}
	}
	if (!*count)
		return OMT_FAIL(err, DEVICE, "no OpenCL device on %u platforms", platform_count);
	return OMT_OK;
}

/* A text of a device or platform, empty if there is none; given, free(). */
static char *device_text(cl_device_id device, cl_device_info key)
{
	size_t bytes = 0;
	clGetDeviceInfo(device, key, 0, NULL, &bytes);
	char *text = calloc(1, bytes + 1);
	if (text)
		clGetDeviceInfo(device, key, bytes, text, NULL);
	return text;
}

static char *platform_text(cl_platform_id platform, cl_platform_info key)
{
	size_t bytes = 0;
	clGetPlatformInfo(platform, key, 0, NULL, &bytes);
	char *text = calloc(1, bytes + 1);
	if (text)
		clGetPlatformInfo(platform, key, bytes, text, NULL);
	return text;
}

/* Moves a given text to an array, cut to fit. */
static void put_text(char *to, size_t room, char *text)
{
	snprintf(to, room, "%s", text ? text : "");
	free(text);
}

static const char *type_name(cl_device_id device)
{
	cl_device_type type = 0;
	clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
	return type & CL_DEVICE_TYPE_CPU           ? "cpu"
	       : type & CL_DEVICE_TYPE_GPU         ? "gpu"
	       : type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator"
	                                           : "other";
}

void omt_cl_device_info(const omt_cl_device *device, omt_backend_info *info)
{
	cl_ulong memory = 0, most = 0;
	cl_uint units = 0, lanes = 0;
	cl_bool unified = CL_FALSE;
	*info = (omt_backend_info){
		.asynchronous = true, .part = device->part, .parts = device->parts};
	snprintf(info->backend, sizeof info->backend, "opencl");
	put_text(info->device, sizeof info->device, device_text(device->device, CL_DEVICE_NAME));
	put_text(info->driver, sizeof info->driver, device_text(device->device, CL_DRIVER_VERSION));
	put_text(info->version, sizeof info->version,
	         device_text(device->device, CL_DEVICE_VERSION));
	put_text(info->platform, sizeof info->platform,
	         platform_text(device->platform, CL_PLATFORM_NAME));
	clGetDeviceInfo(device->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof most, &most, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified,
	                NULL);
	info->in_place = unified;
	clGetDeviceInfo(device->device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes,
	                NULL);
	snprintf(info->type, sizeof info->type, "%s", type_name(device->device));
	info->vector_width = (int32_t)lanes;
	info->memory_bytes = memory;
	info->max_alloc_bytes = most;
	info->compute_units = (int32_t)units;
}

static bool has_extension(cl_device_id device, const char *name)
{
	char *all = device_text(device, CL_DEVICE_EXTENSIONS);
	bool found = all && strstr(all, name);
	free(all);
	return found;
}

/* NULL: no memory. */
static json_t *describe(const omt_cl_device *device, const omt_cl_binaries *binaries)
{
	omt_backend_info info;
	const omt_bitstream *binary;
	omt_cl_tile_set tiles;
	omt_error err;
	char vendor[128], entry[512];
	cl_ulong local = 0;
	cl_device_id id = device->device;
	omt_cl_device_info(device, &info);
	put_text(vendor, sizeof vendor, device_text(id, CL_DEVICE_VENDOR));
	clGetDeviceInfo(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
	bool usable = omt_cl_device_fit(device, binaries, &binary, &err) == OMT_OK;
	const bool built = usable && !binary;
	if (built)
		usable = omt_device_tiles(&info, NULL, &tiles, entry, sizeof entry, &err) == OMT_OK;
	return json_pack("{si ss ss ss ss ss ss si si sI sI sI sb sb so* so* sb so*}", "number",
	                 device->number, "platform", info.platform, "name", info.device, "vendor",
	                 vendor, "version", info.version, "driver", info.driver, "type", info.type,
	                 "vector_width", info.vector_width, "compute_units", info.compute_units,
	                 "memory_bytes", (json_int_t)info.memory_bytes, "max_alloc_bytes",
	                 (json_int_t)info.max_alloc_bytes, "local_memory_bytes", (json_int_t)local,
	                 "fp16", has_extension(id, "cl_khr_fp16"), "integer_dot",
	                 has_extension(id, "cl_khr_integer_dot_product"), "tiles",
	                 built && usable ? omt_json_text(entry) : NULL, "bitstream",
	                 binary ? omt_json_text(binary->name) : NULL, "usable", usable, "reason",
	                 usable ? NULL : omt_json_text(err.text));
}

omt_status omt_devices(char **json, omt_error *err)
{
	omt_cl_device devices[OMT_CL_LISTED];
	int32_t count;
	*json = NULL;
	omt_cl_binaries binaries;
	OMT_TRY(omt_cl_devices_list(devices, &count, err));
	omt_cl_binaries_open(&(omt_backend_options){0}, &binaries);
	json_t *all = json_array();
	bool complete = all;
	for (int32_t i = 0; i < count && complete; i++)
		complete = !json_array_append_new(all, describe(&devices[i], &binaries));
	omt_cl_binaries_close(&binaries);
	*json = complete ? json_dumps(all, JSON_INDENT(1)) : NULL;
	json_decref(all);
	return *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "the list of devices");
}

omt_status omt_cl_queue_open(cl_context context, cl_device_id device, bool any_order,
                             cl_command_queue *queue, omt_error *err)
{
	cl_int code;
	*queue = clCreateCommandQueue(
		context, device,
		CL_QUEUE_PROFILING_ENABLE |
			(any_order ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0),
		&code);
	if (code != CL_SUCCESS)
		*queue = NULL;
	return omt_cl_check(code, "clCreateCommandQueue", err);
}
