/* store.h - items made ready for the model, kept: each file is decoded once, while memory lasts.
 *
 * Threads prepare what was hinted at, in that order, while the caller computes. What is ready stays
 * until the bytes allowed are used up; from then on an item is freed once it was used, and those
 * that came first stay: of a data set larger than that, this keeps the same share in every epoch.
 * Items in use and hinted ones may go beyond it. An item that cannot be made is remembered as such
 * and its reason told once. */
#ifndef OMT_TRAIN_STORE_H
#define OMT_TRAIN_STORE_H

#include "model/sample.h"
#include "train/dataset.h"

typedef struct omt_store omt_store;

/* The model and the data set must outlive it. An item of more than `max_tokens` cannot be made.
 * `threads` prepare; bytes: what may be kept. */
omt_status omt_store_open(const omt_model *model, const omt_dataset *dataset, int32_t max_tokens,
                          int32_t threads, size_t bytes, omt_store **store, omt_error *err);
void omt_store_close(omt_store *store); /* NULL is allowed */

/* The item will be wanted. */
void omt_store_hint(omt_store *store, omt_item_key key);
/* Waits until it is ready, or makes it. NULL: it cannot be made; *failed is set when that was not
 * told before. Until omt_store_release(), as often as taken, it stays. One thread takes and
 * releases. */
const omt_sample *omt_store_take(omt_store *store, omt_item_key key, omt_error *failed);
void omt_store_release(omt_store *store, omt_item_key key);
/* Whether it is known that it cannot be made. */
bool omt_store_failed(omt_store *store, omt_item_key key);

typedef struct omt_store_counts {
	uint64_t prepared; /* items, again after they were freed, too */
	uint64_t failed;   /* different ones */
	size_t bytes;      /* kept now */
	double waited_s;   /* by omt_store_take() */
} omt_store_counts;
omt_store_counts omt_store_count(omt_store *store);

#endif
