#include <math.h>
#include <stddef.h>

#include "exec/opencl.h"

/* What one work-item takes of an axis. */
typedef enum portion { ONE, PANEL, TILES, PANELS, HEADS, QUERIES, ABREAST } portion;

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
	[OMT_OP_gemm_i8] = {{{AT(gemm_i8, m), TILES}, {AT(gemm_i8, n), PANELS}}, false},
	[OMT_OP_gemm_bf16] = {{{AT(gemm_bf16, m), TILES}, {AT(gemm_bf16, n), PANELS}}, false},
	[OMT_OP_quantize] = {{{AT(quantize, rows), ONE}}, false},
	[OMT_OP_gemm] = {{{AT(gemm, m), TILES}, {AT(gemm, n), PANELS}}, false},
	[OMT_OP_attention] = {{{AT(attention, max_len), QUERIES},
                               {AT(attention, heads), HEADS},
                               {AT(attention, sequences), ONE}},
                              false},
	[OMT_OP_rmsnorm] = {{{AT(rmsnorm, rows), ONE}}, false},
	[OMT_OP_layernorm] = {{{AT(layernorm, rows), ONE}}, false},
	[OMT_OP_rmsnorm_i8] = {{{AT(rmsnorm_i8, rows), ONE}}, false},
	[OMT_OP_layernorm_i8] = {{{AT(layernorm_i8, rows), ONE}}, false},
	[OMT_OP_rotary] = {{{AT(rotary, heads), ONE}, {AT(rotary, rows), ONE}}, false},
	[OMT_OP_rows] = {{{AT(rows, cols), ONE}, {AT(rows, count), ONE}}, true},
	[OMT_OP_unfold] = {{{AT(unfold, channels), ONE}, {AT(unfold, out_rows), ONE}}, true},
	[OMT_OP_patches] = {{{AT(patches, frames), ONE}, {AT(patches, rows), ONE}}, false},
	[OMT_OP_pairs] = {{{AT(pairs, cols), ONE}, {AT(pairs, out_rows), ONE}}, true},
	[OMT_OP_pool] = {{{AT(pool, cols), ONE}, {AT(pool, sequences), ONE}}, true},
	[OMT_OP_l2norm] = {{{AT(l2norm, rows), ONE}}, false},
	[OMT_OP_topk] = {{{AT(topk, rows), ABREAST}}, false},
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

/* What a work-item of gemm takes: register tiles below each other, panels beside each other. */
typedef struct portions {
	int32_t tiles, panels;
} portions;

/* What a work-item costs beside its products, in products of a register tile with a panel over a
 * block of K: a tile's rows are copied, a panel comes from memory. Measured on PoCL, Zen 5. */
#define COPY_TILE  0.6
#define TAKE_PANEL 0.2
#define BEGIN      0.5

/* Shares of a query's products for each unit: bandwidth is spread evenly by many small ones. */
#define SHARES 12

static int32_t divided(int32_t count, int32_t each)
{
	return (count + each - 1) / each;
}

/* The portions with which the unit that gets most work-items is done first. */
static portions gemm_portions(int32_t m, int32_t n, const omt_cl_tiles *tiles, int32_t units)
{
	const int32_t rows = divided(m, tiles->m), panels = divided(n, OMT_CL_PANEL);
	portions best = {1, 1};
	double least = INFINITY;
	if (m <= OMT_CL_FEW) {
		/* Two panels are taken side by side: GEMM_ABREAST. */
		const int32_t each = panels / (SHARES * units) / 2 * 2;
		best.panels = each < 2 ? 2 : each > tiles->panels ? tiles->panels : each;
		return best;
	}
	for (int32_t r = 1; r <= tiles->rows && r <= rows; r++)
		for (int32_t p = 1; p <= tiles->panels && p <= panels; p++) {
			const int32_t items = divided(rows, r) * divided(panels, p);
			const double cost = divided(items, units) *
			                    (r * p + COPY_TILE * r + TAKE_PANEL * p + BEGIN);
			if (cost < least) {
				least = cost;
				best = (portions){r, p};
			}
		}
	return best;
}

/* How many work-items an axis has. */
static int32_t axis_items(portion of, int32_t count, const void *args, const omt_cl_tiles *tiles,
                          portions gemm)
{
	switch (of) {
	case PANEL:
		return divided(count, ((const omt_pack_args *)args)->panel);
	case TILES:
		return divided(divided(count, tiles->m), gemm.tiles);
	case PANELS:
		return divided(divided(count, OMT_CL_PANEL), gemm.panels);
	case HEADS:
		return divided(count, heads_together(args, tiles));
	case QUERIES:
		return divided(count, OMT_CL_LANES * tiles->queries / heads_together(args, tiles));
	case ABREAST: /* rows whose elements lie side by side go into one work-item */
		return ((const omt_topk_args *)args)->ldx == 1 ? divided(count, OMT_CL_LANES)
		                                               : count;
	default:
		return count;
	}
}

bool omt_cl_launch_size(omt_op op, const void *args, const omt_cl_tiles *tiles, int32_t units,
                        size_t global[3], size_t local[3])
{
	int32_t counts[3];
	for (size_t i = 0; i < 3; i++) {
		const size_t offset = launches[op].axis[i].scalar;
		counts[i] =
			offset ? *(const int32_t *)(const void *)((const char *)args + offset) : 1;
		if (counts[i] <= 0)
			return false;
	}
	portions gemm = {1, 1};
	if (launches[op].axis[0].portion == TILES)
		gemm = gemm_portions(counts[0], counts[1], tiles, units);
	for (size_t i = 0; i < 3; i++) {
		global[i] = (size_t)axis_items(launches[op].axis[i].portion, counts[i], args, tiles,
		                               gemm);
		local[i] = 1;
	}
	if (launches[op].elements) {
		local[0] = OMT_CL_GROUP;
		global[0] = (global[0] + OMT_CL_GROUP - 1) / OMT_CL_GROUP * OMT_CL_GROUP;
	}
	return true;
}
