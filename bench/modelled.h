/* modelled.h - scenario.mode modelled: what a card that need not be here would take for the point's
 * items, by the formulas of omt_plan(). One set of kernels, which fits the card, serves all files
 * and modalities; parts are as offline, by batches filled in the file's order, and latencies are of
 * each item alone. */
#ifndef OMT_BENCH_MODELLED_H
#define OMT_BENCH_MODELLED_H

#include "bench/settings.h"

/* The record's `parts` and `card`, both given. Items that cannot be read are in no figure; their
 * part is not valid and says why. */
omt_status omt_bench_modelled(const omt_model *model, const omt_bench_settings *settings,
                              const omt_bench_options *options, json_t **parts, json_t **card,
                              omt_error *err);

#endif
