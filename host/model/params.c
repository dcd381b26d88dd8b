#include "model/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

typedef struct omt_loader {
	const omt_model *model;
	omt_exec *exec;
	int32_t panel;
	bool int8;
	const omt_progress *progress;
	omt_params *params;
	size_t bytes; /* loaded so far */
	omt_error *err;
	omt_status status; /* of the first failure; after it the calls below do nothing */
} omt_loader;

static const size_t dtype_bytes[] = {[OMT_F32] = 4, [OMT_BF16] = 2, [OMT_F16] = 2};

static bool ok(omt_loader *load, omt_status status)
{
	if (load->status == OMT_OK)
		load->status = status;
	return load->status == OMT_OK;
}

static void report(omt_loader *load, size_t bytes)
{
	load->bytes += bytes;
	if (load->progress && load->progress->report)
		load->progress->report(load->progress->user, "weights", load->bytes,
		                       omt_weights_bytes(load->model->weights));
}

/* A buffer of the parameters: freed with them. */
static omt_buffer *new_buffer(omt_loader *load, size_t bytes, const void *borrowed)
{
	omt_params *params = load->params;
	omt_buffer *buffer = NULL;
	if (params->owned_count == params->owned_capacity) {
		size_t capacity = params->owned_capacity ? 2 * params->owned_capacity : 256;
		omt_buffer **grown = realloc(params->owned, capacity * sizeof(omt_buffer *));
		if (!grown) {
			load->status = OMT_FAIL(load->err, NO_MEMORY, "%zu buffers", capacity);
			return NULL;
		}
		params->owned = grown;
		params->owned_capacity = capacity;
	}
	if (!ok(load,
	        omt_exec_alloc(load->exec, bytes, OMT_USAGE_WEIGHT, borrowed, &buffer, load->err)))
		return NULL;
	params->owned[params->owned_count++] = buffer;
	return buffer;
}

/* A buffer with content that need not outlive the call. */
static omt_buffer *new_copy(omt_loader *load, const void *data, size_t bytes)
{
	omt_buffer *buffer = new_buffer(load, bytes, NULL);
	if (buffer && ok(load, omt_exec_write(load->exec, buffer, 0, data, bytes, NULL, load->err)))
		ok(load, omt_exec_wait(load->exec, 0, load->err));
	return buffer;
}

/* The tensor as it lies in the file, in place where the backend can; a file may put a tensor where
 * its elements are not aligned, then it is copied, as is one that lies in no file. */
static omt_buffer *new_mapped(omt_loader *load, const omt_tensor *tensor)
{
	if (!tensor->file || (uintptr_t)tensor->data % dtype_bytes[tensor->dtype])
		return new_copy(load, tensor->data, tensor->bytes);
	return new_buffer(load, tensor->bytes, tensor->data);
}

static bool find(omt_loader *load, const char *name, int32_t dims, const int64_t *shape,
                 omt_tensor *tensor)
{
	if (load->status != OMT_OK)
		return false;
	if (!ok(load, omt_weights_find(load->model->weights, name, dims, shape, tensor, load->err)))
		return false;
	if (tensor->dtype != OMT_F32 && tensor->dtype != OMT_BF16 && tensor->dtype != OMT_F16)
		load->status = OMT_FAIL(load->err, BAD_MODEL, "%s: %s is not f32, bf16 or f16",
		                        tensor->file, name);
	return load->status == OMT_OK;
}

static float element(const omt_tensor *tensor, size_t i)
{
	uint16_t half;
	float value;
	if (tensor->dtype == OMT_F32) {
		memcpy(&value, tensor->data + 4 * i, sizeof value);
		return value;
	}
	memcpy(&half, tensor->data + 2 * i, sizeof half);
	return tensor->dtype == OMT_BF16 ? omt_f32_from_bf16(half) : omt_f32_from_f16(half);
}

/* A vector of `size` as f32. */
static omt_buffer *load_vector(omt_loader *load, const char *name, int32_t size)
{
	omt_tensor tensor;
	if (!find(load, name, 1, (int64_t[]){size}, &tensor))
		return NULL;
	float *values = malloc((size_t)size * sizeof *values);
	if (!values) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "%s", name);
		return NULL;
	}
	for (size_t i = 0; i < (size_t)size; i++)
		values[i] = element(&tensor, i);
	omt_buffer *buffer = new_copy(load, values, (size_t)size * sizeof *values);
	free(values);
	report(load, tensor.bytes);
	return buffer;
}

