#include "model/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/storage.h"
#include "model/loader.h"

#define NAME(name, text) text,
const char *const omt_matrices_names[OMT_MATRICES_COUNT] = {OMT_MATRICES_LIST(NAME)};
#undef NAME

static bool find_stored(omt_loader *load, const char *name, int32_t dims, const int64_t *shape,
                        omt_tensor *tensor)
{
	if (load->status != OMT_OK)
		return false;
	if (!omt_loader_ok(load, omt_weights_find(load->model->weights, name, dims, shape, tensor,
	                                          load->err)))
		return false;
	if (tensor->dtype != OMT_F32 && tensor->dtype != OMT_BF16 && tensor->dtype != OMT_F16)
		load->status = OMT_FAIL(load->err, BAD_MODEL, "%s: %s is not f32, bf16 or f16",
		                        tensor->file, name);
	return load->status == OMT_OK;
}

/* The same; what is trained lies elsewhere, as f32. */
static bool find(omt_loader *load, const char *name, int32_t dims, const int64_t *shape,
                 omt_tensor *tensor, bool *trained)
{
	const omt_trained *how = load->how->trained;
	if (!find_stored(load, name, dims, shape, tensor))
		return false;
	const float *values = how ? how->values(how->user, tensor) : NULL;
	*trained = values != NULL;
	if (values) {
		tensor->bytes = tensor->bytes / omt_dtype_bytes(tensor->dtype) * sizeof *values;
		tensor->dtype = OMT_F32;
		tensor->data = (const uint8_t *)values;
	}
	return true;
}

/* A vector of `size` as f32. */
static omt_buffer *load_vector(omt_loader *load, const char *name, int32_t size)
{
	omt_tensor tensor;
	bool trained;
	if (!find(load, name, 1, (int64_t[]){size}, &tensor, &trained) ||
	    load->pass != OMT_PASS_LOAD)
		return NULL;
	if (trained)
		return omt_loader_borrow(load, tensor.data, tensor.bytes);
	float *values = malloc((size_t)size * sizeof *values);
	if (!values) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "%s", name);
		return NULL;
	}
	for (size_t i = 0; i < (size_t)size && !omt_exec_is_recorder(load->exec); i++)
		values[i] = omt_loader_element(&tensor, i);
	omt_buffer *buffer = omt_loader_copy(load, values, (size_t)size * sizeof *values);
	free(values);
	omt_loader_report(load, tensor.bytes);
	return buffer;
}

/* Loads NAME.weight of `shape` as a matrix [n, k], and NAME.bias if it has one. */
static void load_weight(omt_loader *load, omt_linear *linear, int32_t dims, const int64_t *shape,
                        bool bias, const char *stem)
{
	char name[192];
	omt_tensor tensor;
	bool trained;
	int64_t k = 1;
	for (int32_t i = 1; i < dims; i++)
		k *= shape[i];
	linear->n = (int32_t)shape[0];
	linear->k = (int32_t)k;
	snprintf(name, sizeof name, "%s.weight", stem);
	if (!find(load, name, dims, shape, &tensor, &trained))
		return;
	omt_loader_matrix(load, &tensor, linear);
	omt_loader_report(load, tensor.bytes);
	snprintf(name, sizeof name, "%s.bias", stem);
	if (bias)
		linear->bias = load_vector(load, name, linear->n);
}

enum { NO_BIAS = false, BIAS = true };

/* ---- projections to q, k and v: one matrix of three tensors ---- */

/* A tensor NAME.weight whose rows are those of others one after the other; NAME is a part of their
 * names. */
typedef struct omt_stack {
	const char *name;
	int32_t rows;
	bool bias; /* absent: zeros */
} omt_stack;
#define STACK 3

/* Elements of `from` to `to`: as they are, or expanded to f32. */
static void append_elements(const omt_tensor *from, int32_t dtype, uint8_t *to)
{
	const size_t bytes = omt_dtype_bytes(dtype);
	if (from->dtype == dtype) {
		memcpy(to, from->data, from->bytes);
		return;
	}
	for (size_t i = 0; i < from->bytes / omt_dtype_bytes(from->dtype); i++) {
		const float value = omt_loader_element(from, i);
		memcpy(to + i * bytes, &value, sizeof value);
	}
}

