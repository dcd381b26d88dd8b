#include <stdlib.h>
#include <string.h>

#include "train/tape_private.h"

/* Chunks of records: a batch fills a few of them. They are used again by later records. */
#define CHUNK_BYTES ((size_t)4 << 20)

/* ---- the backend's buffers ---- */

static omt_tape *tape_of(const omt_backend *self)
{
	return (omt_tape *)(uintptr_t)self;
}

/* The tape outlives its exec. */
static void close_tape(omt_backend *self)
{
	(void)self;
}

static void info_tape(const omt_backend *self, omt_backend_info *info)
{
	omt_exec_info(tape_of(self)->inner, info);
	info->panel = 1;
	info->may_stall = false; /* the inner exec does the work again */
}

static bool supports_tape(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	(void)op;
	(void)args;
	return true;
}

static void free_buffer(omt_backend *self, omt_buffer *given)
{
	omt_tape *tape = tape_of(self);
	omt_tape_buffer *buffer = omt_tape_buffer_of(given);
	if (!buffer)
		return;
	omt_tape_buffer **at = buffer->weight ? &tape->weights : &tape->activations;
	while (*at && *at != buffer)
		at = &(*at)->next;
	if (*at)
		*at = buffer->next;
	omt_exec_free(tape->inner, buffer->inner);
	free(buffer->shadow);
	free(buffer->gradient);
	free(buffer);
}

/* Values that are trained lie where the optimiser changes them: a device gets them by updates, it
 * may not borrow what changes. */
static bool is_trained(const omt_tape *tape, const void *data)
{
	const uintptr_t at = (uintptr_t)data, begin = (uintptr_t)tape->trainable->values;
	return data && at >= begin && at - begin < tape->trainable->count * sizeof(float);
}

static omt_status fill_weight(omt_tape *tape, omt_tape_buffer *buffer, const void *borrowed,
                              bool trained, omt_error *err)
{
	if (trained) {
		const float *values = borrowed;
		buffer->places[buffer->place_count++] = (omt_tape_place){
			.count = buffer->base.bytes / sizeof *values,
			.at = (size_t)(values - tape->trainable->values),
		};
	}
	if (tape->host) {
		buffer->host = omt_host_buffer_data(buffer->inner);
		return OMT_OK;
	}
	if (borrowed) {
		buffer->host = borrowed;
	} else if (!(buffer->host = buffer->shadow = malloc(buffer->base.bytes))) {
		return OMT_FAIL(err, NO_MEMORY, "weights of %zu bytes", buffer->base.bytes);
	}
	if (!trained)
		return OMT_OK;
	OMT_TRY(omt_exec_write(tape->inner, buffer->inner, 0, borrowed, buffer->base.bytes, NULL,
	                       err));
	return omt_exec_wait(tape->inner, 0, err);
}

static omt_status alloc_buffer(omt_backend *self, size_t bytes, omt_usage usage,
                               const void *borrowed, omt_buffer **given, omt_error *err)
{
	omt_tape *tape = tape_of(self);
	const bool trained = is_trained(tape, borrowed);
	omt_tape_buffer *buffer = calloc(1, sizeof *buffer);
	*given = NULL;
	if (!buffer)
		return OMT_FAIL(err, NO_MEMORY, "a buffer of the tape");
	buffer->base = (omt_buffer){.owner = self, .bytes = bytes};
	buffer->weight = usage == OMT_USAGE_WEIGHT;
	omt_status status =
		omt_exec_alloc(tape->inner, bytes, usage, trained && !tape->host ? NULL : borrowed,
	                       &buffer->inner, err);
	if (status == OMT_OK && buffer->weight)
		status = fill_weight(tape, buffer, borrowed, trained, err);
	if (status != OMT_OK) {
		free_buffer(self, &buffer->base);
		return status;
	}
	omt_tape_buffer **list = buffer->weight ? &tape->weights : &tape->activations;
	buffer->next = *list;
	*list = buffer;
	*given = &buffer->base;
	return OMT_OK;
}

void omt_tape_wrote(omt_tape_buffer *buffer, size_t bytes, bool whole, bool by_op)
{
	bytes = bytes < buffer->base.bytes ? bytes : buffer->base.bytes;
	buffer->version++;
	buffer->by_op = by_op;
	if (whole || bytes > buffer->live)
		buffer->live = bytes;
}

