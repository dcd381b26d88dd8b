#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "exec/xclbin.h"

#define MAX_UNITS    128 /* of all kernels: XRT's masks of units */
#define FIRST_BASE   0x1800000
#define BASE_STEP    0x10000
#define REGISTERS    0x1000 /* of a unit */
#define FIRST_OFFSET 0x10
#define CONTENTS     10 /* sections */
#define TOOL         "omnitile"

/* ---- the design ---- */

static json_t *argument(const char *name, const char *type, bool buffer, const char *port,
                        int32_t id, int32_t *offset)
{
	const int32_t size = buffer ? 8 : 4;
	json_t *made = json_pack("{ss ss si si si si si si}", "name", name, "port", port,
	                         "addressQualifier", buffer, "id", id, "size", size, "offset",
	                         *offset, "hostOffset", 0, "hostSize", size);
	json_object_set_new(made, "type", json_sprintf("%s%s", type, buffer ? "*" : ""));
	*offset += size + 4;
	return made;
}

static json_t *arguments(const omt_op_info *info)
{
	static const char *const types[] = {"float", "int", "uchar"};
	json_t *list = json_array();
	int32_t offset = FIRST_OFFSET;
	char port[32];
	for (int32_t i = 0; i < info->buffers; i++) {
		snprintf(port, sizeof port, "M_AXI_GMEM%d", info->buffer[i].bundle);
		json_array_append_new(list,
		                      argument(info->buffer[i].name, types[info->buffer[i].element],
		                               true, port, i, &offset));
	}
	for (int32_t i = 0; i < info->scalars; i++)
		json_array_append_new(list,
		                      argument(info->scalar[i].name, types[info->scalar[i].element],
		                               false, "S_AXI_CONTROL", info->buffers + i, &offset));
	return list;
}

static json_t *ports(const omt_op_info *info)
{
	json_t *list = json_pack("[{ss ss si si ss si}]", "name", "S_AXI_CONTROL", "mode", "slave",
	                         "range", REGISTERS, "dataWidth", 32, "portType", "addressable",
	                         "base", 0);
	for (int32_t i = 0; i < info->ports; i++) {
		json_t *port = json_pack("{ss ss ss si}", "mode", "master", "portType",
		                         "addressable", "range", "0xFFFFFFFFFFFFFFFF", "base", 0);
		json_object_set_new(port, "name", json_sprintf("M_AXI_GMEM%d", i));
		json_array_append_new(list, port);
	}
	return list;
}

static json_t *kernel_design(const omt_op_info *info, const char *name, int32_t units,
                             int32_t *unit)
{
	json_t *instances = json_array();
	for (int32_t i = 1; i <= units; i++) {
		json_t *instance = json_pack("{si}", "base", FIRST_BASE + BASE_STEP * (*unit)++);
		json_object_set_new(instance, "name", json_sprintf("%s_%d", name, i));
		json_array_append_new(instances, instance);
	}
	return json_pack("{ss ss ss si ss so so so}", "name", name, "language", "c", "type", "pl",
	                 "workGroupSize", 1, "hwControlProtocol", "ap_ctrl_hs", "ports",
	                 ports(info), "args", arguments(info), "instances", instances);
}

omt_status omt_xclbin_plan(const omt_bitstream *entry, json_t **design, omt_error *err)
{
	json_t *kernels = json_array();
	int32_t unit = 0;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < entry->kernels[op].name_count; i++) {
			const omt_bitstream_kernel *kernel = &entry->kernels[op];
			json_array_append_new(kernels,
			                      kernel_design(&omt_op_infos[op], kernel->names[i],
			                                    kernel->units, &unit));
		}
	*design = json_pack("{ss ss ss ss ss si so}", "name", entry->name, "platform", TOOL,
	                    "board", entry->card, "fpgaDevice", entry->card, "target",
	                    entry->target, "clock_mhz", (int)entry->clock_mhz, "kernels", kernels);
	if (!*design)
		return OMT_FAIL(err, NO_MEMORY, "%s: a design", entry->name);
	if (unit <= MAX_UNITS)
		return OMT_OK;
	json_decref(*design);
	*design = NULL;
	return OMT_FAIL(err, BAD_ARGUMENT, "%s: %d compute units, XRT has at most %d", entry->name,
	                unit, MAX_UNITS);
}

/* ---- sections ---- */

typedef struct packer {
	const omt_bitstream *entry;
	const omt_xclbin_bank *banks;
	size_t bank_count;
	json_t *design;
	FILE *to; /* the section being written */
	omt_axlf_head head;
	omt_axlf_section sections[CONTENTS];
} packer;

