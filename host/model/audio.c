/* The audio encoder: two convolutions over chunks of 2 n_window mel frames, sinusoid positions that
 * restart in every chunk, layers that attend inside a chunk, then pairs of rows averaged over the
 * whole clip, a norm and the projection. */
#include <math.h>

#include "model/forward.h"

#define AUDIO_EPS 1e-5 /* torch.nn.LayerNorm's default, not in config.json */

/* gelu(conv(x)) (+ residual): the windows of the convolution as rows, times its matrix. */
static omt_status convolve(const omt_forward *f, const omt_linear *conv, const char *raw_stage,
                           omt_buffer *x, int32_t stride, omt_buffer *cu_in, omt_buffer *cu_out,
                           int32_t rows, omt_buffer *residual, omt_buffer *out, omt_error *err)
{
	int32_t channels = conv->k / 3;
	OMT_TRY(OMT_RUN(f->exec, unfold, err, .x = x, .cu_in = cu_in, .cu_out = cu_out,
	                .out = f->work->gate, .sequences = f->batch->chunks, .out_rows = rows,
	                .channels = channels, .taps = 3, .stride = stride, .pad = 1,
	                .ldx = channels, .ldo = 3 * channels));
	if (f->tap) { /* the golden stage is the convolution before GELU */
		OMT_TRY(omt_apply_linear(f, conv, f->work->gate, rows, OMT_ACT_NONE, NULL, out,
		                         err));
		OMT_TRY(omt_forward_stage(f, raw_stage, -1, out, rows, conv->n, err));
	}
	return omt_apply_linear(f, conv, f->work->gate, rows, OMT_ACT_GELU, residual, out, err);
}

static omt_status attend(const omt_forward *f, const omt_audio_layer *layer, omt_error *err)
{
	const omt_audio_config *c = &f->config->audio;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;
	int32_t rows = b->convolved, d = c->d_model;
	omt_buffer *a;

	OMT_TRY(omt_apply_norm_for(f, &layer->qkv, &layer->attn_norm, w->x, rows, AUDIO_EPS, &a,
	                           err));
	OMT_TRY(omt_apply_linear(f, &layer->qkv, a, rows, OMT_ACT_NONE, NULL, w->qkv, err));
	OMT_TRY(OMT_RUN(f->exec, attention, err, .q = w->qkv, .k = w->qkv, .v = w->qkv,
	                .cu_seqlens = b->device.cu_convolved, .out = w->att, .sequences = b->chunks,
	                .max_len = b->longest_chunk, .heads = c->heads, .kv_heads = c->heads,
	                .head_dim = c->head_dim, .ldq = 3 * d, .ldkv = 3 * d, .ldo = d, .k_at = d,
	                .v_at = 2 * d, .causal = 0, .scale = 1.0f / sqrtf((float)c->head_dim)));
	return omt_apply_linear(f, &layer->out, w->att, rows, OMT_ACT_NONE, w->x, w->x, err);
}

static omt_status feed_forward(const omt_forward *f, const omt_audio_layer *layer, omt_error *err)
{
	const omt_workspace *w = f->work;
	int32_t rows = f->batch->convolved;
	omt_buffer *a;

	OMT_TRY(omt_apply_norm_for(f, &layer->fc1, &layer->final_norm, w->x, rows, AUDIO_EPS, &a,
	                           err));
	OMT_TRY(omt_apply_linear(f, &layer->fc1, a, rows, OMT_ACT_GELU, NULL, w->gate, err));
	return omt_apply_linear(f, &layer->fc2, w->gate, rows, OMT_ACT_NONE, w->x, w->x, err);
}

omt_status omt_forward_audio(const omt_forward *f, omt_error *err)
{
	const omt_audio_config *c = &f->config->audio;
	const omt_params *p = f->params;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;
	int32_t d = c->d_model;

	OMT_TRY(convolve(f, &p->conv1, "audio_conv1_raw", b->device.mel, 1, b->device.cu_chunks,
	                 b->device.cu_chunks, b->mel_frames, NULL, w->qkv, err));
	OMT_TRY(omt_apply_rows(f, p->audio_positions, b->device.chunk_places, w->iota, b->convolved,
	                       d, w->norm, err));
	OMT_TRY(convolve(f, &p->conv2, "audio_conv2_raw", w->qkv, 2, b->device.cu_chunks,
	                 b->device.cu_convolved, b->convolved, w->norm, w->x, err));
	OMT_TRY(omt_forward_stage(f, "audio_conv_out", -1, w->x, b->convolved, d, err));
	for (int32_t i = 0; i < c->layers; i++) {
		OMT_TRY(attend(f, &p->audio[i], err));
		OMT_TRY(feed_forward(f, &p->audio[i], err));
		OMT_TRY(omt_forward_stage(f, "audio_layer", i, w->x, b->convolved, d, err));
	}
	OMT_TRY(OMT_RUN(f->exec, pairs, err, .x = w->x, .cu_in = b->device.cu_clips,
	                .cu_out = b->device.cu_clip_tokens, .out = w->norm, .sequences = b->clips,
	                .out_rows = b->audio_rows, .cols = d, .ldx = d, .ldo = d));
	OMT_TRY(omt_apply_norm(f, &p->audio_norm, w->norm, b->audio_rows, d, AUDIO_EPS, w->att,
	                       err));
	OMT_TRY(omt_apply_linear(f, &p->audio_proj, w->att, b->audio_rows, OMT_ACT_NONE, NULL,
	                         w->up, err));
	OMT_TRY(omt_forward_stage(f, "audio_out", -1, w->up, b->audio_rows, c->output_dim, err));
	return omt_apply_rows(f, w->up, w->iota, b->device.audio_tokens, b->audio_rows,
	                      c->output_dim, w->text, err);
}
