#include "model/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/synth.h"

#define MAX_HEADER  ((size_t)100 << 20) /* safetensors' own limit */
#define INDEX_NAME  "model.safetensors.index.json"
#define SINGLE_NAME "model.safetensors"
#define MAX_ZEROS   ((size_t)1 << 44) /* of weights that are not there */

typedef struct omt_shard {
	char *path;
	omt_map map;
	size_t header_bytes;
	json_t *header; /* owns the tensors' names */
} omt_shard;

struct omt_weights {
	omt_shard *shards;
	size_t shard_count;
	omt_tensor *tensors; /* by name */
	size_t count, capacity;
	size_t bytes;
	char *dir;
};

/* ---- one shard ----------------------------------------------------------------------------- */

/* The file's header as JSON; offsets in it count from *data_at. */
static omt_status read_header(omt_shard *shard, size_t *data_at, omt_error *err)
{
	static const char lfs[] = "version https://git-lfs";
	uint64_t length = 0;
	OMT_TRY(omt_map_open(shard->path, &shard->map, err));
	const uint8_t *data = shard->map.data;
	size_t bytes = shard->map.bytes;
	if (bytes >= sizeof lfs - 1 && !memcmp(data, lfs, sizeof lfs - 1))
		return OMT_FAIL(err, BAD_MODEL,
		                "%s: a Git LFS pointer, not the file itself (run `git lfs pull`)",
		                shard->path);
	if (bytes < 8)
		return OMT_FAIL(err, BAD_MODEL, "%s: truncated: %zu bytes are no safetensors file",
		                shard->path, bytes);
	for (int i = 0; i < 8; i++)
		length |= (uint64_t)data[i] << (8 * i);
	if (length > MAX_HEADER || length > bytes - 8)
		return OMT_FAIL(err, BAD_MODEL,
		                "%s: header of %llu bytes in a file of %zu (truncated, or not "
		                "safetensors)",
		                shard->path, (unsigned long long)length, bytes);
	OMT_TRY(omt_json_parse(shard->path, (const char *)data + 8, (size_t)length, &shard->header,
	                       err));
	if (!json_is_object(shard->header))
		return OMT_FAIL(err, BAD_FORMAT, "%s: the header is not an object", shard->path);
	*data_at = shard->header_bytes = 8 + (size_t)length;
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
static omt_status read_entry(const omt_shard *shard, const char *name, const json_t *entry,
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
		                shard->path, name);
	while (which < sizeof dtypes / sizeof *dtypes && strcmp(dtypes[which].name, dtype))
		which++;
	if (which == sizeof dtypes / sizeof *dtypes)
		return OMT_FAIL(err, UNSUPPORTED, "%s: tensor %.80s has dtype %.20s", shard->path,
		                name, dtype);
	json_array_foreach(shape, size, dim)
	{
		json_int_t value = json_integer_value(dim);
		if (!json_is_integer(dim) || value < 0 ||
		    !omt_mul_size(elements, (size_t)value, &elements))
			return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.80s has a bad shape",
			                shard->path, name);
		tensor->shape[size] = value;
	}
	size_t room = shard->map.bytes - data_at;
	if (begin < 0 || end < begin || (uint64_t)end > room)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: tensor %.80s lies at %lld to %lld of %zu bytes of data "
		                "(truncated file?)",
		                shard->path, name, (long long)begin, (long long)end, room);
	if (!omt_mul_size(elements, dtypes[which].bytes, &bytes) || bytes != (size_t)(end - begin))
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: tensor %.80s takes %lld bytes, its shape "
		                "does not",
		                shard->path, name, (long long)(end - begin));
	tensor->dims = (int32_t)json_array_size(shape);
	tensor->dtype = dtypes[which].dtype;
	tensor->bytes = bytes;
	tensor->data = shard->map.data + data_at + begin;
	tensor->file = shard->path;
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
static omt_status check_places(const omt_shard *shard, omt_tensor *tensors, size_t count,
                               size_t data_at, omt_error *err)
{
	const uint8_t *at = shard->map.data + data_at, *end = shard->map.data + shard->map.bytes;
	qsort(tensors, count, sizeof *tensors, by_place);
	for (size_t i = 0; i < count; at = tensors[i].data + tensors[i].bytes, i++)
		if (tensors[i].data != at)
			return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.80s %s", shard->path,
			                tensors[i].name,
			                tensors[i].data < at ? "overlaps the one before it"
			                                     : "leaves a hole before it");
	if (at != end)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %zu bytes behind the last tensor",
		                shard->path, (size_t)(end - at));
	return OMT_OK;
}