static void write_count(const packer *in, int32_t count, size_t begin)
{
	static const char zeros[8];
	fwrite(&count, sizeof count, 1, in->to);
	fwrite(zeros, 1, begin - sizeof count, in->to);
}

static bool bank_used(const omt_bitstream *entry, size_t bank)
{
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < entry->kernels[op].bank_count; i++)
			if ((size_t)entry->kernels[op].banks[i] == bank)
				return true;
	return false;
}

static void write_topology(const packer *in)
{
	uint64_t base = 0;
	write_count(in, (int32_t)in->bank_count, 8);
	for (size_t i = 0; i < in->bank_count; i++) {
		const omt_xclbin_bank *bank = &in->banks[i];
		omt_axlf_bank entry = {.type = (uint8_t)bank->type,
		                       .used = bank_used(in->entry, i),
		                       .kbytes = bank->bytes / 1024,
		                       .base = base};
		snprintf(entry.tag, sizeof entry.tag, "%s", bank->tag); /* zeros behind it */
		fwrite(&entry, sizeof entry, 1, in->to);
		base += bank->bytes;
	}
}

/* Calls back for each unit, in the order of their bases. */
static void each_unit(const packer *in,
                      void (*put)(const packer *in, const omt_bitstream_kernel *kernel,
                                  const json_t *design, const json_t *instance, int32_t number))
{
	size_t next = 0, i;
	int32_t number = 0;
	json_t *instance;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t name = 0; name < in->entry->kernels[op].name_count; name++) {
			const json_t *kernel =
				json_array_get(json_object_get(in->design, "kernels"), next++);
			json_array_foreach(json_object_get(kernel, "instances"), i, instance)
			{
				put(in, &in->entry->kernels[op], kernel, instance, number++);
			}
		}
}

static void put_ip(const packer *in, const omt_bitstream_kernel *kernel, const json_t *design,
                   const json_t *instance, int32_t number)
{
	omt_axlf_ip ip = {.type = OMT_AXLF_IP_KERNEL,
	                  .base = (uint64_t)json_integer_value(json_object_get(instance, "base"))};
	(void)kernel;
	(void)number;
	snprintf(ip.name, sizeof ip.name, "%s:%s",
	         json_string_value(json_object_get(design, "name")),
	         json_string_value(json_object_get(instance, "name")));
	fwrite(&ip, sizeof ip, 1, in->to);
}

static int32_t buffers_of(const json_t *design)
{
	int32_t count = 0;
	size_t i;
	json_t *arg;
	json_array_foreach(json_object_get(design, "args"), i, arg)
	{
		count += json_integer_value(json_object_get(arg, "addressQualifier")) == 1;
	}
	return count;
}

static void put_connections(const packer *in, const omt_bitstream_kernel *kernel,
                            const json_t *design, const json_t *instance, int32_t number)
{
	const int32_t buffers = buffers_of(design); /* they come first */
	(void)instance;
	for (int32_t i = 0; i < buffers; i++)
		for (int32_t j = 0; j < kernel->bank_count; j++) {
			const omt_axlf_connection connection = {i, number, kernel->banks[j]};
			fwrite(&connection, sizeof connection, 1, in->to);
		}
}

/* The numbers that stand before the tables. */
static void count_units(const packer *in, int32_t *units, int32_t *connections)
{
	size_t next = 0;
	*units = *connections = 0;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < in->entry->kernels[op].name_count; i++, next++) {
			const omt_bitstream_kernel *kernel = &in->entry->kernels[op];
			const json_t *design =
				json_array_get(json_object_get(in->design, "kernels"), next);
			*units += kernel->units;
			*connections += kernel->units * kernel->bank_count * buffers_of(design);
		}
}

static void write_layout(const packer *in)
{
	int32_t units, connections;
	count_units(in, &units, &connections);
	write_count(in, units, 8);
	each_unit(in, put_ip);
}

static void write_connectivity(const packer *in)
{
	int32_t units, connections;
	count_units(in, &units, &connections);
	write_count(in, connections, 4);
	each_unit(in, put_connections);
}

static void write_clocks(const packer *in)
{
	static const struct {
		uint8_t type;
		const char *name;
	} clocks[] = {{OMT_AXLF_CLOCK_DATA, "DATA_CLK"}, {OMT_AXLF_CLOCK_KERNEL, "KERNEL_CLK"}};
	const int16_t count = sizeof clocks / sizeof *clocks;
	fwrite(&count, sizeof count, 1, in->to);
	for (int16_t i = 0; i < count; i++) {
		omt_axlf_clock clock = {.mhz = (uint16_t)in->entry->clock_mhz,
		                        .type = clocks[i].type};
		snprintf(clock.name, sizeof clock.name, "%s", clocks[i].name);
		fwrite(&clock, sizeof clock, 1, in->to);
	}
}

