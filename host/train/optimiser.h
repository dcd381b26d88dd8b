/* optimiser.h - AdamW (Loshchilov and Hutter 2019, as torch.optim.AdamW), its schedule and the
 * clipping of gradients, over flat arrays (trainable.h). */
#ifndef OMT_TRAIN_OPTIMISER_H
#define OMT_TRAIN_OPTIMISER_H

#include "train/trainable.h"

#define OMT_SCHEDULE_LIST(X)    \
	X(CONSTANT, "constant") \
	X(LINEAR, "linear")     \
	X(COSINE, "cosine")
#define OMT_SCHEDULE_ENUM(name, text) OMT_SCHEDULE_##name,
typedef enum omt_schedule { OMT_SCHEDULE_LIST(OMT_SCHEDULE_ENUM) OMT_SCHEDULE_COUNT } omt_schedule;
#undef OMT_SCHEDULE_ENUM

typedef struct omt_optimiser_options {
	double lr, beta1, beta2, eps, weight_decay; /* 0.9, 0.999, 1e-8, 0.01 */
	double clip;    /* of the norm of all gradients together, by clip / (norm + 1e-6) as torch's
	                   clip_grad_norm_; 0: none */
	int64_t warmup; /* steps of a linear rise to lr */
	int64_t steps;  /* in all: where the decay ends */
	double lr_end;  /* share of lr at the end: 0 */
	omt_schedule schedule;
} omt_optimiser_options;

/* Rate of step `step`, from 0 on: lr (step + 1) / warmup while step < warmup; then from lr down to
 * lr_end of it, by progress p = (step - warmup) / (steps - warmup): 1, 1 - p or (1 + cos(pi p)) / 2
 * of the way. */
double omt_optimiser_rate(const omt_optimiser_options *options, int64_t step);
/* sqrt of the sum of squares, in f64. */
double omt_gradient_norm(const float *gradients, size_t count);
/* One step: clips, then moves trainable->values; first, second: moments [count], zeros before step
 * 0. *norm: before clipping. A norm that is not finite is OMT_MISMATCH and names the tensor:
 * nothing is changed. New values that are not finite are, too: they are not to be kept. `threads`
 * share the work; the bits do not depend on them. */
omt_status omt_optimiser_step(const omt_optimiser_options *options, int64_t step,
                              omt_trainable *trainable, const float *gradients, float *first,
                              float *second, int32_t threads, double *norm, omt_error *err);

#endif
