/* Formulas of attention: hls/attention_hls.c has them in words. */
#include "exec/hls_cost.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A block of `n` keys for `groups` queries of each processing element. */
static void add_keys(uint64_t n, uint64_t groups, uint64_t vectors, uint64_t blocks,
                     omt_hls_cost *cost)
{
	if (!n)
		return;
	cost->trips[HLS_LOAD] += blocks * n * vectors;
	cost->cycles += blocks * n * vectors; /* a vector of k, one of v through one port */
	cost->trips[HLS_COMPUTE] +=
		blocks * (vectors * larger(n * groups, HLS_PARTIALS) + (n + 1) * groups +
	                  (n + 1) * larger(groups * vectors, HLS_PARTIALS));
}

/* A sequence and kv head, block of queries by block of queries. */
static void add_sequence(const omt_attention_args *args, const omt_hls_params *params,
                         int32_t length, omt_hls_cost *cost)
{
	const int32_t heads = args->heads / args->kv_heads, all = length * heads;
	const uint64_t vectors = omt_hls_divided(args->head_dim, params->width);
	for (int32_t first = 0; first < all; first += params->rows) {
		const int32_t left = all - first, count = left < params->rows ? left : params->rows;
		const int32_t last = args->causal ? (first + count - 1) / heads + 1 : length;
		const uint64_t groups = omt_hls_divided(count, params->pe);
		cost->trips[HLS_LOAD] += groups * (uint64_t)params->pe * vectors;
		cost->trips[HLS_STORE] += (uint64_t)count * vectors;
		add_keys((uint64_t)params->depth, groups, vectors, (uint64_t)(last / params->depth),
		         cost);
		add_keys((uint64_t)(last % params->depth), groups, vectors, 1, cost);
		cost->read_bytes +=
			4 * (uint64_t)args->head_dim * ((uint64_t)count + 2 * (uint64_t)last);
		cost->written_bytes += 4 * (uint64_t)args->head_dim * (uint64_t)count;
	}
}

static void cost_attention(const void *any, const omt_hls_params *params,
                           const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_attention_args *args = any;
	const int32_t *cu = OMT_HLS_CONTENT(content, attention, cu_seqlens);
	const uint64_t kv_heads = (uint64_t)args->kv_heads;
	for (int32_t s = 0; s < args->sequences; s++)
		add_sequence(args, params, cu ? cu[s + 1] - cu[s] : args->max_len, cost);
	cost->cycles *= kv_heads;
	for (int stage = 0; stage < HLS_STAGES; stage++) {
		cost->trips[stage] *= kv_heads;
		cost->cycles += cost->trips[stage];
	}
	cost->read_bytes = cost->read_bytes * kv_heads + 8 * (uint64_t)args->sequences;
	cost->written_bytes *= kv_heads;
}

static bool fits_attention(const void *any, const omt_hls_params *params)
{
	return ((const omt_attention_args *)any)->head_dim <= params->cols;
}

static int32_t arrays_attention(const omt_hls_params *params, omt_hls_array *arrays)
{
	const uint64_t vectors = (uint64_t)(params->cols / params->width);
	const uint64_t groups = (uint64_t)(params->rows / params->pe);
	const uint64_t depth = (uint64_t)params->depth;
	const int32_t lanes = params->pe * params->width;
	arrays[0] = (omt_hls_array){"queries", groups * vectors, 32, lanes};
	arrays[1] = (omt_hls_array){"sums", groups * vectors, 32, lanes};
	arrays[2] = (omt_hls_array){"keys", depth * vectors, 32, params->width};
	arrays[3] = (omt_hls_array){"values", depth * vectors, 32, params->width};
	arrays[4] = (omt_hls_array){"scores", groups * depth, 32, params->pe};
	/* seen, most, before, total, shrink */
	arrays[5] = (omt_hls_array){"queries' own", groups, 32, 5 * params->pe};
	return 6;
}

static int32_t multipliers_attention(const omt_hls_params *params)
{
	return params->pe * params->width;
}

const omt_hls_formulas omt_hls_attention = {cost_attention, fits_attention, arrays_attention,
                                            multipliers_attention};
