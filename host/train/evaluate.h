/* evaluate.h - retrieval with the parameters as they are now, on lists of their own. */
#ifndef OMT_TRAIN_EVALUATE_H
#define OMT_TRAIN_EVALUATE_H

#include "train/step.h"
#include "train/store.h"

typedef struct omt_evaluation {
	const omt_train_settings *settings;
	const omt_dataset *dataset;
	omt_store *store;
	omt_step *step;
	void (*skipped)(void *user, omt_item_key key,
	                const omt_error *why); /* as omt_draw_make()'s */
	bool (*stop)(void *user);              /* true: OMT_STOPPED */
	void *user;
} omt_evaluation;

/* *measured: {"eval": the set's name, "queries", "passages", "recall": {"1": 0.5, ...}, "ndcg":
 * {"10"}, "mrr": {"10"}}, given. Queries and passages that cannot be made are not found. */
omt_status omt_evaluate(const omt_evaluation *evaluation, const omt_train_set *set,
                        json_t **measured, omt_error *err);

#endif
