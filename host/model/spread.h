/* spread.h - which of several devices takes the next batch, by measured speed.
 *
 * Work is counted in flops of a batch's matrices, a device's speed is the work a second of its
 * batches so far. A device that has nothing takes a batch at once, one that computes takes its next
 * one shortly before it needs it. At the end of a run (and before results could no longer be kept
 * in order) a device leaves a batch to the others if they would be done with everything sooner than
 * it with this one. Divisible load theory (Bharadwaj et al., 1996) is where "all end at the same
 * time" comes from; batches are not divisible, hence "sooner than". */
#ifndef OMT_MODEL_SPREAD_H
#define OMT_MODEL_SPREAD_H

#include "model/batch.h"

typedef struct omt_share {
	double speed;          /* work a second; 0: not measured yet */
	double pending;        /* work of the batches it has, */
	double since_s;        /* of which it computes the first since then */
	int32_t batches, room; /* that it has; that it may have */
	bool lost;             /* it failed: nothing for it any more */
} omt_share;

/* The device that is to take a batch of `work` now; -1: none yet. `left`: work of this batch and of
 * all that are to come, INFINITY while the source goes on. While a device is not lost, one that
 * has nothing to do or will have takes the batch. */
int32_t omt_spread_choose(const omt_share *shares, int32_t count, double work, double left,
                          double now_s);

/* A device took a batch; it is done with its oldest one, in device time of `took_s` (0: not
 * measured). */
void omt_spread_take(omt_share *share, double work, double now_s);
void omt_spread_done(omt_share *share, double work, double took_s, double now_s);

/* Flops of a batch's matrices: what grows with its square (attention) is small beside them. */
double omt_spread_work(const omt_batch *batch);

#endif