static omt_status write_buffer(omt_backend *self, omt_buffer *given, size_t offset,
                               const void *data, size_t bytes, uint64_t *mark, omt_error *err)
{
	omt_tape_buffer *buffer = omt_tape_buffer_of(given);
	if (buffer->weight && buffer->shadow)
		memcpy((uint8_t *)buffer->shadow + offset, data, bytes);
	if (!buffer->weight)
		omt_tape_wrote(buffer, offset + bytes, offset == 0, false);
	return omt_exec_write(tape_of(self)->inner, buffer->inner, offset, data, bytes, mark, err);
}

static omt_status read_buffer(omt_backend *self, const omt_buffer *given, size_t offset, void *data,
                              size_t bytes, uint64_t *mark, omt_error *err)
{
	return omt_exec_read(tape_of(self)->inner, omt_tape_buffer_of(given)->inner, offset, data,
	                     bytes, mark, err);
}

static bool done_tape(omt_backend *self, uint64_t mark)
{
	return omt_exec_done(tape_of(self)->inner, mark);
}

static omt_status wait_tape(omt_backend *self, uint64_t mark, omt_error *err)
{
	return omt_exec_wait(tape_of(self)->inner, mark, err);
}

static double elapsed_tape(omt_backend *self, uint64_t from, uint64_t to)
{
	return omt_exec_elapsed(tape_of(self)->inner, from, to);
}

const omt_backend_class omt_backend_tape = {
	.name = "tape",
	.close = close_tape,
	.info = info_tape,
	.supports = supports_tape,
	.alloc = alloc_buffer,
	.free = free_buffer,
	.write = write_buffer,
	.read = read_buffer,
	.run = omt_tape_run,
	.done = done_tape,
	.wait = wait_tape,
	.elapsed = elapsed_tape,
};

/* ---- content on the host ---- */

static omt_status read_now(omt_tape *tape, const omt_tape_buffer *buffer, size_t bytes, void *data,
                           omt_error *err)
{
	OMT_TRY(omt_exec_read(tape->inner, buffer->inner, 0, data, bytes, NULL, err));
	return omt_exec_wait(tape->inner, 0, err);
}

omt_status omt_tape_view(omt_tape *tape, omt_tape_buffer *buffer, size_t bytes, const void **data,
                         omt_error *err)
{
	*data = tape->host ? omt_host_buffer_data(buffer->inner) : buffer->host;
	if (*data)
		return OMT_OK;
	if (buffer->shadow_bytes < bytes) {
		free(buffer->shadow);
		buffer->shadow_bytes = 0;
		if (!(buffer->shadow = malloc(bytes)))
			return OMT_FAIL(err, NO_MEMORY, "a copy of %zu bytes", bytes);
		buffer->shadow_bytes = bytes;
		buffer->shadow_version = 0;
	}
	*data = buffer->shadow;
	if (buffer->shadow_version == buffer->version)
		return OMT_OK;
	/* All of it: the next one to look may want more. */
	OMT_TRY(read_now(tape, buffer, buffer->shadow_bytes, buffer->shadow, err));
	buffer->shadow_version = buffer->version;
	return OMT_OK;
}

/* ---- memory of records ---- */

static omt_status new_chunk(omt_tape *tape, size_t bytes, omt_tape_chunk **given, omt_error *err)
{
	omt_tape_chunk **at = &tape->spare;
	while (*at && (*at)->bytes < bytes)
		at = &(*at)->next;
	omt_tape_chunk *chunk = *at;
	if (chunk) {
		*at = chunk->next;
	} else {
		const size_t whole = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		chunk = malloc(sizeof *chunk);
		if (chunk)
			*chunk = (omt_tape_chunk){.bytes = whole, .data = aligned_alloc(64, whole)};
		if (!chunk || !chunk->data) {
			free(chunk);
			return OMT_FAIL(err, NO_MEMORY, "a record of %zu bytes more", whole);
		}
	}
	chunk->used = 0;
	*given = chunk;
	return OMT_OK;
}

