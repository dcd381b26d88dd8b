#include <stddef.h>

#include "exec/opencl.h"

omt_cl_tiles omt_cl_tiles_for(cl_device_id device)
{
	cl_uint lanes = 0;
	clGetDeviceInfo(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes, NULL);
	/* 12 sums, a row and a factor fit 32 registers of 16 lanes; 6 of two registers fit 16 of 8.
	 */
	int32_t m = lanes >= 16 ? 12 : 6;
	return (omt_cl_tiles){
		.m = m, .rows = 24 / m, .panels = 8, .k = 128, .queries = 48 / m, .keys = 32};
}

/* What one work-item takes of an axis. */
typedef enum portion { ONE, PANEL, GEMM_ROWS, GEMM_COLUMNS, QUERIES } portion;

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
	[OMT_OP_gemm] = {{{AT(gemm, m), GEMM_ROWS}, {AT(gemm, n), GEMM_COLUMNS}}, false},
	[OMT_OP_attention] = {{{AT(attention, max_len), QUERIES},
                               {AT(attention, heads), ONE},
                               {AT(attention, sequences), ONE}},
                              false},
	[OMT_OP_rmsnorm] = {{{AT(rmsnorm, rows), ONE}}, false},
	[OMT_OP_layernorm] = {{{AT(layernorm, rows), ONE}}, false},
	[OMT_OP_rotary] = {{{AT(rotary, heads), ONE}, {AT(rotary, rows), ONE}}, false},
	[OMT_OP_glu] = {{{AT(glu, cols), ONE}, {AT(glu, rows), ONE}}, true},
	[OMT_OP_rows] = {{{AT(rows, cols), ONE}, {AT(rows, count), ONE}}, true},
	[OMT_OP_unfold] = {{{AT(unfold, channels), ONE}, {AT(unfold, out_rows), ONE}}, true},
	[OMT_OP_pairs] = {{{AT(pairs, cols), ONE}, {AT(pairs, out_rows), ONE}}, true},
	[OMT_OP_pool] = {{{AT(pool, cols), ONE}, {AT(pool, sequences), ONE}}, true},
	[OMT_OP_l2norm] = {{{AT(l2norm, rows), ONE}}, false},
};

static int32_t portion_size(portion of, const void *args, const omt_cl_tiles *tiles)
{
	switch (of) {
	case PANEL:
		return ((const omt_pack_args *)args)->panel;
	case GEMM_ROWS:
		return tiles->m * tiles->rows;
	case GEMM_COLUMNS:
		return OMT_CL_PANEL * tiles->panels;
	case QUERIES:
		return tiles->m * tiles->queries;
	default:
		return 1;
	}
}

bool omt_cl_launch_size(omt_op op, const void *args, const omt_cl_tiles *tiles, size_t global[3],
                        size_t local[3])
{
	for (size_t i = 0; i < 3; i++) {
		size_t offset = launches[op].axis[i].scalar;
		int32_t count = 1, each = portion_size(launches[op].axis[i].portion, args, tiles);
		if (offset)
			count = *(const int32_t *)(const void *)((const char *)args + offset);
		if (count <= 0)
			return false;
		global[i] = ((size_t)count + (size_t)each - 1) / (size_t)each;
		local[i] = 1;
	}
	if (launches[op].elements) {
		local[0] = OMT_CL_GROUP;
		global[0] = (global[0] + OMT_CL_GROUP - 1) / OMT_CL_GROUP * OMT_CL_GROUP;
	}
	return true;
}
