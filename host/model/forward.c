#include "model/forward.h"

#include <stdio.h>
#include <stdlib.h>

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

omt_status omt_workspace_open(const omt_config *config, const omt_batch_limits *limits, bool int8,
                              omt_exec *exec, omt_workspace *work, omt_error *err)
{
	const omt_text_config *text = &config->text;
	const omt_vision_config *vision = &config->vision;
	const omt_audio_config *audio = &config->audio;
	size_t tokens = limits->tokens, patches = limits->patches, frames = limits->frames;
	size_t row = (size_t)(3 * vision->temporal_patch * vision->patch * vision->patch);
	size_t hidden = (size_t)text->hidden,
	       wide = (size_t)(vision->hidden * vision->merge * vision->merge);
	size_t heads = (size_t)(text->heads * text->head_dim);
	size_t kv = (size_t)(text->kv_heads * text->head_dim);
	/* Rows of an encoder's stream: patches, or mel frames before the second convolution. */
	size_t encoder = larger(patches * (size_t)vision->hidden, frames * (size_t)audio->d_model);
	size_t unfolded =
		larger(frames * (size_t)audio->mel_bins * 3, frames * (size_t)audio->d_model * 3);
	size_t mlp = larger(tokens * (size_t)text->inter,
	                    larger(patches * (size_t)vision->inter,
	                           larger(larger(frames * (size_t)audio->ffn, patches * row),
	                                  larger(unfolded, tokens * larger(hidden, wide)))));
	const struct {
		omt_buffer **buffer;
		size_t floats;
	} buffers[] = {
		{&work->text, tokens * hidden},
		{&work->x, encoder},
		{&work->norm, larger(encoder, tokens * hidden)},
		{&work->qkv, larger(3 * encoder, tokens * (heads + 2 * kv))},
		{&work->att, larger(encoder, tokens * heads)},
		{&work->gate, mlp},
		{&work->up, mlp},
		{&work->pooled, limits->items * hidden},
		{&work->iota, larger(patches, frames)},
		/* Bytes: no gemm's rows are longer than the widest of these. */
		{&work->bytes,
	         larger(mlp, larger(encoder, tokens * larger(hidden, heads))) / 4 + 1},
		{&work->scales, larger(patches, larger(frames, tokens))},
	};
	omt_status status = OMT_OK;
	*work = (omt_workspace){0};
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers - (int8 ? 0 : 2); i++)
		OMT_GOTO(omt_exec_alloc(exec, buffers[i].floats * sizeof(float), OMT_USAGE_WORK,
		                        NULL, buffers[i].buffer, err));
	size_t count = larger(patches, frames);
	int32_t *iota = malloc(count * sizeof *iota);
	if (!iota) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu row numbers", count);
		goto done;
	}
	for (size_t i = 0; i < count; i++)
		iota[i] = (int32_t)i;
	status = omt_exec_write(exec, work->iota, 0, iota, count * sizeof *iota, NULL, err);
	if (status == OMT_OK)
		status = omt_exec_wait(exec, 0, err);
	free(iota);
done:
	if (status != OMT_OK)
		omt_workspace_close(exec, work);
	return status;
}

void omt_workspace_close(omt_exec *exec, omt_workspace *work)
{
	omt_buffer *buffers[] = {work->text, work->x,     work->norm,  work->qkv,
	                         work->att,  work->gate,  work->up,    work->pooled,
	                         work->iota, work->bytes, work->scales};
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		omt_exec_free(exec, buffers[i]);
	*work = (omt_workspace){0};
}

/* Columns of int8 rows. */
static int32_t quads_of(int32_t cols)
{
	return (cols + 3) / 4 * 4;
}

/* One block of the matrix's rows: its columns of c. */
static omt_status apply_block(const omt_forward *f, const omt_linear *linear, int32_t block,
                              omt_buffer *a, int32_t rows, int32_t act, int32_t flags,
                              omt_buffer *residual, omt_buffer *c, omt_error *err)
{
	/* A buffer that is not in use is bound to one that is. */
	omt_buffer *w = linear->w.at[block], *bias = linear->bias ? linear->bias : w;
	omt_buffer *scale = linear->scale ? linear->scale : w;
	const omt_workspace *work = f->work;
	const int32_t first = block * linear->w.rows, left = linear->n - first;
	const int32_t n = left < linear->w.rows ? left : linear->w.rows;
	if (!residual)
		residual = w;
	if (linear->dtype == OMT_BF16X2)
		return OMT_RUN(f->exec, gemm_bf16, err, .a = a, .w = w, .bias = bias,
		               .residual = residual, .c = c, .m = rows, .n = n, .k = linear->k,
		               .lda = linear->k, .ldr = linear->n, .ldc = linear->n,
		               .w_panel = linear->panel, .act = act, .flags = flags,
		               .n_first = first);
	if (linear->dtype != OMT_I8X4)
		return OMT_RUN(f->exec, gemm, err, .a = a, .w = w, .scale = scale, .bias = bias,
		               .residual = residual, .c = c, .m = rows, .n = n, .k = linear->k,
		               .lda = linear->k, .ldw = linear->k, .ldr = linear->n,
		               .ldc = linear->n, .w_dtype = linear->dtype, .w_panel = linear->panel,
		               .act = act, .flags = flags, .n_first = first);
	return OMT_RUN(f->exec, gemm_i8, err, .a = work->bytes, .a_scale = work->scales, .w = w,
	               .scale = scale, .bias = bias, .residual = residual, .c = c, .m = rows,
	               .n = n, .k = linear->k, .lda = quads_of(linear->k), .ldr = linear->n,
	               .ldc = linear->n, .w_panel = linear->panel, .act = act, .flags = flags,
	               .n_first = first);
}

