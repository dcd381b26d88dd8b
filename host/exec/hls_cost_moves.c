/* Formulas of the ops that move rows and elements. */
#include "exec/hls_cost.h"

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
	cost->trips[HLS_STORE] = here * omt_hls_divided(args->cols, params->width);
	cost->read_bytes =
		8 * (uint64_t)args->count + (uint64_t)HLS_BYTES_OF(args->src_dtype) * elements;
	cost->written_bytes = 4 * elements;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

const omt_hls_formulas omt_hls_rows = {cost_rows, NULL, arrays_none, NULL};

/* ---- pool ---- */

static void cost_pool(const void *any, const omt_hls_params *params, const int32_t *const *content,
                      omt_hls_cost *cost)
{
	const omt_pool_args *args = any;
	const int32_t *cu = OMT_HLS_CONTENT(content, pool, cu_seqlens);
	const uint64_t steps = omt_hls_divided(args->cols, params->width);
	const uint64_t sequences = (uint64_t)args->sequences, cols = (uint64_t)args->cols;
	uint64_t rows = sequences;
	if (cu && args->mode == OMT_POOL_MEAN)
		rows = (uint64_t)(cu[args->sequences] - cu[0]);
	cost->trips[HLS_LOAD] = rows * (steps > HLS_PARTIALS ? steps : HLS_PARTIALS);
	cost->trips[HLS_STORE] = sequences * steps;
	cost->read_bytes = 4 * cols * rows + 8 * sequences;
	cost->written_bytes = 4 * cols * sequences;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

static bool fits_pool(const void *any, const omt_hls_params *params)
{
	return ((const omt_pool_args *)any)->cols <= params->cols;
}

static int32_t arrays_pool(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){"sums", omt_hls_divided(params->cols, params->width), 32,
	                            params->width};
	return 1;
}

static int32_t multipliers_of_width(const omt_hls_params *params)
{
	return params->width;
}

const omt_hls_formulas omt_hls_pool = {cost_pool, fits_pool, arrays_pool, multipliers_of_width};

/* ---- pairs ---- */

static void cost_pairs(const void *any, const omt_hls_params *params, const int32_t *const *content,
                       omt_hls_cost *cost)
{
	const omt_pairs_args *args = any;
	const int32_t *cu = OMT_HLS_CONTENT(content, pairs, cu_out);
	const uint64_t rows = (uint64_t)(cu ? cu[args->sequences] - cu[0] : args->out_rows);
	const uint64_t elements = rows * (uint64_t)args->cols;
	cost->trips[HLS_STORE] = rows * omt_hls_divided(args->cols, params->width);
	cost->read_bytes = 8 * elements + 12 * (uint64_t)args->sequences;
	cost->written_bytes = 4 * elements;
	cost->cycles = 2 * cost->trips[HLS_STORE];
}

const omt_hls_formulas omt_hls_pairs = {cost_pairs, NULL, arrays_none, multipliers_of_width};

/* ---- patches ---- */

static void cost_patches(const void *any, const omt_hls_params *params,
                         const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_patches_args *args = any;
	const int32_t *order = OMT_HLS_CONTENT(content, patches, order);
	const int32_t *places = OMT_HLS_CONTENT(content, patches, places);
	const int32_t count = args->frames * args->side * args->side;
	const uint64_t rows = (uint64_t)args->rows, pixels = rows * (uint64_t)count;
	uint64_t floats = order && places ? 0 : rows;
	for (int32_t i = 0; order && places && i < args->rows; i++)
		floats += places[(order[i] + 1) * (args->frames + 2) - 1] != OMT_U8;
	cost->trips[HLS_LOAD] = 256 + pixels;
	cost->trips[HLS_STORE] = rows * 3 * omt_hls_divided(count, params->width);
	cost->read_bytes = 256 * 12 + rows * 4 * (uint64_t)(args->frames + 3) + 3 * pixels +
	                   9 * floats * (uint64_t)count;
	cost->written_bytes = 12 * pixels;
	cost->cycles = 3 * cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

static bool fits_patches(const void *any, const omt_hls_params *params)
{
	const omt_patches_args *args = any;
	return (int64_t)args->frames * args->side * args->side <= params->cols;
}

static int32_t arrays_patches(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){"shade", 256, 32, 3};
	arrays[1] = (omt_hls_array){"plane", omt_hls_divided(params->cols, params->width), 32,
	                            3 * params->width};
	return 2;
}

