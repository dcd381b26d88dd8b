#include "model/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/storage.h"

float omt_loader_element(const omt_tensor *tensor, size_t i)
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

bool omt_loader_ok(omt_loader *load, omt_status status)
{
	if (load->status == OMT_OK)
		load->status = status;
	return load->status == OMT_OK;
}

void omt_loader_report(omt_loader *load, size_t bytes)
{
	static const char *const names[] = {
		[OMT_PASS_WRITE] = "packing weights", [OMT_PASS_LOAD] = "weights"};
	const omt_progress *progress = load->how->progress;
	load->bytes += bytes;
	if (load->pass != OMT_PASS_LIST && progress && progress->report)
		progress->report(progress->user, names[load->pass], load->bytes,
		                 omt_weights_bytes(load->model->weights));
}

static bool takes_packed(const omt_loader *load)
{
	return load->packed && load->pass == OMT_PASS_LOAD;
}

bool omt_loader_wants_content(const omt_loader *load)
{
	return load->pass != OMT_PASS_LIST && !takes_packed(load) &&
	       !omt_exec_is_recorder(load->exec);
}

/* ---- buffers ---- */

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
	if (!omt_loader_ok(load, omt_exec_alloc(load->exec, bytes, OMT_USAGE_WEIGHT, borrowed,
	                                        &buffer, load->err)))
		return NULL;
	params->owned[params->owned_count++] = buffer;
	return buffer;
}

omt_buffer *omt_loader_copy(omt_loader *load, const void *data, size_t bytes)
{
	if (load->pass != OMT_PASS_LOAD)
		return NULL;
	omt_buffer *buffer = new_buffer(load, bytes, NULL);
	if (buffer && omt_loader_ok(load, omt_exec_write(load->exec, buffer, 0, data, bytes, NULL,
	                                                 load->err)))
		omt_loader_ok(load, omt_exec_wait(load->exec, 0, load->err));
	return buffer;
}

omt_buffer *omt_loader_borrow(omt_loader *load, const void *data, size_t bytes)
{
	return load->pass == OMT_PASS_LOAD ? new_buffer(load, bytes, data) : NULL;
}

/* Content as it lies in the file, in place where the backend can; a file may put a tensor where
 * its elements are not aligned, then it is copied, as is one that lies in no file. */
static omt_buffer *new_mapped(omt_loader *load, const omt_tensor *tensor, const uint8_t *data,
                              size_t bytes)
{
	if (!tensor->file || (uintptr_t)data % omt_dtype_bytes(tensor->dtype))
		return omt_loader_copy(load, data, bytes);
	return new_buffer(load, bytes, data);
}

/* ---- blocks ---- */

/* How many rows a buffer takes, `row_bytes` each, always whole steps of rows. */
static bool split(omt_loader *load, const char *name, int32_t rows, size_t row_bytes, int32_t step,
                  omt_blocks *blocks)
{
	const uint64_t most = load->how->info->max_alloc_bytes;
	const int64_t whole = ((int64_t)rows + step - 1) / step * step;
	int64_t each = rows;
	if (most && (uint64_t)whole * row_bytes > most)
		each = (int64_t)(most / row_bytes) / step * step;
	const int64_t count = each ? ((int64_t)rows + each - 1) / each : 0;
	if (!count || count > OMT_BLOCKS) {
		load->status = OMT_FAIL(load->err, DEVICE,
		                        "%s: %zu bytes in buffers of %llu, the device's largest, "
		                        "are more than %d",
		                        name, (size_t)whole * row_bytes, (unsigned long long)most,
		                        OMT_BLOCKS);
		return false;
	}
	blocks->count = (int32_t)count;
	blocks->rows = (int32_t)each;
	return true;
}

static int32_t rows_of(const omt_blocks *blocks, int32_t block, int32_t rows)
{
	const int32_t left = rows - block * blocks->rows;
	return left < blocks->rows ? left : blocks->rows;
}

void omt_loader_table(omt_loader *load, const omt_tensor *tensor, int32_t rows, int32_t k,
                      omt_blocks *blocks)
{
	const size_t row_bytes = (size_t)k * omt_dtype_bytes(tensor->dtype);
	const uint8_t *data = tensor->data;
	if (!split(load, tensor->name, rows, row_bytes, 1, blocks))
		return;
	if (load->pass == OMT_PASS_LIST) {
		omt_loader_ok(load, omt_packed_list(load->packed, tensor->name, tensor->bytes,
		                                    load->err));
		return;
	}
	for (int32_t i = 0; i < blocks->count && load->status == OMT_OK; i++) {
		const size_t bytes = (size_t)rows_of(blocks, i, rows) * row_bytes;
		if (load->pass == OMT_PASS_WRITE)
			omt_loader_ok(load, omt_packed_put(load->packed, data, bytes, load->err));
		else if (takes_packed(load))
			blocks->at[i] =
				new_buffer(load, bytes, omt_packed_take(load->packed, bytes));
		else
			blocks->at[i] = new_mapped(load, tensor, data, bytes);
		data += bytes;
	}
}

