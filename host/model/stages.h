/* stages.h - where the time of an item went, from the source to its delivery. */
#ifndef OMT_MODEL_STAGES_H
#define OMT_MODEL_STAGES_H

#include "model/pipe.h"

/* Sets the stages and latency_ms of a result that has taken_s and delivered_s. The item's spans lie
 * one after another; what two have in common (the first ops beside the rest of their own upload) is
 * the earlier one's, what is between them is queue_ms. `done`: of its batch; NULL: it failed before
 * it was in one. */
void omt_stages_fill(const omt_work *work, const omt_outcome *done, omt_result *result);

#endif
