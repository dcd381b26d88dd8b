#include "train/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "device/contract.h"
#include "model/checkpoint.h"

omt_status omt_trainable_save_model(const omt_trainable *trainable, const omt_model *model,
                                    const char *dir, const char *dtype,
                                    const omt_progress *progress, omt_error *err)
{
	omt_replaced *replaced = calloc(trainable->part_count + 1, sizeof *replaced);
	if (!replaced)
		return OMT_FAIL(err, NO_MEMORY, "%s", dir);
	for (size_t i = 0; i < trainable->part_count; i++) {
		const omt_trainable_part *part = &trainable->parts[i];
		replaced[i] = (omt_replaced){part->name, trainable->values + part->at, part->count};
	}
	const omt_checkpoint_options options = {.dtype = dtype,
	                                        .replaced = replaced,
	                                        .replaced_count = trainable->part_count,
	                                        .replace = true,
	                                        .progress =
	                                                progress ? *progress : (omt_progress){0}};
	const omt_status status = omt_checkpoint_write(model, dir, &options, err);
	free(replaced);
	return status;
}

/* ---- PEFT's format ---- */

/* As an expression, since encoders have projections of the same names: with them PEFT would make
 * updates of its own there. */
static char *format_targets(const char *const *targets)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	if (!to)
		return NULL;
	fputs("(thinker\\.)?model\\.layers\\.\\d+\\.(self_attn|mlp)\\.(", to);
	for (size_t i = 0; targets[i]; i++)
		fprintf(to, "%s%s", i ? "|" : "", targets[i]);
	fputc(')', to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static omt_status write_config(const omt_lora *lora, const omt_model *model, const char *dir,
                               omt_error *err)
{
	char *targets = format_targets(lora->targets);
	json_t *base = omt_json_text(model->dir);
	json_t *config = json_pack(
		"{ss ss so* si sf sf ss sb sb sb ss* sb s{} s{} sn}", "peft_type", "LORA",
		"task_type", "FEATURE_EXTRACTION", "base_model_name_or_path", base, "r",
		(int)lora->rank, "lora_alpha", lora->alpha, "lora_dropout", 0.0, "bias", "none",
		"use_rslora", 0, "use_dora", 0, "fan_in_fan_out", 0, "target_modules", targets,
		"init_lora_weights", 1, "rank_pattern", "alpha_pattern", "modules_to_save");
	char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
	omt_status status = text && targets
	                            ? omt_folder_put(dir, "adapter_config.json", text, err)
	                            : OMT_FAIL(err, NO_MEMORY, "%s: adapter_config.json", dir);
	json_decref(config);
	free(targets);
	free(text);
	return status;
}

typedef struct values {
	const omt_trainable *trainable;
	const omt_tensor *tensors; /* of its parts */
} values;

static omt_status put_values(void *user, const omt_tensor *tensor, FILE *to, omt_error *err)
{
	const values *from = user;
	const omt_trainable_part *part = &from->trainable->parts[tensor - from->tensors];
	if (fwrite(from->trainable->values + part->at, sizeof(float), part->count, to) !=
	    part->count)
		return OMT_FAIL(err, IO, "%s: %s", part->name, strerror(errno));
	return OMT_OK;
}

static omt_status write_tensors(const omt_trainable *trainable, const char *dir, omt_error *err)
{
	const size_t count = trainable->part_count;
	omt_tensor *tensors = calloc(count + 1, sizeof *tensors);
	char(*names)[256] = calloc(count + 1, sizeof *names);
	char *path = omt_path_join(dir, "adapter_model.safetensors");
	values from = {trainable, tensors};
	omt_status status = OMT_OK;
	if (!tensors || !names || !path)
		status = OMT_FAIL(err, NO_MEMORY, "%s: %zu tensors", dir, count);
	for (size_t i = 0; i < count && status == OMT_OK; i++) {
		const omt_trainable_part *part = &trainable->parts[i];
		snprintf(names[i], sizeof *names, "base_model.model.%s.weight", part->name);
		if (!omt_tensor_shape(&tensors[i], names[i], OMT_F32, part->dims, part->shape))
			status = OMT_FAIL(err, LIMIT, "%s: %s is too large", dir, part->name);
	}
	if (status == OMT_OK)
		status = omt_safetensors_write(path, tensors, count,
		                               &(omt_tensor_source){put_values, &from}, err);
	free(path);
	free(names);
	free(tensors);
	return status;
}

omt_status omt_trainable_save_adapter(const omt_trainable *trainable, const omt_lora *lora,
                                      const omt_model *model, const char *dir, omt_error *err)
{
	omt_folder folder;
	OMT_TRY(omt_folder_open(dir, true, &folder, err));
	omt_status status = write_config(lora, model, folder.temporary, err);
	if (status == OMT_OK)
		status = write_tensors(trainable, folder.temporary, err);
	const omt_status closed = omt_folder_close(&folder, status == OMT_OK, err);
	return status == OMT_OK ? closed : status;
}
