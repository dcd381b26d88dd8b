/* opencl_order.h - what keeps a device's commands in their order, and who waits for whom.
 *
 * Hazards: a buffer knows the last command that wrote it and those that have read it since; what
 * reads it next waits for the one, what writes it next for all of them. A command of a queue that
 * is in order does not wait for another one of that queue.
 *
 * The watch: on a card every command is watched. Commands end in any order, but the oldest one that
 * has not ended waits for nothing: all that it may wait for is older. If it is the oldest for
 * longer than its patience, it hangs. Then all commands that do not wait for it are let end, the
 * others are given up (stale), and OMT_STALLED says so in one line: what marks stood for is to be
 * done again, and everything counts as done. OpenCL cannot take a command back: if the one that
 * hung does end later, those that were given up run into what was begun since. They read and write
 * no memory of the caller's (omt_cl_copy), and the next wait sees it: it lets them end and says
 * OMT_STALLED again. */
#ifndef OMT_EXEC_OPENCL_ORDER_H
#define OMT_EXEC_OPENCL_ORDER_H

#include <CL/cl.h>

#include "exec/backend.h"

#define OMT_CL_READERS    8
#define OMT_CL_WAITS      32
#define OMT_CL_WATCHED    4096 /* commands that have not ended */
#define OMT_CL_TRANSFER_S 60.0 /* the patience with a transfer */

/* A command as others wait for it. */
typedef struct omt_cl_use {
	cl_event event; /* NULL: none; holds a reference */
	cl_command_queue queue;
	uint64_t number; /* of a watched command, from 1 */
} omt_cl_use;

/* Of one buffer. */
typedef struct omt_cl_uses {
	omt_cl_use writer, readers[OMT_CL_READERS];
	int32_t reader_count;
} omt_cl_uses;

typedef struct omt_cl_waits {
	cl_event events[OMT_CL_WAITS]; /* borrowed from uses */
	uint64_t numbers[OMT_CL_WAITS];
	cl_uint count;
} omt_cl_waits;

/* Memory of ours that a transfer uses instead of the caller's: at a multiple of 4 KiB, which XRT
 * moves without a copy of its own. */
typedef struct omt_cl_copy {
	void *memory; /* NULL: the transfer uses the caller's */
	void *to;     /* a read: where it goes once it is done; NULL: a write */
	size_t bytes;
} omt_cl_copy;

/* What a command is, for the report of one that hangs. */
typedef struct omt_cl_task {
	omt_op op;            /* OMT_OP_COUNT: a transfer, or waiting for several commands */
	char name[64];        /* of the kernel */
	int32_t unit, units;  /* from 0 */
	int32_t parts, tiles; /* it makes tiles unit, unit + parts, ... of so many; 1: all */
	int32_t scalars[OMT_OP_MAX_SCALARS];
	double predicted_s, patience_s;
	omt_cl_copy copy;
} omt_cl_task;

typedef struct omt_cl_command {
	cl_event event;
	omt_cl_task task;
	uint64_t waits[OMT_CL_WAITS];
	cl_uint wait_count;
	bool hangs, held; /* has not ended in time; waits for one that has not */
} omt_cl_command;

typedef struct omt_cl_order {
	char card[192]; /* for reports */
	bool watched;
	bool unflushed; /* commands go by themselves: XRT's clFlush() waits for them */
	bool suspect;   /* what was read looks as if nobody was there */
	uint64_t last_mark;
	struct {
		cl_event begin, end; /* of its first task, of all; NULL: none yet */
		uint64_t number;
	} marks[OMT_MARKS];    /* mark m at m % OMT_MARKS */
	omt_cl_command *ring;  /* command n at n % OMT_CL_WATCHED */
	uint64_t oldest, next; /* numbers: the first one that has not ended, of the next one */
	double since_s;        /* that one has been the oldest */
	omt_cl_command *stale; /* given up, given */
	int32_t stale_count;
	uint32_t lost;    /* 1 << op: it hung on this device */
	omt_error failed; /* status OMT_OK: no command has failed */
} omt_cl_order;

/* card: a name for reports; NULL: queues are in order and nothing is watched. */
omt_status omt_cl_order_open(omt_cl_order *order, const char *card, bool unflushed, omt_error *err);
/* Nothing may be in flight but what is stale. */
void omt_cl_order_close(omt_cl_order *order);

/* Adds what a command in `queue` has to wait for before it reads (or writes) a buffer. */
omt_status omt_cl_order_before(const omt_cl_order *order, omt_cl_uses *uses, bool writes,
                               cl_command_queue queue, omt_cl_waits *waits, omt_error *err);
/* Notes that it reads (or writes) the buffer. */
omt_status omt_cl_order_after(omt_cl_order *order, omt_cl_uses *uses, bool writes,
                              const omt_cl_use *use, omt_error *err);
void omt_cl_uses_clear(omt_cl_uses *uses);
/* Waits for them with patience, but takes no action: false: they have not ended. */
bool omt_cl_order_let_end(omt_cl_order *order, const omt_cl_uses *uses);

/* Sends an enqueued command on its way: use->event is taken over by *use, use->queue set before;
 * the caller drops it with omt_cl_use_clear(). task: of a watched one; its copy is taken, also on
 * failure. */
omt_status omt_cl_order_put(omt_cl_order *order, omt_cl_use *use, const omt_cl_waits *waits,
                            const omt_cl_task *task, omt_error *err);
void omt_cl_use_clear(omt_cl_use *use);
/* One use that ends with the last of several. */
omt_status omt_cl_order_join(omt_cl_order *order, const omt_cl_use *uses, int32_t count,
                             omt_cl_use *joined, omt_error *err);
/* Gives the commands from `begin` to `end` a mark; mark NULL: none. */
omt_status omt_cl_order_mark(omt_cl_order *order, const omt_cl_use *begin, const omt_cl_use *end,
                             uint64_t *mark, omt_error *err);

bool omt_cl_order_done(omt_cl_order *order, uint64_t mark);
/* Waits for a mark; on watched devices, for all commands before it, too (0: for all). */
omt_status omt_cl_order_wait(omt_cl_order *order, uint64_t mark, omt_error *err);
/* The same for one watched command. */
omt_status omt_cl_order_wait_for(omt_cl_order *order, uint64_t number, omt_error *err);
double omt_cl_order_elapsed(const omt_cl_order *order, uint64_t first, uint64_t last);

#endif
