/* engine_private.h - the engine's memory; engine.c makes it, drive.c computes with it, embed.c
 * hands out results, plan.c walks it.
 *
 * A device, or a part of one, is a unit: its own queues, activations and slots. Weights belong to
 * the first unit of a memory, the others of that memory use them. A batch is packed on the host
 * before a unit is chosen for it. */
#ifndef OMT_MODEL_ENGINE_PRIVATE_H
#define OMT_MODEL_ENGINE_PRIVATE_H

#include "model/engine.h"
#include "model/forward.h"
#include "model/spread.h"

#define OMT_UNIT_SLOTS 2 /* batches on a device: one computing, one waiting behind it */

/* A batch's place on a device and the marks of its upload's first and last transfer, of its first
 * and its last op and of the download. */
typedef struct omt_slot {
	omt_batch_device device;
	uint64_t upload_first, upload_last, first, computed, last;
} omt_slot;

typedef struct omt_unit {
	omt_exec *exec;
	omt_backend_info info;
	omt_params own; /* empty: another unit's are used */
	const omt_params *params;
	omt_workspace work;
	omt_slot slots[OMT_UNIT_SLOTS];
	int32_t slot_count;
	/* Of all runs, kept by the calling thread. */
	uint64_t items, batches;
	double compute_s;
	omt_error failed;   /* status OMT_OK: it works */
	omt_op_times times; /* of its ops, while the engine is profiled */
} omt_unit;

struct omt_engine {
	const omt_model *model;
	omt_engine_options options;
	omt_unit units[OMT_MAX_DEVICES];
	omt_share shares[OMT_MAX_DEVICES]; /* of the units */
	int32_t unit_count;
	omt_batch *batches; /* on the host */
	int32_t batch_count;
	float *vectors; /* [window, batch_items, hidden]: results that wait for their turn */
	int32_t window; /* batches between the last one delivered and the last one packed */
	char rest[64];  /* the chain behind its first backend; empty: there is none to go to */
	char *cache;    /* as the options say */
	double load_s, open_s; /* what weights took, and all of opening */
	bool profiled;         /* ops are timed */
};

/* OMT_BAD_ARGUMENT: a value is out of its range. */
omt_status omt_engine_options_check(const omt_engine_options *options, omt_error *err);

/* As omt_engine_open with options that were checked, on `count` execs that are taken (also on
 * failure). */
omt_status omt_engine_open_on(const omt_model *model, const omt_engine_options *options,
                              omt_exec **execs, int32_t count, omt_engine **engine, omt_error *err);

/* The last unit, whose device failed for a reason, is opened anew on what comes behind it in the
 * chain. *note tells the user. A device that was asked for by name is not another one: any other
 * status than OMT_OK. */
omt_status omt_unit_move(omt_engine *engine, omt_unit *unit, const omt_error *why, omt_error *note);

/* Enqueues a batch's upload, forward and download into vectors[items, hidden]; done when slot->last
 * is. The batch and the vectors must stay until then. */
omt_status omt_unit_enqueue(omt_unit *unit, omt_slot *slot, omt_batch *batch, const omt_tap *tap,
                            float *vectors, omt_error *err);

#endif
