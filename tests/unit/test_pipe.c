/* What omt_embed() hides behind compute and how it spreads batches over devices, on models of
 * devices: their time is known, they take no core of this machine, so that the bounds below hold on
 * two busy cores too. */
#include <math.h>
#include <time.h>

#include "base/json.h"
#include "tests/unit/tiny.h"

enum { BATCH = 3, BATCHES = 40, ITEMS = BATCH * BATCHES, SINK_MS = 1 };

/* Every batch is of these, hence takes the same time. */
static const struct {
	omt_kind kind;
	const char *path;
} media[BATCH] = {
	{OMT_IMAGE, DATA "inputs/img_big_640x480.jpg"},
	{OMT_AUDIO, DATA "inputs/aud_speech_16k.wav"},
	{OMT_VIDEO, DATA "inputs/vid_mandel_av.mp4"},
};

typedef struct omt_test_run {
	bool text; /* items without preparation, a sink without delay */
	int given, limit;
	omt_item item;
	omt_part part;
	char id[16];
	omt_embed_stats stats;
	double first_prepare_s, last_compute_s; /* of the first batch, of the last one */
	int received;
} omt_test_run;

static bool next(void *user, const omt_item **item)
{
	omt_test_run *run = user;
	if (run->given == run->limit)
		return false;
	snprintf(run->id, sizeof run->id, "item %d", run->given);
	run->part = (omt_part){.kind = run->text ? OMT_TEXT : media[run->given % BATCH].kind,
	                       .path = media[run->given % BATCH].path,
	                       .text = "a red bird on a branch",
	                       .text_bytes = 22};
	omt_limits_init(&run->part.limits);
	run->item = (omt_item){.id = run->id, .parts = &run->part, .part_count = 1};
	run->given++;
	*item = &run->item;
	return true;
}

/* Stages are there, and whole: what they are is test_stages.c's. */
static void check_stages(const omt_result *r)
{
	double sum_ms = r->queue_ms + r->decode_ms + r->preprocess_ms + r->pack_ms +
	                r->transfer_ms + r->compute_ms;
	cr_expect_float_eq(sum_ms, r->latency_ms, 1e-3);
	cr_expect_float_eq(r->latency_ms, 1e3 * (r->delivered_s - r->taken_s), 1e-6);
	cr_expect(r->queue_ms >= 0 && r->decode_ms >= 0 && r->preprocess_ms > 0 && r->pack_ms > 0 &&
	          r->transfer_ms > 0 && r->compute_ms > 0);
}

static omt_status put(void *user, const omt_result *result, omt_error *error)
{
	omt_test_run *run = user;
	(void)error;
	cr_expect_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	cr_expect_eq(result->index, (uint64_t)run->received);
	cr_expect_eq(result->batch, (uint64_t)(run->received / BATCH));
	for (int32_t i = 0; result->vector && i < result->dimension; i++)
		cr_assert_eq(result->vector[i], 0.0f, "the device model makes zeros");
	check_stages(result);
	if (result->batch == 0)
		run->first_prepare_s += 1e-3 * result->prepare_ms;
	run->last_compute_s = 1e-3 * result->compute_ms;
	run->received++;
	/* A sink takes time, too; the device must not wait for it. */
	if (!run->text)
		nanosleep(&(struct timespec){.tv_nsec = SINK_MS * 1000000}, NULL);
	return OMT_OK;
}

/* A device of `gflops` (and as many GB/s) as a file; kept until the fourth call after. */
static const char *device_file(const char *name, double gflops)
{
	char text[160];
	snprintf(text, sizeof text,
	         "device: test\npeak_gflops: %.9f\nbandwidth_gbs: %.9f\nlink_gbs: 8\n", gflops,
	         gflops);
	return scratch_text(name, text);
}

