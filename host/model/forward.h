/* forward.h - what the three towers share: one batch on its way through the model.
 *
 * text.c, vision.c and audio.c each read from top to bottom like the paper. They only enqueue ops;
 * nothing waits, nothing allocates. */
#ifndef OMT_MODEL_FORWARD_H
#define OMT_MODEL_FORWARD_H

#include "model/batch.h"
#include "model/engine.h"
#include "model/params.h"

/* Memory of activations, by role; the towers use the same buffers one after the other. Made once,
 * for the largest batch. */
typedef struct omt_workspace {
	omt_buffer *text; /* [tokens, hidden]: the text model's stream */
	omt_buffer *x;    /* an encoder's stream */
	omt_buffer *norm, *att;
	omt_buffer *qkv;            /* rows of q, k and v beside each other */
	omt_buffer *gate, *up;      /* the wide ones: MLP, patches, unfolded convolutions, merger */
	omt_buffer *pooled;         /* [items, hidden] */
	omt_buffer *iota;           /* 0, 1, 2, ... */
	omt_buffer *bytes, *scales; /* a gemm's rows as int8; NULL: not needed */
} omt_workspace;

/* `int8`: weights are int8 and the device multiplies int8. */
omt_status omt_workspace_open(const omt_config *config, const omt_batch_limits *limits, bool int8,
                              omt_exec *exec, omt_workspace *work, omt_error *err);
void omt_workspace_close(omt_exec *exec, omt_workspace *work);

typedef struct omt_forward {
	const omt_config *config;
	const omt_params *params;
	omt_exec *exec;
	const omt_workspace *work;
	const omt_batch *batch;
	const omt_tap *tap; /* may be NULL */
	uint64_t *first;    /* gets the mark of the first op, */
	uint64_t *last;     /* of the last one */
} omt_forward;

/* The whole model: encoders, scatter, text model, pooling, norm into batch->device.vectors. */
omt_status omt_forward_run(const omt_forward *f, omt_error *err);

/* The towers. The encoders put their rows into work->text, whose embeddings are there already. */
omt_status omt_forward_vision(const omt_forward *f, omt_error *err);
omt_status omt_forward_audio(const omt_forward *f, omt_error *err);
omt_status omt_forward_embed_tokens(const omt_forward *f, omt_error *err);
omt_status omt_forward_text(const omt_forward *f, omt_error *err);

/* c = act(a W^T + bias) + residual (NULL: none), all dense. Where W is int8 so become the rows of
 * a, unless they are already: a is work->bytes. */
omt_status omt_apply_linear(const omt_forward *f, const omt_linear *linear, omt_buffer *a,
                            int32_t rows, int32_t act, omt_buffer *residual, omt_buffer *c,
                            omt_error *err);
/* c = (a W^T + bias) * c: the gate of a gated MLP is there already. */
omt_status omt_apply_product(const omt_forward *f, const omt_linear *linear, omt_buffer *a,
                             int32_t rows, omt_buffer *c, omt_error *err);
/* RMSNorm or LayerNorm, as the norm has a bias. */
omt_status omt_apply_norm(const omt_forward *f, const omt_norm *norm, omt_buffer *x, int32_t rows,
                          int32_t cols, double eps, omt_buffer *out, omt_error *err);
/* The same as the operand *a of products with `linear` (and others like it): work->norm, or where
 * they take int8 work->bytes with work->scales. The next product of other rows overwrites it. */
omt_status omt_apply_norm_for(const omt_forward *f, const omt_linear *linear, const omt_norm *norm,
                              omt_buffer *x, int32_t rows, double eps, omt_buffer **a,
                              omt_error *err);
/* dst[dst_index[i]] = src[src_index[i]], f32 rows of `cols`. */
omt_status omt_apply_rows(const omt_forward *f, omt_buffer *src, omt_buffer *src_index,
                          omt_buffer *dst_index, int32_t count, int32_t cols, omt_buffer *dst,
                          omt_error *err);
/* Hands a stage to the tap, if there is one. `layer` < 0: none in the name. */
omt_status omt_forward_stage(const omt_forward *f, const char *name, int32_t layer,
                             const omt_buffer *x, int32_t rows, int32_t cols, omt_error *err);

#endif
