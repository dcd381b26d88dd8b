/* The trace of a run: what it says of each item, and that it explains where the time went. Bounds
 * on time are in suite pipe, which has the machine to itself. */
#include <math.h>
#include <time.h>

#include "base/json.h"
#include "tests/unit/tiny.h"

enum { BATCH = 3, MOST = 4096, NOISE_US = 20 };

static const struct {
	omt_kind kind;
	const char *path;
} media[BATCH] = {
	{OMT_IMAGE, DATA "inputs/img_big_640x480.jpg"},
	{OMT_AUDIO, DATA "inputs/aud_speech_16k.wav"},
	{OMT_TEXT, "a text"},
};

typedef struct omt_test_run {
	int given, limit;
	bool text;
	double pace_s; /* the source waits so long before each item */
	omt_item item;
	omt_part part;
	char id[32];
	omt_embed_stats stats;
} omt_test_run;

/* A span, in microseconds. */
typedef struct omt_test_span {
	const char *row, *name;
	double begin, end;
	const json_t *args;
} omt_test_span;

static omt_test_span spans[MOST];
static size_t span_count;

static bool next(void *user, const omt_item **item)
{
	omt_test_run *run = user;
	const int i = run->given % BATCH;
	if (run->given == run->limit)
		return false;
	if (run->pace_s > 0)
		nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * run->pace_s)}, NULL);
	snprintf(run->id, sizeof run->id, "item \"%d\"", run->given);
	run->part = (omt_part){.kind = run->text ? OMT_TEXT : media[i].kind,
	                       .path = media[i].path,
	                       .text = "a red bird on a branch",
	                       .text_bytes = 22};
	omt_limits_init(&run->part.limits);
	run->item = (omt_item){.id = run->id, .parts = &run->part, .part_count = 1};
	run->given++;
	*item = &run->item;
	return true;
}

static omt_status put(void *user, const omt_result *result, omt_error *error)
{
	(void)user;
	(void)error;
	cr_expect_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	return OMT_OK;
}

/* Every span of the trace with the name of its row; the JSON is what they borrow from. */
static json_t *load_spans(const char *path)
{
	static const char *rows[4096];
	json_t *trace;
	const json_t *event;
	size_t i;
	memset(rows, 0, sizeof rows);
	span_count = 0;
	cr_assert_eq(omt_json_load(path, 1 << 24, &trace, &err), OMT_OK, "%s", err.text);
	json_array_foreach(json_object_get(trace, "traceEvents"), i, event)
	{
		const json_t *args = json_object_get(event, "args");
		const char *name = json_string_value(json_object_get(event, "name"));
		const json_int_t tid = json_integer_value(json_object_get(event, "tid"));
		const double begin = json_number_value(json_object_get(event, "ts"));
		const double length = json_number_value(json_object_get(event, "dur"));
		if (!strcmp(name, "thread_name"))
			rows[tid] = json_string_value(json_object_get(args, "name"));
		if (*json_string_value(json_object_get(event, "ph")) != 'X')
			continue;
		cr_assert_lt(span_count, MOST);
		cr_assert_not_null(rows[tid]);
		cr_expect_geq(length, 0);
		spans[span_count++] = (omt_test_span){rows[tid], name, begin, begin + length, args};
	}
	return trace;
}

static json_t *embed(const char *backend, const char *device, int32_t slots, bool eager,
                     omt_test_run *run)
{
	const char *path = scratch_path("trace.json");
	omt_engine *engine;
	omt_engine_options options = tiny_options(backend, device, slots, BATCH, eager);
	cr_assert_eq(omt_trace_open(path, &options.trace, &err), OMT_OK);
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_embed(engine, &(omt_source){next, run}, &(omt_sink){put, run}, &run->stats,
	                       &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_trace_close(options.trace, true, &err), OMT_OK, "%s", err.text);
	omt_engine_close(engine);
	return load_spans(path);
}

static const char *device_file(double gflops)
{
	char text[160];
	snprintf(text, sizeof text,
	         "device: test\npeak_gflops: %.9f\nbandwidth_gbs: %.9f\nlink_gbs: 1\n", gflops,
	         gflops);
	return scratch_text("device.yaml", text);
}

TestSuite(trace, .init = tiny_open, .fini = tiny_close);

/* The n-th span of a row with this name; NULL for any name, or if there is none. */
static const omt_test_span *span_of(const char *row, const char *name, int n)
{
	for (size_t i = 0; i < span_count; i++)
		if (!strcmp(spans[i].row, row) && (!name || !strcmp(spans[i].name, name)) && !n--)
			return &spans[i];
	return NULL;
}

static double sum_of(const char *row, const char *prefix)
{
	double sum = 0;
	for (size_t i = 0; i < span_count; i++)
		if (!strcmp(spans[i].row, row) && !strncmp(spans[i].name, prefix, strlen(prefix)))
			sum += spans[i].end - spans[i].begin;
	return sum;
}

static double argument(const omt_test_span *span, const char *key)
{
	return json_number_value(json_object_get(span->args, key));
}

