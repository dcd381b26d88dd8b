/* pipe.h - from a source of items to filled slots: what omt_embed() runs beside the device.
 *
 *     source -> workers: decode, preprocess, tokenise -> filler: pack a slot -> compute thread
 *
 * A slot goes FREE > FILLING > READY > BUSY. Workers run ahead of the slots by one batch and one
 * item each, so that uneven items do not starve the device; items taken and not delivered are
 * bounded by that, and so is memory. One slot means no overlap: then workers wait until its items
 * are delivered. Items keep the source's order throughout. */
#ifndef OMT_MODEL_PIPE_H
#define OMT_MODEL_PIPE_H

#include <pthread.h>

#include "model/engine_private.h"

/* An item on its way. */
typedef struct omt_work {
	char *id;
	omt_sample sample; /* arrays are freed once they are in a slot */
	omt_error failed;
	bool ready;
	int32_t tokens;
	uint32_t kinds;
	int32_t worker;                 /* which prepared it, from 0 */
	double taken_s, begin_s, end_s; /* taken from the source; prepared from begin to end */
	double decode_s;                /* first part of the preparation */
	double fill_begin_s, fill_end_s;
} omt_work;

typedef enum omt_lane_state {
	OMT_LANE_FREE,
	OMT_LANE_FILLING,
	OMT_LANE_READY,
	OMT_LANE_BUSY
} omt_lane_state;

/* A slot and the items in it: indices first .. first + count - 1 of the source. */
typedef struct omt_lane {
	omt_slot *slot;
	omt_lane_state state;
	uint64_t first, count;
} omt_lane;

typedef struct omt_pipe {
	omt_engine *engine;
	const omt_source *source;
	omt_work *works; /* ring of `capacity`, by source index */
	uint64_t capacity;
	uint64_t taken, delivered; /* items */
	bool ended;                /* the source is at its end */
	bool stop;                 /* the run is to end early */
	bool filled;               /* the filler is done: no further lane becomes READY */
	omt_lane *lanes;
	int32_t lane_count;
	pthread_mutex_t lock;        /* all of the above */
	pthread_mutex_t source_lock; /* the source: held while an item is taken */
	pthread_cond_t changed;
	pthread_t *threads; /* workers, then the filler */
	int32_t thread_count;
	int32_t worker_count; /* that have begun */
} omt_pipe;

omt_status omt_pipe_open(omt_engine *engine, const omt_source *source, omt_pipe *pipe,
                         omt_error *err);
/* Stops and joins the threads, frees what is on its way. */
void omt_pipe_close(omt_pipe *pipe);

/* The next READY lane in order (lanes are used round-robin). Waits for it, but no longer than until
 * `give_up` says so (asked every OMT_PIPE_POLL_MS; NULL: never). NULL: none yet, or none will come.
 */
#define OMT_PIPE_POLL_MS 1
omt_lane *omt_pipe_ready(omt_pipe *pipe, int32_t lane, bool (*give_up)(void *user), void *user);
/* A lane's items are delivered: it becomes FREE and its items' places too. */
void omt_pipe_release(omt_pipe *pipe, omt_lane *lane);

omt_work *omt_pipe_work(const omt_pipe *pipe, uint64_t index);

#endif
