#include "exec/xclbin.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

/* A function that names the numbers of a list; NULL: not known. */
#define NAME(name, number) [number] = #name,
#define NAMES(function, LIST)                                                        \
	const char *function(uint32_t number)                                        \
	{                                                                            \
		static const char *const names[] = {LIST(NAME)};                     \
		return number < sizeof names / sizeof *names ? names[number] : NULL; \
	}
NAMES(omt_xclbin_kind_name, OMT_AXLF_KIND_LIST)
NAMES(omt_xclbin_mode_name, OMT_AXLF_MODE_LIST)
NAMES(omt_xclbin_memory_name, OMT_AXLF_MEMORY_LIST)

/* ---- places ---- */

static omt_status check_head(const omt_xclbin *file, omt_error *err)
{
	const omt_axlf_head *head = &file->head;
	const uint64_t signature = head->signature_bytes > 0 ? (uint32_t)head->signature_bytes : 0;
	if (memcmp(head->magic, OMT_AXLF_MAGIC, sizeof head->magic))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an xclbin: it does not begin with \"%s\"",
		                file->path, OMT_AXLF_MAGIC);
	if (head->length > file->bytes || signature != file->bytes - head->length)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: the head says %llu bytes and a signature of %llu, the file "
		                "has %zu: %s",
		                file->path, (unsigned long long)head->length,
		                (unsigned long long)signature, file->bytes,
		                head->length > file->bytes ? "truncated" : "not a container");
	if (head->sections > OMT_AXLF_MAX_SECTIONS)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %u sections, at most %d are allowed",
		                file->path, head->sections, OMT_AXLF_MAX_SECTIONS);
	if (head->length < sizeof *head + head->sections * sizeof *file->sections)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %llu bytes are too few for %u sections",
		                file->path, (unsigned long long)head->length, head->sections);
	return OMT_OK;
}

static int by_offset(const void *a, const void *b)
{
	const omt_axlf_section *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sections lie behind their heads, within the file, beside each other. Empty ones lie nowhere. */
static omt_status check_places(const omt_xclbin *file, omt_axlf_section *sorted, omt_error *err)
{
	uint64_t end = sizeof file->head + file->count * sizeof *file->sections;
	size_t count = 0;
	for (size_t i = 0; i < file->count; i++)
		if (file->sections[i].bytes)
			sorted[count++] = file->sections[i];
	qsort(sorted, count, sizeof *sorted, by_offset);
	for (size_t i = 0; i < count; i++) {
		const omt_axlf_section *s = &sorted[i];
		if (s->offset > file->head.length || s->bytes > file->head.length - s->offset)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: section of kind %u lies at %llu, %llu bytes: beyond "
			                "the container's %llu",
			                file->path, s->kind, (unsigned long long)s->offset,
			                (unsigned long long)s->bytes,
			                (unsigned long long)file->head.length);
		if (s->offset < end)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: section of kind %u lies at %llu, what is before it "
			                "ends at %llu",
			                file->path, s->kind, (unsigned long long)s->offset,
			                (unsigned long long)end);
		end = s->offset + s->bytes;
	}
	return OMT_OK;
}

omt_status omt_xclbin_parse(const char *path, const uint8_t *data, size_t bytes, omt_xclbin *file,
                            omt_error *err)
{
	omt_status status;
	*file = (omt_xclbin){.path = path, .data = data, .bytes = bytes};
	if (bytes < sizeof file->head)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %zu bytes, an xclbin's head has %zu", path,
		                bytes, sizeof file->head);
	memcpy(&file->head, data, sizeof file->head);
	OMT_TRY(check_head(file, err));
	const size_t count = file->head.sections, table = count * sizeof *file->sections;
	omt_axlf_section *sorted = malloc(table + 1);
	file->sections = malloc(table + 1);
	if (!sorted || !file->sections) {
		status = OMT_FAIL(err, NO_MEMORY, "%s: %zu sections", path, count);
		goto done;
	}
	memcpy(file->sections, data + sizeof file->head, table);
	file->count = count;
	status = check_places(file, sorted, err);
done:
	free(sorted);
	if (status != OMT_OK)
		omt_xclbin_free(file);
	return status;
}

void omt_xclbin_free(omt_xclbin *file)
{
	free(file->sections);
	*file = (omt_xclbin){0};
}

const omt_axlf_section *omt_xclbin_section(const omt_xclbin *file, omt_axlf_kind kind)
{
	for (size_t i = 0; i < file->count; i++)
		if (file->sections[i].kind == kind && file->sections[i].bytes)
			return &file->sections[i];
	return NULL;
}

/* ---- tables ---- */

typedef struct table {
	omt_axlf_kind kind;
	size_t begin, bytes; /* of an entry */
} table;

static const table *table_of(omt_axlf_kind kind)
{
	static const table tables[] = {
#define TABLE(name, type, begin) {OMT_AXLF_##name, begin, sizeof(type)},
		OMT_AXLF_TABLE_LIST(TABLE)
#undef TABLE
	};
	const table *t = tables;
	while (t->kind != kind)
		t++;
	return t;
}

omt_status omt_xclbin_entries(const omt_xclbin *file, omt_axlf_kind kind, size_t *count,
                              omt_error *err)
{
	const omt_axlf_section *section = omt_xclbin_section(file, kind);
	const table *t = table_of(kind);
	int32_t told = 0;
	int16_t half;
	*count = 0;
	if (!section)
		return OMT_OK;
	if (section->bytes >= t->begin && t->begin >= sizeof told) {
		memcpy(&told, file->data + section->offset, sizeof told);
	} else if (section->bytes >= t->begin) {
		memcpy(&half, file->data + section->offset, sizeof half);
		told = half;
	}
	if (section->bytes < t->begin || told < 0 ||
	    (uint64_t)told * t->bytes > section->bytes - t->begin)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %s has %llu bytes, too few for %d entries",
		                file->path, omt_xclbin_kind_name(kind),
		                (unsigned long long)section->bytes, told);
	*count = (size_t)told;
	return OMT_OK;
}

void omt_xclbin_entry(const omt_xclbin *file, omt_axlf_kind kind, size_t i, void *entry)
{
	const table *t = table_of(kind);
	const omt_axlf_section *section = omt_xclbin_section(file, kind);
	memcpy(entry, file->data + section->offset + t->begin + i * t->bytes, t->bytes);
}

/* ---- texts ---- */

omt_status omt_xclbin_design(const omt_xclbin *file, json_t **design, omt_error *err)
{
	const omt_axlf_section *section = omt_xclbin_section(file, OMT_AXLF_EMBEDDED_METADATA);
	*design = NULL;
	if (!section)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no section EMBEDDED_METADATA", file->path);
	return omt_xclbin_xml_read(file->path, (const char *)file->data + section->offset,
	                           section->bytes, design, err);
}

json_t *omt_xclbin_values(const omt_xclbin *file)
{
	const omt_axlf_section *section = omt_xclbin_section(file, OMT_AXLF_KEYVALUE_METADATA);
	json_t *root = section ? json_loadb((const char *)file->data + section->offset,
	                                    section->bytes, JSON_DISABLE_EOF_CHECK, NULL)
	                       : NULL;
	json_t *values = root ? json_object() : NULL, *pair;
	size_t i;
	json_array_foreach(json_object_get(root, "key_values"), i, pair)
	{
		const char *key = json_string_value(json_object_get(pair, "key"));
		json_t *value = json_object_get(pair, "value");
		if (key && json_is_string(value))
			json_object_set(values, key, value);
	}
	json_decref(root);
	return values;
}
