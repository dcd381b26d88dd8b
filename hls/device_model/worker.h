/* worker.h - the process of one compute unit, and the messages it exchanges with the front.
 *
 * Kernels run in processes of their own: one that crashes or hangs takes nothing else with it, the
 * front keeps the host's connection and the card's memory. Every unit has its own static memories,
 * as on a chip. A unit maps only the buffers that a launch names, each between two pages that may
 * not be touched, so that an access beyond a buffer's last page stops the unit and is reported.
 *
 * The library exports for each kernel void hls_call_<kernel>(void *const *arguments): arguments[i]
 * points at a scalar's value or is the buffer's memory. If it exports hls_count (hls/portable.h),
 * a launch's counts are reported; if it exports hls_params_<kernel>, the kernel's cycles are. */
#ifndef OMT_HLS_DEVICE_MODEL_WORKER_H
#define OMT_HLS_DEVICE_MODEL_WORKER_H

#include "hls/device_model/design.h"
#include "hls/portable.h"

typedef struct omt_launch_arg {
	uint64_t value;        /* a scalar's bits, a buffer's device address */
	uint64_t start, bytes; /* of the buffer that holds the address; bytes 0: a scalar */
} omt_launch_arg;

typedef enum omt_launch_order {
	OMT_LAUNCH_RUN,
	OMT_LAUNCH_HANG,
	OMT_LAUNCH_CRASH
} omt_launch_order;

typedef struct omt_launch {
	uint32_t order; /* omt_launch_order: the faults that were asked for */
	uint32_t arg_count;
	omt_launch_arg args[OMT_DESIGN_ARGS];
} omt_launch;

/* What comes back: the launch was finished, or the last words of a unit that dies. */
typedef struct omt_landing {
	uint32_t failed;  /* signal; 0: it ran */
	uint32_t counted; /* the library counts */
	hls_counts counts;
	uint64_t cycles; /* by the kernel's formula; 0: it has none */
	double wall_s;
	int64_t fault;      /* of SIGSEGV and SIGBUS: offset of the access in ... */
	uint32_t fault_arg; /* ... this argument's buffer; OMT_DESIGN_ARGS: nowhere near one */
} omt_landing;

typedef struct omt_worker_task {
	int orders, memory; /* socket of packets; the card's memory */
	const char *library, *kernel;
} omt_worker_task;

/* The child's whole life: reads launches, writes landings, ends when the front closes its end.
 * Exit status 0. */
_Noreturn void omt_worker_run(const omt_worker_task *task);

/* Loads the library in a child that is thrown away: whether it loads and has all kernels. */
omt_status omt_worker_probe(const char *library, const omt_design *design, omt_error *err);

#endif
