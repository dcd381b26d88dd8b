/* params.h - the weights as the device holds them. Names follow the checkpoint's.
 *
 * Large matrices keep their storage format (bf16, f16, f32), or become int8 or bf16, and are packed
 * into the backend's panels where it has any; a backend of host memory uses the mapped file in
 * place. The projections to q, k and v are one matrix, q's rows first; they are copied on every
 * backend. Norms and biases are small and become f32. */
#ifndef OMT_MODEL_PARAMS_H
#define OMT_MODEL_PARAMS_H

#include "exec/exec.h"
#include "model/model.h"
#include "model/packed.h"

/* A matrix of n rows, in as few buffers as the device's largest allocation allows: block i has the
 * rows from i * rows on. */
#define OMT_BLOCKS 64
typedef struct omt_blocks {
	omt_buffer *at[OMT_BLOCKS];
	int32_t count, rows;
} omt_blocks;

/* y[n] = W[n, k] x + bias */
typedef struct omt_linear {
	omt_blocks w;
	omt_buffer *bias;  /* NULL: none */
	omt_buffer *scale; /* of each row of int8 weights; NULL: others */
	int32_t n, k, dtype, panel;
} omt_linear;

typedef struct omt_norm {
	omt_buffer *weight, *bias; /* bias NULL: RMSNorm */
} omt_norm;

typedef struct omt_text_layer {
	omt_norm input_norm, post_norm;
	omt_linear qkv, o, gate, up, down;
} omt_text_layer;

typedef struct omt_vision_block {
	omt_norm norm1, norm2;
	omt_linear qkv, proj, gate, up, down;
} omt_vision_block;

typedef struct omt_audio_layer {
	omt_norm attn_norm, final_norm;
	omt_linear qkv, out, fc1, fc2;
} omt_audio_layer;

typedef struct omt_params {
	omt_blocks embedding; /* [vocab, hidden], row-major */
	int32_t embedding_dtype;
	omt_text_layer *text;
	omt_norm text_norm;

	omt_buffer *pixel_table; /* [3, 256] of the op `patches` */
	omt_linear patch_embed;  /* the convolution as a matrix [hidden, channels * t * 14 * 14] */
	omt_vision_block *vision;
	omt_norm merger_norm;
	omt_linear merger_in, merger_out;

	omt_linear conv1, conv2;     /* [d_model, channels * 3] */
	omt_buffer *audio_positions; /* [n_window, d_model] sinusoids */
	omt_audio_layer *audio;
	omt_norm audio_norm;
	omt_linear audio_proj;

	omt_buffer **owned; /* all buffers above, to free them */
	size_t owned_count, owned_capacity;
	omt_packed *packed; /* what some of them use in place; NULL: none */
} omt_params;

/* X(name, text): how matrices lie on the device (not the embedding table), by the text of
 * omt_engine_options.weights. INT8: with a scale a row, max|w| / 127. */
#define OMT_MATRICES_LIST(X)          X(STORED, "stored") X(INT8, "int8") X(BF16, "bf16")
#define OMT_MATRICES_ENUM(name, text) OMT_MATRICES_##name,
typedef enum omt_matrices { OMT_MATRICES_LIST(OMT_MATRICES_ENUM) OMT_MATRICES_COUNT } omt_matrices;
#undef OMT_MATRICES_ENUM
extern const char *const omt_matrices_names[OMT_MATRICES_COUNT];

/* Tensors that a training changes: f32 in memory of its own, which backends on the host use where
 * it lies. */
typedef struct omt_trained {
	/* Asked once a tensor, in the order of the model (q's, k's and v's weights, then their
	 * biases): its values, which stay; NULL: it is not trained. */
	const float *(*values)(void *user, const omt_tensor *tensor);
	/* A buffer that was put together from several tensors has a copy of this one from element
	 * `first` on. */
	omt_status (*copied)(void *user, const omt_tensor *tensor, omt_buffer *buffer, size_t first,
	                     omt_error *err);
	void *user;
} omt_trained;

/* How weights are loaded. */
typedef struct omt_load {
	const omt_backend_info *info; /* panel, max_alloc_bytes, in_place */
	omt_matrices matrices;
	const char *cache;            /* as omt_engine_options.cache */
	const omt_progress *progress; /* may be NULL */
	const omt_trained *trained;   /* NULL: nothing is; else panel 1 and STORED alone */
} omt_load;

/* Where the backend's weights differ from the checkpoint's, they are made once, into a file that is
 * mapped from then on (model/packed.h); where there can be none, they are made each time. On
 * failure nothing is held. */
omt_status omt_params_load(const omt_model *model, omt_exec *exec, const omt_load *how,
                           omt_params *params, omt_error *err);
void omt_params_free(omt_exec *exec, omt_params *params);

#endif
