#include "exec/device_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/numeric.h"
#include "base/yaml.h"

bool omt_is_device_file(const char *device)
{
	size_t length = device ? strlen(device) : 0;
	return length > 5 && !strcmp(device + length - 5, ".yaml");
}

/* ---- reading ---- */

/* A key of a mapping, and where its value goes: at an offset of what the mapping is read into. */
typedef struct field {
	const char *key; /* NULL ends a table */
	enum { SECTION, TEXT, INT, INT64, REAL } type;
	size_t at, size; /* size: of a text */
	double low, high;
} field;

#define TEXT_AT(type, member) TEXT, offsetof(type, member), sizeof(((type *)0)->member), 0, 0
#define FILE_INT(member, ...) INT, offsetof(omt_device_file, member), 0, __VA_ARGS__
#define FILE_BYTES(member)    INT64, offsetof(omt_device_file, member), 0, 0, 0x1p62
#define FILE_REAL(member)     REAL, offsetof(omt_device_file, member), 0, 0, 1e9

static const field top_fields[] = {
	{"device", TEXT_AT(omt_device_file, info.device)},
	{"backend", TEXT_AT(omt_device_file, info.backend)},
	{"memory_bytes", FILE_BYTES(info.memory_bytes)},
	{"max_alloc_bytes", FILE_BYTES(info.max_alloc_bytes)},
	{"peak_gflops", FILE_REAL(speed.peak_gflops)},
	{"bandwidth_gbs", FILE_REAL(speed.bandwidth_gbs)},
	{"link_gbs", FILE_REAL(speed.link_gbs)},
	{"fails_after_ops", FILE_BYTES(speed.fails_after_ops)},
	{"compute_units", FILE_INT(info.compute_units, 1, 1 << 20)},
	{"panel", FILE_INT(info.panel, 1, 1024)},
	{"tile_rows", FILE_INT(info.tile_rows, 0, 4096)},
	{"match", SECTION, 0, 0, 0, 0},
	{"tiles", SECTION, 0, 0, 0, 0},
	{"measured", SECTION, 0, 0, 0, 0},
	{0},
};

static const field match_fields[] = {
	{"name", TEXT_AT(omt_backend_info, device)},
	{"version", TEXT_AT(omt_backend_info, version)},
	{"platform", TEXT_AT(omt_backend_info, platform)},
	{"type", TEXT_AT(omt_backend_info, type)},
	{"vector_width", INT, offsetof(omt_backend_info, vector_width), 0, 1, 1024},
	{0},
};

static const field record_fields[] = {
	{"date", TEXT_AT(omt_tile_record, date)},
	{"device", TEXT_AT(omt_tile_record, device)},
	{"driver", TEXT_AT(omt_tile_record, driver)},
	{"gflops", REAL, offsetof(omt_tile_record, gflops), 0, 0, 1e9},
	{"ratio", REAL, offsetof(omt_tile_record, ratio), 0, 0, 1e6},
	{0},
};

/* The classes, as sections of `tiles` and `measured`. */
static void class_fields(field fields[OMT_CL_CLASS_COUNT + 1])
{
	memset(fields, 0, (OMT_CL_CLASS_COUNT + 1) * sizeof *fields);
	for (int i = 0; i < OMT_CL_CLASS_COUNT; i++)
		fields[i] = (field){.key = omt_cl_class_infos[i].name, .type = SECTION};
}

/* The parameters of a class, into omt_cl_tiles. */
static void tile_fields(omt_cl_class class, field fields[OMT_CL_TILE_COUNT + 1])
{
	memset(fields, 0, (OMT_CL_TILE_COUNT + 1) * sizeof *fields);
	for (omt_cl_tile i = 0; i < OMT_CL_TILE_COUNT; i++)
		if (omt_cl_tile_used(class, i))
			*fields++ = (field){
				omt_cl_tile_infos[i].name, INT, omt_cl_tile_infos[i].at, 0, 1,
				omt_cl_tile_infos[i].most};
}

