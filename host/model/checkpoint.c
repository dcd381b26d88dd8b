#include "model/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/number.h"
#include "device/contract.h"
#include "model/loader.h"

#define MAX_CONFIG ((size_t)16 << 20)
#define BLOCK      ((size_t)65536) /* elements a step */

/* Where a written tensor's content comes from. */
typedef struct omt_origin {
	omt_tensor from;
	const float *values; /* NULL: as `from` */
} omt_origin;

typedef struct omt_saving {
	const omt_model *model;
	const omt_checkpoint_options *options;
	omt_weights *all; /* the model's folder */
	omt_tensor *tensors;
	omt_origin *origins; /* of the tensors */
	size_t count;
	const char *head; /* name of an lm_head that is added; NULL: none */
	bool has_head;    /* there is one, then */
	uint8_t *block;   /* [BLOCK * 4] */
	uint64_t done, bytes;
} omt_saving;

/* ---- tensors ---- */

static omt_status put_tensor(void *user, const omt_tensor *tensor, FILE *to, omt_error *err)
{
	omt_saving *run = user;
	const omt_origin *origin = &run->origins[tensor - run->tensors];
	const bool raw = tensor->dtype < 0;
	const size_t each = raw ? 1 : tensor->dtype == OMT_F32 ? 4 : 2;
	const omt_progress *progress = &run->options->progress;
	for (size_t at = 0, left = tensor->bytes / each, count; left; left -= count, at += count) {
		count = left < BLOCK ? left : BLOCK;
		for (size_t i = 0; i < count && !raw; i++) {
			const float value = origin->values
			                            ? origin->values[at + i]
			                            : omt_loader_element(&origin->from, at + i);
			const uint16_t half = omt_bf16_from_f32(value);
			memcpy(run->block + each * i,
			       each == 4 ? (const void *)&value : (const void *)&half, each);
		}
		if (fwrite(raw ? origin->from.data + at : run->block, each, count, to) != count)
			return OMT_FAIL(err, IO, "%s: %s", tensor->name, strerror(errno));
		run->done += count * each;
		if (progress->report)
			progress->report(progress->user, "checkpoint", run->done, run->bytes);
	}
	return OMT_OK;
}

/* The tensors' format; see omt_checkpoint_options. */
static omt_status choose_dtype(const omt_saving *run, int32_t *dtype, omt_error *err)
{
	const char *told = run->options->dtype;
	*dtype = told && !strcmp(told, "f32") ? OMT_F32 : OMT_BF16;
	if (told && strcmp(told, "f32") && strcmp(told, "bf16"))
		return OMT_FAIL(err, BAD_ARGUMENT, "dtype is \"%.40s\", expected bf16 or f32",
		                told);
	for (size_t i = 0; i < omt_weights_count(run->all) && !told; i++) {
		const int32_t stored = omt_weights_at(run->all, i)->dtype;
		if (stored == OMT_F32 || stored == OMT_F16)
			*dtype = OMT_F32;
	}
	return OMT_OK;
}

/* Its values: given, else the model's, which an adapter may have changed, else the folder's. */
static omt_status find_origin(const omt_saving *run, const omt_tensor *own, bool *taken,
                              omt_origin *origin, omt_error *err)
{
	const omt_checkpoint_options *options = run->options;
	const char *name = omt_weights_name(own->name);
	*origin = (omt_origin){.from = *own};
	if (!name)
		return OMT_OK;
	OMT_TRY(omt_weights_find(run->model->weights, name, own->dims, own->shape, &origin->from,
	                         err));
	for (size_t i = 0; i < options->replaced_count; i++) {
		const omt_replaced *replaced = &options->replaced[i];
		if (strcmp(replaced->name, name) != 0)
			continue;
		size_t elements = 1;
		for (int32_t d = 0; d < own->dims; d++)
			elements *= (size_t)own->shape[d];
		if (own->dtype < 0 || elements != replaced->count)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "%s: tensor %s of %s has %zu values, "
			                "%zu are to replace them",
			                own->file, own->name, own->type, elements, replaced->count);
		origin->values = replaced->values;
		taken[i] = true;
	}
	return OMT_OK;
}

