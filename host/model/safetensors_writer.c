#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/safetensors.h"

#define DEFAULT_SHARD ((int64_t)5000000000)

bool omt_tensor_shape(omt_tensor *tensor, const char *name, int32_t dtype, int32_t dims,
                      const int64_t *shape)
{
	bool sound = true;
	tensor->name = name;
	tensor->dims = dims;
	tensor->dtype = dtype;
	for (int32_t i = 0; i < dims; i++)
		tensor->shape[i] = shape[i];
	if (dtype < 0)
		return true;
	tensor->type = dtype == OMT_F32 ? "F32" : "BF16";
	tensor->bytes = dtype == OMT_F32 ? 4 : 2;
	for (int32_t i = 0; i < dims; i++)
		sound = sound && omt_mul_size(tensor->bytes, (size_t)shape[i], &tensor->bytes);
	return sound;
}

/* Given, free(); NULL: no memory. */
static char *make_header(const omt_tensor *tensors, size_t count)
{
	json_t *header = json_object();
	json_int_t at = 0;
	json_object_set_new(header, "__metadata__", json_pack("{ss}", "format", "pt"));
	for (size_t i = 0; i < count; i++) {
		json_t *shape = json_array();
		const json_int_t end = at + (json_int_t)tensors[i].bytes;
		for (int32_t d = 0; d < tensors[i].dims; d++)
			json_array_append_new(shape, json_integer(tensors[i].shape[d]));
		json_object_set_new(header, tensors[i].name,
		                    json_pack("{ss so s[II]}", "dtype", tensors[i].type, "shape",
		                              shape, "data_offsets", at, end));
		at = end;
	}
	char *text = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	return text;
}

static omt_status write_all(const omt_output *output, const char *header, const omt_tensor *tensors,
                            size_t count, const omt_tensor_source *source, omt_error *err)
{
	/* Spaces after the header bring the data to a multiple of 64. */
	const size_t padded = (strlen(header) + 8 + 63) / 64 * 64 - 8;
	uint8_t little[8];
	for (int i = 0; i < 8; i++)
		little[i] = (uint8_t)((uint64_t)padded >> (8 * i));
	fwrite(little, sizeof little, 1, output->stream);
	fprintf(output->stream, "%-*s", (int)padded, header);
	for (size_t i = 0; i < count; i++)
		OMT_TRY(source->content(source->user, &tensors[i], output->stream, err));
	return OMT_OK;
}

omt_status omt_safetensors_write(const char *path, const omt_tensor *tensors, size_t count,
                                 const omt_tensor_source *source, omt_error *err)
{
	omt_output output;
	char *header = make_header(tensors, count);
	if (!header)
		return OMT_FAIL(err, NO_MEMORY, "%s: header", path);
	omt_status status = omt_output_open(path, &output, err);
	if (status == OMT_OK) {
		status = write_all(&output, header, tensors, count, source, err);
		if (status != OMT_OK)
			(void)omt_fail_at(err, status, "%s", path);
		const omt_status closed = omt_output_close(&output, status == OMT_OK, err);
		status = status == OMT_OK ? closed : status;
	}
	free(header);
	return status;
}

/* The tensors from `first` on that fit a shard; at least one. */
static size_t shard_end(const omt_tensor *tensors, size_t count, size_t first, int64_t bytes)
{
	int64_t room = bytes > 0 ? bytes : DEFAULT_SHARD;
	size_t end = first;
	do {
		room -= (int64_t)tensors[end++].bytes;
	} while (end < count && (int64_t)tensors[end].bytes <= room);
	return end;
}

/* Last: with it the checkpoint is complete. `map` is taken. */
static omt_status write_index(const char *dir, json_t *map, const omt_tensor *tensors, size_t count,
                              omt_error *err)
{
	json_int_t total = 0;
	for (size_t i = 0; i < count; i++)
		total += (json_int_t)tensors[i].bytes;
	json_t *index = json_pack("{s{sI} so}", "metadata", "total_size", total, "weight_map", map);
	char *text = index ? json_dumps(index, JSON_INDENT(1)) : NULL;
	json_decref(index);
	omt_status status = text ? omt_folder_put(dir, "model.safetensors.index.json", text, err)
	                         : OMT_FAIL(err, NO_MEMORY, "%s: index", dir);
	free(text);
	return status;
}

omt_status omt_safetensors_write_shards(const char *dir, const omt_tensor *tensors, size_t count,
                                        int64_t shard_bytes, const omt_tensor_source *source,
                                        omt_error *err)
{
	char name[64];
	size_t shards = 0, shard = 1;
	json_t *map = json_object();
	for (size_t at = 0; at < count; at = shard_end(tensors, count, at, shard_bytes))
		shards++;
	for (size_t first = 0, end; first < count; first = end, shard++) {
		end = shard_end(tensors, count, first, shard_bytes);
		snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard, shards);
		char *path = omt_path_join(dir, name);
		omt_status status = path ? omt_safetensors_write(path, &tensors[first], end - first,
		                                                 source, err)
		                         : OMT_FAIL(err, NO_MEMORY, "%s/%s", dir, name);
		free(path);
		if (status != OMT_OK) {
			json_decref(map);
			return status;
		}
		for (size_t i = first; i < end; i++)
			json_object_set_new(map, tensors[i].name, json_string(name));
	}
	return write_index(dir, map, tensors, count, err);
}
