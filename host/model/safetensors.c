#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "device/contract.h"

#define MAX_HEADER ((size_t)100 << 20) /* safetensors' own limit */

void omt_shape_print(char *to, size_t room, int32_t dims, const int64_t *shape)
{
	size_t used = 0;
	to[0] = '\0';
	for (int32_t i = 0; i < dims && used < room; i++)
		used += (size_t)snprintf(to + used, room - used, "%s%lld", i ? ", " : "",
		                         (long long)shape[i]);
}

/* The file's header as JSON; offsets in it count from *data_at. */
static omt_status read_header(omt_safetensors *file, size_t *data_at, omt_error *err)
{
	static const char lfs[] = "version https://git-lfs";
	uint64_t length = 0;
	OMT_TRY(omt_map_open(file->path, &file->map, err));
	const uint8_t *data = file->map.data;
	size_t bytes = file->map.bytes;
	if (bytes >= sizeof lfs - 1 && !memcmp(data, lfs, sizeof lfs - 1))
		return OMT_FAIL(err, BAD_MODEL,
		                "%s: a Git LFS pointer, not the file itself (run `git lfs pull`)",
		                file->path);
	if (bytes < 8)
		return OMT_FAIL(err, BAD_MODEL, "%s: truncated: %zu bytes are no safetensors file",
		                file->path, bytes);
	for (int i = 0; i < 8; i++)
		length |= (uint64_t)data[i] << (8 * i);
	if (length > MAX_HEADER || length > bytes - 8)
		return OMT_FAIL(err, BAD_MODEL,
		                "%s: header of %llu bytes in a file of %zu (truncated, or not "
		                "safetensors)",
		                file->path, (unsigned long long)length, bytes);
	OMT_TRY(omt_json_parse(file->path, (const char *)data + 8, (size_t)length, &file->header,
	                       err));
	if (!json_is_object(file->header))
		return OMT_FAIL(err, BAD_FORMAT, "%s: the header is not an object", file->path);
	*data_at = file->header_bytes = 8 + (size_t)length;
	return OMT_OK;
}

static const struct {
	const char *name;
	int32_t dtype;
	size_t bytes;
} dtypes[] = {{"F32", OMT_F32, 4}, {"BF16", OMT_BF16, 2}, {"F16", OMT_F16, 2}, {"I8", -1, 1},
              {"U8", -1, 1},       {"BOOL", -1, 1},       {"I16", -1, 2},      {"U16", -1, 2},
              {"I32", -1, 4},      {"U32", -1, 4},        {"I64", -1, 8},      {"U64", -1, 8},
              {"F64", -1, 8},      {"F8_E4M3", -1, 1},    {"F8_E5M2", -1, 1}};

/* Fills a tensor from its header entry; data is set when the place is known to be sound. */
static omt_status read_entry(const omt_safetensors *file, const char *name, const json_t *entry,
                             size_t data_at, omt_tensor *tensor, omt_error *err)
{
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));
	const json_t *shape = json_object_get(entry, "shape");
	const json_t *offsets = json_object_get(entry, "data_offsets");
	size_t which = 0, elements = 1, bytes, size;
	json_t *dim;
	json_int_t begin = json_integer_value(json_array_get(offsets, 0));
	json_int_t end = json_integer_value(json_array_get(offsets, 1));
	if (!dtype || !json_is_array(shape) || json_array_size(shape) > OMT_TENSOR_DIMS ||
	    json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
	    !json_is_integer(json_array_get(offsets, 1)))
		return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.80s lacks dtype, shape or offsets",
		                file->path, name);
	while (which < sizeof dtypes / sizeof *dtypes && strcmp(dtypes[which].name, dtype))
		which++;
	if (which == sizeof dtypes / sizeof *dtypes)
		return OMT_FAIL(err, UNSUPPORTED, "%s: tensor %.80s has dtype %.20s", file->path,
		                name, dtype);
	json_array_foreach(shape, size, dim)
	{
		json_int_t value = json_integer_value(dim);
		if (!json_is_integer(dim) || value < 0 ||
		    !omt_mul_size(elements, (size_t)value, &elements))
			return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.80s has a bad shape",
			                file->path, name);
		tensor->shape[size] = value;
	}
	size_t room = file->map.bytes - data_at;
	if (begin < 0 || end < begin || (uint64_t)end > room)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: tensor %.80s lies at %lld to %lld of %zu bytes of data "
		                "(truncated file?)",
		                file->path, name, (long long)begin, (long long)end, room);
	if (!omt_mul_size(elements, dtypes[which].bytes, &bytes) || bytes != (size_t)(end - begin))
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: tensor %.80s takes %lld bytes, its shape "
		                "does not",
		                file->path, name, (long long)(end - begin));
	tensor->dims = (int32_t)json_array_size(shape);
	tensor->dtype = dtypes[which].dtype;
	tensor->type = dtypes[which].name;
	tensor->bytes = bytes;
	tensor->data = file->map.data + data_at + begin;
	tensor->file = file->path;
	return OMT_OK;
}

static int by_place(const void *a, const void *b)
{
	const omt_tensor *x = a, *y = b;
	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The data is covered without overlap and without a hole, as the format says. */
static omt_status check_places(const omt_safetensors *file, omt_tensor *tensors, size_t count,
                               size_t data_at, omt_error *err)
{
	const uint8_t *at = file->map.data + data_at, *end = file->map.data + file->map.bytes;
	qsort(tensors, count, sizeof *tensors, by_place);
	for (size_t i = 0; i < count; at = tensors[i].data + tensors[i].bytes, i++)
		if (tensors[i].data != at)
			return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.80s %s", file->path,
			                tensors[i].name,
			                tensors[i].data < at ? "overlaps the one before it"
			                                     : "leaves a hole before it");
	if (at != end)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %zu bytes behind the last tensor", file->path,
		                (size_t)(end - at));
	return OMT_OK;
}

static omt_status read_tensors(omt_safetensors *file, omt_error *err)
{
	size_t data_at = 0;
	const char *name;
	json_t *entry;
	OMT_TRY(read_header(file, &data_at, err));
	file->tensors = calloc(json_object_size(file->header) + 1, sizeof *file->tensors);
	if (!file->tensors)
		return OMT_FAIL(err, NO_MEMORY, "%s", file->path);
	json_object_foreach(file->header, name, entry)
	{
		omt_tensor *tensor = &file->tensors[file->count];
		if (!strcmp(name, "__metadata__"))
			continue;
		tensor->name = name;
		OMT_TRY(read_entry(file, name, entry, data_at, tensor, err));
		file->count++;
	}
	return check_places(file, file->tensors, file->count, data_at, err);
}

omt_status omt_safetensors_open(const char *path, omt_safetensors *file, omt_error *err)
{
	*file = (omt_safetensors){.path = strdup(path)};
	omt_status status =
		file->path ? read_tensors(file, err) : OMT_FAIL(err, NO_MEMORY, "%s", path);
	if (status != OMT_OK)
		omt_safetensors_close(file);
	return status;
}

void omt_safetensors_close(omt_safetensors *file)
{
	json_decref(file->header);
	omt_map_close(&file->map);
	free(file->tensors);
	free(file->path);
	*file = (omt_safetensors){0};
}
