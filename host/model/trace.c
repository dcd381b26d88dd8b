/* Chrome's trace-event format ("Trace Event Format", JSON object form): complete events ("X") in
 * microseconds and a name ("M") for each row. */
#include "model/trace.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/numeric.h"

/* Rows of the trace: one a queue of a device, one a thread of the host. */
typedef enum omt_trace_row {
	OMT_TRACE_COMPUTE,
	OMT_TRACE_UPLOAD,
	OMT_TRACE_DOWNLOAD,
	OMT_TRACE_DRIVER,
	OMT_TRACE_FILLER,
	OMT_TRACE_CALLER,
	OMT_TRACE_WORKER
} omt_trace_row;

/* Rows by number: those of devices, device by device, then the others. */
#define DEVICE_ROWS (OMT_TRACE_FILLER * OMT_MAX_DEVICES)
#define ROWS        (DEVICE_ROWS + OMT_TRACE_WORKER - OMT_TRACE_FILLER + 256)

/* A shorter gap is no waiting: taking a lock, reading the clock. */
#define LEAST_WAIT_S 2e-6

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
	                                    "device %d: upload",
	                                    "device %d: download",
	                                    "device %d: driver",
	                                    "filler",
	                                    "caller",
	                                    "worker %d"};
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

/* An id may hold anything. */
static void put_name(omt_trace *trace, const char *name)
{
	const unsigned char *at = (const unsigned char *)name;
	while (*at >= ' ' && *at < 127 && *at != '"' && *at != '\\')
		at++;
	if (!*at) {
		fprintf(trace->output.stream, "\"%s\"", name);
		return;
	}
	json_t *json = omt_json_text(name);
	char *text = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
	fputs(text ? text : "\"\"", trace->output.stream);
	trace->failed = trace->failed || !text;
	free(text);
	json_decref(json);
}

/* A span of omt_now_s() times in a row of device or worker `index`, from 0; `args` as for printf(),
 * what stands in a JSON object. */
static void put_span(omt_trace *trace, omt_trace_row row, int32_t index, const char *name,
                     double begin_s, double end_s, const char *args, ...) OMT_PRINTF(7, 8);
static void put_span(omt_trace *trace, omt_trace_row row, int32_t index, const char *name,
                     double begin_s, double end_s, const char *args, ...)
{
	const int32_t tid = row < OMT_TRACE_FILLER
	                            ? OMT_TRACE_FILLER * index + (int32_t)row
	                            : DEVICE_ROWS + (int32_t)(row - OMT_TRACE_FILLER) + index;
	va_list list;
	if (!trace)
		return;
	const locale_t before = omt_numeric_begin();
	FILE *to = trace->output.stream;
	if (!trace->named[tid])
		put_row(trace, tid, row, index);
	fprintf(to, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":", tid,
	        1e6 * (begin_s - trace->begin_s), 1e6 * fmax(end_s - begin_s, 0));
	put_name(trace, name);
	fputs(",\"args\":{", to);
	va_start(list, args);
	vfprintf(to, args, list);
	va_end(list);
	fputs("}}", to);
	omt_numeric_end(before);
}

