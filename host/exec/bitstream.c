#include "exec/bitstream.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"

#define MAX_ENTRIES 256

const omt_flow_info omt_flow_infos[OMT_FLOW_COUNT] = {
	[OMT_FLOW_xrt] = {"xrt", {"hw", "hw_emu", "sw_emu"}},
	[OMT_FLOW_intel] = {"intel", {"hw", "emulation"}},
	[OMT_FLOW_opencl] = {"opencl", {"any"}},
};

char *omt_bitstreams_path(void)
{
	const char *own = getenv("OMT_BITSTREAMS");
	return omt_path_join(own && *own ? own : "bitstreams", "manifest.yaml");
}

/* ---- reading ---- */

/* What an entry says in words that stand for something. */
typedef struct raw_entry {
	omt_bitstream entry;
	char flow[16], banks[16];
} raw_entry;

#define ENTRY_TEXT(member) OMT_FIELD_TEXT_OF(raw_entry, entry.member)

static const omt_field entry_fields[] = {
	{"name", ENTRY_TEXT(name)},
	{"card", ENTRY_TEXT(card)},
	{"flow", OMT_FIELD_TEXT_OF(raw_entry, flow)},
	{"target", ENTRY_TEXT(target)},
	{"platform", ENTRY_TEXT(platform)},
	{"device", ENTRY_TEXT(device)},
	{"contract", OMT_FIELD_OF(INT, raw_entry, entry.contract), 1, 1 << 20},
	{"file", ENTRY_TEXT(file)},
	{"digest", ENTRY_TEXT(digest)},
	{"clock_mhz", OMT_FIELD_OF(REAL, raw_entry, entry.clock_mhz), 1, 10000},
	{"timeout", OMT_FIELD_PART(SECTION)},
	{"banks", OMT_FIELD_TEXT_OF(raw_entry, banks)},
	{"kernels", OMT_FIELD_PART(SECTION)},
	{0},
};

static const omt_field timeout_fields[] = {
	{"factor", OMT_FIELD_OF(REAL, omt_bitstream, timeout_factor), 1, 1e9},
	{"floor_ms", OMT_FIELD_OF(INT, omt_bitstream, timeout_floor_ms), 1, 1 << 30},
	{0},
};

static const omt_field kernel_fields[] = {
	{"units", OMT_FIELD_OF(INT, omt_bitstream_kernel, units), 1, OMT_BITSTREAM_UNITS},
	{"names", OMT_FIELD_PART(LIST)},
	{"bank", OMT_FIELD_PART(LIST)},
	{"params", OMT_FIELD_PART(SECTION)},
	{0},
};

static const omt_field param_fields[] = {
#define PARAM(name, macro) {#name, OMT_FIELD_OF(INT, omt_hls_params, name), 1, 1 << 16},
	OMT_HLS_PARAM_LIST(PARAM)
#undef PARAM
		{0},
};

/* "path:line" of a key, or of the mapping that lacks it. */
static const char *place_of(const omt_yaml *yaml, const char *section, const char *key,
                            char place[512])
{
	char full[256];
	snprintf(full, sizeof full, "%s.%s", section, key);
	const int line = omt_yaml_line(yaml, full);
	snprintf(place, 512, "%s:%d", yaml->path, line ? line : omt_yaml_line(yaml, section));
	return place;
}

/* Names of files and kernels go into paths, commands and programs: nothing that means more there.
 */
static bool is_name(const char *text, const char *also)
{
	if (!isalnum((unsigned char)*text) && *text != '_')
		return false;
	while (isalnum((unsigned char)*text) || (*text && strchr(also, *text)))
		text++;
	return !*text;
}

