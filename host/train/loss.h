/* loss.h - InfoNCE (van den Oord et al. 2018) over a query's positive, its hard negatives and
 * the other passages of the batch. */
#ifndef OMT_TRAIN_LOSS_H
#define OMT_TRAIN_LOSS_H

#include "base/status.h"

/* X(name, text): which passages a query is compared with. */
#define OMT_CONTRAST_LIST(X)                                                        \
	X(BATCH, "batch")         /* all passages of the batch */                   \
	X(POSITIVES, "positives") /* its own, and the positives of other queries */ \
	X(OWN, "own")             /* its positive and its own hard negatives */
#define OMT_CONTRAST_ENUM(name, text) OMT_CONTRAST_##name,
typedef enum omt_contrast { OMT_CONTRAST_LIST(OMT_CONTRAST_ENUM) OMT_CONTRAST_COUNT } omt_contrast;
#undef OMT_CONTRAST_ENUM

typedef struct omt_loss_options {
	double temperature; /* 0.02 */
	omt_contrast contrast;
	bool symmetric; /* mean of this loss and that of positives against all queries, whatever
	                   the contrast */
	/* False negatives are left out of the sums: */
	bool mask_ids;      /* passages that are judged relevant to the query, or are its positive
	                       again (equal passage numbers), queries that share a positive */
	double mask_margin; /* those with a cosine above that to the positive less this (an absolute
	                       margin, as GISTEmbed's and NV-Retriever's); infinite: none */
} omt_loss_options;

/* A batch: query i's passages are passages[starts[i] .. starts[i + 1]), its positive first. */
typedef struct omt_loss_batch {
	int32_t queries, passages, dimension;
	const float *q, *p;          /* [queries, dimension], [passages, dimension], unit rows */
	const int32_t *starts;       /* [queries + 1] */
	const uint64_t *passage_ids; /* [passages]: the same number is the same passage; NULL: all
	                                differ */
	/* Whether a passage is relevant to query i though it is not its positive; may be NULL. */
	bool (*relevant)(void *user, int32_t query, int32_t passage);
	void *user;
} omt_loss_batch;

typedef struct omt_loss_value {
	double loss;     /* mean over queries */
	double accuracy; /* share of queries whose positive has the greatest score of what it is
	                    compared with; ties are lost, a query alone wins */
	int64_t masked;  /* pairs left out, of both directions */
} omt_loss_value;

/* dq, dp: gradients of the loss, as q and p, written over; both may be NULL. A pair that is left
 * out has none, and neither has the choice of pairs. A query without any other pair has a loss of
 * 0. Sums in f64, in a fixed order. A cosine or loss that is not finite is OMT_MISMATCH and names
 * the query; then nothing is written. Takes 16 bytes of memory a pair of a query and a passage. */
omt_status omt_loss(const omt_loss_options *options, const omt_loss_batch *batch,
                    omt_loss_value *value, float *dq, float *dp, omt_error *err);

#endif
