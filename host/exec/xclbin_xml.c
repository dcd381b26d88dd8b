/* EMBEDDED_METADATA: project / platform / device / core / kernel. Tables name the attributes that
 * are read and written; what else vendors' tools write is passed over. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "exec/xclbin.h"

#define MAX_ELEMENTS 1024 /* of a kind within one */

typedef struct attribute {
	const char *name;                 /* NULL ends a table */
	enum { TEXT, DECIMAL, HEX } type; /* numbers are read with any base */
	bool required;
} attribute;

typedef struct element {
	const char *tag, *key; /* "arg": an array "args" */
	const attribute *attributes;
} element;

static const attribute port_attributes[] = {
	{"name", TEXT, true},
	{"mode", TEXT, true},
	{"range", HEX, false},
	{"dataWidth", HEX, false},
	{"portType", TEXT, false},
	{"base", HEX, false},
	{0},
};
static const attribute arg_attributes[] = {
	{"name", TEXT, true},    {"addressQualifier", DECIMAL, true},
	{"id", DECIMAL, true},   {"port", TEXT, false},
	{"size", HEX, true},     {"offset", HEX, true},
	{"type", TEXT, false},   {"hostOffset", HEX, false},
	{"hostSize", HEX, true}, {0},
};
static const attribute instance_attributes[] = {{"name", TEXT, true}, {0}};
static const attribute kernel_attributes[] = {
	{"name", TEXT, true},
	{"language", TEXT, false},
	{"type", TEXT, false},
	{"workGroupSize", DECIMAL, false},
	{"hwControlProtocol", TEXT, false},
	{0},
};

static const element kernel_elements[] = {
	{"port", "ports", port_attributes},
	{"arg", "args", arg_attributes},
	{"instance", "instances", instance_attributes},
	{0},
};

/* ---- reading ---- */

typedef struct reader {
	const char *place;
	omt_error *err;
} reader;

static const xmlNode *child_named(const xmlNode *parent, const char *name)
{
	const xmlNode *child = parent ? parent->children : NULL;
	while (child &&
	       !(child->type == XML_ELEMENT_NODE && !strcmp((const char *)child->name, name)))
		child = child->next;
	return child;
}

static const xmlNode *next_named(const xmlNode *node)
{
	const xmlChar *name = node->name;
	do
		node = node->next;
	while (node && !(node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, name)));
	return node;
}

/* Given, free(); NULL: not there, or no memory. */
static char *attribute_text(const xmlNode *node, const char *name)
{
	xmlChar *text = xmlGetNoNsProp((xmlNode *)(uintptr_t)node, (const xmlChar *)name);
	char *copy = text ? strdup((const char *)text) : NULL;
	xmlFree(text);
	return copy;
}

/* A number of any base that fits; else the text as it is. */
static json_t *number_or_text(const char *text)
{
	char *end;
	errno = 0;
	const unsigned long long value = strtoull(text, &end, 0);
	if (end == text || *end || errno || *text == '-' || value > LLONG_MAX)
		return json_string(text);
	return json_integer((json_int_t)value);
}

static omt_status read_attribute(const reader *in, const xmlNode *node, const attribute *a,
                                 json_t *object)
{
	char *text = attribute_text(node, a->name);
	if (!text && a->required)
		return OMT_FAIL(in->err, BAD_FORMAT,
		                "%s: EMBEDDED_METADATA:%ld: <%s> has no attribute \"%s\"",
		                in->place, xmlGetLineNo((xmlNode *)(uintptr_t)node), node->name,
		                a->name);
	if (!text)
		return OMT_OK;
	/* An id may be empty: the argument has no number. */
	json_t *value = !*text && a->type != TEXT ? json_null()
	                : a->type == TEXT         ? json_string(text)
	                                          : number_or_text(text);
	const int failed = json_object_set_new(object, a->name, value);
	free(text);
	return failed ? OMT_FAIL(in->err, NO_MEMORY, "%s: EMBEDDED_METADATA", in->place) : OMT_OK;
}

static omt_status read_attributes(const reader *in, const xmlNode *node,
                                  const attribute *attributes, json_t *object)
{
	for (const attribute *a = attributes; a->name; a++)
		OMT_TRY(read_attribute(in, node, a, object));
	return OMT_OK;
}

/* The next object of an array, which keeps it. */
static json_t *add_object(json_t *array)
{
	json_t *object = json_object();
	return json_array_append_new(array, object) == 0 ? object : NULL;
}