static omt_status read_names(const omt_yaml *yaml, const char *section, const char *op,
                             omt_bitstream_kernel *kernel, omt_error *err)
{
	char place[512];
	const omt_json in = {place_of(yaml, section, "names", place),
	                     omt_yaml_at(yaml, section).object};
	const json_t *list;
	OMT_TRY(omt_json_list(in, "names", OMT_BITSTREAM_NAMES, &list, err));
	const size_t count = json_array_size(list);
	if (list && !count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"names\" is empty", place);
	kernel->name_count = list ? (int32_t)count : 1;
	snprintf(kernel->names[0], sizeof *kernel->names, "%s", op);
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name || strlen(name) >= sizeof *kernel->names || !is_name(name, "_"))
			return OMT_FAIL(err, BAD_FORMAT, "%s: \"names\"[%zu] is no kernel's name",
			                place, i);
		strcpy(kernel->names[i], name);
	}
	return OMT_OK;
}

/* "0-31", banks side by side, of all kernels that do not say theirs. */
static omt_status read_range(const omt_yaml *yaml, const char *section, const char *text,
                             omt_bitstream_kernel *kernel, omt_error *err)
{
	int first, last, length = 0;
	char place[512];
	if (sscanf(text, "%2d-%2d%n", &first, &last, &length) != 2 || text[length] || first < 0 ||
	    first > last || last >= OMT_BITSTREAM_BANKS)
		return OMT_FAIL(
			err, BAD_FORMAT, "%s: \"banks\" is \"%s\", expected a range like 0-%d",
			place_of(yaml, section, "banks", place), text, OMT_BITSTREAM_BANKS - 1);
	kernel->bank_count = 0;
	for (int bank = first; bank <= last; bank++)
		kernel->banks[kernel->bank_count++] = bank;
	return OMT_OK;
}

/* The kernel's, where its section says them; else they stay. */
static omt_status read_banks(const omt_yaml *yaml, const char *section,
                             omt_bitstream_kernel *kernel, omt_error *err)
{
	char place[512];
	const omt_json in = {place_of(yaml, section, "bank", place),
	                     omt_yaml_at(yaml, section).object};
	size_t count = (size_t)kernel->bank_count;
	OMT_TRY(omt_json_ints(in, "bank", 0, OMT_BITSTREAM_BANKS - 1, kernel->banks,
	                      OMT_BITSTREAM_BANKS, &count, err));
	kernel->bank_count = (int32_t)count;
	if (!count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"bank\" is empty", place);
	for (size_t i = 1; i < count; i++)
		if (kernel->banks[i] <= kernel->banks[i - 1])
			return OMT_FAIL(err, BAD_FORMAT, "%s: \"bank\" does not ascend", place);
	return OMT_OK;
}

/* others: the entry's own keys that its kernels have, too. */
static omt_status read_kernel(const omt_yaml *yaml, const char *entry, const char *op,
                              const omt_bitstream_kernel *others, omt_bitstream_kernel *kernel,
                              omt_error *err)
{
	char section[160], params[192];
	snprintf(section, sizeof section, "%s.kernels.%s", entry, op);
	snprintf(params, sizeof params, "%s.params", section);
	*kernel = *others;
	kernel->line = omt_yaml_line(yaml, section);
	OMT_TRY(omt_fields_read(yaml, section, kernel_fields, kernel, err));
	OMT_TRY(omt_fields_read(yaml, params, param_fields, &kernel->params, err));
	OMT_TRY(read_names(yaml, section, op, kernel, err));
	return read_banks(yaml, section, kernel, err);
}

static omt_op op_named(const char *name)
{
	omt_op op = 0;
	while (op < OMT_OP_COUNT && strcmp(omt_op_infos[op].name, name))
		op++;
	return op;
}

/* Two kernels of one name would be one kernel in the binary. */
static omt_status check_names(const omt_yaml *yaml, const omt_bitstream *entry, omt_error *err)
{
	const char *seen[OMT_OP_COUNT * OMT_BITSTREAM_NAMES];
	size_t count = 0;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int32_t i = 0; i < entry->kernels[op].name_count; i++) {
			const char *name = entry->kernels[op].names[i];
			for (size_t j = 0; j < count; j++)
				if (!strcmp(seen[j], name))
					return OMT_FAIL(err, BAD_FORMAT,
					                "%s:%d: kernel \"%s\" for the second time",
					                yaml->path, entry->kernels[op].line, name);
			seen[count++] = name;
		}
	return OMT_OK;
}

