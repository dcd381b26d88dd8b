#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "exec/opencl.h"

#define MAX_PLATFORMS 16
#define MAX_DEVICES   32

const char *omt_cl_error(cl_int code)
{
#define NAME(code)          \
	{                   \
		code, #code \
	}
	static const struct {
		cl_int code;
		const char *name;
	} names[] = {
		NAME(CL_SUCCESS),
		NAME(CL_DEVICE_NOT_FOUND),
		NAME(CL_DEVICE_NOT_AVAILABLE),
		NAME(CL_COMPILER_NOT_AVAILABLE),
		NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE),
		NAME(CL_OUT_OF_RESOURCES),
		NAME(CL_OUT_OF_HOST_MEMORY),
		NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
		NAME(CL_BUILD_PROGRAM_FAILURE),
		NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
		NAME(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
		NAME(CL_INVALID_VALUE),
		NAME(CL_INVALID_PLATFORM),
		NAME(CL_INVALID_DEVICE),
		NAME(CL_INVALID_CONTEXT),
		NAME(CL_INVALID_QUEUE_PROPERTIES),
		NAME(CL_INVALID_COMMAND_QUEUE),
		NAME(CL_INVALID_HOST_PTR),
		NAME(CL_INVALID_MEM_OBJECT),
		NAME(CL_INVALID_BINARY),
		NAME(CL_INVALID_BUILD_OPTIONS),
		NAME(CL_INVALID_PROGRAM),
		NAME(CL_INVALID_PROGRAM_EXECUTABLE),
		NAME(CL_INVALID_KERNEL_NAME),
		NAME(CL_INVALID_KERNEL),
		NAME(CL_INVALID_ARG_INDEX),
		NAME(CL_INVALID_ARG_VALUE),
		NAME(CL_INVALID_ARG_SIZE),
		NAME(CL_INVALID_KERNEL_ARGS),
		NAME(CL_INVALID_WORK_DIMENSION),
		NAME(CL_INVALID_WORK_GROUP_SIZE),
		NAME(CL_INVALID_WORK_ITEM_SIZE),
		NAME(CL_INVALID_GLOBAL_OFFSET),
		NAME(CL_INVALID_EVENT_WAIT_LIST),
		NAME(CL_INVALID_EVENT),
		NAME(CL_INVALID_OPERATION),
		NAME(CL_INVALID_BUFFER_SIZE),
		NAME(CL_INVALID_GLOBAL_WORK_SIZE),
		{-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
	};
#undef NAME
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].code == code)
			return names[i].name;
	return "an unknown error";
}

omt_status omt_cl_check(cl_int code, const char *what, omt_error *err)
{
	if (code == CL_SUCCESS)
		return OMT_OK;
	return OMT_FAIL(err, DEVICE, "OpenCL: %s: %s (%d)", what, omt_cl_error(code), code);
}

const char *omt_cl_device_unfit(cl_device_id device)
{
	cl_bool available = CL_FALSE, compiler = CL_FALSE, little = CL_FALSE;
	char version[1024] = "";
	int major = 0, minor = 0;
	clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
	clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
	clGetDeviceInfo(device, CL_DEVICE_ENDIAN_LITTLE, sizeof little, &little, NULL);
	clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof version - 1, version, NULL);
	if (!available)
		return "not available";
	if (!compiler)
		return "no compiler for kernels";
	if (!little)
		return "big-endian";
	if (sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major * 10 + minor < 12)
		return "older than OpenCL 1.2";
	return NULL;
}

/* All devices of all platforms in a fixed order. */
static omt_status list_devices(omt_cl_device *devices, int32_t *count, omt_error *err)
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
		cl_device_id ids[MAX_DEVICES];
		cl_uint id_count = 0;
		code = clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids,
		                      &id_count);
		for (cl_uint i = 0; code == CL_SUCCESS && i < id_count && *count < MAX_DEVICES;
		     i++) {
			devices[*count] = (omt_cl_device){platforms[p], ids[i], *count};
			(*count)++;
		}
	}
	if (!*count)
		return OMT_FAIL(err, DEVICE, "no OpenCL device on %u platforms", platform_count);
	return OMT_OK;
}

static void device_text(cl_device_id device, cl_device_info key, char *to, size_t room)
{
	size_t size = 0;
	char full[4096] = "";
	if (clGetDeviceInfo(device, key, sizeof full - 1, full, &size) != CL_SUCCESS)
		full[0] = '\0';
	snprintf(to, room, "%s", full);
}