/* Names as the model's code has them; NULL: not a tensor of the Thinker's encoder side. */
static const char *kept_name(const char *name)
{
	static const char *const skipped[] = {"talker.", "token2wav.", "lm_head."};
	static const char prefix[] = "thinker.";
	if (!strncmp(name, prefix, sizeof prefix - 1))
		name += sizeof prefix - 1;
	for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
		if (!strncmp(name, skipped[i], strlen(skipped[i])))
			return NULL;
	return name;
}

static omt_status keep(omt_weights *weights, const omt_tensor *tensors, size_t count,
                       omt_error *err)
{
	if (weights->capacity - weights->count < count) {
		size_t capacity = 2 * (weights->capacity + count);
		omt_tensor *grown = realloc(weights->tensors, capacity * sizeof *grown);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%s: %zu tensors", weights->dir, capacity);
		weights->tensors = grown;
		weights->capacity = capacity;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name = kept_name(tensors[i].name);
		if (!name)
			continue;
		weights->tensors[weights->count] = tensors[i];
		weights->tensors[weights->count++].name = name;
		weights->bytes += tensors[i].bytes;
	}
	return OMT_OK;
}

static omt_status open_shard(omt_weights *weights, omt_shard *shard, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_tensor *tensors = NULL;
	size_t data_at = 0, count = 0;
	const char *name;
	json_t *entry;
	OMT_TRY(read_header(shard, &data_at, err));
	tensors = calloc(json_object_size(shard->header) + 1, sizeof *tensors);
	if (!tensors)
		return OMT_FAIL(err, NO_MEMORY, "%s", shard->path);
	json_object_foreach(shard->header, name, entry)
	{
		if (!strcmp(name, "__metadata__"))
			continue;
		tensors[count].name = name;
		OMT_GOTO(read_entry(shard, name, entry, data_at, &tensors[count], err));
		count++;
	}
	OMT_GOTO(check_places(shard, tensors, count, data_at, err));
	OMT_GOTO(keep(weights, tensors, count, err));
done:
	free(tensors);
	return status;
}

/* ---- the checkpoint ------------------------------------------------------------------------ */

static omt_status add_shard(omt_weights *weights, const char *name, omt_error *err)
{
	if (strchr(name, '/') || !strcmp(name, "..") || !*name)
		return OMT_FAIL(err, BAD_MODEL,
		                "%s/%s: shard \"%.80s\" is not a file of the folder", weights->dir,
		                INDEX_NAME, name);
	for (size_t i = 0; i < weights->shard_count; i++)
		if (!strcmp(strrchr(weights->shards[i].path, '/') + 1, name))
			return OMT_OK;
	omt_shard *grown = realloc(weights->shards, (weights->shard_count + 1) * sizeof *grown);
	char *path = omt_path_join(weights->dir, name);
	if (grown)
		weights->shards = grown;
	if (!grown || !path) {
		free(path);
		return OMT_FAIL(err, NO_MEMORY, "%s", weights->dir);
	}
	weights->shards[weights->shard_count++] = (omt_shard){.path = path};
	if (!omt_file_exists(path))
		return OMT_FAIL(err, BAD_MODEL, "%s: the shard is missing", path);
	return OMT_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const omt_tensor *)a)->name, ((const omt_tensor *)b)->name);
}

static omt_status check_names(omt_weights *weights, omt_error *err)
{
	qsort(weights->tensors, weights->count, sizeof *weights->tensors, by_name);
	for (size_t i = 1; i < weights->count; i++)
		if (!by_name(&weights->tensors[i - 1], &weights->tensors[i]))
			return OMT_FAIL(err, BAD_MODEL, "%s: tensor %.80s is in %s too",
			                weights->tensors[i].file, weights->tensors[i].name,
			                weights->tensors[i - 1].file);
	return OMT_OK;
}

/* Every tensor that the index names is in the shard that it names. */
static omt_status check_index(const omt_weights *weights, const json_t *map, omt_error *err)
{
	const char *name;
	json_t *file;
	json_object_foreach((json_t *)(uintptr_t)map, name, file)
	{
		omt_tensor key = {.name = kept_name(name)};
		if (!key.name)
			continue;
		const omt_tensor *found = bsearch(&key, weights->tensors, weights->count,
		                                  sizeof *weights->tensors, by_name);
		if (!found || strcmp(strrchr(found->file, '/') + 1, json_string_value(file)))
			return OMT_FAIL(err, BAD_MODEL, "%s/%s: tensor %.80s is not in %.80s",
			                weights->dir, INDEX_NAME, name, json_string_value(file));
	}
	return OMT_OK;
}

