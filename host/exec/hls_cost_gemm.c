/* Formulas of gemm, gemm_i8 and gemm_bf16: hls/gemm_hls.c, whose comment has them in words. */
#include "exec/hls_cost.h"
#include "exec/storage.h"

/* A launch of any of the three. */
typedef struct gemm_shape {
	omt_op op;
	int32_t m, n, k, flags;
	int32_t w_dtype, panel; /* OMT_I8X4, OMT_BF16X2 for the other two */
	int32_t a_bytes;        /* of an element of A */
	bool scale;             /* of the columns, is read */
	bool row_scale;         /* of the rows, too */
} gemm_shape;

/* Of one stage of one tile, or of one block of it. */
typedef struct gemm_stage {
	uint64_t load_trips, trips, read_bytes, written_bytes;
	uint64_t cycles; /* of the drain */
} gemm_stage;

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* Columns that the drain finishes at once. */
static int32_t lanes_of(const omt_hls_params *params)
{
	return params->width % 4 == 0 ? 4 : params->width % 2 == 0 ? 2 : 1;
}

/* ---- feed: a block of d of k ---- */

static gemm_stage feed_a(const gemm_shape *shape, const omt_hls_params *params, int32_t rows,
                         int32_t d)
{
	return (gemm_stage){.load_trips = (uint64_t)rows * omt_hls_divided(d, params->width),
	                    .read_bytes = (uint64_t)rows * (uint64_t)smaller(d, shape->k) *
	                                  (uint64_t)shape->a_bytes};
}

static gemm_stage feed_w(const gemm_shape *shape, const omt_hls_params *params, int32_t cols,
                         int32_t d)
{
	const int32_t dtype = shape->w_dtype, group = OMT_WORD_GROUP(dtype), panel = shape->panel;
	const bool pairs = dtype == OMT_BF16 || dtype == OMT_F16;
	const int32_t words = pairs ? panel / 2 : panel; /* of a panel's line */
	const uint64_t elements = (uint64_t)cols * (uint64_t)smaller(d, shape->k);
	gemm_stage feed = {.load_trips = (uint64_t)cols * (uint64_t)d,
	                   .read_bytes = elements * omt_dtype_bytes(dtype)};
	if (panel <= 1 && group == 1) {
		feed.load_trips = (uint64_t)cols * omt_hls_divided(d, params->width);
	} else if (shape->k > 0 && params->cols % panel == 0 && words % params->width == 0) {
		const uint64_t lines = omt_hls_divided(cols, panel) * omt_hls_divided(d, group);
		feed.load_trips = lines * omt_hls_divided(words, params->width);
		feed.read_bytes = lines * (uint64_t)words * (dtype == OMT_I8 ? 1 : 4);
	}
	return feed;
}

/* ---- a tile ---- */

int32_t omt_hls_gemm_latency(omt_op op)
{
	return op == OMT_OP_gemm_i8 ? HLS_LATENCY_I32 : HLS_PARTIALS;
}

static uint64_t steps_of(const gemm_shape *shape, const omt_hls_params *params, int32_t rows,
                         int32_t cols)
{
	return greater(omt_hls_divided(rows, params->pe) * omt_hls_divided(cols, params->width),
	               (uint64_t)omt_hls_gemm_latency(shape->op));
}

static gemm_stage drain_of(const gemm_shape *shape, const omt_hls_params *params, int32_t rows,
                           int32_t cols)
{
	const uint64_t steps = omt_hls_divided(cols, lanes_of(params)),
		       elements = (uint64_t)rows * (uint64_t)cols;
	const uint64_t line = 4 * (uint64_t)cols;
	gemm_stage drain = {.load_trips = steps,
	                    .trips = (uint64_t)rows * steps,
	                    .written_bytes = 4 * elements};
	if (shape->flags & OMT_GEMM_BIAS)
		drain.read_bytes += line;
	if (shape->scale)
		drain.read_bytes += line;
	if (shape->row_scale) {
		drain.load_trips += (uint64_t)rows;
		drain.read_bytes += 4 * (uint64_t)rows;
	}
	if (shape->flags & (OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT))
		drain.read_bytes += 4 * elements;
	drain.cycles = steps + drain.load_trips + drain.trips;
	return drain;
}

/* Adds `count` tiles of rows x cols; into operand[2]: bytes of A and of W. */
static void add_tiles(const gemm_shape *shape, const omt_hls_params *params, uint64_t count,
                      int32_t rows, int32_t cols, omt_hls_cost *cost, uint64_t operand[2])
{
	/* Blocks of depth, and the last one. A k of 0 is computed as one of a zero. */
	const int32_t k = shape->k > 0 ? shape->k : 1;
	const uint64_t blocks = omt_hls_divided(k, params->depth);
	const int32_t depth[2] = {params->depth, k - (int32_t)(blocks - 1) * params->depth};
	const uint64_t times[2] = {blocks - 1, 1};
	const gemm_stage drain = drain_of(shape, params, rows, cols);
	uint64_t feed[2], compute[2];
	if (!count || rows <= 0 || cols <= 0)
		return;
	for (int i = 0; i < 2; i++) {
		const gemm_stage a = feed_a(shape, params, rows, depth[i]);
		const gemm_stage w = feed_w(shape, params, cols, depth[i]);
		feed[i] = greater(a.load_trips, w.load_trips);
		compute[i] = (uint64_t)depth[i] * steps_of(shape, params, rows, cols);
		cost->trips[HLS_LOAD] += count * times[i] * (a.load_trips + w.load_trips);
		cost->trips[HLS_COMPUTE] += count * times[i] * compute[i];
		cost->read_bytes += count * times[i] * (a.read_bytes + w.read_bytes);
		operand[0] += count * times[i] * a.read_bytes;
		operand[1] += count * times[i] * w.read_bytes;
	}
	cost->trips[HLS_LOAD] += count * drain.load_trips;
	cost->trips[HLS_STORE] += count * drain.trips;
	cost->read_bytes += count * drain.read_bytes;
	cost->written_bytes += count * drain.written_bytes;
	/* Each block is multiplied while the next one comes, a tile while the one before leaves. */
	uint64_t product = feed[blocks == 1] + compute[1];
	if (blocks > 1)
		product +=
			(blocks - 2) * greater(compute[0], feed[0]) + greater(compute[0], feed[1]);
	cost->cycles += count * greater(product, drain.cycles);
}

