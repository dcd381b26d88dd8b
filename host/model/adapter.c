#include "model/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/digest.h"
#include "base/number.h"
#include "base/parallel.h"
#include "exec/backend.h"
#include "model/adapter_config.h"
#include "model/loader.h"

#define CONFIG     "adapter_config.json"
#define TENSORS    "adapter_model.safetensors"
#define MAX_CONFIG ((size_t)16 << 20)
#define ROWS       ((size_t)64) /* of a matrix, a step of a thread */

/* Of one of the model's matrices. */
typedef struct omt_update {
	const omt_tensor *a, *b; /* NULL: none */
	double scale;
} omt_update;

struct omt_adapter {
	omt_adapter_config config;
	omt_safetensors file;
	omt_update *updates; /* of the weights' tensors, by number */
	size_t tensors, count;
	char digest[OMT_DIGEST_TEXT]; /* of both files */
};

/* ---- names ---- */

/* Splits "MODULE.lora_A.weight"; true: it is such a name. Adapters that were saved as a whole
 * state have the adapter's name in it. */
static bool split_name(const char *name, char *module, size_t size, bool *is_a)
{
	static const struct {
		const char *end;
		bool is_a;
	} ends[] = {{".lora_A.weight", true},
	            {".lora_B.weight", false},
	            {".lora_A.default.weight", true},
	            {".lora_B.default.weight", false}};
	static const char base[] = "base_model.model.";
	if (!strncmp(name, base, sizeof base - 1))
		name += sizeof base - 1;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (!omt_path_ends(name, ends[i].end))
			continue;
		*is_a = ends[i].is_a;
		const size_t length = strlen(name) - strlen(ends[i].end);
		return length < size && snprintf(module, size, "%.*s", (int)length, name) > 0;
	}
	return false;
}

/* The tensor of a module. Names are the Thinker's, or those of a model around or inside it. */
static const omt_tensor *find_tensor(const omt_weights *weights, const char *module)
{
	static const struct {
		const char *theirs, *ours;
	} places[] = {{"", ""},
	              {"thinker.", ""},
	              {"layers.", "model.layers."},
	              {"model.language_model.", "model."},
	              {"language_model.model.", "model."}};
	char name[256];
	const omt_tensor *found = NULL;
	for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
		const size_t length = strlen(places[i].theirs);
		if (strncmp(module, places[i].theirs, length) != 0)
			continue;
		snprintf(name, sizeof name, "%s%s.weight", places[i].ours, module + length);
		found = omt_weights_get(weights, name);
	}
	return found;
}

/* ---- the tensors of the file ---- */

static omt_status check_part(const omt_adapter *adapter, const omt_tensor *part,
                             const omt_tensor *matrix, const char *module, bool is_a, double *scale,
                             omt_error *err)
{
	char has[128];
	int32_t rank;
	omt_adapter_config_module(&adapter->config, module, &rank, scale);
	if (matrix->dims != 2)
		return OMT_FAIL(err, UNSUPPORTED, "%s: %.160s is no matrix in the model",
		                part->file, module);
	const int64_t wanted[] = {is_a ? rank : matrix->shape[0], is_a ? matrix->shape[1] : rank};
	omt_shape_print(has, sizeof has, part->dims, part->shape);
	if (part->dims != 2 || part->shape[0] != wanted[0] || part->shape[1] != wanted[1])
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: tensor %.160s is [%s], the model and rank %d make it [%lld, "
		                "%lld]",
		                part->file, part->name, has, rank, (long long)wanted[0],
		                (long long)wanted[1]);
	if (part->dtype != OMT_F32 && part->dtype != OMT_BF16 && part->dtype != OMT_F16)
		return OMT_FAIL(err, UNSUPPORTED, "%s: tensor %.160s is %s, not f32, bf16 or f16",
		                part->file, part->name, part->type);
	return OMT_OK;
}