/* `source`, rows of k elements, as panels into linear->w. */
static void pack_rows(omt_loader *load, omt_linear *linear, int32_t dtype, const void *data,
                      size_t bytes)
{
	omt_exec *exec = load->exec;
	omt_buffer *source = NULL;
	if (!linear->w ||
	    !ok(load, omt_exec_alloc(exec, bytes, OMT_USAGE_WEIGHT, data, &source, load->err)))
		return;
	if (ok(load,
	       OMT_RUN(exec, pack, load->err, .src = source, .dst = linear->w, .n = linear->n,
	               .k = linear->k, .lds = linear->k, .dtype = dtype, .panel = load->panel)))
		ok(load, omt_exec_wait(exec, 0, load->err));
	omt_exec_free(exec, source);
}

/* Rows of a tensor as int8 with a scale each. */
static void quantize_rows(const omt_tensor *tensor, int32_t n, int32_t k, float *row, int8_t *bytes,
                          float *scales)
{
	for (int32_t i = 0; i < n; i++) {
		const size_t at = (size_t)i * (size_t)k;
		float most = 0;
		for (int32_t j = 0; j < k; j++) {
			row[j] = element(tensor, at + (size_t)j);
			most = fmaxf(most, fabsf(row[j]));
		}
		const float inverse = most > 0 ? 127.0f / most : 0;
		for (int32_t j = 0; j < k; j++)
			bytes[at + (size_t)j] = (int8_t)lrintf(row[j] * inverse);
		scales[i] = most / 127.0f;
	}
}

static void load_int8(omt_loader *load, const omt_tensor *tensor, omt_linear *linear)
{
	const size_t rows = (size_t)linear->n, cols = (size_t)linear->k;
	const size_t panel = (size_t)load->panel;
	float *row = malloc(cols * sizeof *row), *scales = malloc(rows * sizeof *scales);
	int8_t *bytes = malloc(rows * cols);
	if (row && scales && bytes) {
		quantize_rows(tensor, linear->n, linear->k, row, bytes, scales);
		linear->scale = new_copy(load, scales, rows * sizeof *scales);
		if (load->panel == 1) {
			linear->dtype = OMT_I8;
			linear->w = new_copy(load, bytes, rows * cols);
		} else {
			linear->dtype = OMT_I8X4;
			linear->w = new_buffer(
				load, (rows + panel - 1) / panel * panel * ((cols + 3) / 4 * 4),
				NULL);
			pack_rows(load, linear, OMT_I8X4, bytes, rows * cols);
		}
	} else if (load->status == OMT_OK) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "a matrix of %zu bytes", rows * cols);
	}
	free(row);
	free(scales);
	free(bytes);
}

static void load_matrix(omt_loader *load, const omt_tensor *tensor, omt_linear *linear)
{
	const size_t panel = (size_t)load->panel;
	linear->dtype = tensor->dtype;
	linear->panel = load->panel;
	if (load->int8) {
		load_int8(load, tensor, linear);
	} else if (load->panel == 1) {
		linear->w = new_mapped(load, tensor);
		return;
	} else {
		const size_t rows = ((size_t)linear->n + panel - 1) / panel * panel;
		linear->w = new_buffer(load, rows * (size_t)linear->k * dtype_bytes[tensor->dtype],
		                       NULL);
		pack_rows(load, linear, tensor->dtype, tensor->data, tensor->bytes);
	}
	/* What is on the device need not stay in memory as pages of the file too. */
	omt_weights_release(load->model->weights);
}

/* Loads NAME.weight of `shape` as a matrix [n, k], and NAME.bias if it has one. */
static void load_weight(omt_loader *load, omt_linear *linear, int32_t dims, const int64_t *shape,
                        bool bias, const char *stem)
{
	char name[192];
	omt_tensor tensor;
	int64_t k = 1;
	for (int32_t i = 1; i < dims; i++)
		k *= shape[i];
	linear->n = (int32_t)shape[0];
	linear->k = (int32_t)k;
	snprintf(name, sizeof name, "%s.weight", stem);
	if (!find(load, name, dims, shape, &tensor))
		return;
	load_matrix(load, &tensor, linear);
	report(load, tensor.bytes);
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
	const size_t bytes = dtype_bytes[dtype];
	if (from->dtype == dtype) {
		memcpy(to, from->data, from->bytes);
		return;
	}
	for (size_t i = 0; i < from->bytes / dtype_bytes[from->dtype]; i++) {
		const float value = element(from, i);
		memcpy(to + i * bytes, &value, sizeof value);
	}
}

