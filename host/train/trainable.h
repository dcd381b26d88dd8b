/* trainable.h - what a training changes: the checkpoint's own tensors (full) or low-rank updates
 * beside them (LoRA), as one flat array of f32.
 *
 * Values, gradients and the optimiser's moments are arrays of the same order, so that whatever
 * works on all parameters (AdamW, clipping, checkpoints of a run) is a loop. */
#ifndef OMT_TRAIN_TRAINABLE_H
#define OMT_TRAIN_TRAINABLE_H

#include "model/weights.h"

/* A tensor. Its name is the checkpoint's ("model.layers.0.self_attn.q_proj.weight", without
 * "thinker."); LoRA's are the module's with ".lora_A" [rank, in] and ".lora_B" [out, rank]. */
typedef struct omt_trainable_part {
	char name[192];
	int32_t dims;
	int64_t shape[OMT_TENSOR_DIMS];
	size_t at, count; /* of `values` */
	bool decay;       /* weight decay: matrices and all of LoRA; not norms, biases */
} omt_trainable_part;

typedef struct omt_trainable {
	omt_trainable_part *parts; /* in the order of the model: text, vision, audio; A before B */
	size_t part_count;
	float *values; /* [count], at a multiple of 64 bytes */
	size_t count;
} omt_trainable;

/* LoRA (Hu et al. 2021): y = W x + (alpha / rank) B (A x), W frozen. */
typedef struct omt_lora {
	int32_t rank; /* 0: full training */
	double alpha;
	/* Last parts of the names of the text model's projections (omt_lora_projections), ended by
	 * NULL. */
	const char *const *targets;
} omt_lora;

/* Ended by NULL, and the same names in a sentence. */
#define OMT_LORA_TARGETS 7
extern const char *const omt_lora_projections[OMT_LORA_TARGETS + 1];
#define OMT_LORA_PROJECTIONS "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
/* The projection of this name, static; NULL: none. name NULL is none. */
const char *omt_lora_projection(const char *name);

/* A: uniform in +-1/sqrt(in) (PEFT's kaiming_uniform_ with a = sqrt(5)), B: zeros; the same on
 * every machine for a seed. Full training starts from the checkpoint and needs none of it. */
void omt_trainable_init_lora(omt_trainable *trainable, uint64_t seed);
const omt_trainable_part *omt_trainable_find(const omt_trainable *trainable, const char *name);
void omt_trainable_free(omt_trainable *trainable);

#endif