static omt_status add_part(omt_adapter *adapter, const omt_weights *weights, const omt_tensor *part,
                           omt_error *err)
{
	char module[192];
	bool is_a = false;
	if (!split_name(part->name, module, sizeof module, &is_a))
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: tensor %.160s is neither lora_A nor lora_B of a module",
		                part->file, part->name);
	const omt_tensor *matrix = find_tensor(weights, module);
	if (!matrix)
		return OMT_FAIL(err, BAD_MODEL, "%s: tensor %.160s is for no module of the model",
		                part->file, part->name);
	omt_update *update = &adapter->updates[matrix - omt_weights_at(weights, 0)];
	const omt_tensor **place = is_a ? &update->a : &update->b;
	if (*place)
		return OMT_FAIL(err, BAD_FORMAT, "%s: tensors %.120s and %.120s are for one matrix",
		                part->file, part->name, (*place)->name);
	OMT_TRY(check_part(adapter, part, matrix, module, is_a, &update->scale, err));
	adapter->count += !update->a && !update->b;
	*place = part;
	return OMT_OK;
}

/* Each module that the configuration names is there. */
static omt_status check_targets(const omt_adapter *adapter, omt_error *err)
{
	const json_t *targets = json_object_get(adapter->config.json, "target_modules");
	char module[192];
	bool is_a;
	size_t i;
	json_t *target;
	json_array_foreach(targets, i, target)
	{
		const char *end = json_string_value(target);
		bool found = false;
		if (!end)
			return OMT_FAIL(err, BAD_FORMAT, "%s: target_modules holds no names",
			                adapter->config.path);
		for (size_t j = 0; j < adapter->file.count && !found; j++)
			found = split_name(adapter->file.tensors[j].name, module, sizeof module,
			                   &is_a) &&
			        omt_module_ends(module, end);
		if (!found)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: no tensor of \"%.80s\", which target_modules names",
			                adapter->file.path, end);
	}
	return OMT_OK;
}

static omt_status read_tensors(omt_adapter *adapter, const omt_weights *weights, omt_error *err)
{
	for (size_t i = 0; i < adapter->file.count; i++)
		OMT_TRY(add_part(adapter, weights, &adapter->file.tensors[i], err));
	if (!adapter->count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no tensors", adapter->file.path);
	for (size_t i = 0; i < adapter->tensors; i++) {
		const omt_update *update = &adapter->updates[i];
		const omt_tensor *there = update->a ? update->a : update->b;
		if (there && (!update->a || !update->b))
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: tensor %.160s is there without its %s", there->file,
			                there->name, update->a ? "lora_B" : "lora_A");
	}
	return check_targets(adapter, err);
}

static omt_status read_files(omt_adapter *adapter, const char *dir, omt_error *err)
{
	char *path = omt_path_join(dir, CONFIG), *tensors = omt_path_join(dir, TENSORS);
	char *text = NULL;
	size_t bytes = 0;
	omt_status status = OMT_OK;
	if (!path || !tensors) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	OMT_GOTO(omt_file_read(path, MAX_CONFIG, &text, &bytes, err));
	OMT_GOTO(omt_adapter_config_parse(path, text, bytes, &adapter->config, err));
	OMT_GOTO(omt_safetensors_open(tensors, &adapter->file, err));
	const omt_piece pieces[] = {{text, bytes},
	                            {adapter->file.map.data, adapter->file.map.bytes}};
	status = omt_digest_pieces(pieces, 2, adapter->digest, err);
done:
	free(path);
	free(tensors);
	free(text);
	return status;
}

omt_status omt_adapter_open(const char *dir, const omt_weights *weights, omt_adapter **given,
                            omt_error *err)
{
	omt_adapter *adapter = calloc(1, sizeof *adapter);
	omt_status status = OMT_OK;
	*given = NULL;
	if (adapter) {
		adapter->tensors = omt_weights_count(weights);
		adapter->updates = calloc(adapter->tensors + 1, sizeof *adapter->updates);
	}
	if (!adapter || !adapter->updates)
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
	if (status == OMT_OK)
		status = read_files(adapter, dir, err);
	if (status == OMT_OK)
		status = read_tensors(adapter, weights, err);
	if (status == OMT_OK)
		*given = adapter;
	else
		omt_adapter_close(adapter);
	return status;
}

void omt_adapter_close(omt_adapter *adapter)
{
	if (!adapter)
		return;
	omt_adapter_config_free(&adapter->config);
	omt_safetensors_close(&adapter->file);
	free(adapter->updates);
	free(adapter);
}

size_t omt_adapter_count(const omt_adapter *adapter)
{
	return adapter->count;
}