/* Joins `parts`; f32 where their formats differ. Its data is to be freed, NULL: load->status. */
static uint8_t *join(omt_loader *load, const omt_tensor parts[STACK], omt_tensor *joined)
{
	size_t elements = 0;
	*joined = (omt_tensor){.name = parts[0].name, .dtype = parts[0].dtype, .dims = 2};
	for (size_t i = 0; i < STACK; i++) {
		elements += parts[i].bytes / dtype_bytes[parts[i].dtype];
		if (parts[i].dtype != joined->dtype)
			joined->dtype = OMT_F32;
	}
	joined->bytes = elements * dtype_bytes[joined->dtype];
	uint8_t *data = malloc(joined->bytes), *to = data;
	if (!data) {
		load->status =
			OMT_FAIL(load->err, NO_MEMORY, "a matrix of %zu bytes", joined->bytes);
		return NULL;
	}
	for (size_t i = 0; i < STACK; i++) {
		append_elements(&parts[i], joined->dtype, to);
		to += parts[i].bytes / dtype_bytes[parts[i].dtype] * dtype_bytes[joined->dtype];
	}
	joined->data = data;
	return data;
}

/* linear->bias of linear->n values. */
static void join_biases(omt_loader *load, const omt_stack stack[STACK], const char *stem,
                        omt_linear *linear)
{
	char name[192];
	omt_tensor bias;
	float *values = calloc((size_t)linear->n, sizeof *values), *to = values;
	if (!values) {
		load->status = OMT_FAIL(load->err, NO_MEMORY, "%d biases", linear->n);
		return;
	}
	for (size_t i = 0; i < STACK; to += stack[i++].rows) {
		snprintf(name, sizeof name, "%s.%s.bias", stem, stack[i].name);
		if (!stack[i].bias || !find(load, name, 1, (int64_t[]){stack[i].rows}, &bias))
			continue;
		append_elements(&bias, OMT_F32, (uint8_t *)to);
		report(load, bias.bytes);
	}
	if (load->status == OMT_OK)
		linear->bias = new_copy(load, values, (size_t)linear->n * sizeof *values);
	free(values);
}

OMT_PRINTF(5, 6)
static void linear_stacked(omt_loader *load, omt_linear *into, int32_t k,
                           const omt_stack stack[STACK], const char *format, ...)
{
	char stem[160], name[192];
	omt_tensor parts[STACK], joined;
	va_list args;
	va_start(args, format);
	vsnprintf(stem, sizeof stem, format, args);
	va_end(args);
	*into = (omt_linear){.k = k};
	for (size_t i = 0; i < STACK; i++) {
		snprintf(name, sizeof name, "%s.%s.weight", stem, stack[i].name);
		if (!find(load, name, 2, (int64_t[]){stack[i].rows, k}, &parts[i]))
			return;
		into->n += stack[i].rows;
	}
	uint8_t *data = join(load, parts, &joined);
	if (!data)
		return;
	load_matrix(load, &joined, into);
	free(data);
	/* The tensors were copied on every backend. */
	omt_weights_release(load->model->weights);
	report(load, parts[0].bytes + parts[1].bytes + parts[2].bytes);
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
	if (find(load, "model.embed_tokens.weight", 2, (int64_t[]){c->vocab, c->hidden}, &table)) {
		params->embedding = new_mapped(load, &table);
		params->embedding_dtype = table.dtype;
		report(load, table.bytes);
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
		params->pixel_table = new_copy(load, table, sizeof table);
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
	omt_buffer *buffer = new_copy(load, table, (size_t)rows * 2 * half * sizeof *table);
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
	if (load->status == OMT_OK)
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

omt_status omt_params_load(const omt_model *model, omt_exec *exec, int32_t panel, bool int8,
                           const omt_progress *progress, omt_params *params, omt_error *err)
{
	const omt_config *config = &model->config;
	omt_loader load = {.model = model,
	                   .exec = exec,
	                   .panel = panel,
	                   .int8 = int8,
	                   .progress = progress,
	                   .params = params,
	                   .err = err};
	*params = (omt_params){0};
	params->text = calloc((size_t)config->text.layers, sizeof *params->text);
	params->vision = calloc((size_t)config->vision.depth, sizeof *params->vision);
	params->audio = calloc((size_t)config->audio.layers, sizeof *params->audio);
	if (!params->text || !params->vision || !params->audio)
		load.status = OMT_FAIL(err, NO_MEMORY, "layers of %s", model->dir);
	if (load.status == OMT_OK) {
		load_text(&load, params);
		load_vision(&load, params);
		load_audio(&load, params);
	}
	if (load.status != OMT_OK) {
		omt_params_free(exec, params);
		return load.status;
	}
	return OMT_OK;
}

void omt_params_free(omt_exec *exec, omt_params *params)
{
	for (size_t i = 0; i < params->owned_count; i++)
		omt_exec_free(exec, params->owned[i]);
	free(params->owned);
	free(params->text);
	free(params->vision);
	free(params->audio);
	*params = (omt_params){0};
}
