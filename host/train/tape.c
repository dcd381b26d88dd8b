#include "train/tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/tape_private.h"

/* ---- opening ---- */

static const float *find_values(void *user, const omt_tensor *tensor)
{
	const omt_trainable *trainable = ((const omt_tape *)user)->trainable;
	const omt_trainable_part *part = omt_trainable_find(trainable, tensor->name);
	return part ? trainable->values + part->at : NULL;
}

static omt_status note_copy(void *user, const omt_tensor *tensor, omt_buffer *given, size_t first,
                            omt_error *err)
{
	const omt_trainable_part *part =
		omt_trainable_find(((const omt_tape *)user)->trainable, tensor->name);
	omt_tape_buffer *buffer = omt_tape_buffer_of(given);
	(void)err;
	buffer->places[buffer->place_count++] = (omt_tape_place){first, part->count, part->at};
	return OMT_OK;
}

/* A and B of a tensor of `n` rows that are the matrix's from `first` on. */
typedef struct low_rank {
	const char *name; /* of the projection, "self_attn.q_proj" */
	int32_t first, n;
} low_rank;

/* Values as a buffer of the inner exec. */
static omt_status borrow_values(omt_tape *tape, size_t at, size_t count, omt_buffer **buffer,
                                omt_error *err)
{
	const float *values = tape->trainable->values + at;
	omt_buffer **grown =
		realloc(tape->lora_owned, (tape->lora_owned_count + 1) * sizeof(omt_buffer *));
	if (!grown)
		return OMT_FAIL(err, NO_MEMORY, "LoRA's buffers");
	tape->lora_owned = grown;
	OMT_TRY(omt_exec_alloc(tape->inner, count * sizeof *values, OMT_USAGE_WEIGHT,
	                       tape->host ? values : NULL, buffer, err));
	tape->lora_owned[tape->lora_owned_count++] = *buffer;
	return OMT_OK;
}

/* The update of a tensor, to the blocks of the matrix that have rows of it. */
static omt_status attach(omt_tape *tape, const omt_linear *linear, int32_t layer,
                         const low_rank *low, omt_error *err)
{
	char name[192];
	snprintf(name, sizeof name, "model.layers.%d.%s.lora_A", layer, low->name);
	const omt_trainable_part *a = omt_trainable_find(tape->trainable, name);
	snprintf(name, sizeof name, "model.layers.%d.%s.lora_B", layer, low->name);
	const omt_trainable_part *b = omt_trainable_find(tape->trainable, name);
	const size_t rank = (size_t)tape->lora.rank;
	omt_buffer *a_buffer;
	if (!a || !b)
		return OMT_OK; /* not among the targets */
	OMT_TRY(borrow_values(tape, a->at, a->count, &a_buffer, err));
	for (int32_t i = 0; i < linear->w.count; i++) {
		const int32_t begin = i * linear->w.rows, end = begin + linear->w.rows;
		const int32_t from = low->first > begin ? low->first : begin;
		const int32_t to = low->first + low->n < end ? low->first + low->n : end;
		if (from >= to)
			continue;
		omt_tape_buffer *w = omt_tape_buffer_of(linear->w.at[i]);
		omt_tape_lora *lora = &w->lora[w->lora_count++];
		const size_t rows = (size_t)(to - from);
		*lora = (omt_tape_lora){
			.first = from,
			.n = to - from,
			.a_at = a->at,
			.b_at = b->at + (size_t)(from - low->first) * rank,
			.a = a_buffer,
		};
		OMT_TRY(borrow_values(tape, lora->b_at, rows * rank, &lora->b, err));
	}
	return OMT_OK;
}

