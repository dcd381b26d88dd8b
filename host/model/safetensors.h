/* safetensors.h - one file of tensors, in and out: 8 bytes of length, a header of JSON, content.
 *
 * A file is mapped, never copied, and its header is checked before use: length, JSON, dtype, shape,
 * offsets inside the file and equal to the shape's size, no overlap, no hole (safetensors format
 * specification). A Git LFS pointer and a truncated file are named as such. */
#ifndef OMT_MODEL_SAFETENSORS_H
#define OMT_MODEL_SAFETENSORS_H

#include <stdio.h>

#include "base/file.h"
#include "base/json.h"

#define OMT_TENSOR_DIMS 8

typedef struct omt_tensor {
	const char *name;    /* as in the file; omt_weights: without "thinker." */
	const uint8_t *data; /* borrowed from the mapping */
	const char *type;    /* the format's name of the dtype, "BF16"; static */
	int32_t dtype;       /* OMT_F32, OMT_BF16, OMT_F16 (device/contract.h); -1: another one */
	int32_t dims;
	int64_t shape[OMT_TENSOR_DIMS];
	size_t bytes;
	const char *file; /* where it lies, for messages */
} omt_tensor;

/* "3, 224, 224" into text, cut where it is too long. */
void omt_shape_print(char *text, size_t size, int32_t dims, const int64_t *shape);

/* ---- reading ---- */

typedef struct omt_safetensors {
	char *path;
	omt_map map;
	size_t header_bytes;
	json_t *header;      /* owns the tensors' names */
	omt_tensor *tensors; /* in the order of their places */
	size_t count;
} omt_safetensors;

/* On failure nothing is held. */
omt_status omt_safetensors_open(const char *path, omt_safetensors *file, omt_error *err);
void omt_safetensors_close(omt_safetensors *file);

/* ---- writing ---- */

/* A tensor that is to be written; its data and file are not looked at. dtype: OMT_F32, OMT_BF16;
 * -1: `type` and `bytes` are set. False: sizes that do not fit. */
bool omt_tensor_shape(omt_tensor *tensor, const char *name, int32_t dtype, int32_t dims,
                      const int64_t *shape);

/* Writes the content of a tensor, its `bytes`. */
typedef struct omt_tensor_source {
	omt_status (*content)(void *user, const omt_tensor *tensor, FILE *to, omt_error *err);
	void *user;
} omt_tensor_source;

/* In this order; data begins at a multiple of 64 bytes. Appears whole. */
omt_status omt_safetensors_write(const char *path, const omt_tensor *tensors, size_t count,
                                 const omt_tensor_source *source, omt_error *err);
/* dir/model-00001-of-00003.safetensors and so on, as many as do not exceed `shard_bytes` (0: 5
 * GB; a tensor is never cut), then model.safetensors.index.json. */
omt_status omt_safetensors_write_shards(const char *dir, const omt_tensor *tensors, size_t count,
                                        int64_t shard_bytes, const omt_tensor_source *source,
                                        omt_error *err);

#endif