/* ---- a launch ---- */

static void cost_of(const gemm_shape *shape, const omt_hls_params *params, omt_hls_cost *cost)
{
	const int32_t parts = OMT_GEMM_PARTS(shape->flags) > 1 ? OMT_GEMM_PARTS(shape->flags) : 1;
	const int32_t part = parts > 1 ? OMT_GEMM_PART(shape->flags) : 0;
	const int32_t down = (int32_t)omt_hls_divided(shape->m, params->rows);
	const uint64_t across = omt_hls_divided(shape->n, params->cols);
	if (shape->n <= 0 || part >= down)
		return;
	/* The last row tile and the last column of tiles are what is left. */
	const int32_t rows[2] = {params->rows, shape->m - (down - 1) * params->rows};
	const int32_t cols[2] = {params->cols, shape->n - (int32_t)(across - 1) * params->cols};
	const uint64_t mine = omt_hls_divided(down - part, parts),
		       last = (down - 1) % parts == part;
	const uint64_t tall[2] = {mine - last, last}, wide[2] = {across - 1, 1};
	uint64_t operand[2] = {0};
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			add_tiles(shape, params, tall[i] * wide[j], rows[i], cols[j], cost,
			          operand);
	cost->port_bytes = greater(greater(operand[0], operand[1]), cost->written_bytes);
	const gemm_stage drain = drain_of(shape, params, rows[last], cols[1]);
	cost->cycles += drain.cycles;
}

static void cost_gemm(const void *any, const omt_hls_params *params, const int32_t *const *content,
                      omt_hls_cost *cost)
{
	const omt_gemm_args *args = any;
	(void)content;
	cost_of(&(gemm_shape){OMT_OP_gemm, args->m, args->n, args->k, args->flags, args->w_dtype,
	                      args->w_panel, 4, (args->flags & OMT_GEMM_SCALE) != 0, false},
	        params, cost);
}

static void cost_gemm_i8(const void *any, const omt_hls_params *params,
                         const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_gemm_i8_args *args = any;
	(void)content;
	cost_of(&(gemm_shape){OMT_OP_gemm_i8, args->m, args->n, args->k, args->flags, OMT_I8X4,
	                      args->w_panel, 1, true, true},
	        params, cost);
}

static void cost_gemm_bf16(const void *any, const omt_hls_params *params,
                           const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_gemm_bf16_args *args = any;
	(void)content;
	cost_of(&(gemm_shape){OMT_OP_gemm_bf16, args->m, args->n, args->k, args->flags, OMT_BF16X2,
	                      args->w_panel, 4, false, false},
	        params, cost);
}

/* ---- what a kernel takes of a card ---- */

/* Sums and blocks of both operands are there twice: `banks` has both. line: of k beside each other
 * in the memory of W; bits: of an operand on the chip. */
static int32_t arrays_of(const omt_hls_params *params, int32_t line, int32_t bits,
                         omt_hls_array *arrays)
{
	const uint64_t down = (uint64_t)(params->rows / params->pe);
	const uint64_t across = (uint64_t)(params->cols / params->width);
	const int32_t lanes = lanes_of(params);
	arrays[0] = (omt_hls_array){"sums", down * across, 32, 2 * params->pe * params->width};
	arrays[1] = (omt_hls_array){"a", (uint64_t)(params->depth / params->width) * down, bits,
	                            2 * params->width * params->pe};
	arrays[2] = (omt_hls_array){"w", (uint64_t)(params->depth / line) * across, bits,
	                            2 * line * params->width};
	arrays[3] = (omt_hls_array){"shift", (uint64_t)(params->cols / lanes), 32, lanes};
	arrays[4] = (omt_hls_array){"factor", (uint64_t)(params->cols / lanes), 32, lanes};
	return 5;
}

static int32_t arrays_gemm(const omt_hls_params *params, omt_hls_array *arrays)
{
	return arrays_of(params, params->width, 32, arrays);
}

static int32_t arrays_gemm_i8(const omt_hls_params *params, omt_hls_array *arrays)
{
	const int32_t count = arrays_of(params, 4, 8, arrays);
	arrays[count] = (omt_hls_array){"row factor", (uint64_t)params->rows, 32, 1};
	return count + 1;
}

static int32_t arrays_gemm_bf16(const omt_hls_params *params, omt_hls_array *arrays)
{
	return arrays_of(params, 2, 16, arrays);
}

static int32_t multipliers(const omt_hls_params *params)
{
	return params->pe * params->width;
}

const omt_hls_formulas omt_hls_gemm = {cost_gemm, NULL, arrays_gemm, multipliers};
const omt_hls_formulas omt_hls_gemm_i8 = {cost_gemm_i8, NULL, arrays_gemm_i8, multipliers};
const omt_hls_formulas omt_hls_gemm_bf16 = {cost_gemm_bf16, NULL, arrays_gemm_bf16, multipliers};
