#include "train/run_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/contract.h"
#include "model/safetensors.h"

enum { VALUES, FIRST, SECOND, STATE, TENSORS };
static const char *const names[TENSORS] = {"values", "first", "second", "state"};

typedef struct omt_contents {
	const omt_tensor *tensors;
	const void *data[TENSORS];
} omt_contents;

static omt_status put(void *user, const omt_tensor *tensor, FILE *to, omt_error *err)
{
	const omt_contents *contents = user;
	const void *data = contents->data[tensor - contents->tensors];
	if (fwrite(data, 1, tensor->bytes, to) != tensor->bytes)
		return OMT_FAIL(err, IO, "%s", strerror(errno));
	return OMT_OK;
}

omt_status omt_run_state_save(const char *path, const omt_trainable *trainable, const float *first,
                              const float *second, const json_t *state, omt_error *err)
{
	omt_tensor tensors[TENSORS] = {{0}};
	char *text = json_dumps(state, JSON_COMPACT);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "%s: state", path);
	omt_contents contents = {tensors, {trainable->values, first, second, text}};
	for (int i = 0; i < TENSORS; i++) {
		const int64_t count = (int64_t)(i == STATE ? strlen(text) : trainable->count);
		omt_tensor_shape(&tensors[i], names[i], i == STATE ? -1 : OMT_F32, 1, &count);
	}
	tensors[STATE].type = "U8";
	tensors[STATE].bytes = strlen(text);
	omt_status status = omt_safetensors_write(path, tensors, TENSORS,
	                                          &(omt_tensor_source){put, &contents}, err);
	free(text);
	return status;
}

static omt_status find(const omt_safetensors *file, int which, const char *type,
                       const omt_tensor **tensor, omt_error *err)
{
	for (size_t i = 0; i < file->count; i++) {
		*tensor = &file->tensors[i];
		if (!strcmp((*tensor)->name, names[which]) && !strcmp((*tensor)->type, type))
			return OMT_OK;
	}
	return OMT_FAIL(err, BAD_FORMAT, "%s: no checkpoint of a run: \"%s\" is missing",
	                file->path, names[which]);
}

omt_status omt_run_state_read(const char *path, json_t **state, omt_error *err)
{
	omt_safetensors file;
	const omt_tensor *tensor = NULL;
	*state = NULL;
	OMT_TRY(omt_safetensors_open(path, &file, err));
	omt_status status = find(&file, STATE, "U8", &tensor, err);
	if (status == OMT_OK)
		status =
			omt_json_parse(path, (const char *)tensor->data, tensor->bytes, state, err);
	omt_safetensors_close(&file);
	return status;
}

omt_status omt_run_state_load(const char *path, omt_trainable *trainable, float *first,
                              float *second, omt_error *err)
{
	omt_safetensors file;
	float *const to[] = {[VALUES] = trainable->values, [FIRST] = first, [SECOND] = second};
	omt_status status = OMT_OK;
	OMT_TRY(omt_safetensors_open(path, &file, err));
	for (int i = VALUES; i <= SECOND; i++) {
		const omt_tensor *tensor = NULL;
		OMT_GOTO(find(&file, i, "F32", &tensor, err));
		if (tensor->bytes != trainable->count * sizeof(float))
			OMT_GOTO(OMT_FAIL(err, BAD_FORMAT,
			                  "%s: of %zu parameters, the training has %zu", path,
			                  tensor->bytes / sizeof(float), trainable->count));
		memcpy(to[i], tensor->data, tensor->bytes);
	}
done:
	omt_safetensors_close(&file);
	return status;
}
