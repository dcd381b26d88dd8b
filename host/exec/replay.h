/* replay.h - what a device that may stall was told to do, to have it done again.
 *
 * Every command is kept until a wait says that it is done. When the device stalls (OMT_STALLED,
 * exec/backend.h), the commands are given to it again from the first one on: ops that it does not
 * support any more go to the next backend of the chain. Two rules make the second time give what
 * the first would have:
 *  - Commands are forgotten only up to a write of the host, or up to the last use of a buffer that
 *    goes away: what ops read of buffers that ops write was written by ops since then, so that none
 *    needs what a stall has left undefined.
 *  - What the host has waited for is its own again: a write or a read that is done is not made
 *    twice, ops are. A buffer that was written, waited for, read by ops and written again before
 *    these were waited for cannot be had back; then there is no second time.
 *
 * Marks are numbers of this log, which stay valid when a command is given again. */
#ifndef OMT_EXEC_REPLAY_H
#define OMT_EXEC_REPLAY_H

#include "exec/backend.h"

typedef enum omt_step_kind { OMT_STEP_RUN, OMT_STEP_WRITE, OMT_STEP_READ } omt_step_kind;

typedef struct omt_step {
	omt_step_kind kind;
	bool done;     /* a wait has said so */
	uint64_t mark; /* of the log; 0: none */
	omt_op op;
	omt_op_any_args args; /* OMT_STEP_RUN */
	/* The others: */
	omt_buffer *buffer;
	size_t offset, bytes;
	void *data; /* OMT_STEP_WRITE only reads it */
} omt_step;

/* Gives the step to the device; *mark is the device's, if the step has one. */
typedef omt_status (*omt_step_do)(void *user, const omt_step *step, uint64_t *mark, omt_error *err);

typedef struct omt_replay omt_replay;

omt_status omt_replay_open(omt_replay **replay, omt_error *err);
void omt_replay_close(omt_replay *replay);

/* Keeps a step and gives it to the device; mark (if not NULL) gets its mark. */
omt_status omt_replay_step(omt_replay *replay, omt_step *step, omt_step_do give, void *user,
                           uint64_t *mark, omt_error *err);
/* The device's mark for one of the log; 0: it is forgotten, or was never given. */
uint64_t omt_replay_mark(const omt_replay *replay, uint64_t mark);
/* The device is done with all steps up to a mark's; 0: with all. */
void omt_replay_done(omt_replay *replay, uint64_t mark);
/* Whether a step that is not done uses a buffer. */
bool omt_replay_uses(const omt_replay *replay, const omt_buffer *buffer);
/* A buffer goes away: so do the steps up to the last one that uses it, which are done. */
void omt_replay_forget(omt_replay *replay, const omt_buffer *buffer);
/* Gives all steps again; the caller waits for them. */
omt_status omt_replay_again(omt_replay *replay, omt_step_do give, void *user, omt_error *err);

/* Lines for the user; false: there is none. */
void omt_replay_note(omt_replay *replay, const char *text);
bool omt_replay_take_note(omt_replay *replay, omt_error *note);

#endif