/* ---- matrices ---- */

/* Bytes of a row of the matrix as the device has it. */
static size_t row_bytes_of(const omt_linear *linear)
{
	const size_t group = OMT_WORD_GROUP(linear->dtype);
	return ((size_t)linear->k + group - 1) / group * group * omt_dtype_bytes(linear->dtype);
}

static void pack(omt_loader *load, const omt_linear *linear, const void *data, size_t bytes,
                 int32_t rows, omt_buffer *into)
{
	omt_exec *exec = load->exec;
	omt_buffer *source = NULL;
	if (!into || !omt_loader_ok(load, omt_exec_alloc(exec, bytes, OMT_USAGE_WEIGHT, data,
	                                                 &source, load->err)))
		return;
	if (omt_loader_ok(load, OMT_RUN(exec, pack, load->err, .src = source, .dst = into,
	                                .n = rows, .k = linear->k, .lds = linear->k,
	                                .dtype = linear->dtype, .panel = linear->panel)))
		omt_loader_ok(load, omt_exec_wait(exec, 0, load->err));
	omt_exec_free(exec, source);
}

/* Packs into the file instead of into a buffer that stays. */
static void write_packed(omt_loader *load, const omt_linear *linear, const void *data,
                         size_t source_bytes, int32_t rows, size_t bytes)
{
	omt_buffer *packed = NULL;
	void *copy = malloc(bytes);
	if (!copy)
		load->status = OMT_FAIL(load->err, NO_MEMORY, "a matrix of %zu bytes", bytes);
	if (omt_loader_ok(load, omt_exec_alloc(load->exec, bytes, OMT_USAGE_WEIGHT, NULL, &packed,
	                                       load->err)))
		pack(load, linear, data, source_bytes, rows, packed);
	if (load->status == OMT_OK &&
	    omt_loader_ok(load,
	                  omt_exec_read(load->exec, packed, 0, copy, bytes, NULL, load->err)) &&
	    omt_loader_ok(load, omt_exec_wait(load->exec, 0, load->err)))
		omt_loader_ok(load, omt_packed_put(load->packed, copy, bytes, load->err));
	omt_exec_free(load->exec, packed);
	free(copy);
}

/* Whether rows are made from a tensor's before they are packed. */
static bool converts(const omt_loader *load, const omt_tensor *tensor)
{
	return load->how->matrices == OMT_MATRICES_INT8 ||
	       (load->how->matrices == OMT_MATRICES_BF16 && tensor->dtype != OMT_BF16);
}

/* Bytes of an element before rows are packed. */
static size_t source_bytes(const omt_loader *load, const omt_tensor *tensor)
{
	return !converts(load, tensor)                    ? omt_dtype_bytes(tensor->dtype)
	       : load->how->matrices == OMT_MATRICES_INT8 ? sizeof(int8_t)
	                                                  : sizeof(uint16_t);
}

/* Rows of a tensor from `first` on as bf16. */
static void round_rows(const omt_tensor *tensor, int32_t first, int32_t rows, int32_t k,
                       uint16_t *to)
{
	const size_t at = (size_t)first * (size_t)k, count = (size_t)rows * (size_t)k;
	for (size_t i = 0; i < count; i++)
		to[i] = omt_bf16_from_f32(omt_loader_element(tensor, at + i));
}

/* Rows of a tensor from `first` on as int8 with a scale each. */
static void quantize_rows(const omt_tensor *tensor, int32_t first, int32_t rows, int32_t k,
                          float *row, int8_t *bytes, float *scales)
{
	for (int32_t i = 0; i < rows; i++, bytes += k) {
		const size_t at = (size_t)(first + i) * (size_t)k;
		float most = 0;
		for (int32_t j = 0; j < k; j++) {
			row[j] = omt_loader_element(tensor, at + (size_t)j);
			most = fmaxf(most, fabsf(row[j]));
		}
		const float inverse = most > 0 ? 127.0f / most : 0;
		for (int32_t j = 0; j < k; j++)
			bytes[j] = (int8_t)lrintf(row[j] * inverse);
		scales[first + i] = most / 127.0f;
	}
}

/* Block `i` of the matrix, made from `data`, its rows in the format of linear->dtype. */
static void place_block(omt_loader *load, const omt_tensor *tensor, omt_linear *linear, int32_t i,
                        const void *data)
{
	const int32_t rows = rows_of(&linear->w, i, linear->n), panel = linear->panel;
	const bool writes = load->pass == OMT_PASS_WRITE;
	const size_t source = (size_t)rows * (size_t)linear->k * source_bytes(load, tensor);
	const size_t bytes = (size_t)((rows + panel - 1) / panel * panel) * row_bytes_of(linear);
	if (panel == 1 && writes) {
		omt_loader_ok(load, omt_packed_put(load->packed, data, bytes, load->err));
	} else if (panel == 1) {
		linear->w.at[i] = converts(load, tensor) ? omt_loader_copy(load, data, bytes)
		                                         : new_mapped(load, tensor, data, bytes);
	} else if (writes) {
		write_packed(load, linear, data, source, rows, bytes);
	} else {
		linear->w.at[i] = new_buffer(load, bytes, NULL);
		pack(load, linear, data, source, rows, linear->w.at[i]);
	}
}