static omt_status attach_layer(omt_tape *tape, int32_t layer, omt_error *err)
{
	const omt_text_config *c = &tape->model->config.text;
	const omt_text_layer *to = &tape->own.text[layer];
	const int32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	const struct {
		const omt_linear *linear;
		low_rank low;
	} all[] = {
		{&to->qkv, {"self_attn.q_proj", 0, q}},
		{&to->qkv, {"self_attn.k_proj", q, kv}},
		{&to->qkv, {"self_attn.v_proj", q + kv, kv}},
		{&to->o, {"self_attn.o_proj", 0, c->hidden}},
		{&to->gate, {"mlp.gate_proj", 0, c->inter}},
		{&to->up, {"mlp.up_proj", 0, c->inter}},
		{&to->down, {"mlp.down_proj", 0, c->hidden}},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		OMT_TRY(attach(tape, all[i].linear, layer, &all[i].low, err));
	return OMT_OK;
}

static omt_status open_lora(omt_tape *tape, omt_error *err)
{
	const size_t rank = (size_t)tape->lora.rank;
	float scales[4096]; /* the greatest rank (trainable.c) */
	if (!rank)
		return OMT_OK;
	for (size_t i = 0; i < rank; i++)
		scales[i] = (float)(tape->lora.alpha / (double)rank);
	OMT_TRY(omt_exec_alloc(tape->inner, rank * sizeof *scales, OMT_USAGE_WEIGHT, NULL,
	                       &tape->lora_scale, err));
	OMT_TRY(omt_exec_write(tape->inner, tape->lora_scale, 0, scales, rank * sizeof *scales,
	                       NULL, err));
	OMT_TRY(omt_exec_wait(tape->inner, 0, err));
	for (int32_t i = 0; i < tape->model->config.text.layers; i++)
		OMT_TRY(attach_layer(tape, i, err));
	return OMT_OK;
}

static omt_status open_weights(omt_tape *tape, omt_error *err)
{
	omt_backend_info info;
	const omt_trained trained = {find_values, note_copy, tape};
	const omt_load load = {.info = &info, .trained = &trained};
	omt_exec_info(tape->outer, &info);
	if (tape->first != tape)
		return OMT_OK;
	OMT_TRY(omt_params_load(tape->model, tape->outer, &load, &tape->own, err));
	OMT_TRY(open_lora(tape, err));
	return omt_tape_update(tape, err);
}

static omt_status open_tape(omt_tape *tape, const omt_tape_options *options, omt_tape *first,
                            omt_error *err)
{
	const omt_config *config = &tape->model->config;
	const char *chain = options->backend ? options->backend : "openblas";
	const omt_backend_options backend = {.device = options->device,
	                                     .threads = options->threads};
	OMT_TRY(omt_exec_open(chain, &backend, &tape->inner, err));
	tape->host = omt_exec_is_host(tape->inner);
	/* Memory of this machine is shared; a device's is not. */
	tape->first = first && first->host && tape->host ? first->first : tape;
	OMT_TRY(omt_exec_open_on(&tape->base, NULL, &backend, &tape->outer, err));
	OMT_TRY(open_weights(tape, err));
	OMT_TRY(omt_workspace_open(config, &options->limits, false, tape->outer, &tape->work, err));
	OMT_TRY(omt_batch_device_open(config, &options->limits, tape->outer, &tape->device, err));
	for (const omt_tape_buffer *b = tape->activations; b; b = b->next)
		tape->activation_count++;
	/* Two norms a layer: stretches of about the root of the layers. */
	const int32_t layers = config->text.layers + config->vision.depth + config->audio.layers;
	tape->stretch_norms = 2 * (int32_t)lround(sqrt((double)layers));
	return OMT_OK;
}

omt_status omt_tape_open(const omt_model *model, const omt_tape_options *options, omt_tape *first,
                         omt_trainable *trainable, omt_tape **given, omt_error *err)
{
	omt_status status = OMT_OK;
	*given = NULL;
	omt_tape *tape = calloc(1, sizeof *tape);
	if (!tape)
		return OMT_FAIL(err, NO_MEMORY, "a tape");
	tape->base.class = &omt_backend_tape;
	tape->model = model;
	tape->lora = first ? first->lora : options->lora;
	tape->lora.targets = NULL; /* the caller's */
	tape->limits = options->limits;
	tape->trainable = trainable;
	if (!first)
		OMT_GOTO(omt_trainable_make(model, &options->lora, options->freeze_encoders,
		                            trainable, err));
	status = open_tape(tape, options, first, err);
	if (status != OMT_OK && !first)
		omt_trainable_free(trainable);
done:
	if (status != OMT_OK)
		omt_tape_close(tape);
	else
		*given = tape;
	return status;
}

static void free_chunks(omt_tape_chunk *chunks)
{
	while (chunks) {
		omt_tape_chunk *next = chunks->next;
		free(chunks->data);
		free(chunks);
		chunks = next;
	}
}

void omt_tape_close(omt_tape *tape)
{
	if (!tape)
		return;
	if (tape->outer) {
		omt_batch_device_close(tape->outer, &tape->device);
		omt_workspace_close(tape->outer, &tape->work);
		omt_params_free(tape->outer, &tape->own);
		omt_exec_close(tape->outer);
	}
	for (int32_t i = 0; i < OMT_SCRATCH_COUNT; i++) {
		free(tape->scratch[i]);
		omt_exec_free(tape->inner, tape->device_scratch[i]);
	}
	for (size_t i = 0; i < tape->lora_owned_count; i++)
		omt_exec_free(tape->inner, tape->lora_owned[i]);
	free(tape->lora_owned);
	omt_exec_free(tape->inner, tape->lora_scale);
	omt_exec_close(tape->inner);
	free_chunks(tape->spare);
	free(tape);
}

/* ---- values ---- */

static omt_status write_values(omt_tape *tape, omt_buffer *inner, size_t first, size_t at,
                               size_t count, omt_error *err)
{
	return omt_exec_write(tape->inner, inner, first * sizeof(float),
	                      tape->trainable->values + at, count * sizeof(float), NULL, err);
}

omt_status omt_tape_update(omt_tape *tape, omt_error *err)
{
	const float *values = tape->trainable->values;
	for (omt_tape_buffer *b = tape->weights; b; b = b->next) {
		const bool views = b->place_count && b->host == values + b->places[0].at;
		/* A copy of the values: the audio encoder's biases of q and v. */
		for (int32_t i = 0; i < b->place_count && !views; i++) {
			const omt_tape_place *p = &b->places[i];
			OMT_TRY(omt_exec_write(tape->outer, &b->base, p->first * sizeof *values,
			                       values + p->at, p->count * sizeof *values, NULL,
			                       err));
		}
		if (views && !tape->host)
			OMT_TRY(write_values(tape, b->inner, 0, b->places[0].at, b->places[0].count,
			                     err));
		for (int32_t i = 0; i < b->lora_count && !tape->host; i++) {
			const omt_tape_lora *lora = &b->lora[i];
			OMT_TRY(write_values(tape, lora->a, 0, lora->a_at,
			                     lora->a->bytes / sizeof *values, err));
			OMT_TRY(write_values(tape, lora->b, 0, lora->b_at,
			                     lora->b->bytes / sizeof *values, err));
		}
	}
	return omt_exec_wait(tape->inner, 0, err);
}

/* ---- forward ---- */

/* A new forward: what ops left in the activations is nothing any more. */
static void forget_content(omt_tape *tape)
{
	for (omt_tape_buffer *b = tape->activations; b; b = b->next) {
		b->tracked = b->made = false;
		b->live = b->by_op ? 0 : b->live;
	}
}

static omt_status run_batch(omt_tape *tape, omt_batch *batch, float *vectors, omt_error *err)
{
	uint64_t first, last;
	const omt_forward forward = {.config = &tape->model->config,
	                             .params = &tape->first->own,
	                             .exec = tape->outer,
	                             .work = &tape->work,
	                             .batch = batch,
	                             .first = &first,
	                             .last = &last};
	const size_t bytes =
		(size_t)batch->items * (size_t)tape->model->config.text.hidden * sizeof *vectors;
	batch->device = tape->device;
	forget_content(tape);
	OMT_TRY(omt_batch_upload(tape->outer, batch, NULL, NULL, err));
	OMT_TRY(omt_forward_run(&forward, err));
	OMT_TRY(omt_exec_read(tape->outer, tape->device.vectors, 0, vectors, bytes, NULL, err));
	return omt_exec_wait(tape->outer, 0, err);
}

static omt_record *new_record(omt_tape *tape, omt_keep keep, int32_t items)
{
	omt_record *record = calloc(1, sizeof *record);
	if (record)
		*record = (omt_record){
			.tape = tape, .keep = keep, .items = items, .number = ++tape->numbers};
	return record;
}

static omt_status check_limits(const omt_batch *batch, const omt_batch_limits *most, omt_error *err)
{
	if (!batch->items)
		return OMT_FAIL(err, BAD_ARGUMENT, "a batch without items");
	if ((size_t)batch->items > most->items || (size_t)batch->tokens > most->tokens ||
	    batch->pixel_bytes > most->pixels)
		return OMT_FAIL(err, LIMIT,
		                "a batch of %d items and %d tokens, the tape was opened for %zu "
		                "and %zu",
		                batch->items, batch->tokens, most->items, most->tokens);
	return OMT_OK;
}

omt_status omt_tape_forward(omt_tape *tape, omt_batch *batch, omt_keep keep, omt_record **record,
                            float *vectors, omt_error *err)
{
	OMT_TRY(check_limits(batch, &tape->limits, err));
	tape->record = NULL;
	if (keep != OMT_KEEP_NOTHING) {
		*record = NULL;
		tape->record = new_record(tape, keep, batch->items);
		if (!tape->record)
			return OMT_FAIL(err, NO_MEMORY, "a record");
	}
	omt_status status = run_batch(tape, batch, vectors, err);
	if (status != OMT_OK)
		omt_record_free(tape->record);
	else if (tape->record)
		*record = tape->record;
	tape->record = NULL;
	return status;
}

void omt_record_free(omt_record *record)
{
	if (!record)
		return;
	omt_tape_drop(record->tape, record->chunks);
	free(record->steps);
	free(record->stretches);
	free(record);
}

size_t omt_record_bytes(const omt_record *record)
{
	size_t bytes = sizeof *record + record->step_capacity * sizeof *record->steps +
	               record->stretch_capacity * sizeof *record->stretches;
	for (const omt_tape_chunk *chunk = record->chunks; chunk; chunk = chunk->next)
		bytes += chunk->used;
	return bytes;
}

/* ---- backward ---- */

/* What the stretch found is there again. */
static omt_status restore(omt_tape *tape, const omt_tape_stretch *stretch, omt_error *err)
{
	const bool *tracked = stretch->tracked;
	forget_content(tape);
	for (omt_tape_buffer *b = tape->activations; b; b = b->next)
		b->tracked = *tracked++;
	for (const omt_tape_content *c = stretch->contents; c; c = c->next) {
		OMT_TRY(omt_exec_write(tape->inner, c->buffer->inner, 0, c->data, c->bytes, NULL,
		                       err));
		omt_tape_wrote(c->buffer, c->bytes, false, c->buffer->by_op);
	}
	return omt_exec_wait(tape->inner, 0, err);
}

/* Runs steps of a record of checkpoints again, as tape->record. */
static omt_status run_again(omt_tape *tape, const omt_record *record, size_t first, size_t end,
                            omt_error *err)
{
	for (size_t i = first; i < end; i++)
		OMT_TRY(omt_tape_run(&tape->base, record->steps[i].op, &record->steps[i].args, NULL,
		                     err));
	return OMT_OK;
}

static omt_status walk_stretch(omt_tape *tape, const omt_record *record, size_t i, float *gradients,
                               omt_error *err)
{
	const omt_tape_stretch *stretch = &record->stretches[i];
	const size_t end = i + 1 < record->stretch_count ? stretch[1].first : record->step_count;
	tape->record = new_record(tape, OMT_KEEP_ALL, record->items);
	if (!tape->record)
		return OMT_FAIL(err, NO_MEMORY, "a record");
	omt_status status = restore(tape, stretch, err);
	if (status == OMT_OK)
		status = run_again(tape, record, stretch->first, end, err);
	if (status == OMT_OK)
		status = omt_tape_walk_back(tape, tape->record, gradients, err);
	omt_record_free(tape->record);
	tape->record = NULL;
	return status;
}

omt_status omt_tape_backward(omt_tape *tape, omt_record *record, const float *dvectors,
                             float *gradients, omt_error *err)
{
	omt_tape_buffer *vectors = omt_tape_buffer_of(tape->device.vectors);
	const size_t bytes =
		(size_t)record->items * (size_t)tape->model->config.text.hidden * sizeof *dvectors;
	omt_status status = omt_tape_gradient(vectors, err);
	if (status == OMT_OK)
		memcpy(vectors->gradient, dvectors, bytes);
	if (status == OMT_OK && record->keep == OMT_KEEP_ALL)
		status = omt_tape_walk_back(tape, record, gradients, err);
	for (size_t i = record->stretch_count; status == OMT_OK && i-- > 0;)
		status = walk_stretch(tape, record, i, gradients, err);
	/* Half a walk leaves gradients behind. */
	for (omt_tape_buffer *b = tape->activations; status != OMT_OK && b; b = b->next)
		if (b->gradient)
			memset(b->gradient, 0, b->base.bytes);
	omt_record_free(record);
	return status;
}
