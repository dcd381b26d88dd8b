#include "train/trainable.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "exec/storage.h"
#include "model/loader.h"
#include "train/tape_private.h"

const char *const omt_lora_projections[OMT_LORA_TARGETS + 1] = {
	"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", NULL};

const char *omt_lora_projection(const char *name)
{
	const char *const *known = omt_lora_projections;
	while (*known && (!name || strcmp(*known, name) != 0))
		known++;
	return *known;
}

/* The walk over the model that lists what is trained. */
typedef struct listing {
	const omt_lora *lora;
	bool freeze_encoders;
	omt_trainable *trainable;
	omt_tensor *tensors; /* of the parts, full training */
	size_t capacity;
	bool no_memory;
} listing;

static omt_trainable_part *add_part(listing *list, const omt_tensor *tensor)
{
	omt_trainable *to = list->trainable;
	if (to->part_count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 64;
		omt_trainable_part *parts = realloc(to->parts, capacity * sizeof *parts);
		to->parts = parts ? parts : to->parts;
		omt_tensor *tensors = realloc(list->tensors, capacity * sizeof *tensors);
		list->tensors = tensors ? tensors : list->tensors;
		if (!parts || !tensors) {
			list->no_memory = true;
			return NULL;
		}
		list->capacity = capacity;
	}
	list->tensors[to->part_count] = *tensor;
	omt_trainable_part *part = &to->parts[to->part_count++];
	*part = (omt_trainable_part){.dims = tensor->dims, .at = to->count, .count = 1};
	snprintf(part->name, sizeof part->name, "%s", tensor->name);
	for (int32_t i = 0; i < tensor->dims; i++) {
		part->shape[i] = tensor->shape[i];
		part->count *= (size_t)tensor->shape[i];
	}
	part->decay = tensor->dims > 1;
	to->count += part->count;
	return part;
}

static void add_low_rank(listing *list, const omt_tensor *tensor, int64_t rows, int64_t cols,
                         const char *stem, size_t stem_bytes, char which)
{
	char name[192];
	omt_tensor low = *tensor;
	snprintf(name, sizeof name, "%.*s.lora_%c", (int)stem_bytes, stem, which);
	low.name = name;
	low.dims = 2;
	low.shape[0] = rows;
	low.shape[1] = cols;
	add_part(list, &low);
}

/* Whether a tensor is the weight of one of the projections. */
static bool is_target(const omt_lora *lora, const char *name, size_t *stem_bytes)
{
	const size_t bytes = strlen(name), end = strlen(".weight");
	if (strncmp(name, "model.layers.", 13) != 0 || bytes < end ||
	    strcmp(name + bytes - end, ".weight") != 0)
		return false;
	*stem_bytes = bytes - end;
	for (size_t i = 0; lora->targets[i]; i++) {
		const size_t last = strlen(lora->targets[i]);
		if (*stem_bytes > last && name[*stem_bytes - last - 1] == '.' &&
		    !strncmp(name + *stem_bytes - last, lora->targets[i], last))
			return true;
	}
	return false;
}

static const float *list_tensor(void *user, const omt_tensor *tensor)
{
	listing *list = user;
	size_t stem;
	if (list->no_memory)
		return NULL;
	if (!list->lora->rank) {
		if (!list->freeze_encoders || !strncmp(tensor->name, "model.", 6))
			add_part(list, tensor);
	} else if (is_target(list->lora, tensor->name, &stem)) {
		const int64_t rank = list->lora->rank;
		add_low_rank(list, tensor, rank, tensor->shape[1], tensor->name, stem, 'A');
		add_low_rank(list, tensor, tensor->shape[0], rank, tensor->name, stem, 'B');
	}
	return NULL;
}

