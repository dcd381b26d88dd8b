/* trace.h - writing the trace of omt_embed() (omt_trace_open(), omnitile.h).
 *
 * Only the calling thread writes, when it delivers a batch: preparation leaves its times in the
 * items, the devices in their marks. Without a trace (NULL) nothing is done. */
#ifndef OMT_MODEL_TRACE_H
#define OMT_MODEL_TRACE_H

#include "base/status.h"

/* Rows of the trace: three a device, one each for the filler and for delivery, one a preparation
 * thread. */
typedef enum omt_trace_row {
	OMT_TRACE_COMPUTE,
	OMT_TRACE_TRANSFERS,
	OMT_TRACE_ENQUEUE,
	OMT_TRACE_FILLER,
	OMT_TRACE_DELIVER,
	OMT_TRACE_PREPARE
} omt_trace_row;

/* A span of omt_now_s() times in a row of device or thread `index`, from 0; `args` as for jansson's
 * json_pack(), an object. */
void omt_trace_span(omt_trace *trace, omt_trace_row row, int32_t index, const char *name,
                    double begin_s, double end_s, const char *args, ...);

#endif