/* Whether they lie one after the other already. */
static bool is_joined(const omt_tensor parts[STACK])
{
	for (size_t i = 1; i < STACK; i++)
		if (parts[i].dtype != parts[0].dtype ||
		    parts[i].data != parts[i - 1].data + parts[i - 1].bytes)
			return false;
	return true;
}

/* What joining `parts` gives, f32 where their formats differ; its content is theirs until joined.
 */
static omt_tensor joined_of(const omt_tensor parts[STACK])
{
	size_t elements = 0;
	omt_tensor joined = parts[0];
	for (size_t i = 0; i < STACK; i++) {
		elements += parts[i].bytes / omt_dtype_bytes(parts[i].dtype);
		if (parts[i].dtype != joined.dtype)
			joined.dtype = OMT_F32;
	}
	joined.bytes = elements * omt_dtype_bytes(joined.dtype);
	joined.file = NULL;
	return joined;
}

/* The joined content, to be freed; NULL: load->status. */
static uint8_t *join(omt_loader *load, const omt_tensor parts[STACK], const omt_tensor *joined)
{
	uint8_t *data = malloc(joined->bytes), *to = data;
	if (!data) {
		load->status =
			OMT_FAIL(load->err, NO_MEMORY, "a matrix of %zu bytes", joined->bytes);
		return NULL;
	}
	for (size_t i = 0; i < STACK; i++) {
		append_elements(&parts[i], joined->dtype, to);
		to += parts[i].bytes / omt_dtype_bytes(parts[i].dtype) *
		      omt_dtype_bytes(joined->dtype);
	}
	return data;
}

/* The biases of a stack: those that are there. */
static void find_biases(omt_loader *load, const omt_stack stack[STACK], const char *stem,
                        omt_tensor biases[STACK], bool trained[STACK])
{
	char name[192];
	for (size_t i = 0; i < STACK; i++) {
		biases[i] = (omt_tensor){0};
		trained[i] = false;
		snprintf(name, sizeof name, "%s.%s.bias", stem, stack[i].name);
		if (!stack[i].bias ||
		    !find(load, name, 1, (int64_t[]){stack[i].rows}, &biases[i], &trained[i]))
			continue;
		omt_loader_report(load, biases[i].bytes);
	}
}

/* linear->bias of linear->n values. */
static void join_biases(omt_loader *load, const omt_stack stack[STACK], const char *stem,
                        omt_linear *linear)
{
	const omt_trained *how = load->how->trained;
	omt_tensor biases[STACK];
	bool trained[STACK];
	size_t first = 0;
	if (load->pass != OMT_PASS_LOAD)
		return;
	find_biases(load, stack, stem, biases, trained);
	if (load->status != OMT_OK)
		return;
	if (trained[0] && is_joined(biases)) {
		linear->bias =
			omt_loader_borrow(load, biases[0].data, (size_t)linear->n * sizeof(float));
		return;
	}
	float *values = calloc((size_t)linear->n, sizeof *values);
	if (!values) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "%d biases", linear->n);
		return;
	}
	for (size_t i = 0; i < STACK; first += (size_t)stack[i++].rows)
		if (biases[i].data && !omt_exec_is_recorder(load->exec))
			append_elements(&biases[i], OMT_F32, (uint8_t *)(values + first));
	linear->bias = omt_loader_copy(load, values, (size_t)linear->n * sizeof *values);
	free(values);
	first = 0;
	for (size_t i = 0; i < STACK && load->status == OMT_OK; first += (size_t)stack[i++].rows)
		if (trained[i])
			omt_loader_ok(load, how->copied(how->user, &biases[i], linear->bias, first,
			                                load->err));
}

