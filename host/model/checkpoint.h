/* checkpoint.h - writes a checkpoint in the published layout: every tensor of an open model, some
 * of them with other values, and all the files that belong to it. */
#ifndef OMT_MODEL_CHECKPOINT_H
#define OMT_MODEL_CHECKPOINT_H

#include "model/model.h"

/* Values in place of those of the checkpoint's tensor of this name (without "thinker."). */
typedef struct omt_replaced {
	const char *name;
	const float *values; /* [count], row-major, as many as the tensor has */
	size_t count;
} omt_replaced;

typedef struct omt_checkpoint_options {
	const char *dtype; /* "bf16" (to nearest, ties to even), "f32", or NULL: bf16 where all of
	                      the model's tensors are stored so, else f32 */
	const omt_replaced *replaced;
	size_t replaced_count;
	bool replace; /* a folder of that name is replaced; else that is an error */
	bool head;    /* where there is no lm_head, one with the embedding's values: the Thinker
	                 of transformers 4.52.4 reports it as missing even if it is tied */
	int64_t shard_bytes; /* of a file at most; 0: 5 GB */
	omt_progress progress;
} omt_checkpoint_options;

/* Tensors keep the names that the model's own folder gives them and lm_head is written if it is
 * there; where it is not written, config.json says that it is tied to the embedding. Of config.json
 * the dtype is adapted; tokenizer, templates, preprocessing, pooling and code are copied. The
 * folder appears whole. */
omt_status omt_checkpoint_write(const omt_model *model, const char *dir,
                                const omt_checkpoint_options *options, omt_error *err);

#endif
