/* draw.h - a batch of samples: which items it needs, each once, made ready. */
#ifndef OMT_TRAIN_DRAW_H
#define OMT_TRAIN_DRAW_H

#include "train/sampler.h"
#include "train/store.h"

/* A query of the batch and where it comes from. */
typedef struct omt_draw_query {
	uint32_t set, number; /* of the query in its catalog */
	int32_t item;         /* of the batch */
} omt_draw_query;

/* Query i's passages are passages[starts[i]] .. passages[starts[i + 1] - 1], its positive first, as
 * items of the batch. */
typedef struct omt_draw {
	const omt_dataset *dataset; /* borrowed */
	omt_store *store;           /* borrowed */
	int32_t batch, negatives;   /* queries; negatives of each at most */
	int32_t query_count, passage_count, item_count;
	omt_draw_query *queries;    /* [batch] */
	int32_t *starts;            /* [batch + 1] */
	int32_t *passages;          /* [batch * (1 + negatives)] */
	omt_item_key *passage_keys; /* the same */
	const omt_sample **samples; /* [batch * (2 + negatives)]: of the items */
	omt_item_key *keys;         /* the same */
	omt_names names;            /* the items' keys, numbered as the items */
} omt_draw;

omt_status omt_draw_open(const omt_dataset *dataset, omt_store *store, int32_t batch,
                         int32_t negatives, omt_draw *draw, omt_error *err);
void omt_draw_close(omt_draw *draw); /* zeros are allowed */

/* The sampler's next batch. A sample of which the query or the positive cannot be made gives way to
 * the sampler's next one, a negative to the query's next one; each such item is told once through
 * `skipped`. No sample of a set left: OMT_BAD_FORMAT. */
omt_status omt_draw_make(omt_draw *draw, omt_sampler *sampler,
                         void (*skipped)(void *user, omt_item_key key, const omt_error *why),
                         void *user, omt_error *err);
void omt_draw_release(omt_draw *draw);
/* Tells the store what the sampler's next batch will need, as far as that is known; the sampler
 * moves on. */
omt_status omt_draw_hint(omt_draw *draw, omt_sampler *sampler, omt_error *err);

/* For omt_loss_batch: `draw` is the user. */
bool omt_draw_relevant(void *draw, int32_t query, int32_t passage);

#endif
