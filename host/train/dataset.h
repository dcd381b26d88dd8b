/* dataset.h - what is trained on: lists, pairs of queries and positives, mined negatives.
 *
 * Nothing of media is read here. Lists are catalogs (index/catalog.h), one for all sets that read
 * the same file in the same way, so that an item has one number in a run. */
#ifndef OMT_TRAIN_DATASET_H
#define OMT_TRAIN_DATASET_H

#include "index/catalog.h"
#include "index/trec.h"
#include "train/settings.h"

/* An item of a run: a catalog in the upper half, its number there in the lower. */
typedef uint64_t omt_item_key;
#define OMT_ITEM_KEY(catalog, number) ((omt_item_key)(catalog) << 32 | (number))

/* A query and one of its positives, by their catalogs' numbers. */
typedef struct omt_pair {
	uint32_t query, passage;
} omt_pair;

typedef struct omt_train_set {
	const omt_train_data *data; /* borrowed from the settings */
	uint32_t queries, passages; /* catalogs of the data set */
	omt_pair *pairs;            /* [count], sorted by query, then passage */
	size_t count;
	/* Mined negatives of query q, nearest first (of several lines: in turns):
	 * negatives[starts[q]] .. negatives[starts[q + 1] - 1], none of them a positive, none
	 * twice. NULL: there are none. */
	uint32_t *negatives, *starts;
	omt_qrels *qrels; /* kept for evaluations only */
} omt_train_set;

typedef struct omt_dataset {
	omt_catalog **catalogs;
	uint32_t catalog_count;
	omt_train_set *sets, *evals;
	size_t count, eval_count;
	struct omt_catalog_use *uses; /* how each catalog is read */
} omt_dataset;

/* What is left out (judgements of ids that no list has, negatives that no list has or that are
 * positives, broken lines) is counted in notes of `progress`; a set without a pair is
 * OMT_BAD_FORMAT. The settings must outlive the data set. */
omt_status omt_dataset_open(const omt_train_settings *settings, const omt_progress *progress,
                            omt_dataset *dataset, omt_error *err);
void omt_dataset_close(omt_dataset *dataset); /* zeros are allowed */

bool omt_train_set_relevant(const omt_train_set *set, uint32_t query, uint32_t passage);
/* {"NAME": {"queries", "passages", "pairs", "negatives", "digest"}}: numbers of each set, the
 * digest of its ids, pairs and negatives. Given; NULL: no memory. */
json_t *omt_dataset_values(const omt_dataset *dataset);
/* {"NAME": {"queries", "passages"}}: digests of the lists' files. *lists is the caller's, whatever
 * the status. */
omt_status omt_dataset_lists(const omt_dataset *dataset, json_t **lists, omt_error *err);
/* Lines of all lists that are broken. */
uint64_t omt_dataset_broken(const omt_dataset *dataset);
omt_catalog *omt_dataset_catalog(const omt_dataset *dataset, omt_item_key key);
const char *omt_dataset_id(const omt_dataset *dataset, omt_item_key key);

#endif