static omt_status read_elements(const reader *in, const xmlNode *parent, const element *e,
                                json_t *object)
{
	static const attribute remap[] = {{"base", HEX, false}, {0}};
	json_t *array = json_array();
	if (json_object_set_new(object, e->key, array) != 0)
		return OMT_FAIL(in->err, NO_MEMORY, "%s: EMBEDDED_METADATA", in->place);
	for (const xmlNode *node = child_named(parent, e->tag); node; node = next_named(node)) {
		json_t *next = json_array_size(array) < MAX_ELEMENTS ? add_object(array) : NULL;
		if (!next)
			return OMT_FAIL(in->err, LIMIT, "%s: EMBEDDED_METADATA: too many <%s>",
			                in->place, e->tag);
		OMT_TRY(read_attributes(in, node, e->attributes, next));
		const xmlNode *addresses = child_named(node, "addrRemap");
		if (addresses)
			OMT_TRY(read_attributes(in, addresses, remap, next));
	}
	return OMT_OK;
}

static omt_status read_kernels(const reader *in, const xmlNode *core, json_t *design)
{
	static const element kernels = {"kernel", "kernels", kernel_attributes};
	OMT_TRY(read_elements(in, core, &kernels, design));
	const json_t *array = json_object_get(design, "kernels");
	const xmlNode *node = child_named(core, "kernel");
	for (size_t i = 0; node; node = next_named(node), i++)
		for (const element *e = kernel_elements; e->tag; e++)
			OMT_TRY(read_elements(in, node, e, json_array_get(array, i)));
	return OMT_OK;
}

/* "300MHz" of the clock that drives the kernels. */
static void read_clock(const xmlNode *core, json_t *design)
{
	const xmlNode *clock = child_named(child_named(core, "kernelClocks"), "clock");
	for (; clock; clock = next_named(clock)) {
		char *port = attribute_text(clock, "port");
		char *frequency = attribute_text(clock, "frequency");
		int mhz;
		if (port && frequency && !strcmp(port, "KERNEL_CLK") &&
		    sscanf(frequency, "%9d", &mhz) == 1)
			json_object_set_new(design, "clock_mhz", json_integer(mhz));
		free(port);
		free(frequency);
	}
}

static omt_status read_project(const reader *in, const xmlNode *project, json_t *design)
{
	static const attribute own[] = {{"name", TEXT, false}, {0}};
	static const attribute of_device[] = {{"fpgaDevice", TEXT, false}, {0}};
	static const attribute of_core[] = {{"target", TEXT, false}, {0}};
	const xmlNode *platform = child_named(project, "platform");
	const xmlNode *device = child_named(platform, "device");
	const xmlNode *core = child_named(device, "core");
	if (!project || strcmp((const char *)project->name, "project") || !core)
		return OMT_FAIL(in->err, BAD_FORMAT,
		                "%s: EMBEDDED_METADATA: no project/platform/device/core",
		                in->place);
	OMT_TRY(read_attributes(in, project, own, design));
	OMT_TRY(read_attributes(in, device, of_device, design));
	OMT_TRY(read_attributes(in, core, of_core, design));
	read_clock(core, design);
	return read_kernels(in, core, design);
}

static omt_status read_document(const reader *in, xmlParserCtxtPtr parser, const char *text,
                                size_t bytes, json_t *design)
{
	xmlDocPtr document = xmlCtxtReadMemory(parser, text, (int)bytes, NULL, NULL,
	                                       XML_PARSE_NONET | XML_PARSE_NOERROR |
	                                               XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	const xmlError *error = xmlCtxtGetLastError(parser);
	omt_status status;
	if (!document)
		return OMT_FAIL(in->err, BAD_FORMAT, "%s: EMBEDDED_METADATA:%d: not XML: %.*s",
		                in->place, error ? error->line : 0,
		                error && error->message ? (int)strcspn(error->message, "\n") : 0,
		                error && error->message ? error->message : "");
	if (document->intSubset)
		status = OMT_FAIL(in->err, UNSUPPORTED, "%s: EMBEDDED_METADATA: a document type",
		                  in->place);
	else
		status = read_project(in, xmlDocGetRootElement(document), design);
	xmlFreeDoc(document);
	return status;
}

omt_status omt_xclbin_xml_read(const char *place, const char *text, size_t bytes, json_t **design,
                               omt_error *err)
{
	const reader in = {place, err};
	while (bytes && !text[bytes - 1]) /* some tools count the string's end */
		bytes--;
	*design = NULL;
	if (!bytes || bytes > INT_MAX)
		return OMT_FAIL(err, BAD_FORMAT, "%s: EMBEDDED_METADATA has %zu bytes", place,
		                bytes);
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	*design = json_object();
	omt_status status = parser && *design
	                            ? read_document(&in, parser, text, bytes, *design)
	                            : OMT_FAIL(err, NO_MEMORY, "%s: EMBEDDED_METADATA", place);
	xmlFreeParserCtxt(parser);
	if (status != OMT_OK) {
		json_decref(*design);
		*design = NULL;
	}
	return status;
}

/* ---- writing ---- */

static void write_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		const char *mark = strchr("<>&\"", *text);
		static const char *const escaped[] = {"&lt;", "&gt;", "&amp;", "&quot;"};
		if (mark)
			fputs(escaped[mark - "<>&\""], to);
		else
			fputc(*text, to);
	}
}