static omt_status open_index(omt_weights *weights, const char *path, json_t **index, omt_error *err)
{
	const char *name;
	json_t *file;
	OMT_TRY(omt_json_load(path, MAX_HEADER, index, err));
	const json_t *map = json_object_get(*index, "weight_map");
	if (!json_is_object(map))
		return OMT_FAIL(err, BAD_FORMAT, "%s: no weight_map", path);
	json_object_foreach((json_t *)(uintptr_t)map, name, file)
	{
		if (!json_is_string(file))
			return OMT_FAIL(err, BAD_FORMAT, "%s: no file for tensor %.80s", path,
			                name);
		/* A shard of skipped tensors alone need not be there. */
		if (kept_name(name))
			OMT_TRY(add_shard(weights, json_string_value(file), err));
	}
	return OMT_OK;
}

omt_status omt_weights_open(const char *dir, omt_weights **given, omt_error *err)
{
	omt_status status = OMT_OK;
	json_t *index = NULL;
	char *path = omt_path_join(dir, INDEX_NAME);
	omt_weights *weights = calloc(1, sizeof *weights);
	*given = NULL;
	if (!path || !weights || !(weights->dir = strdup(dir))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	if (omt_file_exists(path))
		OMT_GOTO(open_index(weights, path, &index, err));
	else
		OMT_GOTO(add_shard(weights, SINGLE_NAME, err));
	for (size_t i = 0; i < weights->shard_count; i++)
		OMT_GOTO(open_shard(weights, &weights->shards[i], err));
	OMT_GOTO(check_names(weights, err));
	if (index)
		OMT_GOTO(check_index(weights, json_object_get(index, "weight_map"), err));
	*given = weights;
	weights = NULL;
done:
	json_decref(index);
	free(path);
	omt_weights_close(weights);
	return status;
}

bool omt_weights_exist(const char *dir)
{
	static const char *const names[] = {INDEX_NAME, SINGLE_NAME};
	bool found = false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = omt_path_join(dir, names[i]);
		found = found || (path && omt_file_exists(path));
		free(path);
	}
	return found;
}

/* ---- shapes alone -------------------------------------------------------------------------- */

typedef struct zeros {
	omt_weights *weights;
	size_t bytes; /* of all tensors so far */
} zeros;

/* The tensor as one of bf16 behind those before it; without its name and data. */
static omt_status next_zeros(zeros *to, const omt_synth_tensor *one, omt_tensor *tensor,
                             omt_error *err)
{
	*tensor = (omt_tensor){.dtype = OMT_BF16, .dims = one->dims, .bytes = 2};
	bool sound = true;
	for (int32_t i = 0; i < one->dims; i++) {
		tensor->shape[i] = one->shape[i];
		sound = sound && omt_mul_size(tensor->bytes, (size_t)one->shape[i], &tensor->bytes);
	}
	if (!sound || tensor->bytes > MAX_ZEROS - to->bytes)
		return OMT_FAIL(err, BAD_MODEL, "%s: tensor %s is too large", to->weights->dir,
		                one->name);
	to->bytes += (tensor->bytes + 63) / 64 * 64;
	return OMT_OK;
}

static omt_status count_zeros(void *user, const omt_synth_tensor *one, omt_error *err)
{
	omt_tensor tensor;
	return next_zeros(user, one, &tensor, err);
}

static omt_status add_zeros(void *user, const omt_synth_tensor *one, omt_error *err)
{
	zeros *to = user;
	omt_shard *shard = &to->weights->shards[0];
	omt_tensor tensor;
	const size_t at = to->bytes;
	OMT_TRY(next_zeros(to, one, &tensor, err));
	tensor.data = shard->map.data + at;
	tensor.file = shard->path;
	/* The shard's header keeps the name. */
	json_object_set_new(shard->header, one->name, json_null());
	tensor.name = json_object_iter_key(json_object_iter_at(shard->header, one->name));
	if (!tensor.name)
		return OMT_FAIL(err, NO_MEMORY, "%s", one->name);
	return keep(to->weights, &tensor, 1, err);
}

static omt_status fill_zeros(omt_weights *weights, const omt_config *config, omt_error *err)
{
	zeros to = {weights, 0};
	omt_shard *shard = calloc(1, sizeof *shard);
	if (!shard)
		return OMT_FAIL(err, NO_MEMORY, "%s", weights->dir);
	weights->shards = shard;
	weights->shard_count = 1;
	shard->path = omt_path_join(weights->dir, "config.json");
	shard->header = json_object();
	if (!shard->path || !shard->header)
		return OMT_FAIL(err, NO_MEMORY, "%s", weights->dir);
	OMT_TRY(omt_synth_walk(config, count_zeros, &to, err));
	OMT_TRY(omt_map_zeros(to.bytes, &shard->map, err));
	to.bytes = 0;
	OMT_TRY(omt_synth_walk(config, add_zeros, &to, err));
	return check_names(weights, err);
}

