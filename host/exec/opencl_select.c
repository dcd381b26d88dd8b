/* Which devices a run uses: names, parts of a device, and who shares a context. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl.h"

#define MAX_NAME 256

/* One of the names with commas between them: "0", "epyc", "all", "0/2". */
typedef struct omt_cl_wish {
	char name[MAX_NAME]; /* empty: the first device */
	int32_t parts;       /* 0: not divided */
} omt_cl_wish;

typedef struct omt_cl_selection {
	const omt_cl_binaries *binaries;
	omt_cl_device *devices; /* [OMT_MAX_DEVICES] */
	int32_t count;
} omt_cl_selection;

static omt_status parse_wish(const char *text, size_t length, omt_cl_wish *wish, omt_error *err)
{
	const char *slash = memchr(text, '/', length);
	size_t name = slash ? (size_t)(slash - text) : length;
	wish->parts = 0;
	if (slash) {
		char *end;
		long parts = strtol(slash + 1, &end, 10);
		if (end == slash + 1 || end != text + length || parts < 1 ||
		    parts > OMT_MAX_DEVICES)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "device \"%.*s\": expected DEVICE/PARTS, 1 to %d parts",
			                (int)length, text, OMT_MAX_DEVICES);
		wish->parts = (int32_t)parts;
	}
	if (!name || name >= MAX_NAME)
		return OMT_FAIL(err, BAD_ARGUMENT, "device \"%.*s\": no name or number",
		                (int)length, text);
	memcpy(wish->name, text, name);
	wish->name[name] = '\0';
	return OMT_OK;
}

/* ---- names ---- */

/* Whether a name is the device's number or part of its or its platform's name. */
static bool is_wanted(const omt_cl_device *device, const omt_backend_info *info, const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);
	if (end != name && !*end)
		return number == device->number;
	return strcasestr(info->device, name) || strcasestr(info->platform, name);
}

/* ---- parts ---- */

/* `count` sub-devices that have all compute units between them, as equal as they can be. */
static omt_status divide(const omt_cl_device *whole, int32_t parts, omt_cl_selection *selection,
                         omt_error *err)
{
	cl_device_partition_property shares[OMT_MAX_DEVICES + 3] = {CL_DEVICE_PARTITION_BY_COUNTS};
	cl_device_id made[OMT_MAX_DEVICES];
	cl_uint made_count = 0;
	omt_backend_info info;
	omt_cl_device_info(whole, &info);
	const int32_t units = info.compute_units;
	if (parts > units)
		return OMT_FAIL(err, DEVICE, "OpenCL device %d, %s: %d parts of %d compute units",
		                whole->number, info.device, parts, units);
	for (int32_t i = 0; i < parts; i++)
		shares[1 + i] = units / parts + (i < units % parts);
	shares[1 + parts] = CL_DEVICE_PARTITION_BY_COUNTS_LIST_END;
	cl_int code = clCreateSubDevices(whole->device, shares, (cl_uint)parts, made, &made_count);
	if (code != CL_SUCCESS || made_count != (cl_uint)parts)
		return OMT_FAIL(err, DEVICE,
		                "OpenCL device %d, %s, cannot be divided into %d parts: %s (%d)",
		                whole->number, info.device, parts, omt_cl_error(code), code);
	for (int32_t i = 0; i < parts; i++)
		selection->devices[selection->count++] = (omt_cl_device){
			whole->platform, made[i], whole->number, i + 1, parts, whole->binary};
	return OMT_OK;
}

static omt_status take(const omt_cl_device *device, int32_t parts, omt_cl_selection *selection,
                       omt_error *err)
{
	for (int32_t i = 0; i < selection->count; i++)
		if (selection->devices[i].number == device->number)
			return OMT_FAIL(err, BAD_ARGUMENT, "OpenCL device %d is named twice",
			                device->number);
	if (selection->count + (parts ? parts : 1) > OMT_MAX_DEVICES)
		return OMT_FAIL(err, LIMIT, "more than %d devices", OMT_MAX_DEVICES);
	if (parts)
		return divide(device, parts, selection, err);
	selection->devices[selection->count++] = *device;
	return OMT_OK;
}

