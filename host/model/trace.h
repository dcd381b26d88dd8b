/* trace.h - writing the trace of omt_embed() (omt_trace_open(), omnitile.h).
 *
 * Only the compute thread writes, when it delivers a batch: preparation leaves its times in the
 * items, the device in its marks. Without a trace (NULL) nothing is done. */
#ifndef OMT_MODEL_TRACE_H
#define OMT_MODEL_TRACE_H

#include "base/status.h"

/* Rows of the trace; worker i has OMT_TRACE_WORKER + i. */
typedef enum omt_trace_row {
	OMT_TRACE_DEVICE,
	OMT_TRACE_TRANSFERS,
	OMT_TRACE_COMPUTE_THREAD,
	OMT_TRACE_FILLER,
	OMT_TRACE_WORKER
} omt_trace_row;

/* A span of omt_now_s() times; `args` as for jansson's json_pack(), an object. */
void omt_trace_span(omt_trace *trace, int32_t row, const char *name, double begin_s, double end_s,
                    const char *args, ...);

#endif
