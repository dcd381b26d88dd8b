/* Items that arrive over time: an eager engine sends a batch as soon as a device is free. On models
 * of a device, whose time is known; the source waits as arrivals do. */
#include <math.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/median.h"
#include "tests/unit/tiny.h"

enum { BATCH = 4, MOST = 512, DIMENSION = 256 };

typedef struct omt_test_arrivals {
	int limit;     /* items */
	double pace_s; /* an item arrives so long after the last one; 0: all are there */
	int burst;     /* so many come at once, when all before are delivered; 0: no bursts */
	int pause_at;  /* all before this item are delivered before it arrives; 0: no pause */
	double begin_s;
	omt_item item;
	omt_part part;
	int given;
	atomic_int received;
	bool in_time; /* they were */
	bool fails;   /* the device is lost with its first batch */
	double latency_ms[MOST], queue_ms[MOST];
	float vectors[MOST][DIMENSION];
	omt_embed_stats stats;
} omt_test_arrivals;

static void wait_until(double time_s)
{
	const double left_s = time_s - omt_now_s();
	if (left_s > 0)
		nanosleep(&(struct timespec){.tv_sec = (time_t)left_s,
		                             .tv_nsec = (long)(1e9 * (left_s - floor(left_s)))},
		          NULL);
}

static bool next(void *user, const omt_item **item)
{
	omt_test_arrivals *run = user;
	if (run->given == run->limit)
		return false;
	wait_until(run->begin_s + run->pace_s * run->given);
	const bool starts = run->burst && run->given % run->burst == 0;
	if (starts || (run->pause_at && run->given == run->pause_at)) {
		for (int i = 0; i < 2000 && atomic_load(&run->received) < run->given; i++)
			wait_until(omt_now_s() + 1e-3);
		run->in_time = atomic_load(&run->received) == run->given;
	}
	run->part = (omt_part){.kind = OMT_TEXT,
	                       .text = "a red bird on a branch of a tree",
	                       .text_bytes = 12 + (size_t)run->given % 20};
	omt_limits_init(&run->part.limits);
	run->item = (omt_item){.id = "i", .parts = &run->part, .part_count = 1};
	run->given++;
	run->item.more = run->burst && run->given % run->burst != 0;
	*item = &run->item;
	return true;
}

static omt_status put(void *user, const omt_result *result, omt_error *error)
{
	omt_test_arrivals *run = user;
	const int i = atomic_load(&run->received);
	(void)error;
	cr_assert_eq(result->failed.status, run->fails ? OMT_DEVICE : OMT_OK, "%s",
	             result->failed.text);
	cr_assert_eq(result->index, (uint64_t)i);
	cr_assert_leq(result->dimension, DIMENSION);
	if (result->vector)
		memcpy(run->vectors[i], result->vector, (size_t)result->dimension * sizeof(float));
	run->latency_ms[i] = result->latency_ms;
	run->queue_ms[i] = result->queue_ms;
	atomic_store(&run->received, i + 1);
	return OMT_OK;
}

static void embed(const char *backend, const char *device, int32_t slots, bool eager,
                  omt_test_arrivals *run)
{
	omt_engine *engine;
	omt_engine_options options = tiny_options(backend, device, slots, BATCH, eager);
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	run->begin_s = omt_now_s();
	cr_assert_eq(omt_embed(engine, &(omt_source){next, run}, &(omt_sink){put, run}, &run->stats,
	                       &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(atomic_load(&run->received), run->limit);
	omt_engine_close(engine);
}

/* A device that computes a batch of one in about so long. */
static const char *device_of(double batch_s)
{
	static omt_test_arrivals one;
	const double guess = 10;
	char text[160];
	one = (omt_test_arrivals){.limit = 1};
	for (double gflops = guess;; gflops *= one.stats.compute_s / batch_s) {
		snprintf(text, sizeof text,
		         "device: test\npeak_gflops: %.9f\nbandwidth_gbs: %.9f\nlink_gbs: 8\n",
		         gflops, gflops);
		const char *path = scratch_text("device.yaml", text);
		if (gflops != guess)
			return path;
		embed("model", path, 2, false, &one);
	}
}

/* Bounds on time are in suite pipe, which has the machine to itself. */
TestSuite(eager, .init = tiny_open, .fini = tiny_close);

static omt_test_arrivals run, other;

Test(eager, nothing_waits_for_a_source_that_waits)
{
	const char *device = device_of(2e-3);
	for (int32_t slots = 1; slots <= 2; slots++) {
		run = (omt_test_arrivals){.limit = 9, .pause_at = 6};
		embed("model", device, slots, true, &run);
		cr_expect(run.in_time, "%d slots: two batches of three go on their own", slots);
	}
}

Test(eager, full_batches_when_items_wait)
{
	run = (omt_test_arrivals){.limit = 80};
	embed("model", device_of(4e-3), 2, true, &run);
	cr_log_info("%llu batches of %d items", (unsigned long long)run.stats.batches, run.limit);
	cr_expect_leq(run.stats.batches, 80 / BATCH + 2);
}

Test(eager, same_vectors_in_the_same_order)
{
	omt_test_arrivals *const runs[] = {&run, &other};
	for (int eager = 0; eager < 2; eager++) {
		*runs[eager] = (omt_test_arrivals){.limit = 24, .pace_s = eager ? 1e-3 : 0};
		embed("ref", NULL, 2, eager, runs[eager]);
	}
	cr_expect_arr_eq(run.vectors, other.vectors, sizeof run.vectors);
	cr_expect_geq(other.stats.batches, run.stats.batches);
}

Test(eager, no_device_is_left)
{
	const char *device =
		scratch_text("lost.yaml", "device: test\npeak_gflops: 10\nbandwidth_gbs: 10\n"
	                                  "link_gbs: 8\nfails_after_ops: 3\n");
	for (int32_t slots = 1; slots <= 2; slots++) {
		run = (omt_test_arrivals){.limit = 20, .pace_s = 1e-3, .fails = true};
		embed("model", device, slots, true, &run);
	}
}

Test(eager, several_devices)
{
	char devices[1100];
	const char *one = device_of(3e-3);
	snprintf(devices, sizeof devices, "%s,%s", one, one);
	run = (omt_test_arrivals){.limit = 60, .pace_s = 1e-3};
	embed("model", devices, 2, true, &run);
}

Test(eager, items_given_at_once_go_together)
{
	const char *device = device_of(2e-3);
	for (int burst = 2; burst <= 2 * BATCH; burst++)
		for (int32_t slots = 1; slots <= 2; slots++) {
			const int batches = (burst + BATCH - 1) / BATCH;
			run = (omt_test_arrivals){.limit = 6 * burst, .burst = burst};
			embed("model", device, slots, true, &run);
			cr_expect_eq(run.stats.batches, (uint64_t)(6 * batches));
		}
}

Test(pipe, light_load_goes_at_once, .init = tiny_open, .fini = tiny_close, .timeout = 60)
{
	run = (omt_test_arrivals){.limit = 100, .pace_s = 8e-3};
	embed("model", device_of(3e-3), 2, true, &run);
	cr_expect_eq(run.stats.batches, (uint64_t)run.limit);
	const double latency_ms = omt_median(run.latency_ms, (size_t)run.limit);
	const double queue_ms = omt_median(run.queue_ms, (size_t)run.limit);
	cr_log_info("latency %.3f ms, of it waiting %.3f ms", latency_ms, queue_ms);
	cr_expect_lt(queue_ms, 0.2);
}