omt_status omt_weights_zeros(const char *dir, const omt_config *config, omt_weights **given,
                             omt_error *err)
{
	omt_weights *weights = calloc(1, sizeof *weights);
	*given = NULL;
	if (!weights || !(weights->dir = strdup(dir))) {
		free(weights);
		return OMT_FAIL(err, NO_MEMORY, "%s", dir);
	}
	omt_status status = fill_zeros(weights, config, err);
	if (status == OMT_OK)
		*given = weights;
	else
		omt_weights_close(weights);
	return status;
}

void omt_weights_close(omt_weights *weights)
{
	if (!weights)
		return;
	for (size_t i = 0; i < weights->shard_count; i++) {
		omt_map_close(&weights->shards[i].map);
		json_decref(weights->shards[i].header);
		free(weights->shards[i].path);
	}
	free(weights->shards);
	free(weights->tensors);
	free(weights->dir);
	free(weights);
}

static void print_shape(char *to, size_t room, int32_t dims, const int64_t *shape)
{
	size_t used = 0;
	to[0] = '\0';
	for (int32_t i = 0; i < dims && used < room; i++)
		used += (size_t)snprintf(to + used, room - used, "%s%lld", i ? ", " : "",
		                         (long long)shape[i]);
}

omt_status omt_weights_find(const omt_weights *weights, const char *name, int32_t dims,
                            const int64_t *shape, omt_tensor *tensor, omt_error *err)
{
	char wanted[128], present[128];
	omt_tensor key = {.name = name};
	const omt_tensor *found = weights->count ? bsearch(&key, weights->tensors, weights->count,
	                                                   sizeof *weights->tensors, by_name)
	                                         : NULL;
	if (!found)
		return OMT_FAIL(err, BAD_MODEL, "%s: no tensor %s", weights->dir, name);
	bool same = found->dims == dims;
	for (int32_t i = 0; same && i < dims; i++)
		same = shape[i] < 0 || shape[i] == found->shape[i];
	if (!same) {
		print_shape(wanted, sizeof wanted, dims, shape);
		print_shape(present, sizeof present, found->dims, found->shape);
		return OMT_FAIL(err, BAD_MODEL, "%s: tensor %s is [%s], config.json makes it [%s]",
		                found->file, name, present, wanted);
	}
	*tensor = *found;
	return OMT_OK;
}

size_t omt_weights_count(const omt_weights *weights)
{
	return weights->count;
}

size_t omt_weights_bytes(const omt_weights *weights)
{
	return weights->bytes;
}

omt_status omt_weights_identify(const omt_weights *weights, FILE *to, omt_error *err)
{
	for (size_t i = 0; i < weights->shard_count; i++) {
		const omt_shard *shard = &weights->shards[i];
		const omt_piece header = {shard->map.data, shard->header_bytes};
		char digest[OMT_DIGEST_TEXT];
		struct stat info;
		if (stat(shard->path, &info) != 0)
			return OMT_FAIL(err, IO, "%s: %s", shard->path, strerror(errno));
		OMT_TRY(omt_digest_pieces(&header, 1, digest, err));
		fprintf(to, "%s %zu %lld%09ld %s\n", strrchr(shard->path, '/') + 1,
		        shard->map.bytes, (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
		        digest);
	}
	return OMT_OK;
}

#define SAMPLE ((size_t)64)

void omt_weights_sample(const omt_weights *weights, FILE *to)
{
	char shape[128];
	for (size_t i = 0; i < weights->count; i++) {
		const omt_tensor *tensor = &weights->tensors[i];
		const size_t bytes = tensor->bytes < SAMPLE ? tensor->bytes : SAMPLE;
		print_shape(shape, sizeof shape, tensor->dims, tensor->shape);
		fprintf(to, "%s %d [%s]\n", tensor->name, tensor->dtype, shape);
		fwrite(tensor->data, 1, bytes, to);
		fwrite(tensor->data + (tensor->bytes - bytes) / 2, 1, bytes, to);
		fwrite(tensor->data + tensor->bytes - bytes, 1, bytes, to);
	}
}

void omt_weights_release(const omt_weights *weights)
{
	for (size_t i = 0; i < weights->shard_count; i++)
		(void)madvise((void *)(uintptr_t)weights->shards[i].map.data,
		              weights->shards[i].map.bytes, MADV_DONTNEED);
}
