/* golden.h - the golden cases and arrays for the tests of media and preparation. */
#ifndef OMT_TESTS_UNIT_GOLDEN_H
#define OMT_TESTS_UNIT_GOLDEN_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "base/npy.h"
#include "exec/ref.h"
#include "model/layout.h"
#include "prep/prep.h"

#define DATA     "tests/golden/data/"
#define EXPECTED DATA "expected/"

/* Repeats a statement on every path of the hot loops that this machine can run. */
#define EACH_PATH(path)                                                    \
	for (omt_cpu path = OMT_CPU_GENERIC; path < OMT_CPU_PATHS; path++) \
		if (omt_cpu_take(path))

typedef void golden_check(const char *place, const json_t *line);

/* Calls `check` for each line of a JSON-lines file; returns how many there were. */
static inline int golden_lines(const char *path, golden_check *check)
{
	omt_error err;
	char *text, *rest, place[160];
	int seen = 0;
	cr_assert_eq(omt_file_read(path, 1 << 24, &text, NULL, &err), OMT_OK, "%s", err.text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *value;
		snprintf(place, sizeof place, "%s:%d", path, ++seen);
		cr_assert_eq(omt_json_parse(place, line, strlen(line), &value, &err), OMT_OK, "%s",
		             err.text);
		check(place, value);
		json_decref(value);
	}
	free(text);
	return seen;
}

static inline const char *golden_text(const json_t *in, const char *key)
{
	return json_string_value(json_object_get(in, key));
}

static inline int golden_int(const json_t *in, const char *key)
{
	return (int)json_integer_value(json_object_get(in, key));
}

/* Where a case's first file lies. */
static inline const char *golden_file(const json_t *line)
{
	static _Thread_local char path[256];
	snprintf(path, sizeof path, DATA "%s",
	         json_string_value(json_array_get(json_object_get(line, "files"), 0)));
	return path;
}

/* Opens EXPECTED name; false when the case has no such array or it is not kept here. */
static inline bool golden_array(const char *name, omt_npy *array)
{
	char path[256];
	omt_error err;
	if (!name)
		return false;
	snprintf(path, sizeof path, EXPECTED "%s", name);
	if (!omt_file_exists(path))
		return false;
	cr_assert_eq(omt_npy_open(path, array, &err), OMT_OK, "%s", err.text);
	return true;
}

static inline void golden_open(const char *path, omt_npy *array)
{
	omt_error err;
	cr_assert_eq(omt_npy_open(path, array, &err), OMT_OK, "%s", err.text);
}

/* zlib's. */
static inline uint32_t golden_crc32(const uint8_t *data, size_t bytes)
{
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The patches' rows as the op makes them, in raster order of merge blocks; free(). */
static inline float *golden_rows(const omt_prep_config *config, const omt_patches *patches)
{
	const omt_vision_config vision = {.merge = config->merge_size,
	                                  .patch = config->patch_size,
	                                  .temporal_patch = config->temporal_patch_size};
	const size_t rows = (size_t)(patches->t * patches->h * patches->w);
	int32_t *order = malloc(rows * sizeof *order);
	int32_t *places = malloc(rows * ((size_t)vision.temporal_patch + 2) * sizeof *places);
	float table[3 * 256], *out = malloc(rows * (size_t)patches->row * sizeof *out);
	cr_assert(order && places && out);
	for (size_t i = 0; i < rows; i++)
		order[i] = (int32_t)i;
	omt_prep_pixel_table(config, table);
	omt_places_fill(&vision, patches->t, patches->h, patches->w, patches->frames,
	                patches->floats ? OMT_F32 : OMT_U8, 0, places);
	ref_patches(patches->data, order, places, table, out, (int32_t)rows, vision.temporal_patch,
	            vision.patch, patches->row);
	free(order);
	free(places);
	return out;
}

/* Every row_stride-th row, the grid, and the mean of all values. */
static inline void golden_check_rows(const omt_prep_config *config, const char *place,
                                     const json_t *line, const char *grid_key, const json_t *pixels,
                                     const omt_patches *patches, const omt_npy *wanted)
{
	const json_t *grid = json_array_get(json_object_get(line, grid_key), 0);
	const float *expected = wanted->data;
	int32_t rows = patches->t * patches->h * patches->w;
	int32_t stride = golden_int(pixels, "row_stride");
	float worst = 0;
	double sum = 0;
	cr_assert_eq(patches->t, json_integer_value(json_array_get(grid, 0)), "%s", place);
	cr_assert_eq(patches->h, json_integer_value(json_array_get(grid, 1)), "%s", place);
	cr_assert_eq(patches->w, json_integer_value(json_array_get(grid, 2)), "%s", place);
	cr_assert_eq(patches->row, wanted->shape[1], "%s", place);
	cr_assert_eq((rows + stride - 1) / stride, wanted->shape[0], "%s", place);
	float *made = golden_rows(config, patches);
	for (int64_t row = 0; row < wanted->shape[0]; row++)
		for (int32_t i = 0; i < patches->row; i++) {
			float value = made[row * stride * patches->row + i];
			worst = fmaxf(worst, fabsf(value - *expected++));
		}
	for (int64_t i = 0; i < (int64_t)rows * patches->row; i++)
		sum += (double)made[i];
	free(made);
	cr_expect_leq(worst, 1e-5f, "%s: %g", place, (double)worst);
	cr_expect_float_eq(sum / rows / patches->row,
	                   json_real_value(json_object_get(pixels, "mean")), 1e-6, "%s", place);
}

#endif
