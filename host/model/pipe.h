/* pipe.h - from a source of items to results in its order: what omt_embed()'s threads share.
 *
 *     source -> workers: decode, preprocess, tokenise -> filler: pack a lane
 *            -> drivers: compute it, one a device (drive.h) -> outcomes, by batch number
 *            -> calling thread: deliver (embed.c)
 *
 * A lane (a batch on the host) goes FREE > FILLING > READY > BUSY, then it is FREE again, or READY
 * if its device failed. Workers run ahead of the filler by one batch and one item each, so that
 * uneven items do not starve the devices; batches between the first one not delivered and the last
 * one packed are bounded by the engine's window: so is memory. One lane means no overlap: then
 * workers wait until its items are delivered.
 *
 * An eager engine ends a lane that is not full once a device has nothing to compute and no READY
 * lane to take, but not between items that the source gives at once (omt_item.more). */
#ifndef OMT_MODEL_PIPE_H
#define OMT_MODEL_PIPE_H

#include <pthread.h>

#include "model/engine_private.h"

/* An item on its way. */
typedef struct omt_work {
	char *id;
	uint64_t line;     /* of the item */
	bool more;         /* the next one follows at once, the source says */
	omt_sample sample; /* arrays are freed once they are in a slot */
	omt_error failed;
	bool ready;
	int32_t tokens;
	uint32_t kinds;
	int32_t worker; /* which prepared it, from 0 */
	/* Its worker had nothing to do, asked the source for it, was given it. */
	double free_s, asked_s, taken_s;
	double begin_s, end_s; /* it was prepared */
	double decode_s;       /* first part of the preparation */
	double fill_begin_s, fill_end_s;
} omt_work;

typedef enum omt_lane_state {
	OMT_LANE_FREE,
	OMT_LANE_FILLING,
	OMT_LANE_READY,
	OMT_LANE_BUSY
} omt_lane_state;

/* A batch and the items in it: indices first .. first + count - 1 of the source. */
typedef struct omt_lane {
	omt_batch *batch;
	omt_lane_state state;
	uint64_t number; /* of the batch, from 0 */
	uint64_t first, count;
	double work;             /* omt_spread_work() */
	double asked_s, given_s; /* the filler wanted it, got it */
	int32_t unit;            /* BUSY: which has it */
} omt_lane;

/* What became of a batch. Times are the host's. */
typedef struct omt_outcome {
	uint64_t first, count;
	float *vectors;   /* [items, hidden] of the items that did not fail before */
	bool done;        /* the driver is done with it: all that follows is set */
	omt_error failed; /* no device was left to compute it */
	int32_t unit, items, tokens;
	double asked_s, given_s; /* as in its lane */
	double enqueue_begin_s, enqueue_end_s;
	/* Upload, computing, download; 0: nothing was computed. */
	double sent_s, arrived_s, begin_s, computed_s, fetched_s, end_s;
} omt_outcome;

/* Who waits for a change of the pipe: each is woken by what it can wait for only, because an item
 * is less work than a few threads that wake in vain. */
typedef enum omt_waiter { OMT_WORKER, OMT_FILLER, OMT_DRIVER, OMT_CALLER, OMT_WAITERS } omt_waiter;

#define OMT_PIPE_NOTES 8

typedef struct omt_pipe {
	omt_engine *engine;
	const omt_source *source;
	omt_work *works; /* ring of `capacity`, by source index */
	uint64_t capacity;
	uint64_t taken, packed, delivered; /* items */
	bool ended;                        /* the source is at its end, */
	omt_work last;                     /* as it said then: times and the worker */
	bool stop;                         /* the run is to end early */
	bool filled;                       /* the filler is done: no further batch */
	omt_lane *lanes;
	int32_t lane_count;
	omt_outcome *outcomes;           /* ring of engine->window, by batch number */
	uint64_t batches, batches_out;   /* packed or being packed; delivered */
	uint64_t ready_items;            /* in batches that were READY, */
	double ready_work;               /* and their work */
	omt_error lost[OMT_MAX_DEVICES]; /* why a unit failed */
	bool lost_told[OMT_MAX_DEVICES];
	omt_error notes[OMT_PIPE_NOTES]; /* for the user, that were not told yet */
	int32_t note_count;              /* later ones than that are left out */
	pthread_mutex_t lock;            /* all of the above */
	pthread_mutex_t source_lock;     /* the source: held while an item is taken */
	pthread_cond_t changed[OMT_WAITERS];
	pthread_t *threads; /* workers, then the filler */
	int32_t thread_count;
	int32_t worker_count; /* that have begun */
} omt_pipe;

omt_status omt_pipe_open(omt_engine *engine, const omt_source *source, omt_pipe *pipe,
                         omt_error *err);
/* Makes every thread end soon. */
void omt_pipe_stop(omt_pipe *pipe);
/* Stops and joins the pipe's threads, frees what is on its way. No driver may run any more. Returns
 * times and worker of the source's last answer. */
omt_work omt_pipe_close(omt_pipe *pipe);

/* ---- for drivers ---- */

/* The next batch for this unit, BUSY from now on. Waits for it, but no longer than until `give_up`
 * says so, which is asked every millisecond, when the engine is eager every 200 us, and the more
 * often the nearer the end of the unit's batch should be by its speed (NULL: never). NULL: none
 * yet, or none will come. A unit that was lost and asks is the last one: it gets every batch, to
 * fail it. */
omt_lane *omt_pipe_take(omt_pipe *pipe, int32_t unit, bool (*give_up)(void *user), void *user);
/* What its driver fills in while the lane is BUSY. */
omt_outcome *omt_pipe_outcome(const omt_pipe *pipe, const omt_lane *lane);
/* The outcome is there: the lane becomes FREE. */
void omt_pipe_done(omt_pipe *pipe, omt_lane *lane);
/* A unit failed: its lanes become READY for the others. Returns how many others there are; none:
 * omt_pipe_regain() or omt_pipe_fail() follows. */
int32_t omt_pipe_lose(omt_pipe *pipe, int32_t unit, const omt_error *why);
void omt_pipe_fail(omt_pipe *pipe, int32_t unit, const omt_error *why);
/* It works again, on another backend, as `note` says: it may have batches. */
void omt_pipe_regain(omt_pipe *pipe, int32_t unit, const omt_error *note);
/* A line for the user. */
void omt_pipe_note(omt_pipe *pipe, const omt_error *note);

/* ---- for the calling thread ---- */

/* The oldest batch not released, once it is done; NULL: all are. */
const omt_outcome *omt_pipe_next(omt_pipe *pipe);
/* Its items are delivered: their places are free. */
void omt_pipe_release(omt_pipe *pipe, const omt_outcome *outcome);
/* A unit that failed since the last call; -1: none. */
int32_t omt_pipe_lost(omt_pipe *pipe, omt_error *why);
/* The oldest line for the user; false: there is none. */
bool omt_pipe_take_note(omt_pipe *pipe, omt_error *note);

omt_work *omt_pipe_work(const omt_pipe *pipe, uint64_t index);

#endif
