/* Formulas of the ops that move rows and elements. */
#include "exec/hls_cost.h"

static uint64_t divided(int32_t count, int32_t each)
{
	return (uint64_t)((count + each - 1) / each);
}

static int32_t arrays_none(const omt_hls_params *params, omt_hls_array *arrays)
{
	(void)params;
	(void)arrays;
	return 0;
}

/* ---- rows ---- */

static void cost_rows(const void *any, const omt_hls_params *params, const int32_t *const *content,
                      omt_hls_cost *cost)
{
	const omt_rows_args *args = any;
	const int32_t *index = OMT_HLS_CONTENT(content, rows, src_index);
	uint64_t here = 0;
	for (int32_t i = 0; i < args->count; i++)
		here += !index || (index[i] >= args->src_first &&
		                   index[i] - args->src_first < args->src_rows);
	const uint64_t elements = here * (uint64_t)args->cols;
	cost->trips[HLS_LOAD] = (uint64_t)args->count;
	cost->trips[HLS_STORE] = here * divided(args->cols, params->width);
	cost->read_bytes =
		8 * (uint64_t)args->count + (uint64_t)HLS_BYTES_OF(args->src_dtype) * elements;
	cost->written_bytes = 4 * elements;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

const omt_hls_formulas omt_hls_rows = {cost_rows, NULL, arrays_none, NULL};