static omt_status list_tensors(omt_saving *run, bool *taken, int32_t dtype, omt_error *err)
{
	const omt_checkpoint_options *options = run->options;
	for (size_t i = 0; i < run->count; i++) {
		const omt_tensor *own = omt_weights_at(run->all, i);
		omt_tensor *to = &run->tensors[i];
		OMT_TRY(find_origin(run, own, taken, &run->origins[i], err));
		*to = *own;
		if (!omt_tensor_shape(to, own->name, own->dtype < 0 ? -1 : dtype, own->dims,
		                      own->shape))
			return OMT_FAIL(err, LIMIT, "%s: tensor %s", own->file, own->name);
		run->bytes += to->bytes;
	}
	for (size_t i = 0; i < options->replaced_count; i++)
		if (!taken[i])
			return OMT_FAIL(err, BAD_ARGUMENT, "%s: no tensor %s to replace",
			                run->model->dir, options->replaced[i].name);
	return OMT_OK;
}

/* Looks for lm_head, and names the one to add where there is none. */
static void find_head(omt_saving *run)
{
	static const char *const names[] = {"lm_head.weight", "thinker.lm_head.weight"};
	bool nested = false;
	for (size_t i = 0; i < omt_weights_count(run->all); i++) {
		const char *name = omt_weights_at(run->all, i)->name;
		run->has_head |= !strcmp(name, names[0]) || !strcmp(name, names[1]);
		nested |= !strcmp(name, "thinker.model.embed_tokens.weight");
	}
	run->head = run->has_head || !run->options->head ? NULL : names[nested];
	run->has_head |= run->head != NULL;
}

/* As the last tensor, with the embedding's content. */
static omt_status add_head(omt_saving *run, omt_error *err)
{
	static const char table[] = "model.embed_tokens.weight";
	size_t i = 0;
	for (; i < run->count; i++) {
		const char *name = omt_weights_name(run->tensors[i].name);
		if (name && !strcmp(name, table))
			break;
	}
	if (i == run->count)
		return OMT_FAIL(err, BAD_MODEL, "%s: no embedding", run->model->dir);
	run->tensors[run->count] = run->tensors[i];
	run->tensors[run->count].name = run->head;
	run->origins[run->count++] = run->origins[i];
	run->bytes += run->tensors[i].bytes;
	return OMT_OK;
}

static omt_status write_tensors(omt_saving *run, const char *dir, int32_t dtype, omt_error *err)
{
	omt_status status = OMT_OK;
	bool *taken = calloc(run->options->replaced_count + 1, sizeof *taken);
	run->count = omt_weights_count(run->all);
	/* One more: lm_head. */
	run->tensors = calloc(run->count + 1, sizeof *run->tensors);
	run->origins = calloc(run->count + 1, sizeof *run->origins);
	run->block = malloc(BLOCK * sizeof(float));
	if (!taken || !run->tensors || !run->origins || !run->block) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu tensors", run->count);
		goto done;
	}
	OMT_GOTO(list_tensors(run, taken, dtype, err));
	if (run->head)
		OMT_GOTO(add_head(run, err));
	OMT_GOTO(omt_safetensors_write_shards(dir, run->tensors, run->count,
	                                      run->options->shard_bytes,
	                                      &(omt_tensor_source){put_tensor, run}, err));
done:
	free(taken);
	free(run->tensors);
	free(run->origins);
	free(run->block);
	return status;
}

/* ---- config.json ---- */

/* Every dtype that the object or one in it names. */
static void set_dtype(json_t *object, const char *dtype)
{
	static const char *const keys[] = {"torch_dtype", "dtype"};
	const char *key;
	json_t *value;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (json_is_string(json_object_get(object, keys[i])))
			json_object_set_new(object, keys[i], json_string(dtype));
	json_object_foreach(object, key, value) if (json_is_object(value)) set_dtype(value, dtype);
}

/* transformers 4.52.4 asks the text model's configuration, later releases the one around it. */
static void set_tied(json_t *object)
{
	static const char *const inside[] = {"thinker_config", "text_config"};
	json_object_set_new(object, "tie_word_embeddings", json_true());
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
		json_t *member = json_object_get(object, inside[i]);
		if (json_is_object(member))
			set_tied(member);
	}
}

