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

struct omt_weights {
	omt_safetensors *shards;
	size_t shard_count;
	omt_tensor *tensors; /* by name */
	size_t count, capacity;
	size_t bytes;
	char *dir;
	bool all;         /* no tensor is skipped, and names are the files' */
	float **replaced; /* by number of the tensor; NULL: none is */
	char mark[OMT_DIGEST_TEXT];
};

const char *omt_weights_name(const char *name)
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

static const char *name_in(const omt_weights *weights, const char *name)
{
	return weights->all ? name : omt_weights_name(name);
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
		const char *name = name_in(weights, tensors[i].name);
		if (!name)
			continue;
		weights->tensors[weights->count] = tensors[i];
		weights->tensors[weights->count++].name = name;
		weights->bytes += tensors[i].bytes;
	}
	return OMT_OK;
}

static omt_status open_shard(omt_weights *weights, omt_safetensors *shard, omt_error *err)
{
	char *path = shard->path;
	const omt_status status = omt_safetensors_open(path, shard, err);
	free(path);
	return status == OMT_OK ? keep(weights, shard->tensors, shard->count, err) : status;
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
	omt_safetensors *grown =
		realloc(weights->shards, (weights->shard_count + 1) * sizeof *grown);
	char *path = omt_path_join(weights->dir, name);
	if (grown)
		weights->shards = grown;
	if (!grown || !path) {
		free(path);
		return OMT_FAIL(err, NO_MEMORY, "%s", weights->dir);
	}
	weights->shards[weights->shard_count++] = (omt_safetensors){.path = path};
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
		omt_tensor key = {.name = name_in(weights, name)};
		if (!omt_weights_name(name))
			continue;
		const omt_tensor *found = bsearch(&key, weights->tensors, weights->count,
		                                  sizeof *weights->tensors, by_name);
		if (!found || strcmp(strrchr(found->file, '/') + 1, json_string_value(file)))
			return OMT_FAIL(err, BAD_MODEL, "%s/%s: tensor %.80s is not in %.80s",
			                weights->dir, INDEX_NAME, name, json_string_value(file));
	}
	return OMT_OK;
}

static bool is_there(const char *dir, const char *name)
{
	char *path = omt_path_join(dir, name);
	const bool found = path && omt_file_exists(path);
	free(path);
	return found;
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
		if (omt_weights_name(name) ||
		    (weights->all && is_there(weights->dir, json_string_value(file))))
			OMT_TRY(add_shard(weights, json_string_value(file), err));
	}
	return OMT_OK;
}

static omt_status open_weights(const char *dir, bool all, omt_weights **given, omt_error *err)
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
	weights->all = all;
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

omt_status omt_weights_open(const char *dir, omt_weights **weights, omt_error *err)
{
	return open_weights(dir, false, weights, err);
}

omt_status omt_weights_open_all(const char *dir, omt_weights **weights, omt_error *err)
{
	return open_weights(dir, true, weights, err);
}

bool omt_weights_exist(const char *dir)
{
	static const char *const names[] = {INDEX_NAME, SINGLE_NAME};
	bool found = false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		found = found || is_there(dir, names[i]);
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
	omt_safetensors *shard = &to->weights->shards[0];
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
	omt_safetensors *shard = calloc(1, sizeof *shard);
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
	for (size_t i = 0; i < weights->shard_count; i++)
		omt_safetensors_close(&weights->shards[i]);
	for (size_t i = 0; weights->replaced && i < weights->count; i++)
		free(weights->replaced[i]);
	free(weights->replaced);
	free(weights->shards);
	free(weights->tensors);
	free(weights->dir);
	free(weights);
}

const omt_tensor *omt_weights_get(const omt_weights *weights, const char *name)
{
	omt_tensor key = {.name = name};
	return weights->count ? bsearch(&key, weights->tensors, weights->count,
	                                sizeof *weights->tensors, by_name)
	                      : NULL;
}

omt_status omt_weights_find(const omt_weights *weights, const char *name, int32_t dims,
                            const int64_t *shape, omt_tensor *tensor, omt_error *err)
{
	char wanted[128], present[128];
	const omt_tensor *found = omt_weights_get(weights, name);
	if (!found)
		return OMT_FAIL(err, BAD_MODEL, "%s: no tensor %s", weights->dir, name);
	bool same = found->dims == dims;
	for (int32_t i = 0; same && i < dims; i++)
		same = shape[i] < 0 || shape[i] == found->shape[i];
	if (!same) {
		omt_shape_print(wanted, sizeof wanted, dims, shape);
		omt_shape_print(present, sizeof present, found->dims, found->shape);
		return OMT_FAIL(err, BAD_MODEL, "%s: tensor %s is [%s], config.json makes it [%s]",
		                found->file, name, present, wanted);
	}
	*tensor = *found;
	return OMT_OK;
}

omt_status omt_weights_replace(omt_weights *weights, size_t i, float *values, omt_error *err)
{
	omt_tensor *tensor = &weights->tensors[i];
	if (!weights->replaced)
		weights->replaced = calloc(weights->count, sizeof(float *));
	if (!weights->replaced) {
		free(values);
		return OMT_FAIL(err, NO_MEMORY, "%zu tensors", weights->count);
	}
	free(weights->replaced[i]);
	weights->replaced[i] = values;
	weights->bytes -= tensor->bytes;
	(void)omt_tensor_shape(tensor, tensor->name, OMT_F32, tensor->dims, tensor->shape);
	tensor->data = (const uint8_t *)values;
	weights->bytes += tensor->bytes;
	return OMT_OK;
}

void omt_weights_mark(omt_weights *weights, const char digest[OMT_DIGEST_TEXT])
{
	memcpy(weights->mark, digest, sizeof weights->mark);
}

const char *omt_weights_marked(const omt_weights *weights)
{
	return weights->mark;
}

const omt_tensor *omt_weights_at(const omt_weights *weights, size_t i)
{
	return &weights->tensors[i];
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
		const omt_safetensors *shard = &weights->shards[i];
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
	if (weights->mark[0])
		fprintf(to, "changed by %s\n", weights->mark);
	return OMT_OK;
}

#define SAMPLE ((size_t)64)

void omt_weights_sample(const omt_weights *weights, FILE *to)
{
	char shape[128];
	for (size_t i = 0; i < weights->count; i++) {
		const omt_tensor *tensor = &weights->tensors[i];
		const size_t bytes = tensor->bytes < SAMPLE ? tensor->bytes : SAMPLE;
		omt_shape_print(shape, sizeof shape, tensor->dims, tensor->shape);
		fprintf(to, "%s %d [%s]\n", tensor->name, tensor->dtype, shape);
		fwrite(tensor->data, 1, bytes, to);
		fwrite(tensor->data + (tensor->bytes - bytes) / 2, 1, bytes, to);
		fwrite(tensor->data + tensor->bytes - bytes, 1, bytes, to);
	}
	fputs(weights->mark, to);
}

void omt_weights_release(const omt_weights *weights)
{
	for (size_t i = 0; i < weights->shard_count; i++)
		(void)madvise((void *)(uintptr_t)weights->shards[i].map.data,
		              weights->shards[i].map.bytes, MADV_DONTNEED);
}
