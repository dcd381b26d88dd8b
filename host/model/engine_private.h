/* engine_private.h - the engine's memory; engine.c makes it, embed.c drives it, plan.c walks it. */
#ifndef OMT_MODEL_ENGINE_PRIVATE_H
#define OMT_MODEL_ENGINE_PRIVATE_H

#include "model/engine.h"
#include "model/forward.h"

/* One batch in flight: its arrays, its result and the marks of its upload's first and last
 * transfer, of its first op and of the download. */
typedef struct omt_slot {
	omt_batch batch;
	float *vectors; /* [items, hidden] */
	uint64_t upload_first, upload_last, first, last;
} omt_slot;

struct omt_engine {
	const omt_model *model;
	omt_exec *exec;
	omt_backend_info info;
	omt_engine_options options;
	omt_params params;
	omt_workspace work;
	omt_slot *slots;
	int32_t slot_count;
};

/* As omt_engine_open, on an exec that is taken (also on failure). */
omt_status omt_engine_open_on(const omt_model *model, const omt_engine_options *options,
                              omt_exec *exec, omt_engine **engine, omt_error *err);

/* Enqueues a slot's upload, forward and download; done when slot->last is. */
omt_status omt_slot_enqueue(omt_engine *engine, omt_slot *slot, const omt_tap *tap, omt_error *err);

#endif