omt_status omt_tape_take(omt_record *record, size_t bytes, void **data, omt_error *err)
{
	omt_tape_chunk *chunk = record->chunks;
	bytes = (bytes + 63) / 64 * 64;
	if (!chunk || chunk->bytes - chunk->used < bytes) {
		OMT_TRY(new_chunk(record->tape, bytes, &chunk, err));
		chunk->next = record->chunks;
		record->chunks = chunk;
	}
	*data = chunk->data + chunk->used;
	chunk->used += bytes;
	return OMT_OK;
}

void omt_tape_drop(omt_tape *tape, omt_tape_chunk *chunks)
{
	while (chunks) {
		omt_tape_chunk *next = chunks->next;
		chunks->next = tape->spare;
		tape->spare = chunks;
		chunks = next;
	}
}

omt_status omt_tape_keep(omt_record *record, uint64_t scope, omt_tape_buffer *buffer, size_t bytes,
                         const void **given, omt_error *err)
{
	void *data;
	omt_tape *tape = record->tape;
	if (buffer->kept.scope == scope && buffer->kept.version == buffer->version &&
	    buffer->kept.bytes >= bytes) {
		*given = buffer->kept.data;
		return OMT_OK;
	}
	OMT_TRY(omt_tape_take(record, bytes, &data, err));
	if (tape->host)
		memcpy(data, omt_host_buffer_data(buffer->inner), bytes);
	else
		OMT_TRY(read_now(tape, buffer, bytes, data, err));
	buffer->kept.scope = scope;
	buffer->kept.version = buffer->version;
	buffer->kept.bytes = bytes;
	*given = buffer->kept.data = data;
	return OMT_OK;
}

/* ---- scratch and products ---- */

omt_status omt_tape_scratch(omt_tape *tape, int32_t slot, size_t floats, float **data,
                            omt_error *err)
{
	if (tape->scratch_floats[slot] < floats) {
		const size_t bytes = (floats * sizeof(float) + 63) / 64 * 64;
		free(tape->scratch[slot]);
		tape->scratch_floats[slot] = 0;
		if (!(tape->scratch[slot] = aligned_alloc(64, bytes)))
			return OMT_FAIL(err, NO_MEMORY, "%zu bytes", bytes);
		tape->scratch_floats[slot] = floats;
	}
	*data = tape->scratch[slot];
	return OMT_OK;
}

/* Host memory for a product: the record's, or scratch. */
static omt_status product_memory(omt_tape *tape, int32_t slot, size_t floats, bool kept,
                                 float **data, omt_error *err)
{
	void *memory;
	if (!kept)
		return omt_tape_scratch(tape, slot, floats, data, err);
	OMT_TRY(omt_tape_take(tape->record, floats * sizeof(float), &memory, err));
	*data = memory;
	return OMT_OK;
}

omt_status omt_tape_product(omt_tape *tape, int32_t slot, size_t floats, bool kept,
                            omt_buffer **buffer, float **data, omt_error *err)
{
	const size_t bytes = floats * sizeof(float);
	*buffer = NULL;
	if (tape->host) { /* computed where it is kept */
		OMT_TRY(product_memory(tape, slot, floats, kept, data, err));
		return omt_exec_alloc(tape->inner, bytes, OMT_USAGE_WORK, *data, buffer, err);
	}
	if (tape->device_scratch[slot] && tape->device_scratch[slot]->bytes < bytes) {
		omt_exec_free(tape->inner, tape->device_scratch[slot]);
		tape->device_scratch[slot] = NULL;
	}
	if (!tape->device_scratch[slot])
		OMT_TRY(omt_exec_alloc(tape->inner, bytes, OMT_USAGE_WORK, NULL,
		                       &tape->device_scratch[slot], err));
	*buffer = tape->device_scratch[slot];
	return OMT_OK;
}

omt_status omt_tape_product_end(omt_tape *tape, int32_t slot, size_t floats, bool kept,
                                omt_buffer *buffer, bool wanted, float **data, omt_error *err)
{
	if (tape->host) {
		omt_exec_free(tape->inner, buffer);
		return OMT_OK;
	}
	if (!wanted)
		return OMT_OK;
	OMT_TRY(product_memory(tape, slot, floats, kept, data, err));
	OMT_TRY(omt_exec_read(tape->inner, buffer, 0, *data, floats * sizeof(float), NULL, err));
	return omt_exec_wait(tape->inner, 0, err);
}
