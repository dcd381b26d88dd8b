/* weights.h - tensors of a checkpoint: safetensors, one file or shards with an index.
 *
 * Files are mapped, never copied (model/safetensors.h). A missing shard is named as such. */
#ifndef OMT_MODEL_WEIGHTS_H
#define OMT_MODEL_WEIGHTS_H

#include <stdio.h>

#include "base/digest.h"
#include "model/config.h"
#include "model/safetensors.h"

typedef struct omt_weights omt_weights;

/* dir/model.safetensors.index.json and its shards, or dir/model.safetensors. Tensors of the talker,
 * token2wav and lm_head are skipped. */
omt_status omt_weights_open(const char *dir, omt_weights **weights, omt_error *err);
/* With those, as far as their files are there, and names as in the files. */
omt_status omt_weights_open_all(const char *dir, omt_weights **weights, omt_error *err);
/* A name of a file as the model's code has it; NULL: of a tensor that is skipped. */
const char *omt_weights_name(const char *name);
/* Whether the folder has any: an index or a single file. */
bool omt_weights_exist(const char *dir);
/* Tensors of the configuration's shapes in bf16 that are all zeros and take no memory: for a plan
 * of a model whose weights are not there. `dir` is for messages. */
omt_status omt_weights_zeros(const char *dir, const omt_config *config, omt_weights **weights,
                             omt_error *err);
void omt_weights_close(omt_weights *weights);

/* The tensor of this name and shape (dims sizes, -1: any); OMT_BAD_MODEL says what is wrong. */
omt_status omt_weights_find(const omt_weights *weights, const char *name, int32_t dims,
                            const int64_t *shape, omt_tensor *tensor, omt_error *err);
size_t omt_weights_count(const omt_weights *weights);
const omt_tensor *omt_weights_at(const omt_weights *weights, size_t i); /* in order of names */
size_t omt_weights_bytes(const omt_weights *weights);                   /* of the tensors kept */

/* NULL: there is none. */
const omt_tensor *omt_weights_get(const omt_weights *weights, const char *name);

/* Other values in place of tensor i: f32, [of its shape], taken (also on failure). */
omt_status omt_weights_replace(omt_weights *weights, size_t i, float *values, omt_error *err);
/* What makes such weights others than the files': part of what the two below tell. */
void omt_weights_mark(omt_weights *weights, const char digest[OMT_DIGEST_TEXT]);
const char *omt_weights_marked(const omt_weights *weights); /* "": they are as the files say */

/* What tells this checkpoint from another one, a line a shard: name, bytes, time of change in
 * nanoseconds, SHA-256 of its header. */
omt_status omt_weights_identify(const omt_weights *weights, FILE *to, omt_error *err);

/* What tells these weights from others wherever their files lie and however they are cut: a line a
 * tensor (name, dtype, shape), then 64 bytes from its start, middle and end. Not of all content: 9
 * GB would be read. */
void omt_weights_sample(const omt_weights *weights, FILE *to);

/* Tells the kernel that the mapped pages are not needed any more (they were uploaded). */
void omt_weights_release(const omt_weights *weights);

#endif