static void platform_text(cl_platform_id platform, cl_platform_info key, char *to, size_t room)
{
	char full[4096] = "";
	if (clGetPlatformInfo(platform, key, sizeof full - 1, full, NULL) != CL_SUCCESS)
		full[0] = '\0';
	snprintf(to, room, "%s", full);
}

void omt_cl_device_info(const omt_cl_device *device, omt_backend_info *info)
{
	cl_ulong memory = 0, most = 0;
	cl_uint units = 0;
	*info = (omt_backend_info){.asynchronous = true};
	snprintf(info->backend, sizeof info->backend, "opencl");
	device_text(device->device, CL_DEVICE_NAME, info->device, sizeof info->device);
	device_text(device->device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
	device_text(device->device, CL_DEVICE_VERSION, info->version, sizeof info->version);
	platform_text(device->platform, CL_PLATFORM_NAME, info->platform, sizeof info->platform);
	clGetDeviceInfo(device->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof most, &most, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
	info->memory_bytes = memory;
	info->max_alloc_bytes = most;
	info->compute_units = (int32_t)units;
	info->panel = omt_cl_default_tiles.n;
	info->tile_rows = omt_cl_default_tiles.m * omt_cl_default_tiles.rows;
}

static bool contains(const char *text, const char *part)
{
	size_t length = strlen(part);
	for (; *text; text++)
		if (!strncasecmp(text, part, length))
			return true;
	return false;
}

omt_status omt_cl_device_find(const char *wanted, omt_cl_device *found, omt_error *err)
{
	omt_cl_device devices[MAX_DEVICES];
	int32_t count;
	char *end = NULL;
	if (!wanted || !*wanted)
		wanted = getenv("OMT_DEVICE");
	OMT_TRY(list_devices(devices, &count, err));
	long number = wanted ? strtol(wanted, &end, 10) : -1;
	bool by_number = wanted && *wanted && !*end;
	for (int32_t i = 0; i < count; i++) {
		omt_backend_info info;
		omt_cl_device_info(&devices[i], &info);
		bool named = !wanted || !*wanted || (by_number && number == i) ||
		             (!by_number &&
		              (contains(info.device, wanted) || contains(info.platform, wanted)));
		const char *unfit = omt_cl_device_unfit(devices[i].device);
		if (named && unfit && wanted && *wanted)
			return OMT_FAIL(err, DEVICE, "OpenCL device %d, %s: %s", i, info.device,
			                unfit);
		if (named && !unfit) {
			*found = devices[i];
			return OMT_OK;
		}
	}
	return OMT_FAIL(err, DEVICE,
	                "no OpenCL device \"%s\" among %d (omnitile devices lists them)",
	                wanted ? wanted : "", count);
}

static json_t *describe(const omt_cl_device *device)
{
	omt_backend_info info;
	char vendor[128], extensions[4096];
	cl_device_type type = 0;
	cl_ulong local = 0;
	omt_cl_device_info(device, &info);
	device_text(device->device, CL_DEVICE_VENDOR, vendor, sizeof vendor);
	device_text(device->device, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
	clGetDeviceInfo(device->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
	clGetDeviceInfo(device->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
	const char *unfit = omt_cl_device_unfit(device->device);
	return json_pack("{si ss ss ss ss ss ss si sI sI sI sb sb sb ss*}", "number",
	                 device->number, "platform", info.platform, "name", info.device, "vendor",
	                 vendor, "version", info.version, "driver", info.driver, "type",
	                 type & CL_DEVICE_TYPE_CPU           ? "cpu"
	                 : type & CL_DEVICE_TYPE_GPU         ? "gpu"
	                 : type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator"
	                                                     : "other",
	                 "compute_units", info.compute_units, "memory_bytes",
	                 (json_int_t)info.memory_bytes, "max_alloc_bytes",
	                 (json_int_t)info.max_alloc_bytes, "local_memory_bytes", (json_int_t)local,
	                 "fp16", strstr(extensions, "cl_khr_fp16") != NULL, "integer_dot",
	                 strstr(extensions, "cl_khr_integer_dot_product") != NULL, "usable",
	                 unfit == NULL, "reason", unfit);
}

omt_status omt_devices(char **json, omt_error *err)
{
	omt_cl_device devices[MAX_DEVICES];
	int32_t count;
	*json = NULL;
	OMT_TRY(list_devices(devices, &count, err));
	json_t *all = json_array();
	for (int32_t i = 0; i < count; i++)
		json_array_append_new(all, describe(&devices[i]));
	*json = json_dumps(all, JSON_INDENT(1));
	json_decref(all);
	return *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "the list of devices");
}