/* From the source to its delivery an item's spans are there, one after another. */
static void expect_in_order(int item)
{
	char name[32], batch[32];
	snprintf(name, sizeof name, "item \"%d\"", item);
	const omt_test_span *source = span_of("worker 1", "source", item);
	const omt_test_span *prepared = span_of("worker 1", name, 0);
	const omt_test_span *packed = span_of("filler", name, 0);
	cr_assert(source && prepared && packed, "%s", name);
	snprintf(batch, sizeof batch, "batch %.0f", argument(packed, "batch"));
	const omt_test_span *sent = span_of("device 1: upload", batch, 0);
	const omt_test_span *computed = span_of("device 1: compute", batch, 0);
	const omt_test_span *fetched = span_of("device 1: download", batch, 0);
	const omt_test_span *delivered =
		span_of("caller", "deliver", (int)argument(packed, "batch"));
	cr_assert(sent && computed && fetched && delivered, "%s", batch);
	const omt_test_span *const order[] = {source,   prepared, packed,   sent,
	                                      computed, fetched,  delivered};
	for (size_t i = 1; i < sizeof order / sizeof *order; i++)
		cr_expect_geq(order[i]->begin + NOISE_US,
		              order[i] == computed ? order[i - 1]->begin : order[i - 1]->end,
		              "%s: %s after %s", name, order[i]->row, order[i - 1]->row);
}

Test(trace, items_and_batches)
{
	omt_test_run run = {.limit = 3 * BATCH};
	json_t *trace = embed("model", device_file(20), 2, false, &run);
	for (int i = 0; i < run.limit; i++)
		expect_in_order(i);
	cr_expect_float_eq(1e-6 * sum_of("device 1: compute", ""), run.stats.compute_s, 1e-4);
	cr_expect_float_eq(
		1e-6 * (sum_of("device 1: upload", "") + sum_of("device 1: download", "")),
		run.stats.transfer_s, 1e-4);
	cr_expect_float_eq(1e-6 * (sum_of("worker 1", "item") + sum_of("filler", "item")),
	                   run.stats.prepare_s, 1e-4);
	/* Of each item decoding and the rest, in it. */
	const omt_test_span *item = span_of("worker 1", "item \"1\"", 0);
	const omt_test_span *decode = span_of("worker 1", "decode", 1);
	const omt_test_span *rest = span_of("worker 1", "preprocess", 1);
	cr_expect(decode->begin >= item->begin && decode->end <= rest->begin + 0.01 &&
	          rest->end <= item->end + 0.01 && decode->end > decode->begin);
	cr_expect_eq(argument(span_of("device 1: compute", "batch 2", 0), "items"), BATCH);
	cr_expect_not_null(span_of("device 1: driver", "batch 2", 0));
	json_decref(trace);
}

static int compare(const void *a, const void *b)
{
	const omt_test_span *x = a, *y = b;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* The part of the run's wall time during which a stage ran or the source was waited for: the union
 * of all spans but those of other waiting, and of beginning and ending. */
static double explained(const omt_test_run *run)
{
	double sum = 0, to = -INFINITY;
	qsort(spans, span_count, sizeof *spans, compare);
	for (size_t i = 0; i < span_count; i++) {
		const omt_test_span *s = &spans[i];
		if (!strncmp(s->name, "wait: ", 6) || !strcmp(s->name, "begin") ||
		    !strcmp(s->name, "end"))
			continue;
		sum += fmax(s->end - fmax(s->begin, to), 0);
		to = fmax(to, s->end);
	}
	return 1e-6 * sum / run->stats.wall_s;
}

/* The part of a row, between its first and its last span, that spans cover. */
static double covered(const char *row)
{
	double sum = 0, from = INFINITY, to = -INFINITY;
	for (size_t i = 0; i < span_count; i++) {
		const omt_test_span *s = &spans[i];
		if (strcmp(s->row, row))
			continue;
		from = fmin(from, s->begin);
		sum += fmax(s->end - fmax(s->begin, to), 0);
		to = fmax(to, s->end);
	}
	return sum / (to - from);
}

Test(pipe, a_trace_explains_the_wall_time, .init = tiny_open, .fini = tiny_close, .timeout = 120)
{
	static const char *const rows[] = {"worker 1", "filler", "device 1: driver", "caller"};
	static const struct {
		const char *what, *backend;
		double gflops;
		omt_test_run run;
		int32_t slots;
		bool eager;
	} cases[] = {
		{"model, device is slow", "model", 60, {.limit = 60}, 2, false},
		{"model, device is fast", "model", 1e4, {.limit = 240}, 2, false},
		{"model, one slot", "model", 60, {.limit = 60}, 1, false},
		{"ref", "ref", 0, {.limit = 12}, 2, false},
		{"ref, arrivals", "ref", 0, {.limit = 100, .text = true, .pace_s = 4e-3}, 2, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *what = cases[i].what;
		const double gflops = cases[i].gflops;
		double part = 0;
		/* Once more if something else took the cores when threads were to wake. */
		for (int tries = 0; tries < 3 && part < 0.97; tries++) {
			omt_test_run run = cases[i].run;
			json_t *trace =
				embed(cases[i].backend, gflops > 0 ? device_file(gflops) : NULL,
			              cases[i].slots, cases[i].eager, &run);
			part = explained(&run);
			cr_log_info("%s: %.3f s, %.4f explained", what, run.stats.wall_s, part);
			for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
				cr_expect_geq(covered(rows[row]), 0.99, "%s: %s", what, rows[row]);
			json_decref(trace);
		}
		cr_expect(part >= 0.97 && part < 1.0001, "%s", what);
	}
}