static void write_xml(const packer *in)
{
	char *text = omt_xclbin_xml_write(in->design);
	if (text)
		fputs(text, in->to);
	free(text);
}

static void write_json(const packer *in, json_t *value)
{
	json_dumpf(value, in->to, JSON_COMPACT);
	json_decref(value);
}

static void write_build(const packer *in)
{
	write_json(in, json_pack("{s{s{ss ss} s{s{ss ss} ss ss}}}", "build_metadata", "dsa", "name",
	                         in->entry->card, "vendor", TOOL, "xclbin", "generated_by", "name",
	                         TOOL, "version", OMT_VERSION, "target", in->entry->target, "entry",
	                         in->entry->name));
}

static void add_value(json_t *pairs, const char *key, json_t *value)
{
	json_t *pair = json_pack("{so}", "value", value);
	json_object_set_new(pair, "key", json_sprintf("omnitile.%s", key));
	json_array_append_new(pairs, pair);
}

/* "omnitile.contract": "4", "omnitile.kernel.gemm_feed": "gemm units=2 pe=8". */
static void write_values(const packer *in)
{
	json_t *pairs = json_array();
	add_value(pairs, "entry", json_string(in->entry->name));
	add_value(pairs, "contract", json_sprintf("%d", OMT_CONTRACT_VERSION));
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < in->entry->kernels[op].name_count; i++) {
			const omt_bitstream_kernel *kernel = &in->entry->kernels[op];
			char key[96], text[OMT_XCLBIN_KERNEL_TEXT];
			snprintf(key, sizeof key, "kernel.%s", kernel->names[i]);
			omt_xclbin_kernel_text(op, kernel, text);
			add_value(pairs, key, json_string(text));
		}
	write_json(in, json_pack("{so}", "key_values", pairs));
}

void omt_xclbin_kernel_text(omt_op op, const omt_bitstream_kernel *kernel,
                            char text[OMT_XCLBIN_KERNEL_TEXT])
{
	int used = snprintf(text, OMT_XCLBIN_KERNEL_TEXT, "%s units=%d", omt_op_infos[op].name,
	                    kernel->units);
#define PARAM(name, macro)                                                                       \
	if (kernel->params.name)                                                                 \
		used += snprintf(text + used, (size_t)(OMT_XCLBIN_KERNEL_TEXT - used), " %s=%d", \
		                 #name, kernel->params.name);
	OMT_HLS_PARAM_LIST(PARAM)
#undef PARAM
	(void)used;
}

/* ---- the container ---- */

static const struct {
	omt_axlf_kind kind;
	void (*write)(const packer *in); /* NULL: the binary */
} contents[CONTENTS] = {
	{OMT_AXLF_BITSTREAM, NULL},
	{OMT_AXLF_EMBEDDED_METADATA, write_xml},
	{OMT_AXLF_MEM_TOPOLOGY, write_topology},
	{OMT_AXLF_IP_LAYOUT, write_layout},
	{OMT_AXLF_CONNECTIVITY, write_connectivity},
	{OMT_AXLF_CLOCK_FREQ_TOPOLOGY, write_clocks},
	{OMT_AXLF_BUILD_METADATA, write_build},
	{OMT_AXLF_KEYVALUE_METADATA, write_values},
	{OMT_AXLF_ASK_GROUP_TOPOLOGY, write_topology},
	{OMT_AXLF_ASK_GROUP_CONNECTIVITY, write_connectivity},
};

static omt_status check_entry(const omt_bitstream *entry, size_t banks, omt_error *err)
{
	if (entry->flow != OMT_FLOW_xrt)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: flow %s has no xclbin", entry->name,
		                omt_flow_infos[entry->flow].name);
	if (!(entry->clock_mhz > 0))
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: \"clock_mhz\" is missing", entry->name);
	if (entry->unknown[0])
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: kernel \"%s\" is no op of contract %d",
		                entry->name, entry->unknown, OMT_CONTRACT_VERSION);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &entry->kernels[op];
		if (!kernel->units)
			continue;
		const int32_t last = kernel->banks[kernel->bank_count - 1];
		if ((size_t)last >= banks)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "%s: kernel %s: bank %d, card %s has %zu", entry->name,
			                omt_op_infos[op].name, last, entry->card, banks);
		if (kernel->banks[0] && !strcmp(entry->target, "sw_emu"))
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "%s: kernel %s does not reach bank 0, where XRT puts "
			                "buffers in software emulation",
			                entry->name, omt_op_infos[op].name);
		for (int32_t i = 0; i < kernel->name_count; i++)
			if (2 * strlen(kernel->names[i]) + sizeof ":_16" >
			    sizeof((omt_axlf_ip){0}.name))
				return OMT_FAIL(err, BAD_ARGUMENT, "%s: kernel %s: too long a name",
				                entry->name, kernel->names[i]);
	}
	return OMT_OK;
}

