/* Formulas of the ops that work row by row: norms, quantize, rotary. */
#include "exec/hls_cost.h"

static int32_t array(omt_hls_array *to, const char *name, const omt_hls_params *params)
{
	*to = (omt_hls_array){name, (uint64_t)(params->cols / params->width), 32, params->width};
	return 1;
}

/* ---- norms and quantize: a row is read while the one before it is written ---- */

typedef struct row_op {
	int32_t tables;      /* rows that are read once: weight, bias */
	int32_t sums;        /* sums over a row */
	int32_t passes;      /* over a row in memory */
	bool i8;             /* to int8 with a scale */
	int32_t multipliers; /* of a lane */
} row_op;

typedef struct row_args { /* the scalars that these ops begin with */
	int32_t rows, cols, ldx, ldo;
} row_args;

static void cost_row(const row_op *op, const row_args *args, const omt_hls_params *params,
                     omt_hls_cost *cost)
{
	const uint64_t rows = (uint64_t)args->rows, cols = (uint64_t)args->cols;
	const uint64_t steps = omt_hls_divided(args->cols, params->width);
	const uint64_t out_steps = op->i8 ? omt_hls_divided(args->ldo, params->width) : steps;
	const uint64_t table_steps = op->tables ? steps : 0;
	cost->trips[HLS_LOAD] = table_steps + rows * steps;
	cost->trips[HLS_COMPUTE] =
		rows * ((uint64_t)op->sums * HLS_PARTIALS + (uint64_t)op->passes * steps);
	cost->trips[HLS_STORE] = rows * out_steps;
	cost->read_bytes = 4 * cols * (rows + (uint64_t)op->tables);
	cost->written_bytes = rows * (op->i8 ? (uint64_t)args->ldo + 4 : 4 * cols);
	/* All tables in an iteration, through one port. */
	cost->cycles = (uint64_t)op->tables * table_steps + (rows + 1) * out_steps +
	               cost->trips[HLS_COMPUTE];
}

static int32_t arrays_row(const row_op *op, const omt_hls_params *params, omt_hls_array *arrays)
{
	static const char *const tables[] = {"weights", "biases"};
	int32_t count = array(&arrays[0], "line", params);
	for (int32_t i = 0; i < op->tables; i++)
		count += array(&arrays[count], tables[i], params);
	if (op->sums)
		arrays[count++] =
			(omt_hls_array){"partial", HLS_PARTIALS, 32, op->sums * params->width};
	return count;
}

#define ROW_OP(op, ...)                                                                           \
	static const row_op row_##op = {__VA_ARGS__};                                             \
	static void cost_##op(const void *any, const omt_hls_params *params,                      \
	                      const int32_t *const *content, omt_hls_cost *cost)                  \
	{                                                                                         \
		(void)content;                                                                    \
		cost_row(&row_##op, omt_op_scalars(OMT_OP_##op, any), params, cost);              \
	}                                                                                         \
	static bool fits_##op(const void *any, const omt_hls_params *params)                      \
	{                                                                                         \
		const row_args *args = omt_op_scalars(OMT_OP_##op, any);                          \
		return args->cols <= params->cols && (!row_##op.i8 || args->ldo <= params->cols); \
	}                                                                                         \
	static int32_t arrays_##op(const omt_hls_params *params, omt_hls_array *arrays)           \
	{                                                                                         \
		return arrays_row(&row_##op, params, arrays);                                     \
	}                                                                                         \
	static int32_t multipliers_##op(const omt_hls_params *params)                             \
	{                                                                                         \
		return row_##op.multipliers * params->width;                                      \
	}                                                                                         \
	const omt_hls_formulas omt_hls_##op = {cost_##op, fits_##op, arrays_##op, multipliers_##op};

/*     op            tables, sums, passes, i8, multipliers */
ROW_OP(l2norm, 0, 1, 0, false, 2)
ROW_OP(rmsnorm, 1, 1, 0, false, 3)
ROW_OP(rmsnorm_i8, 1, 1, 1, true, 4)
ROW_OP(layernorm, 2, 2, 1, false, 3)
ROW_OP(layernorm_i8, 2, 2, 2, true, 4)
ROW_OP(quantize, 0, 0, 0, true, 1)

/* ---- rotary ---- */

static void cost_rotary(const void *any, const omt_hls_params *params,
                        const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_rotary_args *args = any;
	const uint64_t rows = (uint64_t)args->rows, heads = (uint64_t)args->heads;
	const uint64_t pairs = (uint64_t)args->head_dim / 2;
	const uint64_t steps = omt_hls_divided(args->head_dim / 2, params->width);
	(void)content;
	cost->trips[HLS_LOAD] = rows * steps;
	cost->trips[HLS_COMPUTE] = rows * heads * steps;
	cost->read_bytes = rows * pairs * 8 * (1 + heads);
	cost->written_bytes = rows * pairs * 8 * heads;
	cost->port_bytes = 2 * cost->written_bytes; /* in place */
	cost->cycles = 2 * rows * steps * (1 + heads);
}

static bool fits_rotary(const void *any, const omt_hls_params *params)
{
	return ((const omt_rotary_args *)any)->head_dim <= 2 * params->cols;
}

static int32_t arrays_rotary(const omt_hls_params *params, omt_hls_array *arrays)
{
	return array(&arrays[0], "cosine", params) + array(&arrays[1], "sine", params);
}

static int32_t multipliers_rotary(const omt_hls_params *params)
{
	return 4 * params->width;
}

const omt_hls_formulas omt_hls_rotary = {cost_rotary, fits_rotary, arrays_rotary,
                                         multipliers_rotary};

/* ---- topk ---- */

static void cost_topk(const void *any, const omt_hls_params *params, const int32_t *const *content,
                      omt_hls_cost *cost)
{
	const omt_topk_args *args = any;
	const bool abreast = args->ldx == 1, packed = !abreast && args->stride == 1;
	const uint64_t rows = (uint64_t)args->rows, cols = (uint64_t)args->cols;
	const uint64_t k = (uint64_t)args->k, passes = omt_hls_divided(args->k, params->depth);
	const uint64_t groups = abreast ? omt_hls_divided(args->rows, params->width) : rows;
	const uint64_t steps = packed ? omt_hls_divided(args->cols, params->width) : cols;
	const uint64_t settle = passes * (uint64_t)params->depth;
	(void)content;
	cost->trips[HLS_LOAD] = rows + groups * passes * steps;
	cost->trips[HLS_COMPUTE] = groups * settle;
	if (packed)
		cost->trips[HLS_COMPUTE] += groups * ((uint64_t)(params->width - 1) * k + settle);
	cost->trips[HLS_STORE] = rows * k;
	cost->read_bytes = 4 * rows * (passes * cols + (args->bounded ? 1 : 0));
	cost->written_bytes = 8 * rows * k;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_COMPUTE] + cost->trips[HLS_STORE];
}

static int32_t arrays_topk(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){"cells", 1, 64, params->width * params->depth};
	arrays[1] = (omt_hls_array){"passed", 1, 64, params->width * params->depth};
	return 2;
}

const omt_hls_formulas omt_hls_topk = {cost_topk, NULL, arrays_topk, NULL};