void omt_trace_mark(omt_trace *trace, const char *name, double begin_s, double end_s)
{
	put_span(trace, OMT_TRACE_CALLER, 0, name, begin_s, end_s, "%s", "");
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

/* ---- a run ---- */

static void put_wait(omt_trace *trace, omt_trace_row row, int32_t index, const char *name,
                     double begin_s, double end_s)
{
	if (end_s - begin_s >= LEAST_WAIT_S)
		put_span(trace, row, index, name, begin_s, end_s, "%s", "");
}

void omt_tracer_begin(omt_tracer *tracer, omt_trace *trace, int32_t devices, double begin_s)
{
	const double now_s = omt_now_s();
	*tracer = (omt_tracer){
		.trace = trace, .devices = devices, .filler_s = now_s, .caller_s = now_s};
	for (int32_t i = 0; i < OMT_MAX_DEVICES; i++)
		tracer->driver_s[i] = now_s;
	put_span(trace, OMT_TRACE_CALLER, 0, "begin", begin_s, now_s, "%s", "");
}

/* What a worker waited for and what the source took, before it had an item. */
static void put_asking(omt_trace *trace, const omt_work *work)
{
	put_wait(trace, OMT_TRACE_WORKER, work->worker, "wait: turn", work->free_s, work->asked_s);
	put_span(trace, OMT_TRACE_WORKER, work->worker, "source", work->asked_s, work->taken_s,
	         "%s", "");
}

void omt_tracer_item(omt_tracer *tracer, uint64_t batch, uint64_t item, const omt_work *work)
{
	omt_trace *trace = tracer->trace;
	const bool prepared = work->fill_end_s > 0;
	const double decoded_s = work->begin_s + work->decode_s;
	if (!trace)
		return;
	put_asking(trace, work);
	put_span(trace, OMT_TRACE_WORKER, work->worker, "copy", work->taken_s, work->begin_s, "%s",
	         "");
	put_span(trace, OMT_TRACE_WORKER, work->worker, work->id, work->begin_s, work->end_s,
	         "\"item\":%llu,\"tokens\":%d,\"failed\":%s,\"batch\":%llu",
	         (unsigned long long)item, work->tokens,
	         work->failed.status == OMT_OK ? "false" : "true", (unsigned long long)batch);
	if (!prepared)
		return;
	if (work->decode_s > 0)
		put_span(trace, OMT_TRACE_WORKER, work->worker, "decode", work->begin_s, decoded_s,
		         "%s", "");
	put_span(trace, OMT_TRACE_WORKER, work->worker, "preprocess", decoded_s, work->end_s, "%s",
	         "");
	put_wait(trace, OMT_TRACE_FILLER, 0, "wait: item", tracer->filler_s, work->fill_begin_s);
	put_span(trace, OMT_TRACE_FILLER, 0, work->id, work->fill_begin_s, work->fill_end_s,
	         "\"item\":%llu,\"batch\":%llu", (unsigned long long)item,
	         (unsigned long long)batch);
	tracer->filler_s = work->fill_end_s;
}

void omt_tracer_batch(omt_tracer *tracer, uint64_t batch, const omt_outcome *done)
{
	omt_trace *trace = tracer->trace;
	double *driver_s = &tracer->driver_s[done->unit];
	char name[32];
	if (!trace)
		return;
	put_wait(trace, OMT_TRACE_FILLER, 0, "wait: item", tracer->filler_s, done->asked_s);
	put_wait(trace, OMT_TRACE_FILLER, 0, "wait: free batch",
	         fmax(tracer->filler_s, done->asked_s), done->given_s);
	tracer->filler_s = fmax(tracer->filler_s, done->given_s);
	if (done->end_s <= 0)
		return;
	snprintf(name, sizeof name, "batch %llu", (unsigned long long)batch);
	put_wait(trace, OMT_TRACE_DRIVER, done->unit, "wait: batch or device", *driver_s,
	         done->enqueue_begin_s);
	*driver_s = done->enqueue_end_s;
	put_span(trace, OMT_TRACE_DRIVER, done->unit, name, done->enqueue_begin_s,
	         done->enqueue_end_s, "\"items\":%d", done->items);
	put_span(trace, OMT_TRACE_COMPUTE, done->unit, name, done->begin_s, done->computed_s,
	         "\"items\":%d,\"tokens\":%d", done->items, done->tokens);
	put_span(trace, OMT_TRACE_UPLOAD, done->unit, name, done->sent_s, done->arrived_s,
	         "\"items\":%d", done->items);
	put_span(trace, OMT_TRACE_DOWNLOAD, done->unit, name, done->fetched_s, done->end_s,
	         "\"items\":%d", done->items);
}

void omt_tracer_delivered(omt_tracer *tracer, uint64_t batch, double seen_s)
{
	const double now_s = omt_now_s();
	if (!tracer->trace)
		return;
	put_wait(tracer->trace, OMT_TRACE_CALLER, 0, "wait: results", tracer->caller_s, seen_s);
	put_span(tracer->trace, OMT_TRACE_CALLER, 0, "deliver", seen_s, now_s, "\"batch\":%llu",
	         (unsigned long long)batch);
	tracer->caller_s = now_s;
}

void omt_tracer_end(omt_tracer *tracer, const omt_work *last, double done_s)
{
	if (!tracer->trace)
		return;
	if (last->taken_s > 0)
		put_asking(tracer->trace, last);
	for (int32_t i = 0; i < tracer->devices; i++)
		put_wait(tracer->trace, OMT_TRACE_DRIVER, i, "wait: batch or device",
		         tracer->driver_s[i], done_s);
	put_wait(tracer->trace, OMT_TRACE_CALLER, 0, "wait: results", tracer->caller_s, done_s);
	put_span(tracer->trace, OMT_TRACE_CALLER, 0, "end", done_s, omt_now_s(), "%s", "");
}
