/* The tensors of the published layout, named and shaped by the configuration, and the shapes that
 * omt_synth() knows by name. */
#include <stdarg.h>
#include <stdio.h>

#include "model/synth.h"

const omt_synth_shape omt_synth_shapes[] = {
	{"tiny",
         "{\"num_mel_bins\":128,\"d_model\":32,\"encoder_layers\":2,\"encoder_attention_heads\":4,"
         "\"encoder_ffn_dim\":64,\"n_window\":100,\"output_dim\":64}",
         "{\"depth\":4,\"hidden_size\":64,\"intermediate_size\":112,\"num_heads\":4,"
         "\"window_size\":112,\"fullatt_block_indexes\":[1],\"out_hidden_size\":64}",
         "{\"vocab_size\":4224,\"hidden_size\":64,\"intermediate_size\":176,"
         "\"num_hidden_layers\":4,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
         "\"rope_scaling\":{\"mrope_section\":[2,3,3],\"type\":\"default\"}}"},
	{"omni-embed-nemotron-3b",
         "{\"num_mel_bins\":128,\"d_model\":1280,\"encoder_layers\":32,"
         "\"encoder_attention_heads\":20,\"encoder_ffn_dim\":5120,\"n_window\":100,"
         "\"output_dim\":2048}",
         "{\"depth\":32,\"hidden_size\":1280,\"intermediate_size\":3420,\"num_heads\":16,"
         "\"window_size\":112,\"fullatt_block_indexes\":[7,15,23,31],\"out_hidden_size\":2048}",
         "{\"vocab_size\":151936,\"hidden_size\":2048,\"intermediate_size\":11008,"
         "\"num_hidden_layers\":36,\"num_attention_heads\":16,\"num_key_value_heads\":2,"
         "\"rope_scaling\":{\"mrope_section\":[16,24,24],\"type\":\"default\"}}"},
};
const size_t omt_synth_shape_count = sizeof omt_synth_shapes / sizeof *omt_synth_shapes;

typedef struct omt_walker {
	omt_synth_visit *visit;
	void *user;
	omt_error *err;
	omt_status status;
} omt_walker;

OMT_PRINTF(5, 6)
static void tensor(omt_walker *walk, omt_fill fill, int32_t dims, const int64_t *shape,
                   const char *format, ...)
{
	omt_synth_tensor one = {.dims = dims, .fill = fill};
	va_list args;
	if (walk->status != OMT_OK)
		return;
	for (int32_t i = 0; i < dims; i++)
		one.shape[i] = shape[i];
	va_start(args, format);
	vsnprintf(one.name, sizeof one.name, format, args);
	va_end(args);
	walk->status = walk->visit(walk->user, &one, walk->err);
}

static void matrix(omt_walker *walk, const char *stem, int64_t n, int64_t k, bool bias)
{
	tensor(walk, OMT_FILL_MATRIX, 2, (int64_t[]){n, k}, "%s.weight", stem);
	if (bias)
		tensor(walk, OMT_FILL_BIAS, 1, (int64_t[]){n}, "%s.bias", stem);
}

static void layer_matrix(omt_walker *walk, const char *tower, int32_t layer, const char *name,
                         int64_t n, int64_t k, bool bias)
{
	char stem[128];
	snprintf(stem, sizeof stem, "%s.%d.%s", tower, layer, name);
	matrix(walk, stem, n, k, bias);
}

static void walk_text(omt_walker *walk, const omt_text_config *c)
{
	static const char tower[] = "model.layers";
	int64_t hidden = c->hidden, q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	tensor(walk, OMT_FILL_MATRIX, 2, (int64_t[]){c->vocab, hidden},
	       "model.embed_tokens.weight");
	for (int32_t i = 0; i < c->layers; i++) {
		tensor(walk, OMT_FILL_NORM, 1, &hidden, "%s.%d.input_layernorm.weight", tower, i);
		layer_matrix(walk, tower, i, "self_attn.q_proj", q, hidden, true);
		layer_matrix(walk, tower, i, "self_attn.k_proj", kv, hidden, true);
		layer_matrix(walk, tower, i, "self_attn.v_proj", kv, hidden, true);
		layer_matrix(walk, tower, i, "self_attn.o_proj", hidden, q, false);
		tensor(walk, OMT_FILL_NORM, 1, &hidden, "%s.%d.post_attention_layernorm.weight",
		       tower, i);
		layer_matrix(walk, tower, i, "mlp.gate_proj", c->inter, hidden, false);
		layer_matrix(walk, tower, i, "mlp.up_proj", c->inter, hidden, false);
		layer_matrix(walk, tower, i, "mlp.down_proj", hidden, c->inter, false);
	}
	tensor(walk, OMT_FILL_NORM, 1, &hidden, "model.norm.weight");
	if (!c->tied)
		tensor(walk, OMT_FILL_MATRIX, 2, (int64_t[]){c->vocab, hidden}, "lm_head.weight");
}