const omt_hls_formulas omt_hls_patches = {cost_patches, fits_patches, arrays_patches, NULL};

/* ---- unfold ---- */

/* Rows of a sequence that its windows see, each once. */
static uint64_t seen_rows(const omt_unfold_args *args, int32_t length, int32_t windows)
{
	uint64_t seen = 0;
	for (int32_t t = 0, next = 0; t < windows; t++) {
		const int32_t first = t * args->stride - args->pad, end = first + args->taps;
		next = next > first ? next : first;
		for (; next < end && next < length; next++)
			seen++;
	}
	return seen;
}

static void cost_unfold(const void *any, const omt_hls_params *params,
                        const int32_t *const *content, omt_hls_cost *cost)
{
	const omt_unfold_args *args = any;
	const int32_t *in = OMT_HLS_CONTENT(content, unfold, cu_in);
	const int32_t *out = OMT_HLS_CONTENT(content, unfold, cu_out);
	const uint64_t sequences = (uint64_t)args->sequences, channels = (uint64_t)args->channels;
	const int32_t each = args->stride < args->taps ? args->stride : args->taps;
	uint64_t windows = (uint64_t)args->out_rows;
	uint64_t rows = windows * (uint64_t)each + sequences * (uint64_t)(args->taps - each);
	if (in && out) {
		windows = (uint64_t)(out[args->sequences] - out[0]);
		rows = 0;
		for (int32_t s = 0; s < args->sequences; s++)
			rows += seen_rows(args, in[s + 1] - in[s], out[s + 1] - out[s]);
	}
	cost->trips[HLS_LOAD] = rows * omt_hls_divided(args->channels, params->width);
	cost->trips[HLS_STORE] =
		windows * omt_hls_divided(args->channels * args->taps, params->width);
	cost->read_bytes = 4 * channels * rows + 16 * sequences;
	cost->written_bytes = 4 * channels * (uint64_t)args->taps * windows;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

static bool fits_unfold(const void *any, const omt_hls_params *params)
{
	const omt_unfold_args *args = any;
	return args->channels <= params->cols && args->taps <= params->rows;
}

static int32_t arrays_unfold(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){"ring", omt_hls_divided(params->cols, params->width), 32,
	                            params->rows * params->width};
	return 1;
}

const omt_hls_formulas omt_hls_unfold = {cost_unfold, fits_unfold, arrays_unfold, NULL};

/* ---- pack ---- */

static void cost_pack(const void *any, const omt_hls_params *params, const int32_t *const *content,
                      omt_hls_cost *cost)
{
	const omt_pack_args *args = any;
	const int32_t group = OMT_WORD_GROUP(args->dtype);
	const int32_t depth = (args->k + group - 1) / group * group;
	const uint64_t panels = omt_hls_divided(args->n, args->panel), rows = (uint64_t)args->panel;
	const uint64_t size = (uint64_t)HLS_BYTES_OF(args->dtype);
	/* Vectors of a row, block by block. */
	const uint64_t steps =
		(uint64_t)(depth / params->depth) * omt_hls_divided(params->depth, params->width) +
		omt_hls_divided(depth % params->depth, params->width);
	(void)content;
	cost->trips[HLS_LOAD] = panels * rows * steps;
	cost->trips[HLS_STORE] = panels * (uint64_t)(depth / group) *
	                         omt_hls_divided(args->panel * group, params->width);
	cost->read_bytes = (uint64_t)args->n * (uint64_t)args->k * size;
	cost->written_bytes = panels * rows * (uint64_t)depth * size;
	cost->cycles = cost->trips[HLS_LOAD] + cost->trips[HLS_STORE];
}

static bool fits_pack(const void *any, const omt_hls_params *params)
{
	return ((const omt_pack_args *)any)->panel <= params->rows;
}

static int32_t arrays_pack(const omt_hls_params *params, omt_hls_array *arrays)
{
	arrays[0] = (omt_hls_array){
		"tile", (uint64_t)params->depth * omt_hls_divided(params->rows, params->width), 32,
		params->width};
	return 1;
}

const omt_hls_formulas omt_hls_pack = {cost_pack, fits_pack, arrays_pack, NULL};