/* Takes what one name stands for: "all" is every device that is fit, others the first one. */
static omt_status grant(const omt_cl_wish *wish, omt_cl_device *listed, int32_t count,
                        omt_cl_selection *selection, omt_error *err)
{
	const bool all = !strcmp(wish->name, "all");
	const int32_t before = selection->count;
	omt_error why, unfit = {.status = OMT_OK};
	for (int32_t i = 0; i < count; i++) {
		omt_backend_info info;
		omt_cl_device_info(&listed[i], &info);
		if (!all && *wish->name && !is_wanted(&listed[i], &info, wish->name))
			continue;
		if (omt_cl_device_fit(&listed[i], selection->binaries, &listed[i].binary, &why) !=
		    OMT_OK) {
			omt_fail(&unfit, why.status, "OpenCL device %d, %.120s: %s", i, info.device,
			         why.text);
			continue;
		}
		OMT_TRY(take(&listed[i], wish->parts, selection, err));
		if (!all)
			return OMT_OK;
	}
	if (selection->count > before)
		return OMT_OK;
	if (unfit.status != OMT_OK)
		return omt_fail(err, unfit.status, "%s", unfit.text);
	return OMT_FAIL(err, DEVICE,
	                "no OpenCL device \"%s\" among %d (omnitile devices lists them)",
	                wish->name, count);
}

static omt_status select_devices(const char *wanted, omt_cl_selection *selection, omt_error *err)
{
	omt_cl_device listed[OMT_CL_LISTED];
	omt_cl_wish wish = {0};
	int32_t count;
	wanted = omt_backend_device(&(omt_backend_options){.device = wanted});
	OMT_TRY(omt_cl_devices_list(listed, &count, err));
	if (!wanted)
		return grant(&wish, listed, count, selection, err);
	for (const char *at = wanted; at;) {
		const size_t length = strcspn(at, ",");
		OMT_TRY(parse_wish(at, length, &wish, err));
		OMT_TRY(grant(&wish, listed, count, selection, err));
		at = at[length] ? at + length + 1 : NULL;
	}
	return OMT_OK;
}

/* ---- contexts ---- */

static bool in_host_memory(const omt_cl_device *device)
{
	cl_bool unified = CL_FALSE;
	clGetDeviceInfo(device->device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified,
	                NULL);
	return unified;
}

/* Devices that have memory of their own need copies of their own: in one context a runtime would
 * move one copy from device to device. Cards have, whatever XRT says. */
static bool share_memory(const omt_cl_device *a, const omt_cl_device *b)
{
	if (a->binary || b->binary)
		return a == b;
	return a->number == b->number ||
	       (a->platform == b->platform && in_host_memory(a) && in_host_memory(b));
}

static omt_status open_contexts(const omt_cl_device *devices, int32_t count, cl_context *contexts,
                                omt_error *err)
{
	for (int32_t i = 0; i < count; i++) {
		cl_device_id members[OMT_MAX_DEVICES];
		cl_uint member_count = 0;
		cl_int code;
		if (contexts[i])
			continue;
		for (int32_t j = i; j < count; j++)
			if (share_memory(&devices[i], &devices[j]))
				members[member_count++] = devices[j].device;
		cl_context context =
			clCreateContext(NULL, member_count, members, NULL, NULL, &code);
		OMT_TRY(omt_cl_check(code, "clCreateContext", err));
		for (int32_t j = i; j < count; j++)
			if (share_memory(&devices[i], &devices[j])) {
				contexts[j] = context;
				if (j > i)
					clRetainContext(context);
			}
	}
	return OMT_OK;
}

omt_status omt_cl_devices_open(const char *wanted, const omt_cl_binaries *binaries, int32_t most,
                               omt_cl_device *devices, cl_context *contexts, int32_t *count,
                               omt_error *err)
{
	omt_cl_device found[OMT_MAX_DEVICES];
	omt_cl_selection selection = {.binaries = binaries, .devices = found};
	omt_status status = select_devices(wanted, &selection, err);
	*count = selection.count < most ? selection.count : most;
	omt_cl_devices_release(found + *count, NULL, selection.count - *count);
	memcpy(devices, found, (size_t)*count * sizeof *devices);
	memset(contexts, 0, (size_t)*count * sizeof *contexts);
	if (status == OMT_OK)
		status = open_contexts(devices, *count, contexts, err);
	if (status != OMT_OK)
		omt_cl_devices_release(devices, contexts, *count);
	return status;
}

void omt_cl_devices_release(omt_cl_device *devices, cl_context *contexts, int32_t count)
{
	for (int32_t i = 0; i < count; i++) {
		if (contexts && contexts[i])
			clReleaseContext(contexts[i]);
		clReleaseDevice(devices[i].device); /* a whole device is not counted */
	}
}
