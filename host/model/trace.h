/* trace.h - writing the trace of omt_embed() (omt_trace_open(), omnitile.h).
 *
 * Only the calling thread writes, when it delivers a batch: preparation leaves its times in the
 * items, the devices in their marks. Without a trace (NULL) nothing is done. */
#ifndef OMT_MODEL_TRACE_H
#define OMT_MODEL_TRACE_H

#include "base/status.h"
#include "model/pipe.h"

/* A run of omt_embed() as it is written. Rows of threads have no gaps but short ones: what is not
 * work is a span "wait: ...". */
typedef struct omt_tracer {
	omt_trace *trace;
	int32_t devices;
	double filler_s, caller_s;        /* to where the rows of these threads are written, */
	double driver_s[OMT_MAX_DEVICES]; /* and these */
} omt_tracer;

/* The run begins; call when threads are there. */
void omt_tracer_begin(omt_tracer *tracer, omt_trace *trace, int32_t devices, double begin_s);
/* A batch, then its items, then that they are delivered, `seen_s` being when that began. */
void omt_tracer_batch(omt_tracer *tracer, uint64_t batch, const omt_outcome *done);
void omt_tracer_item(omt_tracer *tracer, uint64_t batch, uint64_t item, const omt_work *work);
void omt_tracer_delivered(omt_tracer *tracer, uint64_t batch, double seen_s);
/* All is delivered and all threads have ended; `last` is what the source was asked last, without an
 * item. */
void omt_tracer_end(omt_tracer *tracer, const omt_work *last, double done_s);

#endif
