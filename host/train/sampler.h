/* sampler.h - which samples a batch is made of, by the seed alone.
 *
 * Each data set is walked through in a shuffled order of its own, epoch after epoch. A batch is of
 * one set, drawn by weight, or each of its samples is. A sample whose positive is in the batch
 * already is put off to the set's next samples, as long as fewer than OMT_PUT_OFF wait.
 *
 * The state is a few integers, and what follows depends on nothing else: a sampler that is set to
 * another one's state goes on as that one does. */
#ifndef OMT_TRAIN_SAMPLER_H
#define OMT_TRAIN_SAMPLER_H

#include "train/dataset.h"

#define OMT_PUT_OFF 64

typedef struct omt_walk {
	uint64_t epoch, at; /* the next one is order[at] */
	uint32_t waiting[OMT_PUT_OFF];
	uint32_t waiting_count;
	uint32_t *order;  /* [pairs of the set] of `ordered`'s epoch */
	uint64_t ordered; /* epoch + 1; 0: none yet */
} omt_walk;

typedef struct omt_sampler {
	const omt_dataset *dataset; /* borrowed */
	uint64_t seed;
	bool same_dataset;
	double total;     /* weight */
	uint64_t choices; /* of sets so far */
	omt_walk *walks;  /* [sets] */
	/* Positives of this batch: tells those that are there already. */
	omt_item_key *taken;
	size_t taken_count, taken_room;
	uint32_t set; /* of this batch */
} omt_sampler;

omt_status omt_sampler_open(const omt_dataset *dataset, uint64_t seed, bool same_dataset,
                            omt_sampler *sampler, omt_error *err);
void omt_sampler_close(omt_sampler *sampler); /* zeros are allowed */
/* Both are of one data set. */
void omt_sampler_copy(omt_sampler *to, const omt_sampler *from);

/* A new batch of up to `queries` samples. */
omt_status omt_sampler_begin(omt_sampler *sampler, int32_t queries, omt_error *err);
/* The next sample: a set and a pair of it. */
void omt_sampler_next(omt_sampler *sampler, uint32_t *set, uint32_t *pair);
/* It is in the batch. */
void omt_sampler_keep(omt_sampler *sampler, uint32_t set, uint32_t pair);

/* The state as JSON, given (NULL: no memory), and back; one that does not fit is
 * OMT_BAD_FORMAT. */
json_t *omt_sampler_state(const omt_sampler *sampler);
omt_status omt_sampler_resume(omt_sampler *sampler, omt_json state, omt_error *err);

#endif