static void pad(FILE *to)
{
	while (ftell(to) % OMT_AXLF_ALIGN)
		fputc(0, to);
}

/* Head and heads of sections are written as zeros and set when all lengths are known. */
static void write_contents(packer *in, const void *binary, size_t binary_bytes)
{
	fwrite(&in->head, sizeof in->head, 1, in->to);
	fwrite(in->sections, sizeof in->sections, 1, in->to);
	for (size_t i = 0; i < CONTENTS; i++) {
		omt_axlf_section *section = &in->sections[i];
		pad(in->to);
		section->kind = contents[i].kind;
		section->offset = (uint64_t)ftell(in->to);
		snprintf(section->name, sizeof section->name, "%.15s", in->entry->name);
		if (contents[i].write)
			contents[i].write(in);
		else
			fwrite(binary, 1, binary_bytes, in->to);
		section->bytes = (uint64_t)ftell(in->to) - section->offset;
	}
	pad(in->to);
}

static void set_head(packer *in, size_t bytes)
{
	omt_axlf_head *head = &in->head;
	memcpy(head->magic, OMT_AXLF_MAGIC, sizeof head->magic);
	memset(head->reserved, 0xff, sizeof head->reserved);
	head->signature_bytes = -1;
	head->version_major = 2;
	head->version_minor = 1;
	head->sections = CONTENTS;
	head->length = bytes;
	snprintf(head->platform, sizeof head->platform, TOOL ":%.40s:1:0", in->entry->card);
	for (uint16_t mode = 0; omt_xclbin_mode_name(mode); mode++)
		if (!strcmp(omt_xclbin_mode_name(mode), in->entry->target))
			head->mode = mode;
}

/* The content without what is made from it: its digest as a uuid of version 8 (RFC 9562). */
omt_status omt_xclbin_uuid(const uint8_t *data, size_t bytes, uint8_t uuid[16], omt_error *err)
{
	omt_axlf_head head;
	char digest[OMT_DIGEST_TEXT];
	memcpy(&head, data, sizeof head);
	memset(head.uuid, 0, sizeof head.uuid);
	head.unique_id = 0;
	const omt_piece pieces[] = {{&head, sizeof head},
	                            {data + sizeof head, bytes - sizeof head}};
	OMT_TRY(omt_digest_pieces(pieces, 2, digest, err));
	for (int i = 0; i < 16; i++) {
		const char byte[] = {digest[2 * i], digest[2 * i + 1], '\0'};
		uuid[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	uuid[6] = (uint8_t)(0x80 | (uuid[6] & 0x0f));
	uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3f));
	return OMT_OK;
}

static omt_status seal(packer *in, uint8_t *data, size_t bytes, omt_error *err)
{
	set_head(in, bytes);
	memcpy(data, &in->head, sizeof in->head);
	memcpy(data + sizeof in->head, in->sections, sizeof in->sections);
	OMT_TRY(omt_xclbin_uuid(data, bytes, in->head.uuid, err));
	memcpy(&in->head.unique_id, in->head.uuid, sizeof in->head.unique_id);
	memcpy(data, &in->head, sizeof in->head);
	return OMT_OK;
}

omt_status omt_xclbin_pack(const omt_bitstream *entry, const omt_xclbin_bank *banks, size_t count,
                           const void *binary, size_t binary_bytes, uint8_t **data, size_t *bytes,
                           omt_error *err)
{
	packer in = {.entry = entry, .banks = banks, .bank_count = count};
	char *text = NULL;
	omt_status status;
	*data = NULL;
	*bytes = 0;
	OMT_TRY(check_entry(entry, count, err));
	if (!binary_bytes)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: the binary is empty", entry->name);
	OMT_TRY(omt_xclbin_plan(entry, &in.design, err));
	in.to = open_memstream(&text, bytes);
	if (in.to)
		write_contents(&in, binary, binary_bytes);
	const bool whole = in.to && !ferror(in.to);
	const bool closed = in.to && fclose(in.to) == 0;
	status = whole && closed ? seal(&in, (uint8_t *)text, *bytes, err)
	                         : OMT_FAIL(err, NO_MEMORY, "%s: an xclbin", entry->name);
	json_decref(in.design);
	if (status == OMT_OK)
		*data = (uint8_t *)text;
	else
		free(text);
	return status;
}
