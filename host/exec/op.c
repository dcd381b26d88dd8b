#include "exec/op.h"

#include <assert.h>
#include <stddef.h>

#include "hls/portable.h"

#define COUNT_ONE(...) +1
#define COUNT_NONE(...)
#define CHECK(LIST, op)                                                                 \
	static_assert(0 LIST(COUNT_ONE, COUNT_NONE, OMT_NOTHING) <= OMT_OP_MAX_BUFFERS, \
	              "too many buffers in " #op);                                      \
	static_assert(0 LIST(COUNT_NONE, COUNT_ONE, OMT_NOTHING) <= OMT_OP_MAX_SCALARS, \
	              "too many scalars in " #op);
OMT_OP_LIST(CHECK)

#define BUFFER(access, type, name) \
	{OMT_ACCESS_##access, OMT_ELEMENT_##type, #name, HLS_BUNDLE_##name},
/* A bundle is a port however many buffers it has. */
#define IN_BUNDLE_0(access, type, name) || HLS_BUNDLE_##name == 0
#define IN_BUNDLE_1(access, type, name) || HLS_BUNDLE_##name == 1
#define IN_BUNDLE_2(access, type, name) || HLS_BUNDLE_##name == 2
#define BUNDLE(LIST, number)            (0 LIST(IN_BUNDLE_##number, NONE, OMT_NOTHING))
#define PORTS(LIST)                     BUNDLE(LIST, 0) + BUNDLE(LIST, 1) + BUNDLE(LIST, 2)
#define SCALAR(type, name)              {OMT_ELEMENT_##type, #name},
#define NONE(...)
#define INFO(LIST, op)                               \
	{#op,                                        \
	 0 LIST(COUNT_ONE, COUNT_NONE, OMT_NOTHING), \
	 0 LIST(COUNT_NONE, COUNT_ONE, OMT_NOTHING), \
	 PORTS(LIST),                                \
	 {LIST(BUFFER, NONE, OMT_NOTHING)},          \
	 {LIST(NONE, SCALAR, OMT_NOTHING)}},
const omt_op_info omt_op_infos[OMT_OP_COUNT] = {OMT_OP_LIST(INFO)};

/* Bytes of one element of storage. */
static double storage(int32_t dtype)
{
	return dtype == OMT_F32 ? 4 : dtype == OMT_I8 || dtype == OMT_I8X4 ? 1 : 2;
}

static omt_op_cost gemm_cost(const omt_gemm_args *g)
{
	double m = g->m, n = g->n, k = g->k;
	double passes = g->flags & (OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT) ? 2 : 1;
	return (omt_op_cost){2 * m * n * k,
	                     4 * m * k + storage(g->w_dtype) * n * k + 4 * passes * m * n};
}

/* Lengths lie in a buffer, not in the scalars: every sequence is taken as the longest. */
static omt_op_cost attention_cost(const omt_attention_args *a)
{
	double rows = (double)a->sequences * a->max_len;
	double q = (double)a->heads * a->head_dim, kv = (double)a->kv_heads * a->head_dim;
	return (omt_op_cost){4 * rows * a->max_len * q / (a->causal ? 2 : 1),
	                     4 * rows * (2 * q + 2 * kv)};
}

/* Ops whose cost is so much for each element of [rows, cols, deep]. */
#define AT(op, field) offsetof(omt_##op##_args, field)
static const struct {
	size_t rows, cols, deep; /* where the scalars are; deep 0: none */
	double flops, bytes;
} elementwise[OMT_OP_COUNT] = {
	[OMT_OP_quantize] = {AT(quantize, rows), AT(quantize, cols), 0, 3, 5},
	[OMT_OP_rmsnorm] = {AT(rmsnorm, rows), AT(rmsnorm, cols), 0, 4, 8},
	[OMT_OP_layernorm] = {AT(layernorm, rows), AT(layernorm, cols), 0, 7, 8},
	[OMT_OP_rmsnorm_i8] = {AT(rmsnorm_i8, rows), AT(rmsnorm_i8, cols), 0, 7, 5},
	[OMT_OP_layernorm_i8] = {AT(layernorm_i8, rows), AT(layernorm_i8, cols), 0, 10, 5},
	[OMT_OP_rotary] = {AT(rotary, rows), AT(rotary, heads), AT(rotary, head_dim), 3, 8},
	[OMT_OP_pairs] = {AT(pairs, out_rows), AT(pairs, cols), 0, 2, 12},
	/* Its rows are not among the scalars: the output alone. */
	[OMT_OP_pool] = {AT(pool, sequences), AT(pool, cols), 0, 0, 4},
	[OMT_OP_l2norm] = {AT(l2norm, rows), AT(l2norm, cols), 0, 3, 8},
};

static double scalar_at(const void *args, size_t offset)
{
	return *(const int32_t *)(const void *)((const char *)args + offset);
}

omt_op_cost omt_op_cost_of(omt_op op, const void *args)
{
	union {
		const void *any;
		const omt_pack_args *pack;
		const omt_gemm_args *gemm;
		const omt_attention_args *attention;
		const omt_gemm_i8_args *gemm_i8;
		const omt_gemm_bf16_args *gemm_bf16;
		const omt_rows_args *rows;
		const omt_unfold_args *unfold;
		const omt_patches_args *patches;
		const omt_topk_args *topk;
	} a = {args};
	double n;
	switch (op) {
	case OMT_OP_pack:
		n = (double)a.pack->n * a.pack->k;
		return (omt_op_cost){0, 2 * storage(a.pack->dtype) * n};
	case OMT_OP_gemm:
		return gemm_cost(a.gemm);
	case OMT_OP_attention:
		return attention_cost(a.attention);
	case OMT_OP_gemm_i8:
		n = (double)a.gemm_i8->n;
		return (omt_op_cost){2 * n * a.gemm_i8->m * a.gemm_i8->k,
		                     n * a.gemm_i8->k + (double)a.gemm_i8->m * a.gemm_i8->k +
		                             4 * n * a.gemm_i8->m};
	case OMT_OP_gemm_bf16:
		n = (double)a.gemm_bf16->n;
		return (omt_op_cost){2 * n * a.gemm_bf16->m * a.gemm_bf16->k,
		                     2 * n * a.gemm_bf16->k +
		                             4 * (double)a.gemm_bf16->m * a.gemm_bf16->k +
		                             4 * n * a.gemm_bf16->m};
	case OMT_OP_rows:
		n = (double)a.rows->count * a.rows->cols;
		return (omt_op_cost){0, (4 + storage(a.rows->src_dtype)) * n};
	case OMT_OP_unfold:
		n = (double)a.unfold->out_rows * a.unfold->channels;
		return (omt_op_cost){0, 4 * n * (a.unfold->stride + a.unfold->taps)};
	case OMT_OP_patches: /* 8-bit pixels */
		n = 3.0 * a.patches->rows * a.patches->frames * a.patches->side * a.patches->side;
		return (omt_op_cost){0, 5 * n};
	case OMT_OP_topk: /* a comparison an element */
		n = (double)a.topk->rows * a.topk->cols;
		return (omt_op_cost){n, 4 * n + 8 * (double)a.topk->rows * a.topk->k};
	default:
		n = scalar_at(args, elementwise[op].rows) * scalar_at(args, elementwise[op].cols);
		if (elementwise[op].deep)
			n *= scalar_at(args, elementwise[op].deep);
		return (omt_op_cost){elementwise[op].flops * n, elementwise[op].bytes * n};
	}
}
