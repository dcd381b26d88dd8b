/* Chrome's trace-event format ("Trace Event Format", JSON object form): complete events ("X") in
 * microseconds and a name ("M") for each row. */
#include "model/trace.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "exec/backend.h"

/* Rows by number: those of devices, device by device, then the others. */
#define DEVICE_ROWS (OMT_TRACE_FILLER * OMT_MAX_DEVICES)
#define ROWS        (DEVICE_ROWS + OMT_TRACE_PREPARE - OMT_TRACE_FILLER + 256)

struct omt_trace {
	omt_output output;
	double begin_s;
	bool begun, named[ROWS];
	bool failed; /* no memory: the trace is not whole */
};

/* Names a row before its first span. */
static void put_row(omt_trace *trace, int32_t tid, omt_trace_row row, int32_t index)
{
	static const char *const names[] = {"device %d: compute",
	                                    "device %d: transfers",
	                                    "device %d: enqueue",
	                                    "filler: pack",
	                                    "deliver",
	                                    "prepare %d"};
	FILE *to = trace->output.stream;
	const char *comma = trace->begun ? "," : "";
	trace->begun = trace->named[tid] = true;
	fprintf(to, "%s\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",", comma, tid);
	fprintf(to, "\"args\":{\"name\":\"");
	fprintf(to, names[row], index + 1);
	fprintf(to, "\"}},\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_sort_index\",",
	        tid);
	fprintf(to, "\"args\":{\"sort_index\":%d}}", tid);
}

omt_status omt_trace_open(const char *path, omt_trace **given, omt_error *err)
{
	*given = NULL;
	omt_trace *trace = calloc(1, sizeof *trace);
	if (!trace)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	omt_status status = omt_output_open(path, &trace->output, err);
	if (status != OMT_OK) {
		free(trace);
		return status;
	}
	trace->begin_s = omt_now_s();
	fprintf(trace->output.stream, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
	*given = trace;
	return OMT_OK;
}

void omt_trace_span(omt_trace *trace, omt_trace_row row, int32_t index, const char *name,
                    double begin_s, double end_s, const char *format, ...)
{
	const int32_t tid = row < OMT_TRACE_FILLER
	                            ? OMT_TRACE_FILLER * index + (int32_t)row
	                            : DEVICE_ROWS + (int32_t)(row - OMT_TRACE_FILLER) + index;
	va_list list;
	if (!trace)
		return;
	if (!trace->named[tid])
		put_row(trace, tid, row, index);
	va_start(list, format);
	json_t *args = json_vpack_ex(NULL, 0, format, list);
	va_end(list);
	json_t *event = json_pack("{ss si si sf sf so so}", "ph", "X", "pid", 1, "tid", tid, "ts",
	                          1e6 * (begin_s - trace->begin_s), "dur", 1e6 * (end_s - begin_s),
	                          "name", omt_json_text(name), "args", args);
	char *text = event ? json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	if (text)
		fprintf(trace->output.stream, ",\n%s", text);
	else
		trace->failed = true;
	free(text);
	json_decref(event);
}

omt_status omt_trace_close(omt_trace *trace, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	if (!trace)
		return OMT_OK;
	fprintf(trace->output.stream, "\n]}\n");
	if (commit && trace->failed)
		status = OMT_FAIL(err, NO_MEMORY, "%s", trace->output.path);
	commit = commit && status == OMT_OK;
	omt_status closed = omt_output_close(&trace->output, commit, err);
	free(trace);
	return status == OMT_OK ? closed : status;
}