static omt_status read_text(omt_json in, const field *f, char *to, omt_error *err)
{
	const char *text = NULL;
	OMT_TRY(omt_json_string(in, f->key, &text, err));
	if (text && strlen(text) >= f->size)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is longer than %zu bytes", in.place,
		                f->key, f->size - 1);
	if (text)
		snprintf(to, f->size, "%s", text);
	return OMT_OK;
}

static omt_status read_field(omt_json in, const field *f, void *base, omt_error *err)
{
	void *to = (char *)base + f->at;
	omt_json section;
	switch (f->type) {
	case TEXT:
		return read_text(in, f, to, err);
	case INT:
		return omt_json_int(in, f->key, (int64_t)f->low, (int64_t)f->high, to, err);
	case INT64:
		return omt_json_int64(in, f->key, (int64_t)f->low, (int64_t)f->high, to, err);
	case REAL:
		return omt_json_real(in, f->key, f->low, f->high, to, err);
	default:
		return omt_json_member(in, f->key, &section, err);
	}
}

/* The mapping at `section` into *base; messages name the line of the key. */
static omt_status read_fields(const omt_yaml *yaml, const char *section, const field *fields,
                              void *base, omt_error *err)
{
	const json_t *object = omt_yaml_at(yaml, section).object;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		char full[256], place[512];
		const field *f = fields;
		snprintf(full, sizeof full, "%s%s%s", section, *section ? "." : "", key);
		snprintf(place, sizeof place, "%s:%d", yaml->path, omt_yaml_line(yaml, full));
		while (f->key && strcmp(f->key, key))
			f++;
		if (!f->key)
			return OMT_FAIL(err, BAD_FORMAT, "%s: unknown key \"%s\"", place, full);
		OMT_TRY(read_field((omt_json){place, object}, f, base, err));
	}
	return OMT_OK;
}

static omt_status read_classes(const omt_yaml *yaml, omt_device_file *file, omt_error *err)
{
	field classes[OMT_CL_CLASS_COUNT + 1], tiles[OMT_CL_TILE_COUNT + 1];
	char section[64];
	class_fields(classes);
	OMT_TRY(read_fields(yaml, "tiles", classes, NULL, err));
	OMT_TRY(read_fields(yaml, "measured", classes, NULL, err));
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++) {
		tile_fields(i, tiles);
		snprintf(section, sizeof section, "tiles.%s", omt_cl_class_infos[i].name);
		OMT_TRY(read_fields(yaml, section, tiles, &file->tiles.of[i], err));
		snprintf(section, sizeof section, "measured.%s", omt_cl_class_infos[i].name);
		OMT_TRY(read_fields(yaml, section, record_fields, &file->measured[i], err));
	}
	return OMT_OK;
}

static omt_status read_device(const omt_yaml *yaml, omt_device_file *file, omt_error *err)
{
	const omt_cl_tiles *gemm = &file->tiles.of[OMT_CL_CLASS_gemm];
	snprintf(file->info.device, sizeof file->info.device, "%s", yaml->path);
	snprintf(file->info.backend, sizeof file->info.backend, "opencl");
	file->info.panel = file->info.compute_units = 1;
	file->speed.link_gbs = -1;
	OMT_TRY(read_classes(yaml, file, err));
	if (gemm->m && gemm->rows) {
		file->info.panel = OMT_CL_PANEL;
		file->info.tile_rows = gemm->m * gemm->rows;
	}
	OMT_TRY(read_fields(yaml, "", top_fields, file, err));
	OMT_TRY(read_fields(yaml, "match", match_fields, &file->match, err));
	if (file->speed.link_gbs < 0)
		file->speed.link_gbs = file->speed.bandwidth_gbs;
	file->matches = omt_yaml_at(yaml, "match").object;
	if (omt_yaml_at(yaml, "tiles").object && !file->matches)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: tiles without a match section", yaml->path,
		                omt_yaml_line(yaml, "tiles"));
	return OMT_OK;
}

/* Takes the document. */
static omt_status take_device(omt_yaml *yaml, omt_device_file *file, omt_error *err)
{
	omt_status status = read_device(yaml, file, err);
	omt_yaml_free(yaml);
	return status;
}

