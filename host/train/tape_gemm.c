#include <string.h>

#include "train/grad.h"
#include "train/tape_private.h"

/* A gemm on the inner exec. */
typedef struct product {
	omt_tape *tape;
	omt_tape_step *step;
	const omt_gemm_args *args; /* the step's, of the tape's buffers */
	bool kept;                 /* what the backward reads goes to the record */
} product;

static omt_buffer *inner_of(const omt_buffer *buffer)
{
	return omt_tape_buffer_of(buffer)->inner;
}

/* c's columns += B (alpha / rank A x). */
static omt_status add_low_rank(const product *p, int32_t section, omt_buffer *c, int32_t ldc,
                               omt_error *err)
{
	omt_tape *tape = p->tape;
	const omt_gemm_args *g = p->args;
	const omt_tape_lora *lora = &omt_tape_buffer_of(g->w)->lora[section];
	const int32_t rank = tape->lora.rank;
	const size_t floats = (size_t)g->m * (size_t)rank;
	omt_buffer *low;
	float *data = NULL;
	OMT_TRY(omt_tape_product(tape, OMT_SCRATCH_LOW, floats, p->kept, &low, &data, err));
	omt_status status = OMT_RUN(tape->inner, gemm, err, .a = inner_of(g->a), .w = lora->a,
	                            .scale = tape->first->lora_scale, .bias = lora->a,
	                            .residual = lora->a, .c = low, .m = g->m, .n = rank, .k = g->k,
	                            .lda = g->lda, .ldw = g->k, .ldr = rank, .ldc = rank,
	                            .w_dtype = OMT_F32, .w_panel = 1, .flags = OMT_GEMM_SCALE);
	if (status == OMT_OK)
		status = OMT_RUN(tape->inner, gemm, err, .a = low, .w = lora->b, .scale = lora->b,
		                 .bias = lora->b, .residual = c, .c = c, .m = g->m, .n = lora->n,
		                 .k = rank, .lda = rank, .ldw = rank, .ldr = ldc, .ldc = ldc,
		                 .w_dtype = OMT_F32, .w_panel = 1, .flags = OMT_GEMM_RESIDUAL,
		                 .n_first = lora->first);
	omt_status ended = omt_tape_product_end(tape, OMT_SCRATCH_LOW, floats, p->kept, low,
	                                        status == OMT_OK && p->kept, &data, err);
	p->step->low[section] = p->kept ? data : NULL;
	return status == OMT_OK ? ended : status;
}

/* c = a W^T + bias (and whatever else the flags say), with the low-rank updates. */
static omt_status multiply(const product *p, omt_buffer *c, int32_t ldc, int32_t act, int32_t flags,
                           uint64_t *mark, omt_error *err)
{
	omt_gemm_args inner = *p->args;
	inner.a = inner_of(inner.a);
	inner.w = inner_of(inner.w);
	inner.scale = inner_of(inner.scale);
	inner.bias = inner_of(inner.bias);
	inner.residual = inner_of(inner.residual);
	inner.c = c;
	inner.ldc = ldc;
	inner.act = act;
	inner.flags = flags;
	OMT_TRY(omt_exec_run(p->tape->inner, OMT_OP_gemm, &inner, mark, err));
	for (int32_t i = 0; i < omt_tape_buffer_of(p->args->w)->lora_count; i++)
		OMT_TRY(add_low_rank(p, i, c, ldc, err));
	return OMT_OK;
}

/* Rows of c = act(z) + or * the residual's. */
static void combine(const omt_gemm_args *g, const float *act, const float *residual, float *c)
{
	const bool times = g->flags & OMT_GEMM_PRODUCT;
	const size_t n = (size_t)g->n;
	for (size_t row = 0; row < (size_t)g->m; row++) {
		const float *from = act + row * n, *other = residual + row * (size_t)g->ldr;
		float *to = c + row * (size_t)g->ldc;
		for (size_t i = 0; i < n; i++)
			to[i] = times ? from[i] * other[i] : from[i] + other[i];
	}
}

static void copy_rows(const omt_gemm_args *g, const float *act, float *c)
{
	const size_t n = (size_t)g->n;
	for (size_t row = 0; row < (size_t)g->m; row++)
		memcpy(c + row * (size_t)g->ldc, act + row * n, n * sizeof *c);
}

/* From z on, on the host: c is there what it is on the device, but for the columns made here. */
static omt_status finish(const product *p, const float *z, omt_error *err)
{
	omt_tape *tape = p->tape;
	const omt_gemm_args *g = p->args;
	const bool two = g->flags & (OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT);
	const size_t bytes = (size_t)g->m * (size_t)g->ldc * sizeof(float);
	omt_tape_buffer *out = omt_tape_buffer_of(g->c);
	const void *data;
	OMT_TRY(omt_tape_view(tape, out, bytes, &data, err));
	float *c = (float *)(uintptr_t)data + g->n_first;
	const float *act = z;
	if (two)
		OMT_TRY(omt_tape_view(tape, omt_tape_buffer_of(g->residual),
		                      (size_t)g->m * (size_t)g->ldr * sizeof(float), &data, err));
	if (g->act != OMT_ACT_NONE) {
		float *made = c;
		if (two || g->ldc != g->n)
			OMT_TRY(omt_tape_scratch(tape, OMT_SCRATCH_ACT, (size_t)g->m * (size_t)g->n,
			                         &made, err));
		grad_act_forward(z, made, g->m, g->n, g->act);
		act = made;
	}
	if (two)
		combine(g, act, (const float *)data + g->n_first, c);
	else if (act != c)
		copy_rows(g, act, c);
	if (tape->host)
		return OMT_OK;
	OMT_TRY(omt_exec_write(tape->inner, out->inner, 0, c - g->n_first, bytes, NULL, err));
	return omt_exec_wait(tape->inner, 0, err);
}

/* Columns from n_first on of z[m, ldz], as z[m, n] in the same place. */
static void close_gap(const omt_gemm_args *g, float *z, size_t ldz)
{
	const size_t n = (size_t)g->n;
	for (size_t row = 0; g->n_first && row < (size_t)g->m; row++)
		memmove(z + row * n, z + row * ldz + g->n_first, n * sizeof *z);
}

omt_status omt_tape_gemm(omt_tape *tape, omt_tape_step *step, bool recorded, bool kept,
                         uint64_t *mark, omt_error *err)
{
	const product p = {tape, step, (const void *)&step->args, kept};
	const omt_gemm_args *g = p.args;
	const bool more = g->act != OMT_ACT_NONE || g->flags & OMT_GEMM_PRODUCT;
	if (!more || !(recorded || omt_tape_buffer_of(g->w)->lora_count))
		return multiply(&p, inner_of(g->c), g->ldc, g->act, g->flags, mark, err);
	const int32_t ldz = g->n_first + g->n;
	const size_t floats = (size_t)g->m * (size_t)ldz;
	omt_buffer *buffer;
	float *z = NULL;
	OMT_TRY(omt_tape_product(tape, OMT_SCRATCH_Z, floats, kept, &buffer, &z, err));
	omt_status status = multiply(&p, buffer, ldz, OMT_ACT_NONE,
	                             g->flags & ~(OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT), mark, err);
	omt_status ended = omt_tape_product_end(tape, OMT_SCRATCH_Z, floats, kept, buffer,
	                                        status == OMT_OK, &z, err);
	if (status == OMT_OK)
		status = ended;
	if (status != OMT_OK)
		return status;
	close_gap(g, z, (size_t)ldz);
	step->z = kept ? z : NULL;
	return finish(&p, z, err);
}