static omt_status read_kernels(const omt_yaml *yaml, const char *section, raw_entry *raw,
                               omt_error *err)
{
	omt_bitstream *entry = &raw->entry;
	char kernels[64];
	const char *name;
	json_t *value;
	snprintf(kernels, sizeof kernels, "%s.kernels", section);
	const json_t *object = omt_yaml_at(yaml, kernels).object;
	omt_bitstream_kernel others = {.units = 1, .bank_count = 1}; /* bank 0 */
	if (*raw->banks)
		OMT_TRY(read_range(yaml, section, raw->banks, &others, err));
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const omt_op op = op_named(name);
		char place[512];
		place_of(yaml, kernels, name, place);
		if (!json_is_object(value) && !json_is_null(value))
			return OMT_FAIL(err, BAD_FORMAT, "%s: kernel \"%s\" is not a mapping",
			                place, name);
		if (op < OMT_OP_COUNT)
			OMT_TRY(read_kernel(yaml, section, name, &others, &entry->kernels[op],
			                    err));
		else if (!entry->unknown[0]) /* told when the entry is used */
			snprintf(entry->unknown, sizeof entry->unknown, "%s", name);
	}
	if (!json_object_size(object))
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: no kernels", yaml->path, entry->line);
	return check_names(yaml, entry, err);
}

static omt_status read_flow(const omt_yaml *yaml, const char *section, raw_entry *raw,
                            omt_error *err)
{
	char place[512];
	omt_flow flow = 0;
	int target = 0;
	while (flow < OMT_FLOW_COUNT && strcmp(omt_flow_infos[flow].name, raw->flow))
		flow++;
	if (flow == OMT_FLOW_COUNT)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: flow \"%s\", expected \"xrt\", \"intel\" or \"opencl\"",
		                place_of(yaml, section, "flow", place), raw->flow);
	raw->entry.flow = flow;
	const char *const *targets = omt_flow_infos[flow].targets;
	while (targets[target] && strcmp(targets[target], raw->entry.target))
		target++;
	if (!targets[target])
		return OMT_FAIL(err, BAD_FORMAT, "%s: target \"%s\" is none of flow %s",
		                place_of(yaml, section, "target", place), raw->entry.target,
		                raw->flow);
	return OMT_OK;
}

static omt_status check_texts(const omt_yaml *yaml, const char *section, const omt_bitstream *entry,
                              omt_error *err)
{
	const struct {
		const char *key, *text;
	} names[] = {{"name", entry->name}, {"card", entry->card}, {"file", entry->file}};
	char place[512];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!is_name(names[i].text, "_-."))
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: \"%s\" is \"%s\", expected letters, digits, - _ .",
			                place_of(yaml, section, names[i].key, place), names[i].key,
			                names[i].text);
	const size_t length = strlen(entry->digest);
	if (length &&
	    (length != OMT_DIGEST_TEXT - 1 || strspn(entry->digest, "0123456789abcdef") != length))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"digest\" is not 64 hexadecimal digits",
		                place_of(yaml, section, "digest", place));
	if (!entry->contract)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"contract\" is missing",
		                place_of(yaml, section, "contract", place));
	return OMT_OK;
}

static omt_status read_entry(const omt_yaml *yaml, size_t number, omt_bitstream *entry,
                             omt_error *err)
{
	raw_entry raw = {.entry = {.timeout_factor = 1000, .timeout_floor_ms = 2000}};
	char section[48], timeout[64];
	snprintf(section, sizeof section, "bitstreams[%zu]", number);
	snprintf(timeout, sizeof timeout, "%s.timeout", section);
	raw.entry.line = omt_yaml_line(yaml, section);
	if (!omt_yaml_at(yaml, section).object)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: an entry that is not a mapping",
		                yaml->path, raw.entry.line);
	OMT_TRY(omt_fields_read(yaml, section, entry_fields, &raw, err));
	OMT_TRY(omt_fields_read(yaml, timeout, timeout_fields, &raw.entry, err));
	OMT_TRY(check_texts(yaml, section, &raw.entry, err));
	OMT_TRY(read_flow(yaml, section, &raw, err));
	OMT_TRY(read_kernels(yaml, section, &raw, err));
	*entry = raw.entry;
	return OMT_OK;
}