omt_status omt_device_file_parse(const char *path, const char *text, size_t bytes,
                                 omt_device_file *file, omt_error *err)
{
	omt_yaml yaml;
	*file = (omt_device_file){0};
	OMT_TRY(omt_yaml_parse(path, text, bytes, &yaml, err));
	return take_device(&yaml, file, err);
}

omt_status omt_device_file_read(const char *path, omt_device_file *file, omt_error *err)
{
	omt_yaml yaml;
	*file = (omt_device_file){0};
	OMT_TRY(omt_yaml_load(path, &yaml, err));
	return take_device(&yaml, file, err);
}

omt_status omt_device_file_load(const char *path, omt_backend_info *info, omt_device_speed *speed,
                                omt_error *err)
{
	omt_device_file file;
	OMT_TRY(omt_device_file_read(path, &file, err));
	*info = file.info;
	*speed = file.speed;
	return OMT_OK;
}

/* ---- matching ---- */

uint32_t omt_device_file_fits(const omt_device_file *file, const omt_backend_info *device)
{
	uint32_t fit = 0;
	if (!file->matches)
		return 0;
	for (const field *f = match_fields; f->key; f++) {
		const void *wanted = (const char *)&file->match + f->at;
		const void *there = (const char *)device + f->at;
		const bool text = f->type == TEXT;
		const bool given = text ? *(const char *)wanted : *(const int32_t *)wanted != 0;
		fit = fit << 1 | given;
		if (given && !(text ? strcasestr(there, wanted) != NULL
		                    : *(const int32_t *)wanted == *(const int32_t *)there))
			return 0;
	}
	return fit << 1 | 1;
}

/* ---- writing ---- */

/* A string that YAML reads as it was: JSON's quoting is YAML's. */
static void write_text(FILE *to, const char *text)
{
	json_t *value = omt_json_text(text);
	char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	fputs(quoted ? quoted : "\"\"", to);
	free(quoted);
	json_decref(value);
}

/* "  name: {key: value, ...}" of what is set; nothing when nothing is. */
static void write_fields(FILE *to, const char *name, const field *fields, const void *base)
{
	const char *before = "";
	for (const field *f = fields; f->key; f++) {
		const void *value = (const char *)base + f->at;
		if (f->type == TEXT   ? !*(const char *)value
		    : f->type == REAL ? !(*(const double *)value > 0)
		                      : !*(const int32_t *)value)
			continue;
		if (*before)
			fputs(before, to);
		else
			fprintf(to, "%s: {", name);
		before = ", ";
		fprintf(to, "%s: ", f->key);
		if (f->type == TEXT)
			write_text(to, value);
		else if (f->type == REAL)
			fprintf(to, "%.4g", *(const double *)value);
		else
			fprintf(to, "%d", *(const int32_t *)value);
	}
	if (*before)
		fputs("}\n", to);
}

omt_status omt_device_file_write(const char *path, const omt_device_file *file, omt_error *err)
{
	static const omt_backend_info anything;
	field tiles[OMT_CL_TILE_COUNT + 1];
	omt_output out;
	char name[64];
	OMT_TRY(omt_output_open(path, &out, err));
	const locale_t before = omt_numeric_begin();
	fprintf(out.stream, "# Written by omnitile tune; host/exec/device_file.h has the keys.\n"
	                    "device: ");
	write_text(out.stream, file->info.device);
	fputc('\n', out.stream);
	if (memcmp(&file->match, &anything, sizeof anything))
		write_fields(out.stream, "match", match_fields, &file->match);
	else
		fputs("match: {}\n", out.stream);
	fputs("tiles:\n", out.stream);
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++) {
		tile_fields(i, tiles);
		snprintf(name, sizeof name, "  %s", omt_cl_class_infos[i].name);
		write_fields(out.stream, name, tiles, &file->tiles.of[i]);
	}
	fputs("measured:\n", out.stream);
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++) {
		snprintf(name, sizeof name, "  %s", omt_cl_class_infos[i].name);
		write_fields(out.stream, name, record_fields, &file->measured[i]);
	}
	omt_numeric_end(before);
	return omt_output_close(&out, true, err);
}