OMT_PRINTF(5, 6)
static void linear_stacked(omt_loader *load, omt_linear *into, int32_t k,
                           const omt_stack stack[STACK], const char *format, ...)
{
	char stem[160], name[192];
	omt_tensor parts[STACK];
	bool trained[STACK];
	uint8_t *data = NULL;
	va_list args;
	va_start(args, format);
	vsnprintf(stem, sizeof stem, format, args);
	va_end(args);
	*into = (omt_linear){.k = k};
	for (size_t i = 0; i < STACK; i++) {
		snprintf(name, sizeof name, "%s.%s.weight", stem, stack[i].name);
		if (!find(load, name, 2, (int64_t[]){stack[i].rows, k}, &parts[i], &trained[i]))
			return;
		into->n += stack[i].rows;
	}
	omt_tensor joined = joined_of(parts);
	if (trained[0] && is_joined(parts)) {
		joined.file = parts[0].file; /* they stay where they are */
	} else if (omt_loader_wants_content(load)) {
		if (!(data = join(load, parts, &joined)))
			return;
		joined.data = data;
	}
	omt_loader_matrix(load, &joined, into);
	free(data);
	/* The tensors were copied on every backend. */
	if (data)
		omt_weights_release(load->model->weights);
	omt_loader_report(load, parts[0].bytes + parts[1].bytes + parts[2].bytes);
	join_biases(load, stack, stem, into);
}

/* ---- the loaders the towers below are written with: names are printf formats ---------------- */

OMT_PRINTF(6, 7)
static void linear(omt_loader *load, omt_linear *into, int32_t n, int32_t k, bool bias,
                   const char *format, ...)
{
	char stem[160];
	va_list args;
	va_start(args, format);
	vsnprintf(stem, sizeof stem, format, args);
	va_end(args);
	load_weight(load, into, 2, (int64_t[]){n, k}, bias, stem);
}

OMT_PRINTF(5, 6)
static void norm(omt_loader *load, omt_norm *into, int32_t size, bool bias, const char *format, ...)
{
	char stem[160], name[192];
	va_list args;
	va_start(args, format);
	vsnprintf(stem, sizeof stem, format, args);
	va_end(args);
	snprintf(name, sizeof name, "%s.weight", stem);
	into->weight = load_vector(load, name, size);
	snprintf(name, sizeof name, "%s.bias", stem);
	if (bias)
		into->bias = load_vector(load, name, size);
}

static void load_text(omt_loader *load, omt_params *params)
{
	const omt_text_config *c = &load->model->config.text;
	int32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	const omt_stack qkv[STACK] = {
		{"q_proj", q, BIAS}, {"k_proj", kv, BIAS}, {"v_proj", kv, BIAS}};
	omt_tensor table;
	bool trained;
	if (find(load, "model.embed_tokens.weight", 2, (int64_t[]){c->vocab, c->hidden}, &table,
	         &trained)) {
		omt_loader_table(load, &table, c->vocab, c->hidden, &params->embedding);
		params->embedding_dtype = table.dtype;
		omt_loader_report(load, table.bytes);
	}
	for (int32_t i = 0; i < c->layers; i++) {
		omt_text_layer *to = &params->text[i];
		norm(load, &to->input_norm, c->hidden, NO_BIAS, "model.layers.%d.input_layernorm",
		     i);
		linear_stacked(load, &to->qkv, c->hidden, qkv, "model.layers.%d.self_attn", i);
		linear(load, &to->o, c->hidden, q, NO_BIAS, "model.layers.%d.self_attn.o_proj", i);
		norm(load, &to->post_norm, c->hidden, NO_BIAS,
		     "model.layers.%d.post_attention_layernorm", i);
		linear(load, &to->gate, c->inter, c->hidden, NO_BIAS,
		       "model.layers.%d.mlp.gate_proj", i);
		linear(load, &to->up, c->inter, c->hidden, NO_BIAS, "model.layers.%d.mlp.up_proj",
		       i);
		linear(load, &to->down, c->hidden, c->inter, NO_BIAS,
		       "model.layers.%d.mlp.down_proj", i);
	}
	norm(load, &params->text_norm, c->hidden, NO_BIAS, "model.norm");
}

