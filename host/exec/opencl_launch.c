#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl.h"

omt_status omt_cl_tiles_parse(const char *text, omt_cl_tiles *tiles, omt_error *err)
{
	static const struct {
		const char *name;
		size_t at;
		int32_t most;
	} fields[] = {
#define FIELD(name, macro, most) {#name, offsetof(omt_cl_tiles, name), most},
		OMT_CL_TILE_LIST(FIELD)
#undef FIELD
	};
	const size_t count = sizeof fields / sizeof *fields;
	while (*text) {
		const size_t length = strcspn(text, "=");
		char *end = NULL;
		size_t i = 0;
		while (i < count && (strlen(fields[i].name) != length ||
		                     strncmp(fields[i].name, text, length) != 0))
			i++;
		const long value = text[length] ? strtol(text + length + 1, &end, 10) : 0;
		if (i == count || !end || (*end && *end != ',') || value < 1 ||
		    value > fields[i].most)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "tiles \"%s\": expected NAME=NUMBER of m, wide, rows, "
			                "panels, k, queries, keys in their ranges",
			                text);
		*(int32_t *)(void *)((char *)tiles + fields[i].at) = (int32_t)value;
		text = end + (*end == ',');
	}
	if (tiles->k % 16)
		return OMT_FAIL(err, BAD_ARGUMENT, "tiles: k is %d, no multiple of 16", tiles->k);
	return OMT_OK;
}

omt_status omt_cl_tiles_for(cl_device_id device, omt_cl_tiles *tiles, omt_error *err)
{
	const char *changes = getenv("OMT_TILES");
	cl_uint lanes = 0;
	clGetDeviceInfo(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes, NULL);
	/* 16 sums, a row and a factor fit 32 registers of 16 lanes; 6 of two registers fit 16 of 8.
	 */
	cl_device_type type = 0;
	clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
	/* 16 sums, a row and a factor fit 32 registers of 16 lanes; 6 of two registers fit 16 of 8.
	 * 24 tiles below each other then are 144 rows. A GPU's work-item has only registers. */
	if (!(type & CL_DEVICE_TYPE_CPU))
		*tiles = (omt_cl_tiles){4, 1, 1, 1, 16, 1, 16};
	else if (lanes >= 16)
		*tiles = (omt_cl_tiles){16, 1, 8, 16, 256, 16, 64};
	else
		*tiles = (omt_cl_tiles){6, 1, 22, 16, 256, 16, 48};
	return changes ? omt_cl_tiles_parse(changes, tiles, err) : OMT_OK;
}

/* What one work-item takes of an axis. */
typedef enum portion { ONE, PANEL, GEMM_ROWS, GEMM_COLUMNS, HEADS, QUERIES } portion;

/* Global sizes by op: each axis is a scalar of its arguments, cut into what a work-item takes.
 * `elements`: the first axis is one of elements, which a group takes side by side; otherwise a
 * work-item is a group. */
#define AT(op, field) offsetof(omt_##op##_args, field)
static const struct {
	struct {
		size_t scalar; /* its offset; 0: no such axis */
		portion portion;
	} axis[3];
	bool elements;
} launches[OMT_OP_COUNT] = {
	[OMT_OP_pack] = {{{AT(pack, k), ONE}, {AT(pack, n), PANEL}}, true},
	[OMT_OP_gemm_i8] = {{{AT(gemm_i8, m), GEMM_ROWS}, {AT(gemm_i8, n), GEMM_COLUMNS}}, false},
	[OMT_OP_quantize] = {{{AT(quantize, rows), ONE}}, false},
	[OMT_OP_gemm] = {{{AT(gemm, m), GEMM_ROWS}, {AT(gemm, n), GEMM_COLUMNS}}, false},
	[OMT_OP_attention] = {{{AT(attention, max_len), QUERIES},
                               {AT(attention, heads), HEADS},
                               {AT(attention, sequences), ONE}},
                              false},
	[OMT_OP_rmsnorm] = {{{AT(rmsnorm, rows), ONE}}, false},
	[OMT_OP_layernorm] = {{{AT(layernorm, rows), ONE}}, false},
	[OMT_OP_rotary] = {{{AT(rotary, heads), ONE}, {AT(rotary, rows), ONE}}, false},
	[OMT_OP_rows] = {{{AT(rows, cols), ONE}, {AT(rows, count), ONE}}, true},
	[OMT_OP_unfold] = {{{AT(unfold, channels), ONE}, {AT(unfold, out_rows), ONE}}, true},
	[OMT_OP_pairs] = {{{AT(pairs, cols), ONE}, {AT(pairs, out_rows), ONE}}, true},
	[OMT_OP_pool] = {{{AT(pool, cols), ONE}, {AT(pool, sequences), ONE}}, true},
	[OMT_OP_l2norm] = {{{AT(l2norm, rows), ONE}}, false},
};

