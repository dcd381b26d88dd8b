/* Formulas of the ops that work row by row. */
#include "exec/hls_cost.h"

static uint64_t divided(int32_t count, int32_t each)
{
	return (uint64_t)((count + each - 1) / each);
}

static int32_t multipliers_of_width(const omt_hls_params *params)
{
	return params->width;
}

/* ---- l2norm ---- */

static void cost_l2norm(const void *any, const omt_hls_params *params, const int32_t *content,
                        omt_hls_cost *cost)
{
	const omt_l2norm_args *args = any;
	const uint64_t rows = (uint64_t)args->rows, steps = divided(args->cols, params->width);
	(void)content;
	cost->trips[HLS_LOAD] = cost->trips[HLS_STORE] = rows * steps;
	cost->trips[HLS_COMPUTE] = rows * HLS_PARTIALS;
	cost->read_bytes = cost->written_bytes = rows * (uint64_t)args->cols * 4;
	cost->cycles = rows * (2 * steps + HLS_PARTIALS);
}

static bool fits_l2norm(const void *any, const omt_hls_params *params)
{
	return ((const omt_l2norm_args *)any)->cols <= params->cols;
}

static int32_t arrays_l2norm(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){"line", (uint64_t)(params->cols / params->width), 32,
	                            params->width};
	arrays[1] = (omt_hls_array){"partial", HLS_PARTIALS, 32, params->width};
	return 2;
}

const omt_hls_formulas omt_hls_l2norm = {cost_l2norm, fits_l2norm, arrays_l2norm,
                                         multipliers_of_width, -1};

/* ---- rotary ---- */

static void cost_rotary(const void *any, const omt_hls_params *params, const int32_t *content,
                        omt_hls_cost *cost)
{
	const omt_rotary_args *args = any;
	const uint64_t rows = (uint64_t)args->rows, heads = (uint64_t)args->heads;
	const uint64_t pairs = (uint64_t)args->head_dim / 2;
	const uint64_t steps = divided(args->head_dim / 2, params->width);
	(void)content;
	cost->trips[HLS_LOAD] = rows * steps;
	cost->trips[HLS_COMPUTE] = rows * heads * steps;
	cost->read_bytes = rows * pairs * 8 * (1 + heads);
	cost->written_bytes = rows * pairs * 8 * heads;
	cost->cycles = rows * steps * (1 + heads);
}

static bool fits_rotary(const void *any, const omt_hls_params *params)
{
	return ((const omt_rotary_args *)any)->head_dim <= 2 * params->cols;
}

static int32_t arrays_rotary(const omt_hls_params *params, omt_hls_array *arrays)
{
	const uint64_t words = (uint64_t)(params->cols / params->width);
	arrays[0] = (omt_hls_array){"cosine", words, 32, params->width};
	arrays[1] = (omt_hls_array){"sine", words, 32, params->width};
	return 2;
}

static int32_t multipliers_rotary(const omt_hls_params *params)
{
	return 4 * params->width;
}

const omt_hls_formulas omt_hls_rotary = {cost_rotary, fits_rotary, arrays_rotary,
                                         multipliers_rotary, -1};
