/* step.h - vectors of many items and their gradients, by several threads.
 *
 * Items are dealt to micro-batches, the one with the most work first, so that micro-batches of a
 * batch are about equal; as many as limits ask for, rounded up to a multiple of the workers.
 * Micro-batch i is worker i % workers', each has a tape of its own and computes with one thread.
 * Gradients are summed by worker in the order of its micro-batches, then over workers in theirs:
 * the same bits for the same workers. */
#ifndef OMT_TRAIN_STEP_H
#define OMT_TRAIN_STEP_H

#include "train/settings.h"
#include "train/tape.h"

typedef struct omt_step_worker {
	struct omt_step *step;
	int32_t number;
	omt_tape *tape;
	omt_batch batch;
	float *rows;      /* [micro_batch, hidden] */
	float *gradients; /* [trainable.count] */
	omt_error failed;
	double busy_s; /* in the tape so far */
} omt_step_worker;

typedef struct omt_step {
	const omt_model *model;
	omt_trainable trainable;
	bool again;    /* gradient caching: the backward computes each forward again */
	omt_keep keep; /* for the backward */
	int32_t hidden, micro_batch;
	omt_step_worker *workers;
	int32_t worker_count;
	/* Of the items in hand. */
	const omt_sample *const *samples;
	int32_t item_count;
	float *vectors;        /* [items, hidden] */
	const float *dvectors; /* the same */
	int32_t micro_count;
	int32_t *members,
		*starts;      /* micro-batch m: members[starts[m]] .. members[starts[m + 1] - 1] */
	omt_record **records; /* [micro_count] */
	double *work;         /* [items] */
	int32_t room;         /* items */
	omt_keep phase_keep;
	double tape_s; /* in forwards and backwards so far, until the last worker is done */
} omt_step;

/* Opens `threads` tapes; the parameters are the checkpoint's, or LoRA's start by the seed. */
omt_status omt_step_open(const omt_model *model, const omt_train_settings *settings, omt_step *step,
                         omt_error *err);
void omt_step_close(omt_step *step); /* zeros are allowed */

/* vectors[count, hidden] of samples, for nothing else. */
omt_status omt_step_embed(omt_step *step, const omt_sample *const *samples, int32_t count,
                          float *vectors, omt_error *err);
/* The same for omt_step_backward(), which follows; samples must stay until then. */
omt_status omt_step_forward(omt_step *step, const omt_sample *const *samples, int32_t count,
                            float *vectors, omt_error *err);
/* Adds gradients of a loss whose gradient to the vectors is dvectors[count, hidden]. */
omt_status omt_step_backward(omt_step *step, const float *dvectors, omt_error *err);
/* Zeros, before the first backward of a step. */
void omt_step_clear(omt_step *step);
/* The sum over workers, [trainable.count]; once after the last backward. */
const float *omt_step_gradients(omt_step *step);
/* Seconds of all workers together in their tapes so far. */
double omt_step_busy_s(const omt_step *step);
/* After the parameters changed. */
omt_status omt_step_update(omt_step *step, omt_error *err);

#endif