static omt_status apply_gemm(const omt_forward *f, const omt_linear *linear, omt_buffer *a,
                             int32_t rows, int32_t act, int32_t flags, omt_buffer *residual,
                             omt_buffer *c, omt_error *err)
{
	flags |= linear->bias ? OMT_GEMM_BIAS : 0;
	flags |= linear->scale ? OMT_GEMM_SCALE : 0;
	if (linear->dtype == OMT_I8X4 && a != f->work->bytes)
		OMT_TRY(OMT_RUN(f->exec, quantize, err, .x = a, .out = f->work->bytes,
		                .scale = f->work->scales, .rows = rows, .cols = linear->k,
		                .ldx = linear->k, .ldo = quads_of(linear->k)));
	for (int32_t i = 0; i < linear->w.count; i++)
		OMT_TRY(apply_block(f, linear, i, a, rows, act, flags, residual, c, err));
	return OMT_OK;
}

omt_status omt_apply_linear(const omt_forward *f, const omt_linear *linear, omt_buffer *a,
                            int32_t rows, int32_t act, omt_buffer *residual, omt_buffer *c,
                            omt_error *err)
{
	return apply_gemm(f, linear, a, rows, act, residual ? OMT_GEMM_RESIDUAL : 0, residual, c,
	                  err);
}

omt_status omt_apply_product(const omt_forward *f, const omt_linear *linear, omt_buffer *a,
                             int32_t rows, omt_buffer *c, omt_error *err)
{
	return apply_gemm(f, linear, a, rows, OMT_ACT_NONE, OMT_GEMM_PRODUCT, c, c, err);
}

omt_status omt_apply_norm(const omt_forward *f, const omt_norm *norm, omt_buffer *x, int32_t rows,
                          int32_t cols, double eps, omt_buffer *out, omt_error *err)
{
	if (norm->bias)
		return OMT_RUN(f->exec, layernorm, err, .x = x, .weight = norm->weight,
		               .bias = norm->bias, .out = out, .rows = rows, .cols = cols,
		               .ldx = cols, .ldo = cols, .eps = (float)eps);
	return OMT_RUN(f->exec, rmsnorm, err, .x = x, .weight = norm->weight, .out = out,
	               .rows = rows, .cols = cols, .ldx = cols, .ldo = cols, .eps = (float)eps);
}

omt_status omt_apply_norm_for(const omt_forward *f, const omt_linear *linear, const omt_norm *norm,
                              omt_buffer *x, int32_t rows, double eps, omt_buffer **a,
                              omt_error *err)
{
	const omt_workspace *work = f->work;
	const int32_t cols = linear->k, quads = quads_of(cols);
	if (linear->dtype != OMT_I8X4) {
		*a = work->norm;
		return omt_apply_norm(f, norm, x, rows, cols, eps, work->norm, err);
	}
	*a = work->bytes;
	if (norm->bias)
		return OMT_RUN(f->exec, layernorm_i8, err, .x = x, .weight = norm->weight,
		               .bias = norm->bias, .out = work->bytes, .scale = work->scales,
		               .rows = rows, .cols = cols, .ldx = cols, .ldo = quads,
		               .eps = (float)eps);
	return OMT_RUN(f->exec, rmsnorm_i8, err, .x = x, .weight = norm->weight, .out = work->bytes,
	               .scale = work->scales, .rows = rows, .cols = cols, .ldx = cols, .ldo = quads,
	               .eps = (float)eps);
}

omt_status omt_apply_rows(const omt_forward *f, omt_buffer *src, omt_buffer *src_index,
                          omt_buffer *dst_index, int32_t count, int32_t cols, omt_buffer *dst,
                          omt_error *err)
{
	return OMT_RUN(f->exec, rows, err, .src = src, .src_index = src_index,
	               .dst_index = dst_index, .dst = dst, .count = count, .cols = cols,
	               .lds = cols, .ldd = cols, .src_dtype = OMT_F32, .src_rows = INT32_MAX);
}

omt_status omt_forward_stage(const omt_forward *f, const char *name, int32_t layer,
                             const omt_buffer *x, int32_t rows, int32_t cols, omt_error *err)
{
	if (!f->tap || !rows)
		return OMT_OK;
	char full[64];
	size_t bytes = (size_t)rows * (size_t)cols * sizeof(float);
	float *data = malloc(bytes);
	if (!data)
		return OMT_FAIL(err, NO_MEMORY, "stage %s", name);
	omt_status status = omt_exec_read(f->exec, x, 0, data, bytes, NULL, err);
	if (status == OMT_OK)
		status = omt_exec_wait(f->exec, 0, err);
	if (layer < 0)
		snprintf(full, sizeof full, "%s", name);
	else
		snprintf(full, sizeof full, "%s%d", name, layer);
	if (status == OMT_OK)
		f->tap->stage(f->tap->user, full, data, rows, cols);
	free(data);
	return status;
}

omt_status omt_forward_run(const omt_forward *f, omt_error *err)
{
	OMT_TRY(omt_forward_embed_tokens(f, err));
	if (f->batch->patches)
		OMT_TRY(omt_forward_vision(f, err));
	if (f->batch->mel_frames)
		OMT_TRY(omt_forward_audio(f, err));
	return omt_forward_text(f, err);
}