static const omt_bitstream *entry_named(const omt_bitstreams *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->entries[i].name, name))
			return &all->entries[i];
	return NULL;
}

static omt_status read_entries(const omt_yaml *yaml, omt_bitstreams *all, omt_error *err)
{
	static const char *const keys[] = {"bitstreams", NULL};
	char place[512];
	const omt_json top = {(snprintf(place, sizeof place, "%s:%d", yaml->path,
	                                omt_yaml_line(yaml, "bitstreams")),
	                       place),
	                      yaml->root};
	const json_t *list;
	OMT_TRY(omt_yaml_only(yaml, "", keys, err));
	OMT_TRY(omt_json_list(top, "bitstreams", MAX_ENTRIES, &list, err));
	const size_t count = json_array_size(list);
	all->entries = calloc(count + !count, sizeof *all->entries);
	if (!all->entries)
		return OMT_FAIL(err, NO_MEMORY, "%s", yaml->path);
	for (size_t i = 0; i < count; i++) {
		omt_bitstream *entry = &all->entries[i];
		OMT_TRY(read_entry(yaml, i, entry, err));
		if (entry_named(all, entry->name))
			return OMT_FAIL(err, BAD_FORMAT, "%s:%d: entry \"%s\" for the second time",
			                yaml->path, entry->line, entry->name);
		all->count++;
	}
	return OMT_OK;
}

/* Of a file that was read; frees it. */
static omt_status take_yaml(omt_yaml *yaml, omt_bitstreams *all, omt_error *err)
{
	all->path = strdup(yaml->path);
	omt_status status = all->path ? read_entries(yaml, all, err)
	                              : OMT_FAIL(err, NO_MEMORY, "%s", yaml->path);
	omt_yaml_free(yaml);
	if (status != OMT_OK)
		omt_bitstreams_free(all);
	return status;
}

omt_status omt_bitstreams_parse(const char *path, const char *text, size_t bytes,
                                omt_bitstreams *all, omt_error *err)
{
	omt_yaml yaml;
	*all = (omt_bitstreams){0};
	OMT_TRY(omt_yaml_parse(path, text, bytes, &yaml, err));
	return take_yaml(&yaml, all, err);
}

omt_status omt_bitstreams_load(const char *path, omt_bitstreams *all, omt_error *err)
{
	omt_yaml yaml;
	*all = (omt_bitstreams){0};
	OMT_TRY(omt_yaml_load(path, &yaml, err));
	return take_yaml(&yaml, all, err);
}

void omt_bitstreams_free(omt_bitstreams *all)
{
	free(all->path);
	free(all->entries);
	*all = (omt_bitstreams){0};
}

/* ---- choosing ---- */

/* What of the device's texts the entry does not fit; NULL: it fits. */
static const char *misfit(const omt_bitstream *entry, const char *platform, const char *device)
{
	if (platform && !strcasestr(platform, entry->platform))
		return "platform";
	return device && !strcasestr(device, entry->device) ? "device" : NULL;
}

static omt_status find_named(const omt_bitstreams *all, const char *name, const char *platform,
                             const char *device, const omt_bitstream **entry, omt_error *err)
{
	char names[256] = "";
	*entry = entry_named(all, name);
	for (size_t i = 0; !*entry && i < all->count; i++) {
		const size_t used = strlen(names);
		snprintf(names + used, sizeof names - used, " %s", all->entries[i].name);
	}
	if (!*entry)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no entry \"%s\" among%s", all->path, name,
		                names);
	const char *wrong = misfit(*entry, platform, device);
	if (!wrong)
		return OMT_OK;
	const bool first = !strcmp(wrong, "platform");
	return OMT_FAIL(err, UNSUPPORTED, "%s:%d: %s: %s \"%s\" is no part of \"%s\"", all->path,
	                (*entry)->line, name, wrong, first ? (*entry)->platform : (*entry)->device,
	                first ? platform : device);
}

