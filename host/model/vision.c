/* The vision encoder: patches as a GEMM, blocks of window or full attention with 2-D rotary
 * positions and gated MLPs, then the merger that makes one token of merge x merge patches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/forward.h"

#define VISION_EPS 1e-6 /* Qwen2_5OmniVisionBlock, not in config.json */

static omt_status attend(const omt_forward *f, const omt_vision_block *block, bool full,
                         omt_error *err)
{
	const omt_vision_config *c = &f->config->vision;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;
	int32_t rows = b->patches, hidden = c->hidden;
	omt_buffer *a;

	OMT_TRY(omt_apply_norm_for(f, &block->qkv, &block->norm1, w->x, rows, VISION_EPS, &a, err));
	OMT_TRY(omt_apply_linear(f, &block->qkv, a, rows, OMT_ACT_NONE, NULL, w->qkv, err));
	OMT_TRY(OMT_RUN(f->exec, rotary, err, .x = w->qkv, .cosines = b->device.vision_cosines,
	                .sines = b->device.vision_sines, .rows = rows, .heads = 2 * c->heads,
	                .head_dim = c->head_dim, .ldx = 3 * hidden));
	OMT_TRY(OMT_RUN(f->exec, attention, err, .q = w->qkv, .k = w->qkv, .v = w->qkv,
	                .cu_seqlens = full ? b->device.cu_frames : b->device.cu_windows,
	                .out = w->att, .sequences = full ? b->frames : b->windows,
	                .max_len = full ? b->longest_frame : b->longest_window, .heads = c->heads,
	                .kv_heads = c->heads, .head_dim = c->head_dim, .ldq = 3 * hidden,
	                .ldkv = 3 * hidden, .ldo = hidden, .k_at = hidden, .v_at = 2 * hidden,
	                .causal = 0, .scale = 1.0f / sqrtf((float)c->head_dim)));
	return omt_apply_linear(f, &block->proj, w->att, rows, OMT_ACT_NONE, w->x, w->x, err);
}

static omt_status feed_forward(const omt_forward *f, const omt_vision_block *block, omt_error *err)
{
	const omt_workspace *w = f->work;
	int32_t rows = f->batch->patches;
	omt_buffer *a;

	OMT_TRY(omt_apply_norm_for(f, &block->gate, &block->norm2, w->x, rows, VISION_EPS, &a,
	                           err));
	OMT_TRY(omt_apply_linear(f, &block->gate, a, rows, OMT_ACT_SILU, NULL, w->gate, err));
	OMT_TRY(omt_apply_product(f, &block->up, a, rows, w->gate, err));
	return omt_apply_linear(f, &block->down, w->gate, rows, OMT_ACT_NONE, w->x, w->x, err);
}

/* A stage in raster order, which only a tap wants to see: patches are made in window order, and the
 * scatter at the end goes from there to the tokens. x: rows of `per_row` patches each. */
static omt_status stage_raster(const omt_forward *f, const char *name, const omt_buffer *x,
                               int32_t per_row, int32_t columns, omt_error *err)
{
	if (!f->tap)
		return OMT_OK;
	int32_t rows = f->batch->patches / per_row;
	size_t cols = (size_t)columns, bytes = (size_t)rows * cols * sizeof(float);
	omt_status status = OMT_OK;
	float *windows = malloc(bytes), *raster = malloc(bytes);
	if (!windows || !raster) {
		status = OMT_FAIL(err, NO_MEMORY, "stage %s", name);
		goto done;
	}
	OMT_GOTO(omt_exec_read(f->exec, x, 0, windows, bytes, NULL, err));
	OMT_GOTO(omt_exec_wait(f->exec, 0, err));
	for (int32_t i = 0; i < rows; i++) {
		size_t to = (size_t)(f->batch->host.patch_order[i * per_row] / per_row);
		memcpy(raster + to * cols, windows + (size_t)i * cols, cols * sizeof(float));
	}
	f->tap->stage(f->tap->user, name, raster, rows, columns);
done:
	free(windows);
	free(raster);
	return status;
}

omt_status omt_forward_vision(const omt_forward *f, omt_error *err)
{
	const omt_vision_config *c = &f->config->vision;
	const omt_params *p = f->params;
	const omt_workspace *w = f->work;
	const omt_batch *b = f->batch;

	OMT_TRY(OMT_RUN(f->exec, patches, err, .pixels = b->device.pixels,
	                .order = b->device.patch_order, .places = b->device.places,
	                .table = p->pixel_table, .out = w->gate, .rows = b->patches,
	                .frames = c->temporal_patch, .side = c->patch, .ldo = p->patch_embed.k));
	OMT_TRY(omt_apply_linear(f, &p->patch_embed, w->gate, b->patches, OMT_ACT_NONE, NULL, w->x,
	                         err));
	OMT_TRY(stage_raster(f, "vision_patch_embed", w->x, 1, c->hidden, err));
	for (int32_t i = 0; i < c->depth; i++) {
		OMT_TRY(attend(f, &p->vision[i], c->full_attention[i], err));
		OMT_TRY(feed_forward(f, &p->vision[i], err));
		OMT_TRY(omt_forward_stage(f, "vision_block", i, w->x, b->patches, c->hidden, err));
	}
	/* The merge x merge patches of a cell are neighbours: their rows are one wide row. */
	OMT_TRY(omt_apply_norm(f, &p->merger_norm, w->x, b->patches, c->hidden, VISION_EPS, w->norm,
	                       err));
	OMT_TRY(omt_apply_linear(f, &p->merger_in, w->norm, b->cells, OMT_ACT_GELU, NULL, w->gate,
	                         err));
	OMT_TRY(omt_apply_linear(f, &p->merger_out, w->gate, b->cells, OMT_ACT_NONE, NULL, w->up,
	                         err));
	OMT_TRY(omt_forward_stage(f, "vision_merger_window_order", -1, w->up, b->cells,
	                          c->out_hidden, err));
	OMT_TRY(stage_raster(f, "vision_out", w->up, c->merge * c->merge, c->out_hidden, err));
	return omt_apply_rows(f, w->up, w->iota, b->device.cell_tokens, b->cells, c->out_hidden,
	                      w->text, err);
}
