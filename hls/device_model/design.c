#include "hls/device_model/design.h"

#include <stdlib.h>
#include <string.h>

#include "hls/device_model/xml.h"

enum { FIRST_ARGUMENT = 0x10 };

typedef struct reader {
	omt_xml xml;
	omt_design *design;
	omt_design_kernel *kernel; /* the one open */
	omt_design_unit *unit;     /* the one open */
	uint64_t given;            /* ids of the kernel seen */
} reader;

static omt_status needed(reader *r, const char *name, char *value, omt_error *err)
{
	bool found;
	OMT_TRY(omt_xml_text(&r->xml, name, value, OMT_DESIGN_NAME, &found, err));
	if (!*value)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: %.*s has no %s", r->xml.place,
		                r->xml.line, (int)r->xml.name.bytes, r->xml.name.text, name);
	return OMT_OK;
}

static omt_status open_clock(reader *r, omt_error *err)
{
	char port[OMT_DESIGN_NAME], rate[OMT_DESIGN_NAME];
	bool found;
	OMT_TRY(omt_xml_text(&r->xml, "port", port, sizeof port, &found, err));
	OMT_TRY(omt_xml_text(&r->xml, "frequency", rate, sizeof rate, &found, err));
	double mhz = strtod(rate, NULL); /* "300MHz" */
	if (!strcmp(port, "KERNEL_CLK") && mhz > 0 && mhz < 10000)
		r->design->clock_mhz = mhz;
	return OMT_OK;
}

static omt_status open_kernel(reader *r, omt_error *err)
{
	char control[OMT_DESIGN_NAME];
	bool found;
	if (r->design->kernel_count == OMT_DESIGN_KERNELS)
		return OMT_FAIL(err, LIMIT, "%s:%zu: more than %d kernels", r->xml.place,
		                r->xml.line, OMT_DESIGN_KERNELS);
	r->kernel = &r->design->kernels[r->design->kernel_count++];
	r->given = 0;
	*r->kernel = (omt_design_kernel){.range = OMT_DESIGN_RANGE};
	OMT_TRY(omt_xml_text(&r->xml, "hwControlProtocol", control, sizeof control, &found, err));
	r->kernel->chain = !strcmp(control, "ap_ctrl_chain");
	return needed(r, "name", r->kernel->name, err);
}

static omt_status open_port(reader *r, omt_error *err)
{
	char mode[OMT_DESIGN_NAME];
	uint64_t range = r->kernel->range;
	bool found;
	OMT_TRY(omt_xml_text(&r->xml, "mode", mode, sizeof mode, &found, err));
	if (strcmp(mode, "slave"))
		return OMT_OK;
	OMT_TRY(omt_xml_number(&r->xml, "range", OMT_DESIGN_RANGE, &range, err));
	r->kernel->range = (uint32_t)range;
	return OMT_OK;
}

static omt_status open_arg(reader *r, omt_error *err)
{
	char name[OMT_DESIGN_NAME];
	uint64_t id = UINT64_MAX, offset = 0, bytes = 0, qualifier = 9;
	OMT_TRY(needed(r, "name", name, err));
	OMT_TRY(omt_xml_number(&r->xml, "id", OMT_DESIGN_ARGS - 1, &id, err));
	OMT_TRY(omt_xml_number(&r->xml, "offset", OMT_DESIGN_RANGE, &offset, err));
	OMT_TRY(omt_xml_number(&r->xml, "size", 8, &bytes, err));
	OMT_TRY(omt_xml_number(&r->xml, "addressQualifier", 9, &qualifier, err));
	if (id == UINT64_MAX || qualifier > 1 || r->given >> id & 1)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: argument %s of %s has %s", r->xml.place,
		                r->xml.line, name, r->kernel->name,
		                id == UINT64_MAX ? "no id"
		                : qualifier > 1  ? "an addressQualifier that is not 0 or 1"
		                                 : "the id of another");
	if (qualifier ? bytes != 8 : bytes != 4 && bytes != 8)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: argument %s of %s has a size of %llu",
		                r->xml.place, r->xml.line, name, r->kernel->name,
		                (unsigned long long)bytes);
	omt_design_arg *arg = &r->kernel->args[id];
	*arg = (omt_design_arg){"", (uint32_t)offset, (uint32_t)bytes, qualifier == 1};
	memcpy(arg->name, name, sizeof name);
	r->given |= (uint64_t)1 << id;
	if (id >= r->kernel->arg_count)
		r->kernel->arg_count = (size_t)id + 1;
	return OMT_OK;
}

