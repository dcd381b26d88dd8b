#include <stdlib.h>
#include <string.h>

#include "train/grad.h"
#include "train/tape_private.h"

typedef struct walk {
	omt_tape *tape;
	float *gradients; /* of trainable->values */
} walk;

/* ---- gradients by memory ---- */

omt_status omt_tape_gradient(omt_tape_buffer *buffer, omt_error *err)
{
	if (!buffer->gradient && !(buffer->gradient = calloc(1, buffer->base.bytes)))
		return OMT_FAIL(err, NO_MEMORY, "a gradient of %zu bytes", buffer->base.bytes);
	return OMT_OK;
}

static omt_tape_buffer *buffer_at(const omt_tape_step *step, int32_t i)
{
	return omt_tape_buffer_of(step->args.buffers[i]);
}

/* Of what is wanted and of what the op wrote. */
static omt_status open_gradients(const omt_tape_step *step, omt_error *err)
{
	const int32_t out = omt_tape_out(step->op);
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++)
		if (i == out || step->tracked >> i & 1)
			OMT_TRY(omt_tape_gradient(buffer_at(step, i), err));
	return OMT_OK;
}

/* The gradient of an operand; NULL: not wanted. A weight's is that of its first element. */
static float *wanted(const walk *w, const omt_tape_step *step, int32_t i)
{
	const omt_tape_buffer *buffer = buffer_at(step, i);
	if (!buffer->weight)
		return step->tracked >> i & 1 ? buffer->gradient : NULL;
	return buffer->place_count ? w->gradients + buffer->places[0].at : NULL;
}

static void clear_rows(float *gradient, int32_t rows, int32_t cols, int32_t ld)
{
	if (cols == ld)
		memset(gradient, 0, (size_t)rows * (size_t)ld * sizeof *gradient);
	else
		for (int32_t row = 0; row < rows; row++)
			memset(gradient + (size_t)row * (size_t)ld, 0,
			       (size_t)cols * sizeof *gradient);
}

/* The gradient of what a row-wise op wrote. Where it wrote over its input, the gradient is moved
 * away: the same memory has the input's next. */
static omt_status take_output(walk *w, const omt_tape_step *step, int32_t x, int32_t rows,
                              int32_t cols, int32_t ld, float **dout, omt_error *err)
{
	const int32_t out = omt_tape_out(step->op);
	const size_t floats = (size_t)rows * (size_t)ld;
	*dout = buffer_at(step, out)->gradient;
	if (buffer_at(step, x) != buffer_at(step, out))
		return OMT_OK;
	float *moved;
	OMT_TRY(omt_tape_scratch(w->tape, OMT_SCRATCH_DZ, floats, &moved, err));
	memcpy(moved, *dout, floats * sizeof *moved);
	clear_rows(*dout, rows, cols, ld);
	*dout = moved;
	return OMT_OK;
}

/* ---- gemm ---- */

/* dz of c = z * residual, and the residual's gradient, in place where the residual was c. */
static omt_status back_product(walk *w, const omt_tape_step *step, const omt_gemm_args *g,
                               float *dc, float **dz, omt_error *err)
{
	const bool tracked = step->tracked >> 4 & 1, in_place = g->residual == g->c;
	const float *other = (const float *)step->content[4] + g->n_first;
	float *dother = tracked ? buffer_at(step, 4)->gradient + g->n_first : NULL;
	const size_t n = (size_t)g->n;
	OMT_TRY(omt_tape_scratch(w->tape, OMT_SCRATCH_DZ, (size_t)g->m * n, dz, err));
	for (size_t row = 0; row < (size_t)g->m; row++) {
		const float *z = step->z + row * n, *r = other + row * (size_t)g->ldr;
		float *from = dc + row * (size_t)g->ldc, *to = *dz + row * n;
		float *share = dother ? dother + row * (size_t)g->ldr : NULL;
		for (size_t i = 0; i < n; i++) {
			const float d = from[i];
			to[i] = d * r[i];
			if (share)
				share[i] = d * z[i] + (in_place ? 0 : share[i]);
		}
	}
	return OMT_OK;
}

/* The residual's gradient, where it is another buffer than c. */
static void back_residual(const omt_gemm_args *g, const float *dc, float *dresidual)
{
	for (size_t row = 0; row < (size_t)g->m; row++)
		for (size_t i = 0; i < (size_t)g->n; i++)
			dresidual[row * (size_t)g->ldr + i] += dc[row * (size_t)g->ldc + i];
}