static void write_attributes(FILE *to, const attribute *attributes, const json_t *object)
{
	for (const attribute *a = attributes; a->name; a++) {
		const json_t *value = json_object_get(object, a->name);
		if (!value)
			continue;
		fprintf(to, " %s=\"", a->name);
		if (json_is_string(value))
			write_text(to, json_string_value(value));
		else if (json_is_integer(value))
			fprintf(to, a->type == HEX ? "0x%llx" : "%llu",
			        (unsigned long long)json_integer_value(value));
		fputc('"', to);
	}
}

static void write_kernel(FILE *to, const json_t *kernel)
{
	fputs("        <kernel", to);
	write_attributes(to, kernel_attributes, kernel);
	fputs(" interrupt=\"false\">\n", to);
	for (const element *e = kernel_elements; e->tag; e++) {
		size_t i;
		json_t *object;
		json_array_foreach(json_object_get(kernel, e->key), i, object)
		{
			const json_t *base = json_object_get(object, "base");
			fprintf(to, "          <%s", e->tag);
			write_attributes(to, e->attributes, object);
			if (e->attributes == instance_attributes && base)
				fprintf(to,
				        "><addrRemap base=\"0x%llx\" range=\"0x10000\" "
				        "port=\"S_AXI_CONTROL\"/></%s>\n",
				        (unsigned long long)json_integer_value(base), e->tag);
			else
				fputs("/>\n", to);
		}
	}
	fputs("          <compileWorkGroupSize x=\"1\" y=\"1\" z=\"1\"/>\n"
	      "          <maxWorkGroupSize x=\"1\" y=\"1\" z=\"1\"/>\n        </kernel>\n",
	      to);
}

static void write_design(FILE *to, const json_t *design)
{
	size_t i;
	json_t *kernel;
	const struct {
		const char *before, *key;
	} texts[] = {
		{"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project name=\"", "name"},
		{"\">\n  <platform vendor=\"omnitile\" boardid=\"", "board"},
		{"\" name=\"", "platform"},
		{"\" featureRomTime=\"0\">\n    <version major=\"1\" minor=\"0\"/>\n"
	         "    <device name=\"fpga0\" fpgaDevice=\"",
	         "fpgaDevice"},
		{"\">\n      <core name=\"OCL_REGION_0\" target=\"", "target"},
	};
	for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
		const char *value = json_string_value(json_object_get(design, texts[j].key));
		fputs(texts[j].before, to);
		write_text(to, value ? value : "");
	}
	const long long mhz = json_integer_value(json_object_get(design, "clock_mhz"));
	fputs("\" type=\"clc_region\">\n        <kernelClocks>\n", to);
	fprintf(to, "          <clock port=\"DATA_CLK\" frequency=\"%lldMHz\"/>\n", mhz);
	fprintf(to, "          <clock port=\"KERNEL_CLK\" frequency=\"%lldMHz\"/>\n", mhz);
	fputs("        </kernelClocks>\n", to);
	json_array_foreach(json_object_get(design, "kernels"), i, kernel)
	{
		write_kernel(to, kernel);
	}
	fputs("      </core>\n    </device>\n  </platform>\n</project>\n", to);
}

char *omt_xclbin_xml_write(const json_t *design)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	if (!to)
		return NULL;
	write_design(to, design);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
