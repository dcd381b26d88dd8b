#include "exec/opencl_tiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PRIVATE_BYTES (2 << 20)

#define CLASS(name, op, size, most) {#name, OMT_OP_##op, offsetof(omt_##op##_args, size), most},
const omt_cl_class_info omt_cl_class_infos[OMT_CL_CLASS_COUNT] = {OMT_CL_CLASS_LIST(CLASS)};

#define CANDIDATES(name, macro, ops, most, ...) \
	static const int32_t name##_values[] = {__VA_ARGS__};
OMT_CL_TILE_LIST(CANDIDATES)
#define TILE(name, macro, ops, most, ...)                                  \
	{#name, #macro,        offsetof(omt_cl_tiles, name),          ops, \
	 most,  name##_values, sizeof name##_values / sizeof(int32_t)},
const omt_cl_tile_info omt_cl_tile_infos[OMT_CL_TILE_COUNT] = {OMT_CL_TILE_LIST(TILE)};

omt_cl_class omt_cl_class_of(omt_op op, const void *args)
{
	int class = 0;
	for (; class < OMT_CL_CLASS_COUNT; class ++) {
		const omt_cl_class_info *info = &omt_cl_class_infos[class];
		if (info->op == op &&
		    *(const int32_t *)(const void *)((const char *)args + info->size) <= info->most)
			break;
	}
	return (omt_cl_class) class;
}

bool omt_cl_tile_used(omt_cl_class class, omt_cl_tile tile)
{
	return omt_cl_tile_infos[tile].ops >> omt_cl_class_infos[class].op & 1;
}

int32_t *omt_cl_tile_at(omt_cl_tiles *tiles, omt_cl_tile tile)
{
	return (int32_t *)(void *)((char *)tiles + omt_cl_tile_infos[tile].at);
}

int32_t omt_cl_tile_get(const omt_cl_tiles *tiles, omt_cl_tile tile)
{
	return *(const int32_t *)(const void *)((const char *)tiles + omt_cl_tile_infos[tile].at);
}

bool omt_cl_tiles_equal(const omt_cl_tiles *a, const omt_cl_tiles *b)
{
	return !memcmp(a, b, sizeof *a); /* int32_t only: no gaps */
}

void omt_cl_tiles_print(omt_cl_class class, const omt_cl_tiles *tiles, char *text, size_t size)
{
	size_t length = 0;
	for (omt_cl_tile tile = 0; tile < OMT_CL_TILE_COUNT; tile++)
		if (omt_cl_tile_used(class, tile) && length < size)
			length += (size_t)snprintf(text + length, size - length, "%s%s=%d",
			                           length ? "," : "", omt_cl_tile_infos[tile].name,
			                           omt_cl_tile_get(tiles, tile));
}

/* ---- changes ---- */

static bool is_named(const char *name, const char *text, size_t length)
{
	return strlen(name) == length && !strncmp(name, text, length);
}

/* Sets "class.name" or "name" of that length where it is in use; false: nowhere. */
static bool set_named(omt_cl_tile_set *set, const char *text, size_t length, long value)
{
	const char *dot = memchr(text, '.', length);
	const char *name = dot ? dot + 1 : text;
	bool found = false;
	for (omt_cl_class class = 0; class < OMT_CL_CLASS_COUNT; class ++) {
		if (dot && !is_named(omt_cl_class_infos[class].name, text, (size_t)(dot - text)))
			continue;
		for (omt_cl_tile tile = 0; tile < OMT_CL_TILE_COUNT; tile++) {
			const omt_cl_tile_info *info = &omt_cl_tile_infos[tile];
			if (!omt_cl_tile_used(class, tile) || value < 1 || value > info->most ||
			    !is_named(info->name, name, length - (size_t)(name - text)))
				continue;
			*omt_cl_tile_at(&set->of[class], tile) = (int32_t)value;
			found = true;
		}
	}
	return found;
}

omt_status omt_cl_tiles_change(omt_cl_tile_set *set, const char *text, omt_error *err)
{
	while (*text) {
		const size_t length = strcspn(text, "=");
		char *end = NULL;
		const long value = text[length] ? strtol(text + length + 1, &end, 10) : 0;
		if (!end || (*end && *end != ',') || !set_named(set, text, length, value)) {
			char names[128] = "";
			for (omt_cl_tile i = 0; i < OMT_CL_TILE_COUNT; i++)
				snprintf(names + strlen(names), sizeof names - strlen(names),
				         "%s%s", i ? ", " : "", omt_cl_tile_infos[i].name);
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "tiles \"%s\": expected [CLASS.]NAME=NUMBER of %s in their "
			                "ranges",
			                text, names);
		}
		text = end + (*end == ',');
	}
	return OMT_OK;
}

/* ---- the check ---- */

/* Bytes of gemm's arrays: rows of A and the sums, as of gemm_i8 and gemm_bf16. attention's stay
 * below half a MiB with the largest values of the list. */
static int64_t private_bytes(const omt_cl_tiles *t)
{
	const int64_t rows = (int64_t)t->m * t->rows;
	return 4 * rows * (t->k + OMT_CL_LANES + OMT_CL_PANEL * t->panels);
}

omt_status omt_cl_tiles_check(omt_cl_class class, omt_cl_tiles *tiles, omt_error *err)
{
	const char *name = omt_cl_class_infos[class].name;
	for (omt_cl_tile i = 0; i < OMT_CL_TILE_COUNT; i++) {
		const omt_cl_tile_info *info = &omt_cl_tile_infos[i];
		int32_t *value = omt_cl_tile_at(tiles, i);
		if (!omt_cl_tile_used(class, i))
			*value = info->candidates[0];
		if (*value < 1 || *value > info->most)
			return OMT_FAIL(err, BAD_ARGUMENT, "tiles: %s.%s is %d, expected 1 to %d",
			                name, info->name, *value, info->most);
	}
	if (tiles->k % 16)
		return OMT_FAIL(err, BAD_ARGUMENT, "tiles: %s.k is %d, no multiple of 16", name,
		                tiles->k);
	/* A launch of few rows is one register tile with two panels at a time (opencl_launch.c). */
	if (class == OMT_CL_CLASS_gemm_few && tiles->m < OMT_CL_FEW)
		return OMT_FAIL(err, BAD_ARGUMENT, "tiles: %s.m is %d, %d at least", name, tiles->m,
		                OMT_CL_FEW);
	if (tiles->panels < 2)
		return OMT_FAIL(err, BAD_ARGUMENT, "tiles: %s.panels is %d, 2 at least", name,
		                tiles->panels);
	if (private_bytes(tiles) > MAX_PRIVATE_BYTES)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "tiles: %s needs %lld bytes of private memory, at most %d", name,
		                (long long)private_bytes(tiles), MAX_PRIVATE_BYTES);
	return OMT_OK;
}