static void load_vision(omt_loader *load, omt_params *params)
{
	const omt_vision_config *c = &load->model->config.vision;
	int32_t wide = c->hidden * c->merge * c->merge;
	const omt_stack qkv[STACK] = {
		{"q", c->hidden, BIAS}, {"k", c->hidden, BIAS}, {"v", c->hidden, BIAS}};
	float table[3 * 256];
	omt_prep_pixel_table(&load->model->prep, table);
	if (load->status == OMT_OK)
		params->pixel_table = omt_loader_copy(load, table, sizeof table);
	load_weight(load, &params->patch_embed, 5,
	            (int64_t[]){c->hidden, c->channels, c->temporal_patch, c->patch, c->patch},
	            NO_BIAS, "visual.patch_embed.proj");
	for (int32_t i = 0; i < c->depth; i++) {
		omt_vision_block *to = &params->vision[i];
		norm(load, &to->norm1, c->hidden, NO_BIAS, "visual.blocks.%d.norm1", i);
		linear_stacked(load, &to->qkv, c->hidden, qkv, "visual.blocks.%d.attn", i);
		linear(load, &to->proj, c->hidden, c->hidden, BIAS, "visual.blocks.%d.attn.proj",
		       i);
		norm(load, &to->norm2, c->hidden, NO_BIAS, "visual.blocks.%d.norm2", i);
		linear(load, &to->gate, c->inter, c->hidden, BIAS, "visual.blocks.%d.mlp.gate_proj",
		       i);
		linear(load, &to->up, c->inter, c->hidden, BIAS, "visual.blocks.%d.mlp.up_proj", i);
		linear(load, &to->down, c->hidden, c->inter, BIAS, "visual.blocks.%d.mlp.down_proj",
		       i);
	}
	norm(load, &params->merger_norm, c->hidden, NO_BIAS, "visual.merger.ln_q");
	linear(load, &params->merger_in, wide, wide, BIAS, "visual.merger.mlp.0");
	linear(load, &params->merger_out, c->out_hidden, wide, BIAS, "visual.merger.mlp.2");
}

/* Sinusoids of Whisper's encoder: sin of the lower half of the channels, cos of the upper.
 * Positions restart in every chunk, hence n_window rows. */
static omt_buffer *load_sinusoids(omt_loader *load, int32_t rows, int32_t channels)
{
	size_t half = (size_t)channels / 2;
	float *table = malloc((size_t)rows * (size_t)channels * sizeof *table);
	if (!table) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "%d audio positions", rows);
		return NULL;
	}
	float step = (float)(log(10000.0) / (double)(half - 1));
	for (size_t row = 0; row < (size_t)rows; row++)
		for (size_t i = 0; i < half; i++) {
			float angle = (float)row * expf(-step * (float)i);
			table[row * 2 * half + i] = (float)sin((double)angle);
			table[row * 2 * half + half + i] = (float)cos((double)angle);
		}
	omt_buffer *buffer = omt_loader_copy(load, table, (size_t)rows * 2 * half * sizeof *table);
	free(table);
	return buffer;
}

static void load_audio(omt_loader *load, omt_params *params)
{
	const omt_audio_config *c = &load->model->config.audio;
	int32_t d = c->d_model;
	const omt_stack qkv[STACK] = {
		{"q_proj", d, BIAS}, {"k_proj", d, NO_BIAS}, {"v_proj", d, BIAS}};
	load_weight(load, &params->conv1, 3, (int64_t[]){d, c->mel_bins, 3}, BIAS,
	            "audio_tower.conv1");
	load_weight(load, &params->conv2, 3, (int64_t[]){d, d, 3}, BIAS, "audio_tower.conv2");
	if (load->status == OMT_OK && load->pass == OMT_PASS_LOAD)
		params->audio_positions = load_sinusoids(load, c->n_window, d);
	for (int32_t i = 0; i < c->layers; i++) {
		omt_audio_layer *to = &params->audio[i];
		norm(load, &to->attn_norm, d, BIAS, "audio_tower.layers.%d.self_attn_layer_norm",
		     i);
		linear_stacked(load, &to->qkv, d, qkv, "audio_tower.layers.%d.self_attn", i);
		linear(load, &to->out, d, d, BIAS, "audio_tower.layers.%d.self_attn.out_proj", i);
		norm(load, &to->final_norm, d, BIAS, "audio_tower.layers.%d.final_layer_norm", i);
		linear(load, &to->fc1, c->ffn, d, BIAS, "audio_tower.layers.%d.fc1", i);
		linear(load, &to->fc2, d, c->ffn, BIAS, "audio_tower.layers.%d.fc2", i);
	}
	norm(load, &params->audio_norm, d, BIAS, "audio_tower.ln_post");
	linear(load, &params->audio_proj, c->output_dim, d, BIAS, "audio_tower.proj");
}