static void walk_vision(omt_walker *walk, const omt_vision_config *c)
{
	static const char tower[] = "visual.blocks";
	int64_t hidden = c->hidden, wide = hidden * c->merge * c->merge;
	tensor(walk, OMT_FILL_MATRIX, 5,
	       (int64_t[]){hidden, c->channels, c->temporal_patch, c->patch, c->patch},
	       "visual.patch_embed.proj.weight");
	for (int32_t i = 0; i < c->depth; i++) {
		tensor(walk, OMT_FILL_NORM, 1, &hidden, "%s.%d.norm1.weight", tower, i);
		tensor(walk, OMT_FILL_NORM, 1, &hidden, "%s.%d.norm2.weight", tower, i);
		layer_matrix(walk, tower, i, "attn.q", hidden, hidden, true);
		layer_matrix(walk, tower, i, "attn.k", hidden, hidden, true);
		layer_matrix(walk, tower, i, "attn.v", hidden, hidden, true);
		layer_matrix(walk, tower, i, "attn.proj", hidden, hidden, true);
		layer_matrix(walk, tower, i, "mlp.gate_proj", c->inter, hidden, true);
		layer_matrix(walk, tower, i, "mlp.up_proj", c->inter, hidden, true);
		layer_matrix(walk, tower, i, "mlp.down_proj", hidden, c->inter, true);
	}
	tensor(walk, OMT_FILL_NORM, 1, &hidden, "visual.merger.ln_q.weight");
	matrix(walk, "visual.merger.mlp.0", wide, wide, true);
	matrix(walk, "visual.merger.mlp.2", c->out_hidden, wide, true);
}

static void walk_norm(omt_walker *walk, const char *stem, int64_t size)
{
	tensor(walk, OMT_FILL_NORM, 1, &size, "%s.weight", stem);
	tensor(walk, OMT_FILL_BIAS, 1, &size, "%s.bias", stem);
}

static void walk_audio(omt_walker *walk, const omt_audio_config *c)
{
	static const char tower[] = "audio_tower.layers";
	char stem[128];
	int64_t d = c->d_model;
	tensor(walk, OMT_FILL_MATRIX, 3, (int64_t[]){d, c->mel_bins, 3},
	       "audio_tower.conv1.weight");
	tensor(walk, OMT_FILL_BIAS, 1, &d, "audio_tower.conv1.bias");
	tensor(walk, OMT_FILL_MATRIX, 3, (int64_t[]){d, d, 3}, "audio_tower.conv2.weight");
	tensor(walk, OMT_FILL_BIAS, 1, &d, "audio_tower.conv2.bias");
	tensor(walk, OMT_FILL_MATRIX, 2, (int64_t[]){2, c->output_dim},
	       "audio_tower.audio_bos_eos_token.weight");
	for (int32_t i = 0; i < c->layers; i++) {
		layer_matrix(walk, tower, i, "self_attn.q_proj", d, d, true);
		layer_matrix(walk, tower, i, "self_attn.k_proj", d, d, false);
		layer_matrix(walk, tower, i, "self_attn.v_proj", d, d, true);
		layer_matrix(walk, tower, i, "self_attn.out_proj", d, d, true);
		snprintf(stem, sizeof stem, "%s.%d.self_attn_layer_norm", tower, i);
		walk_norm(walk, stem, d);
		snprintf(stem, sizeof stem, "%s.%d.final_layer_norm", tower, i);
		walk_norm(walk, stem, d);
		layer_matrix(walk, tower, i, "fc1", c->ffn, d, true);
		layer_matrix(walk, tower, i, "fc2", d, c->ffn, true);
	}
	walk_norm(walk, "audio_tower.ln_post", d);
	matrix(walk, "audio_tower.proj", c->output_dim, d, true);
}

omt_status omt_synth_walk(const omt_config *config, omt_synth_visit *visit, void *user,
                          omt_error *err)
{
	omt_walker walk = {.visit = visit, .user = user, .err = err};
	walk_text(&walk, &config->text);
	walk_vision(&walk, &config->vision);
	walk_audio(&walk, &config->audio);
	return walk.status;
}