static void make_blocks(omt_loader *load, const omt_tensor *tensor, omt_linear *linear)
{
	const size_t k = (size_t)linear->k, most = (size_t)linear->w.rows * k;
	const bool int8 = load->how->matrices == OMT_MATRICES_INT8, made = converts(load, tensor);
	float *row = int8 ? malloc(k * sizeof *row) : NULL;
	float *scales = int8 ? malloc((size_t)linear->n * sizeof *scales) : NULL;
	void *bytes = made ? malloc(most * source_bytes(load, tensor)) : NULL;
	if ((int8 && (!row || !scales)) || (made && !bytes))
		load->status = OMT_FAIL(load->err, NO_MEMORY, "a matrix of %zu bytes", most);
	for (int32_t i = 0; i < linear->w.count && load->status == OMT_OK; i++) {
		const int32_t first = i * linear->w.rows, rows = rows_of(&linear->w, i, linear->n);
		const void *data =
			tensor->data + (size_t)first * k * omt_dtype_bytes(tensor->dtype);
		if (int8 && omt_loader_wants_content(load))
			quantize_rows(tensor, first, rows, linear->k, row, bytes, scales);
		else if (made && omt_loader_wants_content(load))
			round_rows(tensor, first, rows, linear->k, bytes);
		place_block(load, tensor, linear, i, made ? bytes : data);
		/* What is on the device need not stay in memory as pages of the file too. */
		if (linear->panel > 1 || made)
			omt_weights_release(load->model->weights);
	}
	if (int8 && load->status == OMT_OK && load->pass == OMT_PASS_WRITE)
		omt_loader_ok(load, omt_packed_put(load->packed, scales,
		                                   (size_t)linear->n * sizeof *scales, load->err));
	else if (int8 && load->status == OMT_OK)
		linear->scale = omt_loader_copy(load, scales, (size_t)linear->n * sizeof *scales);
	free(row);
	free(scales);
	free(bytes);
}

static void take_blocks(omt_loader *load, omt_linear *linear)
{
	const int32_t panel = linear->panel;
	const size_t row_bytes = row_bytes_of(linear), scales = (size_t)linear->n * sizeof(float);
	for (int32_t i = 0; i < linear->w.count; i++) {
		const int32_t rows = rows_of(&linear->w, i, linear->n);
		const size_t bytes = (size_t)((rows + panel - 1) / panel * panel) * row_bytes;
		linear->w.at[i] = new_buffer(load, bytes, omt_packed_take(load->packed, bytes));
	}
	if (load->how->matrices == OMT_MATRICES_INT8)
		linear->scale = new_buffer(load, scales, omt_packed_take(load->packed, scales));
	if (!load->how->info->in_place)
		omt_packed_release(load->packed);
}

static void list_matrix(omt_loader *load, const omt_tensor *tensor, const omt_linear *linear)
{
	char name[192];
	const size_t panel = (size_t)linear->panel, n = (size_t)linear->n;
	const size_t bytes = (n + panel - 1) / panel * panel * row_bytes_of(linear);
	snprintf(name, sizeof name, "%s.scale", tensor->name);
	omt_loader_ok(load, omt_packed_list(load->packed, tensor->name, bytes, load->err));
	if (load->how->matrices == OMT_MATRICES_INT8)
		omt_loader_ok(load,
		              omt_packed_list(load->packed, name, n * sizeof(float), load->err));
}

void omt_loader_matrix(omt_loader *load, const omt_tensor *tensor, omt_linear *linear)
{
	static const int32_t dtypes[OMT_MATRICES_COUNT][2] = {
		[OMT_MATRICES_INT8] = {OMT_I8, OMT_I8X4},
		[OMT_MATRICES_BF16] = {OMT_BF16, OMT_BF16X2},
	};
	const int32_t panel = load->how->info->panel;
	linear->panel = panel;
	linear->dtype = load->how->matrices == OMT_MATRICES_STORED
	                        ? tensor->dtype
	                        : dtypes[load->how->matrices][panel > 1];
	if (load->status != OMT_OK ||
	    !split(load, tensor->name, linear->n, row_bytes_of(linear), panel, &linear->w))
		return;
	if (load->pass == OMT_PASS_LIST)
		list_matrix(load, tensor, linear);
	else if (takes_packed(load))
		take_blocks(load, linear);
	else
		make_blocks(load, tensor, linear);
}
