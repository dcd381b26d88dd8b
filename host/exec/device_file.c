#include "exec/device_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/numeric.h"
#include "base/yaml.h"

bool omt_is_device_file(const char *device)
{
	size_t length = device ? strlen(device) : 0;
	return length > 5 && !strcmp(device + length - 5, ".yaml");
}

/* ---- reading ---- */

#define FILE_INT(member, ...) OMT_FIELD_OF(INT, omt_device_file, member), __VA_ARGS__
#define FILE_BYTES(member)    OMT_FIELD_OF(INT64, omt_device_file, member), 0, 0x1p62
#define FILE_REAL(member)     OMT_FIELD_OF(REAL, omt_device_file, member), 0, 1e9

static const omt_field top_fields[] = {
	{"device", OMT_FIELD_TEXT_OF(omt_device_file, info.device)},
	{"backend", OMT_FIELD_TEXT_OF(omt_device_file, info.backend)},
	{"memory_bytes", FILE_BYTES(info.memory_bytes)},
	{"max_alloc_bytes", FILE_BYTES(info.max_alloc_bytes)},
	{"peak_gflops", FILE_REAL(speed.peak_gflops)},
	{"bandwidth_gbs", FILE_REAL(speed.bandwidth_gbs)},
	{"link_gbs", FILE_REAL(speed.link_gbs)},
	{"fails_after_ops", FILE_BYTES(speed.fails_after_ops)},
	{"compute_units", FILE_INT(info.compute_units, 1, 1 << 20)},
	{"panel", FILE_INT(info.panel, 1, 1024)},
	{"tile_rows", FILE_INT(info.tile_rows, 0, 4096)},
	{"match", OMT_FIELD_PART(SECTION)},
	{"tiles", OMT_FIELD_PART(SECTION)},
	{"measured", OMT_FIELD_PART(SECTION)},
	{"card", OMT_FIELD_PART(SECTION)},
	{0},
};

static const omt_field match_fields[] = {
	{"name", OMT_FIELD_TEXT_OF(omt_backend_info, device)},
	{"version", OMT_FIELD_TEXT_OF(omt_backend_info, version)},
	{"platform", OMT_FIELD_TEXT_OF(omt_backend_info, platform)},
	{"type", OMT_FIELD_TEXT_OF(omt_backend_info, type)},
	{"vector_width", OMT_FIELD_OF(INT, omt_backend_info, vector_width), 1, 1024},
	{0},
};

static const omt_field record_fields[] = {
	{"date", OMT_FIELD_TEXT_OF(omt_tile_record, date)},
	{"device", OMT_FIELD_TEXT_OF(omt_tile_record, device)},
	{"driver", OMT_FIELD_TEXT_OF(omt_tile_record, driver)},
	{"gflops", OMT_FIELD_OF(REAL, omt_tile_record, gflops), 0, 1e9},
	{"ratio", OMT_FIELD_OF(REAL, omt_tile_record, ratio), 0, 1e6},
	{0},
};

/* The classes, as sections of `tiles` and `measured`. */
static void class_fields(omt_field fields[OMT_CL_CLASS_COUNT + 1])
{
	memset(fields, 0, (OMT_CL_CLASS_COUNT + 1) * sizeof *fields);
	for (int i = 0; i < OMT_CL_CLASS_COUNT; i++)
		fields[i] =
			(omt_field){.key = omt_cl_class_infos[i].name, .type = OMT_FIELD_SECTION};
}

/* The parameters of a class, into omt_cl_tiles. */
static void tile_fields(omt_cl_class class, omt_field fields[OMT_CL_TILE_COUNT + 1])
{
	memset(fields, 0, (OMT_CL_TILE_COUNT + 1) * sizeof *fields);
	for (omt_cl_tile i = 0; i < OMT_CL_TILE_COUNT; i++)
		if (omt_cl_tile_used(class, i))
			*fields++ = (omt_field){omt_cl_tile_infos[i].name,
			                        OMT_FIELD_INT,
			                        omt_cl_tile_infos[i].at,
			                        0,
			                        NULL,
			                        1,
			                        omt_cl_tile_infos[i].most};
}

static omt_status read_classes(const omt_yaml *yaml, omt_device_file *file, omt_error *err)
{
	omt_field classes[OMT_CL_CLASS_COUNT + 1], tiles[OMT_CL_TILE_COUNT + 1];
	char section[64];
	class_fields(classes);
	OMT_TRY(omt_fields_read(yaml, "tiles", classes, NULL, err));
	OMT_TRY(omt_fields_read(yaml, "measured", classes, NULL, err));
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++) {
		tile_fields(i, tiles);
		snprintf(section, sizeof section, "tiles.%s", omt_cl_class_infos[i].name);
		OMT_TRY(omt_fields_read(yaml, section, tiles, &file->tiles.of[i], err));
		snprintf(section, sizeof section, "measured.%s", omt_cl_class_infos[i].name);
		OMT_TRY(omt_fields_read(yaml, section, record_fields, &file->measured[i], err));
	}
	return OMT_OK;
}

/* What a card's section says about a device of any kind. */
static void take_card(omt_device_file *file)
{
	const omt_card *card = &file->card;
	const double dsp = card->multiply_add[OMT_CARD_f32].of[OMT_CARD_dsp];
	for (omt_card_memory_kind i = 0; i < OMT_CARD_MEMORIES; i++)
		file->info.memory_bytes += (uint64_t)omt_card_memory_bytes(card, i);
	file->info.max_alloc_bytes = file->info.memory_bytes;
	file->info.panel = OMT_CL_PANEL;
	file->speed.bandwidth_gbs =
		omt_card_memory_gbs(card, omt_card_memory_for(card, 1)) * card->memory_efficiency;
	file->speed.link_gbs = card->link_gbs;
	if (dsp > 0)
		file->speed.peak_gflops =
			2e-3 * card->usual_mhz * omt_card_usable(card).of[OMT_CARD_dsp] / dsp;
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
	OMT_TRY(omt_card_read(yaml, &file->card, &file->is_card, err));
	if (file->is_card)
		take_card(file);
	OMT_TRY(omt_fields_read(yaml, "", top_fields, file, err));
	OMT_TRY(omt_fields_read(yaml, "match", match_fields, &file->match, err));
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
	for (const omt_field *f = match_fields; f->key; f++) {
		const void *wanted = (const char *)&file->match + f->at;
		const void *there = (const char *)device + f->at;
		const bool text = f->type == OMT_FIELD_TEXT;
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
static void write_fields(FILE *to, const char *name, const omt_field *fields, const void *base)
{
	const char *before = "";
	for (const omt_field *f = fields; f->key; f++) {
		const void *value = (const char *)base + f->at;
		if (f->type == OMT_FIELD_TEXT   ? !*(const char *)value
		    : f->type == OMT_FIELD_REAL ? !(*(const double *)value > 0)
		                                : !*(const int32_t *)value)
			continue;
		if (*before)
			fputs(before, to);
		else
			fprintf(to, "%s: {", name);
		before = ", ";
		fprintf(to, "%s: ", f->key);
		if (f->type == OMT_FIELD_TEXT)
			write_text(to, value);
		else if (f->type == OMT_FIELD_REAL)
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
	omt_field tiles[OMT_CL_TILE_COUNT + 1];
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