/* dA, dB and the input's share of a low-rank update. */
static omt_status back_low_rank(walk *w, const omt_tape_step *step, const omt_gemm_args *g,
                                int32_t section, const float *dz, int32_t lddz, omt_error *err)
{
	const omt_tape *tape = w->tape;
	const omt_tape_lora *lora = &buffer_at(step, 1)->lora[section];
	const float *values = tape->trainable->values;
	const int32_t rank = tape->lora.rank;
	const float scale = (float)(tape->lora.alpha / rank);
	const size_t floats = (size_t)g->m * (size_t)rank;
	float *dlow;
	OMT_TRY(omt_tape_scratch(w->tape, OMT_SCRATCH_LOW, floats, &dlow, err));
	memset(dlow, 0, floats * sizeof *dlow);
	grad_gemm(step->low[section], rank, values + lora->b_at, rank, OMT_F32,
	          dz + (lora->first - g->n_first), lddz, dlow, rank, w->gradients + lora->b_at,
	          rank, NULL, g->m, lora->n, rank);
	for (size_t i = 0; i < floats; i++)
		dlow[i] *= scale;
	grad_gemm(step->content[0], g->lda, values + lora->a_at, g->k, OMT_F32, dlow, rank,
	          wanted(w, step, 0), g->lda, w->gradients + lora->a_at, g->k, NULL, g->m, rank,
	          g->k);
	return OMT_OK;
}

/* Sums of dz's columns, to the tensors that the bias is made of. */
static void back_bias(const walk *w, const omt_tape_step *step, const omt_gemm_args *g,
                      const float *dz, int32_t lddz)
{
	const omt_tape_buffer *bias = buffer_at(step, 3);
	const size_t first = (size_t)g->n_first, end = first + (size_t)g->n;
	for (int32_t p = 0; p < bias->place_count; p++) {
		const omt_tape_place *place = &bias->places[p];
		const size_t from = place->first > first ? place->first : first;
		const size_t to =
			place->first + place->count < end ? place->first + place->count : end;
		float *sums = w->gradients + place->at;
		for (size_t row = 0; row < (size_t)g->m; row++)
			for (size_t i = from; i < to; i++)
				sums[i - place->first] += dz[row * (size_t)lddz + (i - first)];
	}
}

static omt_status back_gemm(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_gemm_args *g = (const void *)&step->args;
	const omt_tape_buffer *weight = buffer_at(step, 1);
	const bool in_place = g->residual == g->c;
	const int32_t flags = g->flags;
	float *dc = buffer_at(step, 5)->gradient + g->n_first, *dz = dc;
	int32_t lddz = g->ldc;
	if (flags & OMT_GEMM_PRODUCT) {
		OMT_TRY(back_product(w, step, g, dc, &dz, err));
		lddz = g->n;
	} else if (g->act != OMT_ACT_NONE) {
		OMT_TRY(omt_tape_scratch(w->tape, OMT_SCRATCH_DZ, (size_t)g->m * (size_t)g->n, &dz,
		                         err));
		grad_act(step->z, dc, g->ldc, dz, g->m, g->n, g->act);
		lddz = g->n;
	}
	float *dw = wanted(w, step, 1), *da = wanted(w, step, 0);
	if (da || dw)
		grad_gemm(step->content[0], g->lda, weight->host, g->ldw, g->w_dtype, dz, lddz, da,
		          g->lda, dw, g->ldw, NULL, g->m, g->n, g->k);
	if (flags & OMT_GEMM_BIAS)
		back_bias(w, step, g, dz, lddz);
	for (int32_t i = 0; i < weight->lora_count; i++)
		OMT_TRY(back_low_rank(w, step, g, i, dz, lddz, err));
	if (flags & OMT_GEMM_RESIDUAL && !in_place && step->tracked >> 4 & 1)
		back_residual(g, dc, buffer_at(step, 4)->gradient + g->n_first);
	if (!in_place || !(step->tracked >> 4 & 1))
		clear_rows(dc, g->m, g->n, g->ldc);
	return OMT_OK;
}

/* ---- the other ops ---- */

static omt_status back_attention(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_attention_args *a = (const void *)&step->args;
	const int32_t *cu_seqlens = step->content[3];
	float *dout = buffer_at(step, 4)->gradient;
	(void)err;
	grad_attention(step->content[0], step->content[1], step->content[2], cu_seqlens, dout,
	               wanted(w, step, 0), wanted(w, step, 1), wanted(w, step, 2), a->sequences,
	               a->max_len, a->heads, a->kv_heads, a->head_dim, a->ldq, a->ldkv, a->ldo,
	               a->k_at, a->v_at, a->causal, a->scale);
	clear_rows(dout, cu_seqlens[a->sequences], a->heads * a->head_dim, a->ldo);
	return OMT_OK;
}

