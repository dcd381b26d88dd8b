#include "exec/hls_cost.h"

#include <stddef.h>

const omt_hls_formulas *omt_hls_formulas_of(omt_op op)
{
#define ENTRY(LIST, name) &omt_hls_##name,
	static const omt_hls_formulas *const formulas[OMT_OP_COUNT] = {OMT_OP_LIST(ENTRY)};
#undef ENTRY
	return formulas[op];
}

omt_hls_cost omt_hls_cost_of(omt_op op, const void *args, const omt_hls_params *params,
                             const int32_t *const *content)
{
	omt_hls_cost cost = {0};
	omt_hls_formulas_of(op)->cost(args, params, content, &cost);
	if (!cost.port_bytes)
		cost.port_bytes =
			cost.read_bytes > cost.written_bytes ? cost.read_bytes : cost.written_bytes;
	return cost;
}

bool omt_hls_fits(omt_op op, const void *args, const omt_hls_params *params)
{
	const omt_hls_formulas *formulas = omt_hls_formulas_of(op);
	return !formulas->fits || formulas->fits(args, params);
}

int32_t omt_hls_arrays_of(omt_op op, const omt_hls_params *params,
                          omt_hls_array arrays[OMT_HLS_ARRAYS])
{
	return omt_hls_formulas_of(op)->arrays(params, arrays);
}

int32_t omt_hls_multipliers_of(omt_op op, const omt_hls_params *params)
{
	const omt_hls_formulas *formulas = omt_hls_formulas_of(op);
	return formulas->multipliers ? formulas->multipliers(params) : 0;
}
