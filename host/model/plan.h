/* plan.h - between the parts of omt_plan(): what was recorded, and what the kernels of hls/ make of
 * it, on a card that is not there or in simulation. */
#ifndef OMT_MODEL_PLAN_H
#define OMT_MODEL_PLAN_H

#include <jansson.h>

#include "exec/card.h"
#include "exec/op.h"
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
	bool recording; /* off while weights are packed */
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

/* Adds to the plan's JSON `all`: object "card" with kernels, resources and totals; in each of
 * all["ops"] (a line each, in order) "kernel", "cycles", "read_bytes", "written_bytes", "seconds",
 * "gops", "joules", "bound". */
omt_status omt_plan_on_card(const omt_planner *plan, const omt_plan_card *options,
                            const omt_card *card, json_t *all, omt_error *err);

/* Object "simulated": "trips" by stage, "read_bytes" and "written_bytes" of all launches by the
 * kernels that backend hls has. */
omt_status omt_plan_simulated(const omt_planner *plan, json_t *all, omt_error *err);

#endif
