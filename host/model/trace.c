/* Chrome's trace-event format ("Trace Event Format", JSON object form): complete events ("X") in
 * microseconds and a name ("M") for each row. */
#include "model/trace.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

struct omt_trace {
	omt_output output;
	double begin_s;
	int32_t workers; /* rows named so far */
	bool failed;     /* no memory: the trace is not whole */
};

static void put_row(omt_trace *trace, const char *end_of_last, int32_t row, const char *name,
                    int32_t number)
{
	FILE *to = trace->output.stream;
	char count[16] = "";
	if (number)
		snprintf(count, sizeof count, " %d", number);
	fprintf(to, "%s\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",", end_of_last,
	        row);
	fprintf(to, "\"args\":{\"name\":\"%s%s\"}},\n", name, count);
	fprintf(to, "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_sort_index\",", row);
	fprintf(to, "\"args\":{\"sort_index\":%d}}", row);
}

omt_status omt_trace_open(const char *path, omt_trace **given, omt_error *err)
{
	static const char *const rows[] = {"device: compute", "device: transfers",
	                                   "compute thread: enqueue, deliver", "filler: pack"};
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
	for (int32_t row = 0; row < OMT_TRACE_WORKER; row++)
		put_row(trace, row ? "," : "", row, rows[row], 0);
	*given = trace;
	return OMT_OK;
}

void omt_trace_span(omt_trace *trace, int32_t row, const char *name, double begin_s, double end_s,
                    const char *format, ...)
{
	va_list list;
	if (!trace)
		return;
	for (; row >= OMT_TRACE_WORKER + trace->workers; trace->workers++)
		put_row(trace, ",", OMT_TRACE_WORKER + trace->workers, "prepare",
		        trace->workers + 1);
	va_start(list, format);
	json_t *args = json_vpack_ex(NULL, 0, format, list);
	va_end(list);
	json_t *event = json_pack("{ss si si sf sf so so}", "ph", "X", "pid", 1, "tid", row, "ts",
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