/* Query heads that share a kv head and go into one work-item: a divisor of their number. */
static int32_t heads_together(const omt_attention_args *a, const omt_cl_tiles *tiles)
{
	const int32_t group = a->heads / a->kv_heads;
	for (int32_t count = tiles->queries; count > 1; count--)
		if (group % count == 0 && tiles->queries % count == 0)
			return count;
	return 1;
}

/* Panels for a work-item of gemm: few enough that every unit gets SHARES work-items: PoCL hands
 * the first thread more than its part of few. Two panels at least, or copying A costs too much. */
#define SHARES 12
static int32_t panels_each(int32_t m, int32_t n, const omt_cl_tiles *tiles, int32_t units)
{
	const int32_t rows = tiles->m * tiles->rows, blocks = (m + rows - 1) / rows;
	const int32_t panels = (n + OMT_CL_PANEL - 1) / OMT_CL_PANEL;
	const int32_t wanted = (SHARES * units + blocks - 1) / blocks;
	const int32_t step = m <= OMT_CL_FEW ? 4 : tiles->wide; /* 4: GEMM_ABREAST */
	const int32_t least = m > OMT_CL_FEW && tiles->panels > 1 ? 2 : step;
	int32_t each = panels / wanted / step * step;
	if (each > tiles->panels)
		each = tiles->panels;
	return each < least ? least : each;
}

static int32_t portion_size(portion of, omt_op op, const void *args, const omt_cl_tiles *tiles,
                            int32_t units)
{
	const omt_attention_args *attention = args;
	switch (of) {
	case PANEL:
		return ((const omt_pack_args *)args)->panel;
	case GEMM_ROWS:
		return tiles->m * tiles->rows;
	case GEMM_COLUMNS:
		if (op == OMT_OP_gemm_i8)
			return OMT_CL_PANEL * panels_each(((const omt_gemm_i8_args *)args)->m,
			                                  ((const omt_gemm_i8_args *)args)->n,
			                                  tiles, units);
		return OMT_CL_PANEL * panels_each(((const omt_gemm_args *)args)->m,
		                                  ((const omt_gemm_args *)args)->n, tiles, units);
	case HEADS:
		return heads_together(attention, tiles);
	case QUERIES:
		return OMT_CL_PANEL * tiles->queries / heads_together(attention, tiles);
	default:
		return 1;
	}
}

bool omt_cl_launch_size(omt_op op, const void *args, const omt_cl_tiles *tiles, int32_t units,
                        size_t global[3], size_t local[3])
{
	for (size_t i = 0; i < 3; i++) {
		size_t offset = launches[op].axis[i].scalar;
		int32_t count = 1, each = 1;
		if (offset)
			count = *(const int32_t *)(const void *)((const char *)args + offset);
		if (count <= 0)
			return false;
		if (offset)
			each = portion_size(launches[op].axis[i].portion, op, args, tiles, units);
		global[i] = ((size_t)count + (size_t)each - 1) / (size_t)each;
		local[i] = 1;
	}
	if (launches[op].elements) {
		local[0] = OMT_CL_GROUP;
		global[0] = (global[0] + OMT_CL_GROUP - 1) / OMT_CL_GROUP * OMT_CL_GROUP;
	}
	return true;
}
