/* drive.h - a thread for each device of an engine that takes batches of a pipe and computes them.
 *
 * It enqueues batch n + 1 before it waits for batch n, so that the device never idles while a batch
 * is ready. A thread each, because enqueuing may take as long as computing (backends of the host,
 * an op that falls back to one, runtimes whose queues are full) and must not keep another device
 * waiting. A device that fails gives its batches back; the last one's driver goes on with the next
 * backend of its chain, or stays and fails all. */
#ifndef OMT_MODEL_DRIVE_H
#define OMT_MODEL_DRIVE_H

#include "model/pipe.h"

/* A batch on the device. */
typedef struct omt_flight {
	omt_lane *lane; /* NULL: none */
	omt_slot *slot;
} omt_flight;

typedef struct omt_driver {
	omt_pipe *pipe;
	omt_unit *unit;
	int32_t number; /* of the unit */
	omt_flight flying;
	int32_t turn; /* of the unit's slots */
	/* The last batch's first op, when it began by the device's clock (which begins with the
	 * run), and what to add for the host's. */
	struct {
		uint64_t first;
		double begin_s, offset_s;
	} clock;
	pthread_t thread;
} omt_driver;

/* drivers[]: as many as the engine has units; *count of them run. After an error, too, they are to
 * be joined. */
omt_status omt_drivers_start(omt_pipe *pipe, omt_driver *drivers, int32_t *count, omt_error *err);
/* They end with the pipe: when all batches are done or it was stopped. */
void omt_drivers_join(omt_driver *drivers, int32_t count);

#endif
