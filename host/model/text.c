/* The text model: Qwen2.5's decoder layers, attention over the whole item unless the checkpoint is
 * causal, multimodal rotary positions, then pooling and the L2 norm. */
#include <math.h>

#include "model/forward.h"

omt_status omt_forward_embed_tokens(const omt_forward *f, omt_error *err)
{
	const omt_blocks *table = &f->params->embedding;
	int32_t hidden = f->config->text.hidden;
	omt_rows_args args = {.src_index = f->batch->device.ids,
	                      .dst_index = f->work->iota,
	                      .dst = f->work->text,
	                      .count = f->batch->tokens,
	                      .cols = hidden,
	                      .lds = hidden,
	                      .ldd = hidden,
	                      .src_dtype = f->params->embedding_dtype,
	                      .src_rows = table->rows};
	for (int32_t i = 0; i < table->count; i++) {
		args.src = table->at[i];
		args.src_first = i * table->rows;
		OMT_TRY(omt_exec_run(f->exec, OMT_OP_rows, &args, i ? NULL : f->first, err));
	}
	return OMT_OK;
}

static omt_status attend(const omt_forward *f, const omt_text_layer *layer, omt_error *err)
{
	const omt_text_config *c = &f->config->text;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;
	int32_t tokens = b->tokens, head = c->head_dim, width = layer->qkv.n;
	omt_buffer *a;
	int32_t k_at = c->heads * head, v_at = k_at + c->kv_heads * head;

	OMT_TRY(omt_apply_norm_for(f, &layer->qkv, &layer->input_norm, w->text, tokens, c->rms_eps,
	                           &a, err));
	OMT_TRY(omt_apply_linear(f, &layer->qkv, a, tokens, OMT_ACT_NONE, NULL, w->qkv, err));
	/* The heads of k follow those of q. */
	OMT_TRY(OMT_RUN(f->exec, rotary, err, .x = w->qkv, .cosines = b->device.text_cosines,
	                .sines = b->device.text_sines, .rows = tokens,
	                .heads = c->heads + c->kv_heads, .head_dim = head, .ldx = width));
	OMT_TRY(OMT_RUN(f->exec, attention, err, .q = w->qkv, .k = w->qkv, .v = w->qkv,
	                .cu_seqlens = b->device.cu_items, .out = w->att, .sequences = b->items,
	                .max_len = b->longest_item, .heads = c->heads, .kv_heads = c->kv_heads,
	                .head_dim = head, .ldq = width, .ldkv = width, .ldo = k_at, .k_at = k_at,
	                .v_at = v_at, .causal = c->causal, .scale = 1.0f / sqrtf((float)head)));
	return omt_apply_linear(f, &layer->o, w->att, tokens, OMT_ACT_NONE, w->text, w->text, err);
}

static omt_status feed_forward(const omt_forward *f, const omt_text_layer *layer, omt_error *err)
{
	const omt_text_config *c = &f->config->text;
	const omt_workspace *w = f->work;
	int32_t tokens = f->batch->tokens;
	omt_buffer *a;

	OMT_TRY(omt_apply_norm_for(f, &layer->gate, &layer->post_norm, w->text, tokens, c->rms_eps,
	                           &a, err));
	OMT_TRY(omt_apply_linear(f, &layer->gate, a, tokens, OMT_ACT_SILU, NULL, w->gate, err));
	OMT_TRY(omt_apply_product(f, &layer->up, a, tokens, w->gate, err));
	return omt_apply_linear(f, &layer->down, w->gate, tokens, OMT_ACT_NONE, w->text, w->text,
	                        err);
}

omt_status omt_forward_text(const omt_forward *f, omt_error *err)
{
	const omt_text_config *c = &f->config->text;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;
	omt_buffer *vectors = b->device.vectors;

	OMT_TRY(omt_forward_stage(f, "text_inputs_embeds", -1, w->text, b->tokens, c->hidden, err));
	for (int32_t i = 0; i < c->layers; i++) {
		OMT_TRY(attend(f, &f->params->text[i], err));
		OMT_TRY(feed_forward(f, &f->params->text[i], err));
		OMT_TRY(omt_forward_stage(f, "text_layer", i, w->text, b->tokens, c->hidden, err));
	}
	OMT_TRY(omt_apply_norm(f, &f->params->text_norm, w->text, b->tokens, c->hidden, c->rms_eps,
	                       w->norm, err));
	OMT_TRY(omt_forward_stage(f, "text_final_norm", -1, w->norm, b->tokens, c->hidden, err));
	const omt_pool_args pool = {.x = w->norm,
	                            .cu_seqlens = b->device.cu_items,
	                            .out = f->config->normalize ? w->pooled : vectors,
	                            .sequences = b->items,
	                            .cols = c->hidden,
	                            .ldx = c->hidden,
	                            .ldo = c->hidden,
	                            .mode = f->config->pooling};
	const omt_l2norm_args l2norm = {.x = w->pooled,
	                                .out = vectors,
	                                .rows = b->items,
	                                .cols = c->hidden,
	                                .ldx = c->hidden,
	                                .ldo = c->hidden,
	                                .eps = 1e-12f};
	OMT_TRY(omt_exec_run(f->exec, OMT_OP_pool, &pool, f->config->normalize ? NULL : f->last,
	                     err));
	if (!f->config->normalize)
		return omt_forward_stage(f, "embedding", -1, vectors, b->items, c->hidden, err);
	OMT_TRY(omt_forward_stage(f, "pooled", -1, w->pooled, b->items, c->hidden, err));
	OMT_TRY(omt_exec_run(f->exec, OMT_OP_l2norm, &l2norm, f->last, err));
	return omt_forward_stage(f, "embedding", -1, vectors, b->items, c->hidden, err);
}
