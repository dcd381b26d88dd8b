#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "exec/xclbin.h"

static json_t *hex(const uint8_t *data, size_t bytes)
{
	char text[65] = "";
	for (size_t i = 0; i < bytes && i < 32; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return json_string(text);
}

/* A text of a fixed place, which need not end in NUL. */
static json_t *fixed_text(const char *text, size_t room)
{
	char *copy = strndup(text, room);
	json_t *value = copy ? omt_json_text(copy) : NULL;
	free(copy);
	return value;
}

/* Addresses above what JSON's integers hold are told as text. */
static json_t *number(uint64_t value)
{
	return value <= INT64_MAX ? json_integer((json_int_t)value)
	                          : json_sprintf("0x%llx", (unsigned long long)value);
}

static json_t *name_or_number(const char *name, uint32_t value)
{
	return name ? json_string(name) : json_integer(value);
}

static void describe_head(const omt_xclbin *file, json_t *to)
{
	const omt_axlf_head *head = &file->head;
	char digest[OMT_DIGEST_TEXT] = "";
	(void)omt_digest_data(file->data, file->bytes, digest, NULL);
	json_object_set_new(to, "file", omt_json_text(file->path));
	json_object_set_new(to, "bytes", number(file->bytes));
	json_object_set_new(to, "digest", json_string(digest));
	json_object_set_new(to, "uuid", hex(head->uuid, sizeof head->uuid));
	json_object_set_new(to, "interface_uuid", hex(head->interface_uuid, 16));
	json_object_set_new(to, "mode",
	                    name_or_number(omt_xclbin_mode_name(head->mode), head->mode));
	json_object_set_new(to, "platform", fixed_text(head->platform, sizeof head->platform));
	json_object_set_new(to, "time_stamp", number(head->time_stamp));
	json_object_set_new(to, "version",
	                    json_sprintf("%u.%u.%u", head->version_major, head->version_minor,
	                                 head->version_patch));
	json_object_set_new(to, "signature_bytes",
	                    json_integer(head->signature_bytes > 0 ? head->signature_bytes : 0));
}

static json_t *describe_sections(const omt_xclbin *file)
{
	json_t *list = json_array();
	for (size_t i = 0; i < file->count; i++) {
		const omt_axlf_section *s = &file->sections[i];
		json_t *section = json_object();
		json_object_set_new(section, "kind",
		                    name_or_number(omt_xclbin_kind_name(s->kind), s->kind));
		json_object_set_new(section, "name", fixed_text(s->name, sizeof s->name));
		json_object_set_new(section, "offset", number(s->offset));
		json_object_set_new(section, "bytes", number(s->bytes));
		json_array_append_new(list, section);
	}
	return list;
}

/* ---- tables ---- */

static json_t *describe_bank(const omt_xclbin *file, omt_axlf_kind kind, size_t i)
{
	omt_axlf_bank bank;
	omt_xclbin_entry(file, kind, i, &bank);
	json_t *object = json_pack("{si sb}", "bank", (int)i, "used", bank.used != 0);
	json_object_set_new(object, "type",
	                    name_or_number(omt_xclbin_memory_name(bank.type), bank.type));
	json_object_set_new(object, "tag", fixed_text(bank.tag, sizeof bank.tag));
	json_object_set_new(object, "kbytes", number(bank.kbytes));
	json_object_set_new(object, "base", number(bank.base));
	return object;
}

static json_t *describe_ip(const omt_xclbin *file, omt_axlf_kind kind, size_t i)
{
	omt_axlf_ip ip;
	omt_xclbin_entry(file, kind, i, &ip);
	json_t *object =
		json_pack("{si si}", "type", (int)ip.type, "control",
	                  (int)((ip.properties & OMT_AXLF_CONTROL_MASK) >> OMT_AXLF_CONTROL_SHIFT));
	json_object_set_new(object, "name", fixed_text(ip.name, sizeof ip.name));
	json_object_set_new(object, "base", number(ip.base));
	return object;
}

static json_t *describe_connection(const omt_xclbin *file, omt_axlf_kind kind, size_t i)
{
	omt_axlf_connection connection;
	omt_xclbin_entry(file, kind, i, &connection);
	return json_pack("{si si si}", "argument", (int)connection.argument, "unit",
	                 (int)connection.ip, "bank", (int)connection.bank);
}

static json_t *describe_clock(const omt_xclbin *file, omt_axlf_kind kind, size_t i)
{
	omt_axlf_clock clock;
	omt_xclbin_entry(file, kind, i, &clock);
	json_t *object = json_pack("{si si}", "mhz", (int)clock.mhz, "type", (int)clock.type);
	json_object_set_new(object, "name", fixed_text(clock.name, sizeof clock.name));
	return object;
}

static void add_error(json_t *to, const omt_error *err)
{
	json_array_append_new(json_object_get(to, "errors"), omt_json_text(err->text));
}

static void describe_tables(const omt_xclbin *file, json_t *to)
{
	static const struct {
		const char *key;
		omt_axlf_kind kind;
		json_t *(*describe)(const omt_xclbin *file, omt_axlf_kind kind, size_t i);
	} tables[] = {
		{"banks", OMT_AXLF_MEM_TOPOLOGY, describe_bank},
		{"units", OMT_AXLF_IP_LAYOUT, describe_ip},
		{"connections", OMT_AXLF_CONNECTIVITY, describe_connection},
		{"clocks", OMT_AXLF_CLOCK_FREQ_TOPOLOGY, describe_clock},
		{"groups", OMT_AXLF_ASK_GROUP_TOPOLOGY, describe_bank},
		{"group_connections", OMT_AXLF_ASK_GROUP_CONNECTIVITY, describe_connection},
	};
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
		json_t *list = json_array();
		size_t count;
		omt_error err;
		if (omt_xclbin_entries(file, tables[t].kind, &count, &err) != OMT_OK)
			add_error(to, &err);
		for (size_t i = 0; i < count; i++)
			json_array_append_new(list, tables[t].describe(file, tables[t].kind, i));
		json_object_set_new(to, tables[t].key, list);
	}
}

static void describe_build(const omt_xclbin *file, json_t *to)
{
	const omt_axlf_section *section = omt_xclbin_section(file, OMT_AXLF_BUILD_METADATA);
	json_t *root = section ? json_loadb((const char *)file->data + section->offset,
	                                    section->bytes, JSON_DISABLE_EOF_CHECK, NULL)
	                       : NULL;
	if (section)
		json_object_set_new(to, "build", root ? root : json_null());
}

json_t *omt_xclbin_describe(const omt_xclbin *file)
{
	json_t *to = json_pack("{s[]}", "errors"), *design, *values;
	omt_error err;
	if (!to)
		return NULL;
	describe_head(file, to);
	json_object_set_new(to, "sections", describe_sections(file));
	describe_tables(file, to);
	describe_build(file, to);
	values = omt_xclbin_values(file);
	if (values)
		json_object_set_new(to, "values", values);
	if (omt_xclbin_design(file, &design, &err) == OMT_OK)
		json_object_set_new(to, "design", design);
	else
		add_error(to, &err);
	return to;
}