static omt_status check_lora(const omt_lora *lora, omt_error *err)
{
	if (lora->rank < 0 || lora->rank > 4096)
		return OMT_FAIL(err, BAD_ARGUMENT, "LoRA's rank is %d, expected 1 to 4096",
		                lora->rank);
	if (!lora->rank)
		return OMT_OK;
	if (!isfinite(lora->alpha) || lora->alpha == 0)
		return OMT_FAIL(err, BAD_ARGUMENT, "LoRA's alpha is %g", lora->alpha);
	if (!lora->targets || !lora->targets[0])
		return OMT_FAIL(err, BAD_ARGUMENT, "LoRA has no target");
	for (size_t i = 0; lora->targets[i]; i++)
		if (!omt_lora_projection(lora->targets[i]))
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "LoRA's target \"%s\" is none of " OMT_LORA_PROJECTIONS,
			                lora->targets[i]);
	return OMT_OK;
}

static void ignore_op(void *user, omt_op op, const void *args)
{
	(void)user;
	(void)op;
	(void)args;
}

/* The loader's own walk over the model, on a device that is not there. */
static omt_status list_parts(const omt_model *model, listing *list, omt_error *err)
{
	const omt_backend_info info = {.backend = "listing", .panel = 1};
	const omt_trained trained = {.values = list_tensor, .user = list};
	const omt_load load = {.info = &info, .trained = &trained};
	omt_params params;
	omt_exec *exec;
	OMT_TRY(omt_exec_open_recorder(&(omt_recorder){.op = ignore_op}, &info, &exec, err));
	omt_status status = omt_params_load(model, exec, &load, &params, err);
	if (status == OMT_OK)
		omt_params_free(exec, &params);
	omt_exec_close(exec);
	if (status == OMT_OK && list->no_memory)
		return OMT_FAIL(err, NO_MEMORY, "a list of tensors");
	return status;
}

static void load_values(const listing *list)
{
	const omt_trainable *to = list->trainable;
	for (size_t p = 0; p < to->part_count; p++)
		for (size_t i = 0; i < to->parts[p].count; i++)
			to->values[to->parts[p].at + i] = omt_loader_element(&list->tensors[p], i);
}

omt_status omt_trainable_make(const omt_model *model, const omt_lora *lora, bool freeze_encoders,
                              omt_trainable *trainable, omt_error *err)
{
	listing list = {.lora = lora, .freeze_encoders = freeze_encoders, .trainable = trainable};
	*trainable = (omt_trainable){0};
	OMT_TRY(check_lora(lora, err));
	omt_status status = list_parts(model, &list, err);
	if (status == OMT_OK) {
		const size_t bytes = (trainable->count * sizeof(float) + 63) / 64 * 64;
		trainable->values = aligned_alloc(64, bytes);
		if (!trainable->values)
			status = OMT_FAIL(err, NO_MEMORY, "%zu parameters", trainable->count);
		else if (lora->rank)
			memset(trainable->values, 0, bytes);
		else
			load_values(&list);
	}
	free(list.tensors);
	if (status != OMT_OK)
		omt_trainable_free(trainable);
	return status;
}

void omt_trainable_init_lora(omt_trainable *trainable, uint64_t seed)
{
	for (size_t p = 0; p < trainable->part_count; p++) {
		const omt_trainable_part *part = &trainable->parts[p];
		float *values = trainable->values + part->at;
		const size_t bytes = strlen(part->name);
		omt_random random;
		omt_random_seed(&random, seed, p);
		const double bound = 1 / sqrt((double)part->shape[part->dims - 1]);
		const bool b = bytes > 2 && !strcmp(part->name + bytes - 2, "_B");
		for (size_t i = 0; i < part->count; i++)
			values[i] = b ? 0 : (float)((2 * omt_random_unit(&random) - 1) * bound);
	}
}

const omt_trainable_part *omt_trainable_find(const omt_trainable *trainable, const char *name)
{
	for (size_t i = 0; i < trainable->part_count; i++)
		if (!strcmp(trainable->parts[i].name, name))
			return &trainable->parts[i];
	return NULL;
}

void omt_trainable_free(omt_trainable *trainable)
{
	free(trainable->parts);
	free(trainable->values);
	*trainable = (omt_trainable){0};
}