static omt_status write_config(const omt_saving *run, const char *dir, int32_t dtype,
                               omt_error *err)
{
	static const char type[] = "torch_dtype";
	const char *name = dtype == OMT_F32 ? "float32" : "bfloat16";
	json_t *config = NULL;
	char *path = omt_path_join(run->model->dir, "config.json"), *text = NULL;
	omt_status status = path ? omt_json_load(path, MAX_CONFIG, &config, err)
	                         : OMT_FAIL(err, NO_MEMORY, "%s", dir);
	if (status == OMT_OK) {
		set_dtype(config, name);
		if (!json_object_get(config, type) && !json_object_get(config, "dtype"))
			json_object_set_new(config, type, json_string(name));
		if (!run->has_head)
			set_tied(config);
		text = json_dumps(config, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		status = text ? omt_folder_put(dir, "config.json", text, err)
		              : OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	free(text);
	free(path);
	json_decref(config);
	return status;
}

/* ---- the other files ---- */

/* Tokenizer, templates, preprocessing, code of the architecture; no weights, none of a user's own
 * vectors, and no adapter's configuration: transformers would take the folder for an adapter. */
static bool belongs(const char *name)
{
	static const char *const endings[] = {".json", ".jinja", ".txt", ".py"};
	static const char *const others[] = {"config.json", "model.safetensors.index.json",
	                                     "adapter_config.json"};
	bool found = !strcmp(name, "LICENSE") || !strcmp(name, "NOTICE");
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		found = found || omt_path_ends(name, endings[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		found = found && strcmp(name, others[i]) != 0;
	return found;
}

static int takes(const struct dirent *entry)
{
	return belongs(entry->d_name);
}

static omt_status copy_files(const char *from, const char *to, omt_error *err)
{
	struct dirent **list = NULL;
	omt_status status = OMT_OK;
	const int count = scandir(from, &list, takes, alphasort);
	if (count < 0)
		return OMT_FAIL(err, IO, "%s: %s", from, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (status == OMT_OK)
			status = omt_folder_copy(from, to, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	return status;
}

/* from/part/config.json, if it is there. */
static omt_status copy_part(const char *from, const char *to, const char *part, omt_error *err)
{
	omt_status status = OMT_OK;
	char *source = omt_path_join(from, part), *target = omt_path_join(to, part);
	char *config = source ? omt_path_join(source, "config.json") : NULL;
	if (!target || !config)
		status = OMT_FAIL(err, NO_MEMORY, "%s/%s", to, part);
	else if (omt_file_exists(config) && mkdir(target, 0777) != 0 && errno != EEXIST)
		status = OMT_FAIL(err, IO, "%s: %s", target, strerror(errno));
	else if (omt_file_exists(config))
		status = omt_folder_copy(source, target, "config.json", err);
	free(source);
	free(target);
	free(config);
	return status;
}

/* ---- the folder ---- */

static omt_status write_folder(omt_saving *run, const char *dir, omt_error *err)
{
	const char *from = run->model->dir;
	int32_t dtype;
	OMT_TRY(omt_weights_open_all(from, &run->all, err));
	OMT_TRY(choose_dtype(run, &dtype, err));
	find_head(run);
	OMT_TRY(copy_files(from, dir, err));
	OMT_TRY(copy_part(from, dir, "1_Pooling", err));
	OMT_TRY(copy_part(from, dir, "2_Normalize", err));
	OMT_TRY(write_tensors(run, dir, dtype, err));
	return write_config(run, dir, dtype, err);
}

omt_status omt_checkpoint_write(const omt_model *model, const char *dir,
                                const omt_checkpoint_options *options, omt_error *err)
{
	omt_saving run = {.model = model, .options = options};
	omt_folder folder;
	if (omt_files_are_one(model->dir, dir))
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: the checkpoint that the new one is made of",
		                dir);
	OMT_TRY(omt_folder_open(dir, options->replace, &folder, err));
	omt_status status = write_folder(&run, folder.temporary, err);
	omt_weights_close(run.all);
	const omt_status closed = omt_folder_close(&folder, status == OMT_OK, err);
	return status == OMT_OK ? closed : status;
}