/* Embeds items on devices, with a trace if a path is given; *described, if not NULL, is given. */
static omt_test_run embed_on(const char *devices, bool text, int32_t slots, int items,
                             const char *trace_path, json_t **described)
{
	omt_test_run run = {.text = text, .limit = items};
	omt_engine *engine;
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.backend = "model";
	options.device = devices;
	options.slots = slots;
	options.batch_items = BATCH;
	if (trace_path)
		cr_assert_eq(omt_trace_open(trace_path, &options.trace, &err), OMT_OK);
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_embed(engine, &(omt_source){next, &run}, &(omt_sink){put, &run},
	                       &run.stats, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_trace_close(options.trace, true, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(run.received, items);
	cr_assert_eq(run.stats.batches, (uint64_t)((items + BATCH - 1) / BATCH));
	if (described) {
		char *json = omt_engine_describe(engine);
		*described = json_loads(json, 0, NULL);
		omt_free(json);
	}
	omt_engine_close(engine);
	return run;
}

static omt_test_run embed(double gflops, int32_t slots, int items, const char *trace_path)
{
	return embed_on(device_file("device.yaml", gflops), false, slots, items, trace_path, NULL);
}

/* The speed at which the device takes `ratio` times as long as preparation does. */
static double speed_for(double ratio)
{
	const double guess = 100;
	embed(1e6, 1, BATCH, NULL); /* codecs and pages are cold */
	omt_test_run one = embed(guess, 1, 2 * BATCH, NULL), two = embed(guess, 1, 2 * BATCH, NULL);
	double prepare_s = fmin(one.stats.prepare_s, two.stats.prepare_s);
	return guess * two.stats.compute_s / (ratio * prepare_s);
}

/* The least wall time of a pipeline of two stages: either the device never waits once the first
 * batch is prepared, or preparation never waits and the last batch is computed after it. That start
 * and that end cannot be hidden; they are what max(prepare, compute) leaves out. */
static double bound_s(const omt_test_run *run)
{
	double prepare_s = run->stats.prepare_s, compute_s = run->stats.compute_s;
	return fmax(run->first_prepare_s + compute_s, prepare_s + run->last_compute_s);
}

static void report(const char *what, const omt_test_run *run)
{
	double most_s = fmax(run->stats.prepare_s, run->stats.compute_s);
	cr_log_info(
		"%s: wall %.3f s, prepare %.3f s, compute %.3f s, hidden %.3f s: wall is %.3f of "
		"max(prepare, compute), %.3f of the bound",
		what, run->stats.wall_s, run->stats.prepare_s, run->stats.compute_s,
		run->stats.hidden_s, run->stats.wall_s / most_s, run->stats.wall_s / bound_s(run));
}

TestSuite(pipe, .init = tiny_open, .fini = tiny_close);

/* With many batches that start and that end are little: the longer stage is the wall time. */
static void expect_hidden(const omt_test_run *run)
{
	double most_s = fmax(run->stats.prepare_s, run->stats.compute_s);
	cr_expect_leq(run->stats.wall_s, 1.05 * bound_s(run));
	cr_expect_leq(run->stats.wall_s, 1.05 * most_s);
}

Test(pipe, two_slots_hide_preparation, .timeout = 300)
{
	double speed = speed_for(1 / 0.6);
	omt_test_run two = embed(speed, 2, ITEMS, NULL), one = embed(speed, 1, ITEMS / 4, NULL);
	report("2 slots", &two);
	report("1 slot", &one);
	expect_hidden(&two);
	/* All but the first batch's. */
	cr_expect_geq(two.stats.hidden_s, 0.95 * (two.stats.prepare_s - two.first_prepare_s));
	/* One slot: the stages take turns. */
	cr_expect_geq(one.stats.wall_s, 0.95 * (one.stats.prepare_s + one.stats.compute_s));
	cr_expect_leq(one.stats.hidden_s, 0.01 * one.stats.prepare_s);
	cr_expect_geq(4 * one.stats.wall_s, 1.2 * two.stats.wall_s);
}

Test(pipe, two_slots_hide_transfers, .timeout = 300)
{
	/* A text's way to this device takes about as long as it computes. */
	enum { TEXTS = 30 * BATCH };
	char *path = strdup(scratch_text(
		"link.yaml",
		"device: test\npeak_gflops: 10\nbandwidth_gbs: 10\nlink_gbs: 0.004\n"));
	omt_test_run two = embed_on(path, true, 2, TEXTS, NULL, NULL);
	omt_test_run one = embed_on(path, true, 1, TEXTS, NULL, NULL);
	cr_log_info("transfers %.3f s, hidden %.3f s, compute %.3f s; 1 slot: hidden %.3f s",
	            two.stats.transfer_s, two.stats.hidden_transfer_s, two.stats.compute_s,
	            one.stats.hidden_transfer_s);
	cr_expect_float_eq(two.stats.transfer_s, one.stats.transfer_s, 0.1 * one.stats.transfer_s);
	cr_expect_geq(two.stats.hidden_transfer_s,
	              0.8 * fmin(two.stats.transfer_s, two.stats.compute_s));
	cr_expect_eq(one.stats.hidden_transfer_s, 0);
	free(path);
}

Test(pipe, two_slots_hide_compute, .timeout = 300)
{
	omt_test_run run = embed(speed_for(0.6), 2, ITEMS, NULL);
	report("2 slots, fast device", &run);
	expect_hidden(&run);
}

/* ---- several devices ---- */

static double of_device(const json_t *described, size_t number, const char *key)
{
	return json_number_value(json_object_get(
		json_array_get(json_object_get(described, "devices"), number), key));
}

Test(pipe, batches_go_by_measured_speed, .timeout = 300)
{
	enum { MANY = 60, TEXTS = MANY * BATCH };
	const double guess = 10, batch_s = 0.016;
	json_t *described;
	char both[1100];
	omt_test_run one = embed_on(device_file("device.yaml", guess), true, 2, BATCH, NULL, NULL);
	const double speed = guess * one.stats.compute_s / batch_s;
	char *fast = strdup(device_file("fast.yaml", speed));
	char *slow = strdup(device_file("slow.yaml", speed / 3));
	omt_test_run alone = embed_on(fast, true, 2, TEXTS, NULL, NULL);
	omt_test_run slower = embed_on(slow, true, 2, TEXTS / 3, NULL, NULL);
	report("fast device", &alone);
	report("slow device, a third of the items", &slower);
	cr_expect_float_eq(alone.stats.wall_s, MANY * batch_s, 0.05 * MANY * batch_s);
	cr_expect_float_eq(slower.stats.wall_s, MANY * batch_s, 0.05 * MANY * batch_s);
	/* All the work by the sum of the speeds, 1 and 1/3, whichever is named first. */
	for (int order = 0; order < 2; order++) {
		snprintf(both, sizeof both, "%s,%s", order ? slow : fast, order ? fast : slow);
		omt_test_run run = embed_on(both, true, 2, TEXTS, NULL, &described);
		const double wall_s = MANY * batch_s * 3 / 4;
		const double share = of_device(described, order == 0, "items") / TEXTS;
		cr_log_info("both: wall %.3f s, %.3f of work by speeds, the slow one had %.3f",
		            run.stats.wall_s, run.stats.wall_s / wall_s, share);
		cr_expect_geq(run.stats.wall_s, 0.99 * wall_s);
		cr_expect_leq(run.stats.wall_s, 1.1 * wall_s);
		cr_expect_float_eq(share, 0.25, 0.05);
		cr_expect_float_eq(of_device(described, 0, "compute_s") +
		                           of_device(described, 1, "compute_s"),
		                   run.stats.compute_s, 1e-6);
		json_decref(described);
	}
	free(fast);
	free(slow);
}

Test(pipe, a_trace_not_committed_leaves_no_file)
{
	omt_trace *trace;
	cr_assert_eq(omt_trace_open(scratch_path("trace.json"), &trace, &err), OMT_OK);
	cr_assert_eq(omt_trace_close(trace, false, &err), OMT_OK);
	cr_assert_eq(scratch_files(false), 0);
	cr_assert_eq(omt_trace_open("nowhere/trace.json", &trace, &err), OMT_IO);
}
