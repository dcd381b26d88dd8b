#include "hls/device_model/design.h"

#include <string.h>

#include "base/json.h"
#include "exec/xclbin.h"

enum { FIRST_ARGUMENT = 0x10 };

/* The i-th object of an array of `in`, which the reader always makes. */
static omt_json object_at(omt_json in, const char *array, size_t i)
{
	return (omt_json){in.place, json_array_get(json_object_get(in.object, array), i)};
}

static size_t count_of(omt_json in, const char *array)
{
	return json_array_size(json_object_get(in.object, array));
}

static omt_status read_name(omt_json in, char name[OMT_DESIGN_NAME], omt_error *err)
{
	const char *text = "";
	OMT_TRY(omt_json_string(in, "name", &text, err));
	if (!*text || strlen(text) >= OMT_DESIGN_NAME)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is no name of 1 to %d bytes", in.place,
		                text, OMT_DESIGN_NAME - 1);
	strcpy(name, text);
	return OMT_OK;
}

/* Of the first slave port; the whole range when none says. */
static omt_status read_range(omt_json in, uint32_t *range, omt_error *err)
{
	int64_t bytes = OMT_DESIGN_RANGE;
	for (size_t i = count_of(in, "ports"); i-- > 0;) {
		const char *mode = "";
		omt_json port = object_at(in, "ports", i);
		OMT_TRY(omt_json_string(port, "mode", &mode, err));
		if (!strcmp(mode, "slave"))
			OMT_TRY(omt_json_int64(port, "range", FIRST_ARGUMENT, OMT_DESIGN_RANGE,
			                       &bytes, err));
	}
	*range = (uint32_t)bytes;
	return OMT_OK;
}

static omt_status read_arg(omt_json in, omt_design_kernel *kernel, uint64_t *given, omt_error *err)
{
	omt_design_arg arg = {0};
	int64_t id = -1, offset = 0, bytes = 0, qualifier = 0;
	OMT_TRY(read_name(in, arg.name, err));
	OMT_TRY(omt_json_int64(in, "id", 0, OMT_DESIGN_ARGS - 1, &id, err));
	OMT_TRY(omt_json_int64(in, "offset", 0, OMT_DESIGN_RANGE, &offset, err));
	OMT_TRY(omt_json_int64(in, "size", 4, 8, &bytes, err));
	OMT_TRY(omt_json_int64(in, "addressQualifier", 0, 1, &qualifier, err));
	if (id < 0 || *given >> id & 1)
		return OMT_FAIL(err, BAD_FORMAT, "%s: argument %s of %s has %s", in.place, arg.name,
		                kernel->name, id < 0 ? "no id" : "the id of another");
	if (bytes % 4 || (qualifier && bytes != 8))
		return OMT_FAIL(err, BAD_FORMAT, "%s: argument %s of %s has %lld bytes", in.place,
		                arg.name, kernel->name, (long long)bytes);
	arg.offset = (uint32_t)offset;
	arg.bytes = (uint32_t)bytes;
	arg.buffer = qualifier == 1;
	kernel->args[id] = arg;
	*given |= (uint64_t)1 << id;
	if ((size_t)id >= kernel->arg_count)
		kernel->arg_count = (size_t)id + 1;
	return OMT_OK;
}

static omt_status check_args(omt_json in, const omt_design_kernel *kernel, uint64_t given,
                             omt_error *err)
{
	for (size_t i = 0; i < kernel->arg_count; i++) {
		const omt_design_arg *arg = &kernel->args[i];
		const char *what = NULL;
		if (!(given >> i & 1))
			return OMT_FAIL(err, BAD_FORMAT, "%s: %s has no argument with id %zu",
			                in.place, kernel->name, i);
		if (arg->offset < FIRST_ARGUMENT || arg->offset % 4 ||
		    (uint64_t)arg->offset + arg->bytes > kernel->range)
			what = "lies outside of the registers";
		for (size_t k = 0; k < i; k++)
			if (arg->offset < kernel->args[k].offset + kernel->args[k].bytes &&
			    kernel->args[k].offset < arg->offset + arg->bytes)
				what = "overlaps another argument";
		if (what)
			return OMT_FAIL(err, BAD_FORMAT, "%s: argument %s of %s at 0x%x %s",
			                in.place, arg->name, kernel->name, arg->offset, what);
	}
	return OMT_OK;
}

static omt_status read_unit(omt_json in, omt_design *design, size_t kernel, omt_error *err)
{
	if (design->unit_count == OMT_DESIGN_UNITS)
		return OMT_FAIL(err, LIMIT, "%s: more than %d compute units", in.place,
		                OMT_DESIGN_UNITS);
	omt_design_unit *unit = &design->units[design->unit_count];
	int64_t base = -1;
	*unit = (omt_design_unit){.kernel = kernel};
	OMT_TRY(read_name(in, unit->name, err));
	/* The shim keeps addresses of units in 32 bits. */
	OMT_TRY(omt_json_int64(in, "base", 0, UINT32_MAX, &base, err));
	if (base < 0 || base % 4096)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: compute unit %s has no address of whole pages", in.place,
		                unit->name);
	unit->base = (uint64_t)base;
	for (const omt_design_unit *other = design->units; other < unit; other++)
		if (unit->base < other->base + design->kernels[other->kernel].range &&
		    other->base < unit->base + design->kernels[kernel].range)
			return OMT_FAIL(err, BAD_FORMAT, "%s: compute units %s and %s overlap",
			                in.place, other->name, unit->name);
	design->unit_count++;
	return OMT_OK;
}

static omt_status read_kernel(omt_json in, omt_design *design, size_t i, omt_error *err)
{
	omt_design_kernel *kernel = &design->kernels[i];
	const char *protocol = "";
	uint64_t given = 0;
	OMT_TRY(read_name(in, kernel->name, err));
	OMT_TRY(omt_json_string(in, "hwControlProtocol", &protocol, err));
	OMT_TRY(read_range(in, &kernel->range, err));
	kernel->chain = !strcmp(protocol, "ap_ctrl_chain");
	for (size_t k = 0; k < count_of(in, "args"); k++)
		OMT_TRY(read_arg(object_at(in, "args", k), kernel, &given, err));
	OMT_TRY(check_args(in, kernel, given, err));
	for (size_t k = 0; k < count_of(in, "instances"); k++)
		OMT_TRY(read_unit(object_at(in, "instances", k), design, i, err));
	return OMT_OK;
}

omt_status omt_design_read(const char *place, const char *text, size_t bytes, omt_design *design,
                           omt_error *err)
{
	json_t *root = NULL;
	omt_status status = OMT_OK;
	*design = (omt_design){0};
	OMT_TRY(omt_xclbin_xml_read(place, text, bytes, &root, err));
	omt_json in = {place, root};
	const size_t kernels = count_of(in, "kernels");
	if (kernels > OMT_DESIGN_KERNELS)
		status =
			OMT_FAIL(err, LIMIT, "%s: more than %d kernels", place, OMT_DESIGN_KERNELS);
	if (!status)
		status = omt_json_real(in, "clock_mhz", 0, 10000, &design->clock_mhz, err);
	for (size_t i = 0; !status && i < kernels; i++, design->kernel_count = i)
		status = read_kernel(object_at(in, "kernels", i), design, i, err);
	json_decref(root);
	return status;
}