static omt_status back_rmsnorm(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_rmsnorm_args *a = (const void *)&step->args;
	float *dout;
	OMT_TRY(take_output(w, step, 0, a->rows, a->cols, a->ldo, &dout, err));
	grad_rmsnorm(step->content[0], buffer_at(step, 1)->host, dout, wanted(w, step, 0),
	             wanted(w, step, 1), a->rows, a->cols, a->ldx, a->ldo, a->eps);
	clear_rows(dout, a->rows, a->cols, a->ldo);
	return OMT_OK;
}

static omt_status back_layernorm(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_layernorm_args *a = (const void *)&step->args;
	float *dout;
	OMT_TRY(take_output(w, step, 0, a->rows, a->cols, a->ldo, &dout, err));
	grad_layernorm(step->content[0], buffer_at(step, 1)->host, dout, wanted(w, step, 0),
	               wanted(w, step, 1), wanted(w, step, 2), a->rows, a->cols, a->ldx, a->ldo,
	               a->eps);
	clear_rows(dout, a->rows, a->cols, a->ldo);
	return OMT_OK;
}

static omt_status back_l2norm(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_l2norm_args *a = (const void *)&step->args;
	float *dout;
	OMT_TRY(take_output(w, step, 0, a->rows, a->cols, a->ldo, &dout, err));
	grad_l2norm(step->content[0], dout, wanted(w, step, 0), a->rows, a->cols, a->ldx, a->ldo,
	            a->eps);
	clear_rows(dout, a->rows, a->cols, a->ldo);
	return OMT_OK;
}

static omt_status back_rotary(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_rotary_args *a = (const void *)&step->args;
	(void)w;
	(void)err;
	grad_rotary(buffer_at(step, 0)->gradient, step->content[1], step->content[2], a->rows,
	            a->heads, a->head_dim, a->ldx);
	return OMT_OK;
}

static omt_status back_rows(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_rows_args *a = (const void *)&step->args;
	(void)err;
	grad_rows(wanted(w, step, 0), step->content[1], step->content[2],
	          buffer_at(step, 3)->gradient, a->count, a->cols, a->lds, a->ldd, a->src_first,
	          a->src_rows);
	return OMT_OK;
}

static omt_status back_unfold(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_unfold_args *a = (const void *)&step->args;
	float *dout = buffer_at(step, 3)->gradient;
	(void)err;
	grad_unfold(step->content[1], step->content[2], dout, wanted(w, step, 0), a->sequences,
	            a->out_rows, a->channels, a->taps, a->stride, a->pad, a->ldx, a->ldo);
	clear_rows(dout, a->out_rows, a->channels * a->taps, a->ldo);
	return OMT_OK;
}

static omt_status back_pairs(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_pairs_args *a = (const void *)&step->args;
	float *dout = buffer_at(step, 3)->gradient;
	(void)err;
	grad_pairs(step->content[1], step->content[2], dout, wanted(w, step, 0), a->sequences,
	           a->out_rows, a->cols, a->ldx, a->ldo);
	clear_rows(dout, a->out_rows, a->cols, a->ldo);
	return OMT_OK;
}

static omt_status back_pool(walk *w, const omt_tape_step *step, omt_error *err)
{
	const omt_pool_args *a = (const void *)&step->args;
	float *dout = buffer_at(step, 2)->gradient;
	(void)err;
	grad_pool(step->content[1], dout, wanted(w, step, 0), a->sequences, a->cols, a->ldx, a->ldo,
	          a->mode);
	clear_rows(dout, a->sequences, a->cols, a->ldo);
	return OMT_OK;
}

static omt_status (*const backward[OMT_OP_COUNT])(walk *, const omt_tape_step *, omt_error *) = {
	[OMT_OP_gemm] = back_gemm,       [OMT_OP_attention] = back_attention,
	[OMT_OP_rmsnorm] = back_rmsnorm, [OMT_OP_layernorm] = back_layernorm,
	[OMT_OP_rotary] = back_rotary,   [OMT_OP_rows] = back_rows,
	[OMT_OP_unfold] = back_unfold,   [OMT_OP_pairs] = back_pairs,
	[OMT_OP_pool] = back_pool,       [OMT_OP_l2norm] = back_l2norm,
};

omt_status omt_tape_walk_back(omt_tape *tape, const omt_record *record, float *gradients,
                              omt_error *err)
{
	walk w = {tape, gradients};
	for (size_t i = record->step_count; i-- > 0;) {
		const omt_tape_step *step = &record->steps[i];
		OMT_TRY(open_gradients(step, err));
		OMT_TRY(backward[step->op](&w, step, err));
	}
	return OMT_OK;
}
