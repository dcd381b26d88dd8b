/* training.h - a training in progress: all that a step needs, and what a checkpoint keeps of it. */
#ifndef OMT_TRAIN_TRAINING_H
#define OMT_TRAIN_TRAINING_H

#include "train/draw.h"
#include "train/log.h"
#include "train/step.h"

/* Of the steps since the last line of the log. */
typedef struct omt_train_window {
	double loss, accuracy; /* sums over steps */
	int64_t steps, masked;
} omt_train_window;

typedef struct omt_training {
	const omt_train_settings *settings; /* borrowed */
	omt_dataset dataset;
	omt_model *model;
	omt_store *store;
	omt_step step;
	omt_sampler sampler, ahead; /* ahead: what will be drawn */
	omt_draw draw;
	float *first, *second;     /* moments */
	float *vectors, *dvectors; /* [items of a batch, hidden] */
	float *q, *p, *dq, *dp;    /* rows of queries and passages */
	omt_train_log log;
	char *checkpoint; /* its path */
	json_t *identity; /* what a checkpoint must share: {"settings", "data", "model"} */
	/* Where it stands. */
	int64_t at;        /* steps done */
	int64_t evaluated; /* step of the last evaluation; -1: none yet */
	omt_train_window window;
	double norm;       /* of the last step's gradients */
	uint64_t items;    /* through the model since it was opened */
	omt_status failed; /* of the log, in a callback */
	const omt_progress *progress;
} omt_training;

/* Reads the lists and opens the model; parameters are those of step 0. `progress` is borrowed. */
omt_status omt_training_open(const omt_train_settings *settings, const omt_progress *progress,
                             omt_training *training, omt_error *err);
void omt_training_close(omt_training *training); /* zeros are allowed */

/* One step: batches, gradients, new parameters. */
omt_status omt_training_step(omt_training *training, omt_error *err);
/* An item that cannot be made: a note and a line of the log. */
void omt_training_skipped(void *training, omt_item_key key, const omt_error *why);

omt_status omt_training_save(omt_training *training, omt_error *err);
/* Goes on from the checkpoint; *found: there was one. */
omt_status omt_training_resume(omt_training *training, bool *found, omt_error *err);

#endif