static omt_status walk(omt_loader *load, omt_pass pass)
{
	load->pass = pass;
	load->bytes = 0;
	load_text(load, load->params);
	load_vision(load, load->params);
	load_audio(load, load->params);
	return load->status;
}

/* Whether the backend's weights are others than the checkpoint's, and real ones. */
static bool may_pack(const omt_load *how, const omt_exec *exec)
{
	const bool off = how->cache && !strcmp(how->cache, "none");
	return !off && (how->info->panel > 1 || how->matrices == OMT_MATRICES_INT8) &&
	       !omt_exec_is_recorder(exec) &&
	       strcmp(how->info->backend, omt_backend_model.name) != 0;
}

/* Makes load->packed a mapped file, or NULL. What goes wrong with the file is no failure: the run
 * goes on without it. */
static omt_status open_packed(omt_loader *load)
{
	omt_error why = {0}, *err = load->err;
	OMT_TRY(omt_packed_new(load->model->weights, load->model->dir, load->how->cache,
	                       load->how->info->panel, omt_matrices_names[load->how->matrices],
	                       &load->packed, err));
	if (!load->packed)
		return OMT_OK;
	load->params->packed = load->packed;
	OMT_TRY(walk(load, OMT_PASS_LIST));
	if (omt_packed_map(load->packed))
		return OMT_OK;
	load->err = &why;
	if (omt_loader_ok(load, omt_packed_create(load->packed, &why)))
		walk(load, OMT_PASS_WRITE);
	const bool written = load->status == OMT_OK;
	omt_status status = omt_packed_close(load->packed, written, &why);
	if (written && status == OMT_OK && omt_packed_map(load->packed)) {
		omt_note(load->how->progress, "packed weights are kept in %s (%.3f GB)",
		         omt_packed_path(load->packed),
		         (double)omt_packed_bytes(load->packed) * 1e-9);
	} else {
		omt_note(load->how->progress, "packed weights are not kept: %s",
		         why.text[0] ? why.text : omt_packed_path(load->packed));
		load->packed = NULL;
	}
	load->status = OMT_OK;
	load->err = err;
	return OMT_OK;
}

omt_status omt_params_load(const omt_model *model, omt_exec *exec, const omt_load *how,
                           omt_params *params, omt_error *err)
{
	const omt_config *config = &model->config;
	omt_loader load = {.model = model, .exec = exec, .how = how, .params = params, .err = err};
	*params = (omt_params){0};
	params->text = calloc((size_t)config->text.layers, sizeof *params->text);
	params->vision = calloc((size_t)config->vision.depth, sizeof *params->vision);
	params->audio = calloc((size_t)config->audio.layers, sizeof *params->audio);
	if (!params->text || !params->vision || !params->audio)
		load.status = OMT_FAIL(err, NO_MEMORY, "layers of %s", model->dir);
	if (load.status == OMT_OK && may_pack(how, exec))
		omt_loader_ok(&load, open_packed(&load));
	if (load.status == OMT_OK)
		walk(&load, OMT_PASS_LOAD);
	if (load.status == OMT_OK && params->packed && !how->info->in_place)
		omt_packed_release(params->packed);
	if (load.status != OMT_OK)
		omt_params_free(exec, params);
	return load.status;
}

void omt_params_free(omt_exec *exec, omt_params *params)
{
	for (size_t i = 0; i < params->owned_count; i++)
		omt_exec_free(exec, params->owned[i]);
	omt_packed_free(params->packed);
	free(params->owned);
	free(params->text);
	free(params->vision);
	free(params->audio);
	*params = (omt_params){0};
}