static omt_status open_instance(reader *r, omt_error *err)
{
	if (r->design->unit_count == OMT_DESIGN_UNITS)
		return OMT_FAIL(err, LIMIT, "%s:%zu: more than %d compute units", r->xml.place,
		                r->xml.line, OMT_DESIGN_UNITS);
	r->unit = &r->design->units[r->design->unit_count++];
	*r->unit = (omt_design_unit){.kernel = (size_t)(r->kernel - r->design->kernels),
	                             .base = UINT64_MAX};
	return needed(r, "name", r->unit->name, err);
}

static omt_status open_remap(reader *r, omt_error *err)
{
	/* The shim keeps addresses of units in 32 bits. */
	return omt_xml_number(&r->xml, "base", UINT32_MAX, &r->unit->base, err);
}

static omt_status close_kernel(reader *r, omt_error *err)
{
	const omt_design_kernel *kernel = r->kernel;
	for (size_t i = 0; i < kernel->arg_count; i++) {
		const omt_design_arg *arg = &kernel->args[i];
		const char *what = NULL;
		if (!(r->given >> i & 1))
			return OMT_FAIL(err, BAD_FORMAT, "%s: %s has no argument with id %zu",
			                r->xml.place, kernel->name, i);
		if (arg->offset < FIRST_ARGUMENT || arg->offset % 4 ||
		    (uint64_t)arg->offset + arg->bytes > kernel->range)
			what = "lies outside of the registers";
		for (size_t k = 0; k < i; k++)
			if (arg->offset < kernel->args[k].offset + kernel->args[k].bytes &&
			    kernel->args[k].offset < arg->offset + arg->bytes)
				what = "overlaps another argument";
		if (what)
			return OMT_FAIL(err, BAD_FORMAT, "%s: argument %s of %s at 0x%x %s",
			                r->xml.place, arg->name, kernel->name, arg->offset, what);
	}
	r->kernel = NULL;
	return OMT_OK;
}

static omt_status close_instance(reader *r, omt_error *err)
{
	const omt_design_unit *unit = r->unit;
	if (unit->base == UINT64_MAX || unit->base % 4096)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: compute unit %s has no address of whole pages", r->xml.place,
		                unit->name);
	for (const omt_design_unit *other = r->design->units; other < unit; other++)
		if (unit->base < other->base + r->design->kernels[other->kernel].range &&
		    other->base < unit->base + r->kernel->range)
			return OMT_FAIL(err, BAD_FORMAT, "%s: compute units %s and %s overlap",
			                r->xml.place, other->name, unit->name);
	r->unit = NULL;
	return OMT_OK;
}

/* within: 0 anywhere, 1 a kernel, 2 an instance of it. */
static const struct element {
	const char *name;
	int within;
	omt_status (*open)(reader *r, omt_error *err);
	omt_status (*close)(reader *r, omt_error *err);
} elements[] = {
	{"clock", 0, open_clock, NULL},
	{"kernel", 0, open_kernel, close_kernel},
	{"port", 1, open_port, NULL},
	{"arg", 1, open_arg, NULL},
	{"instance", 1, open_instance, close_instance},
	{"addrRemap", 2, open_remap, NULL},
};

static omt_status take(reader *r, omt_xml_kind kind, omt_error *err)
{
	for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
		const struct element *element = &elements[i];
		int within = r->unit ? 2 : r->kernel ? 1 : 0;
		if (!omt_xml_is(&r->xml, element->name))
			continue;
		if (kind == OMT_XML_CLOSE)
			return element->close ? element->close(r, err) : OMT_OK;
		if (within != element->within)
			return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: %s does not belong there",
			                r->xml.place, r->xml.line, element->name);
		return element->open(r, err);
	}
	return OMT_OK;
}

omt_status omt_design_read(const char *place, const char *text, size_t bytes, omt_design *design,
                           omt_error *err)
{
	reader r = {.design = design};
	omt_xml_kind kind;
	*design = (omt_design){0};
	omt_xml_start(&r.xml, place, text, bytes);
	for (;;) {
		OMT_TRY(omt_xml_next(&r.xml, &kind, err));
		if (kind == OMT_XML_END)
			return OMT_OK;
		OMT_TRY(take(&r, kind, err));
	}
}