/* ---- merging ---- */

typedef struct omt_merge {
	const omt_tensor *matrix;
	const float *a, *b; /* [rank, cols], [rows, rank] */
	float *out;         /* [rows, cols] */
	float *sums;        /* [steps, cols] */
	size_t rows, cols, rank;
	float scale;
} omt_merge;

/* row[cols] += scale * (b[rank] A) */
OMT_HOT void add_update_body(const float *a, const float *b, size_t rank, size_t cols, float scale,
                             float *sum, float *row)
{
	memset(sum, 0, cols * sizeof *sum);
	for (size_t r = 0; r < rank; r++, a += cols) {
		const float factor = b[r];
		OMT_VECTOR_LOOP
		for (size_t i = 0; i < cols; i++)
			sum[i] += factor * a[i];
	}
	OMT_VECTOR_LOOP
	for (size_t i = 0; i < cols; i++)
		row[i] += scale * sum[i];
}

OMT_PATHS(add_update,
          (const float *a, const float *b, size_t rank, size_t cols, float scale, float *sum,
           float *row),
          (a, b, rank, cols, scale, sum, row))

static void merge_rows(void *user, size_t step)
{
	const omt_merge *merge = user;
	const size_t cols = merge->cols, end = (step + 1) * ROWS;
	for (size_t row = step * ROWS; row < end && row < merge->rows; row++) {
		float *out = merge->out + row * cols;
		for (size_t i = 0; i < cols; i++)
			out[i] = omt_loader_element(merge->matrix, row * cols + i);
		add_update(merge->a, merge->b + row * merge->rank, merge->rank, cols, merge->scale,
		           merge->sums + step * cols, out);
	}
}

/* As f32; given, free(). */
static omt_status expand(const omt_tensor *tensor, size_t count, float **given, omt_error *err)
{
	float *values = *given = malloc((count ? count : 1) * sizeof *values);
	if (!values)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu values", tensor->file, count);
	for (size_t i = 0; i < count; i++) {
		values[i] = omt_loader_element(tensor, i);
		if (!isfinite(values[i]))
			return OMT_FAIL(err, BAD_FORMAT, "%s: tensor %.160s is %g at element %zu",
			                tensor->file, tensor->name, (double)values[i], i);
	}
	return OMT_OK;
}

static omt_status merge_matrix(const omt_update *update, omt_weights *weights, size_t number,
                               omt_error *err)
{
	const omt_tensor *matrix = omt_weights_at(weights, number);
	const size_t rows = (size_t)matrix->shape[0], cols = (size_t)matrix->shape[1];
	const size_t rank = (size_t)update->a->shape[0], steps = (rows + ROWS - 1) / ROWS;
	const size_t bytes = rows * cols * sizeof(float);
	float *a = NULL, *b = NULL;
	float *sums = malloc((steps * cols + 1) * sizeof *sums);
	/* So that devices of host memory can use it in place. */
	float *out =
		aligned_alloc(OMT_IN_PLACE_ALIGN, (bytes + OMT_IN_PLACE_ALIGN) /
	                                                  OMT_IN_PLACE_ALIGN * OMT_IN_PLACE_ALIGN);
	omt_status status = expand(update->a, rank * cols, &a, err);
	if (status == OMT_OK)
		status = expand(update->b, rows * rank, &b, err);
	if (status != OMT_OK) {
		free(out);
	} else if (sums && out) {
		omt_merge merge = {matrix, a, b, out, sums, rows, cols, rank, (float)update->scale};
		omt_parallel(0, steps, merge_rows, &merge);
		status = omt_weights_replace(weights, number, out, err);
	} else {
		free(out);
		status = OMT_FAIL(err, NO_MEMORY, "%s: a matrix of %zu bytes", update->a->file,
		                  bytes);
	}
	free(a);
	free(b);
	free(sums);
	return status;
}

omt_status omt_adapter_merge(const omt_adapter *adapter, omt_weights *weights, omt_error *err)
{
	for (size_t i = 0; i < adapter->tensors; i++)
		if (adapter->updates[i].a)
			OMT_TRY(merge_matrix(&adapter->updates[i], weights, i, err));
	omt_weights_mark(weights, adapter->digest);
	return OMT_OK;
}
