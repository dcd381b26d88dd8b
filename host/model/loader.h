/* loader.h - how one matrix comes from the checkpoint, or from packed weights, to the device.
 *
 * params.c walks over the model and names the tensors, in up to three passes: with packed weights
 * the first one lists them, a second one writes them if no good file is there. The last one loads:
 * from the file, or from the checkpoint when there is none. Matrices wider than the device's
 * largest allocation become blocks of rows. */
#ifndef OMT_MODEL_LOADER_H
#define OMT_MODEL_LOADER_H

#include "model/params.h"

typedef enum omt_pass { OMT_PASS_LIST, OMT_PASS_WRITE, OMT_PASS_LOAD } omt_pass;

typedef struct omt_loader {
	const omt_model *model;
	omt_exec *exec;
	const omt_load *how;
	omt_params *params;
	omt_packed *packed; /* NULL: matrices are made from the checkpoint */
	omt_pass pass;
	size_t bytes; /* of the checkpoint, done so far */
	omt_error *err;
	omt_status status; /* of the first failure; after it the calls below do nothing */
} omt_loader;

/* Element i as f32, wherever the file has put the tensor: it may not be aligned. */
float omt_loader_element(const omt_tensor *tensor, size_t i);

/* False once anything failed; takes the status of a step. */
bool omt_loader_ok(omt_loader *load, omt_status status);
/* Tells progress of `bytes` more. */
void omt_loader_report(omt_loader *load, size_t bytes);
/* Whether matrices' content is looked at: not when they are listed, taken from packed weights or
 * only counted (a recorder). */
bool omt_loader_wants_content(const omt_loader *load);

/* A buffer with content that need not outlive the call; NULL: not in this pass, or failed. */
omt_buffer *omt_loader_copy(omt_loader *load, const void *data, size_t bytes);
/* Content that stays as long as the buffer; used in place where the backend can. */
omt_buffer *omt_loader_borrow(omt_loader *load, const void *data, size_t bytes);
/* linear->n and k are set; the tensor is named and has as many elements. linear->w, scale, dtype
 * and panel are made. A tensor without a file is copied. */
void omt_loader_matrix(omt_loader *load, const omt_tensor *tensor, omt_linear *linear);
/* A table [rows, k], row-major, as stored. */
void omt_loader_table(omt_loader *load, const omt_tensor *tensor, int32_t rows, int32_t k,
                      omt_blocks *blocks);

#endif
