/* roofline.h - the inside of omt_roofline(): what is measured, and who measures it where.
 *
 * A rig runs one kind of work, as many steps as it is told, and says what was done in what time;
 * how often, on what sets and which of the numbers counts is roofline.c's, the same for all rigs.
 */
#ifndef OMT_EXEC_ROOFLINE_H
#define OMT_EXEC_ROOFLINE_H

#include "exec/backend.h"

typedef enum omt_roof {
	OMT_ROOF_F32, /* FLOPs, of multiply-adds */
	OMT_ROOF_INT8,
	OMT_ROOF_BF16,
	OMT_ROOF_READ, /* bytes */
	OMT_ROOF_COPY, /* bytes, those read and those written */
	OMT_ROOF_COUNT
} omt_roof;

typedef struct omt_roofline_set {
	size_t bytes;
	double read_gbs, copy_gbs;
} omt_roofline_set;

#define OMT_ROOFLINE_SETS 8

/* In 1e9 a second; 0: the device has no such path. */
typedef struct omt_roofline {
	double peak[OMT_ROOF_READ]; /* by omt_roof */
	omt_roofline_set sets[OMT_ROOFLINE_SETS];
	int32_t set_count; /* smallest first; the last is far beyond the caches */
	int32_t tries;     /* of each number, of which the best counts; 0: none was measured */
} omt_roofs;

/* How much is done to know it. */
typedef struct omt_roofline_effort {
	int32_t rounds; /* over all numbers: what is amiss in one is over in the next */
	int32_t tries;  /* of a number in a round */
	double try_s;   /* that a try takes at least */
	size_t largest_bytes;
	omt_progress progress;
} omt_roofline_effort;
extern const omt_roofline_effort omt_roofline_thorough, omt_roofline_quick;

/* One way to do a kind of work; there may be several, of which the best counts. */
typedef struct omt_roofline_work {
	omt_roof kind;
	const void *way; /* the rig's own */
} omt_roofline_work;

typedef struct omt_roofline_done {
	double amount;  /* FLOPs or bytes */
	double seconds; /* that it took */
} omt_roofline_done;

/* `set`: bytes that reads and copies go over, `steps` times. */
typedef struct omt_rig {
	const omt_roofline_work *works;
	size_t work_count;
	size_t most_bytes; /* of a set */
	void *self;
	omt_status (*run)(void *self, const omt_roofline_work *work, size_t set, int32_t steps,
	                  omt_roofline_done *done, omt_error *err);
} omt_rig;

omt_status omt_rig_measure(const omt_rig *rig, const omt_roofline_effort *effort, omt_roofs *roofs,
                           omt_error *err);

/* The first of the devices that `wanted` names (omt_engine_options.device). */
omt_status omt_roofline_opencl(const char *wanted, const omt_roofline_effort *effort,
                               omt_roofs *roofs, omt_backend_info *info, omt_error *err);

/* The CPU with `threads` threads, a core each; up to the vectors of base/cpu.h's path. */
omt_status omt_roofline_cpu(int32_t threads, const omt_roofline_effort *effort, omt_roofs *roofs,
                            omt_error *err);

/* Returns when no thread of this process uses a core any more, after 0.2 s at the latest: after a
 * call OpenBLAS's threads spin for up to 100 ms on the cores of what is timed next. */
void omt_settle(void);

#endif
