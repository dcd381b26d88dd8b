/* plan.h - between the parts of omt_plan(), and for tests: what was recorded, and what the kernels
 * of hls/ make of it, on a card that is not there or in simulation. */
#ifndef OMT_MODEL_PLAN_H
#define OMT_MODEL_PLAN_H

#include <jansson.h>

#include "exec/card_choice.h"
#include "exec/device_file.h"
#include "exec/op.h"
#include "model/sample.h"
#include "omnitile.h"

/* Launches of one op with the same scalars and the same content are one line of the plan. */
typedef struct omt_plan_line {
	omt_op op;
	omt_scalar_i32 scalars[OMT_OP_MAX_SCALARS]; /* bits */
	/* Of buffers of integers what was written to them; the recorder's. */
	const int32_t *content[OMT_OP_MAX_BUFFERS];
	uint64_t launches;
	omt_op_cost cost; /* of one launch */
} omt_plan_line;

typedef struct omt_planner {
	bool recording;     /* off while weights are packed */
	omt_plan_line pack; /* the last of these launches */
	bool packs;
	omt_plan_line *lines;
	size_t count, capacity;
	bool failed;
} omt_planner;

/* Room for any op's arguments, and a line's scalars in it; buffers are NULL. */
typedef struct omt_plan_any_args {
	omt_buffer *buffers[OMT_OP_MAX_BUFFERS];
	omt_scalar_i32 scalars[OMT_OP_MAX_SCALARS];
} omt_plan_any_args;
const void *omt_plan_args(const omt_plan_line *line, omt_plan_any_args *args);

/* The item that a plan is of: as many one-letter words, a black picture, silence.
 * omt_sample_free(). */
omt_status omt_plan_sample(const omt_model *model, const omt_plan_options *options,
                           omt_sample *sample, omt_error *err);

/* Adds to the plan's JSON `all`: object "card" with kernels, resources and totals; in each of
 * all["ops"] (a line each, in order) "kernel", "cycles", "read_bytes", "written_bytes", "seconds",
 * "gops", "joules", "bound". */
omt_status omt_plan_on_card(const omt_planner *plan, const omt_plan_options *options,
                            const omt_card *card, json_t *all, omt_error *err);

/* An entry of bitstreams/manifest.yaml, not built yet: all kernels with these parameters, each in
 * one unit, all banks of the memory in use. On flow intel all channels are one interleaved bank,
 * and gemms are made of three kernels. card_file: the card's name, or the path of its file. What
 * v++ would refuse is refused. `text`, given. */
omt_status omt_plan_entry(const char *name, const char *card_file, const omt_card *card,
                          const omt_card_use *use, const omt_card_kernel kernels[OMT_OP_COUNT],
                          char **text, omt_error *err);

/* Kernels of a card for all lines of a plan (and for packing weights, if it does), and how the card
 * is used; memory_bytes: of the model with its activations. */
omt_status omt_plan_choose(const omt_planner *plan, const omt_plan_card *options,
                           const omt_card *card, uint64_t memory_bytes, omt_card_use *use,
                           omt_card_kernel kernels[OMT_OP_COUNT], omt_error *err);

/* What launches took on the card. */
typedef struct omt_plan_sum {
	double seconds, joules, flops;
	uint64_t cycles, read_bytes, written_bytes;
	uint64_t elsewhere; /* launches of ops that have no kernel */
} omt_plan_sum;
/* Adds `launches` of a cost to the sum. */
void omt_plan_sum_add(omt_plan_sum *sum, const omt_card_cost *cost, double flops,
                      uint64_t launches);
/* Object "card" of a plan of `items`; given. */
json_t *omt_plan_card_json(const omt_card *card, const omt_card_use *use,
                           const omt_card_kernel kernels[OMT_OP_COUNT], const omt_plan_sum *sum,
                           double items);

/* Adds a launch to the plan's lines; content: as of omt_hls_cost_of(), or all NULL. */
void omt_plan_record(omt_planner *plan, omt_op op, const void *args,
                     const int32_t *const content[OMT_OP_MAX_BUFFERS]);
/* What the op's buffers of integers hold, of a recorder. */
void omt_plan_content(omt_op op, const void *args, const int32_t *content[OMT_OP_MAX_BUFFERS]);
/* The file that engine.device names, or a device that is there. */
omt_status omt_plan_device(const omt_engine_options *options, omt_device_file *file,
                           omt_error *err);

/* Object "simulated": "trips" by stage, "read_bytes" and "written_bytes" of all launches by the
 * kernels that backend hls has. */
omt_status omt_plan_simulated(const omt_planner *plan, json_t *all, omt_error *err);

#endif