omt_status omt_bitstreams_find(const omt_bitstreams *all, const char *name, const char *platform,
                               const char *device, const omt_bitstream **entry, omt_error *err)
{
	*entry = NULL;
	if (name)
		return find_named(all, name, platform, device, entry, err);
	for (size_t i = 0; i < all->count && !(*entry && (*entry)->digest[0]); i++) {
		const omt_bitstream *next = &all->entries[i];
		if (!misfit(next, platform, device) && (!*entry || next->digest[0]))
			*entry = next;
	}
	if (!*entry)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no entry fits \"%s\" of platform \"%s\"",
		                all->path, device ? device : "", platform ? platform : "");
	return OMT_OK;
}

void omt_bitstream_unit(const omt_bitstream *entry, const omt_bitstream_kernel *kernel,
                        int32_t name, int32_t unit, char text[OMT_BITSTREAM_UNIT_TEXT])
{
	const char *own = kernel->names[name];
	if (entry->flow == OMT_FLOW_xrt && kernel->units > 1)
		snprintf(text, OMT_BITSTREAM_UNIT_TEXT, "%s:{%s_%d}", own, own, unit + 1);
	else if (unit)
		snprintf(text, OMT_BITSTREAM_UNIT_TEXT, "%s_%d", own, unit + 1);
	else
		snprintf(text, OMT_BITSTREAM_UNIT_TEXT, "%s", own);
}

/* ---- loading ---- */

char *omt_bitstream_path(const omt_bitstreams *all, const omt_bitstream *entry)
{
	char *folder = omt_path_folder(all->path);
	char *path = folder ? omt_path_join(folder, entry->file) : NULL;
	free(folder);
	return path;
}

omt_status omt_bitstream_check(const omt_bitstreams *all, const omt_bitstream *entry,
                               omt_error *err)
{
	if (entry->contract != OMT_CONTRACT_VERSION)
		return OMT_FAIL(err, MISMATCH,
		                "%s:%d: %s: %s is of contract %d, this omnitile has %d: rebuild it "
		                "with make bitstreams CARD=%s",
		                all->path, entry->line, entry->name, entry->file, entry->contract,
		                OMT_CONTRACT_VERSION, entry->name);
	if (entry->unknown[0])
		return OMT_FAIL(err, MISMATCH,
		                "%s:%d: %s: kernel \"%s\" of %s is no op of contract %d", all->path,
		                entry->line, entry->name, entry->unknown, entry->file,
		                OMT_CONTRACT_VERSION);
	return OMT_OK;
}

static omt_status check_digest(const omt_bitstreams *all, const omt_bitstream *entry,
                               const omt_map *map, omt_error *err)
{
	char digest[OMT_DIGEST_TEXT];
	OMT_TRY(omt_digest_data(map->data, map->bytes, digest, err));
	if (strcmp(digest, entry->digest))
		return OMT_FAIL(err, MISMATCH,
		                "%s:%d: %s: %s has digest %s, the manifest says %s: rebuild it "
		                "with make bitstreams CARD=%s",
		                all->path, entry->line, entry->name, entry->file, digest,
		                entry->digest, entry->name);
	return OMT_OK;
}

omt_status omt_bitstream_load(const omt_bitstreams *all, const omt_bitstream *entry, omt_map *map,
                              omt_error *err)
{
	*map = (omt_map){0};
	OMT_TRY(omt_bitstream_check(all, entry, err));
	if (!entry->digest[0])
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s:%d: %s: %s is not built: make bitstreams CARD=%s", all->path,
		                entry->line, entry->name, entry->file, entry->name);
	char *path = omt_bitstream_path(all, entry);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", entry->file);
	omt_status status = omt_map_open(path, map, err);
	free(path);
	if (status != OMT_OK)
		return omt_fail_at(err, status, "%s:%d: %s", all->path, entry->line, entry->name);
	status = check_digest(all, entry, map, err);
	if (status != OMT_OK)
		omt_map_close(map);
	return status;
}
