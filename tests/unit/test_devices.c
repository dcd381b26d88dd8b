/* Several devices at once: who takes the next batch, and what becomes of it when a device fails. */
#include <math.h>

#include "base/json.h"
#include "model/spread.h"
#include "tests/unit/tiny.h"

/* ---- who takes the next batch ---- */

/* Two devices, the second three times as fast, batches of 3 units of work: 3 s and 1 s. */
static void two(omt_share shares[2])
{
	shares[0] = (omt_share){.speed = 1, .room = 2};
	shares[1] = (omt_share){.speed = 3, .room = 2};
}

static int32_t choose(const omt_share *shares, double left, double now_s)
{
	return omt_spread_choose(shares, 2, 3, left, now_s);
}

Test(spread, one_device_takes_what_it_has_room_for)
{
	omt_share one = {.room = 2};
	for (int32_t i = 0; i < 2; i++) {
		cr_expect_eq(omt_spread_choose(&one, 1, 3, INFINITY, 0), 0);
		omt_spread_take(&one, 3, 0);
	}
	cr_expect_eq(omt_spread_choose(&one, 1, 3, INFINITY, 0), -1);
	omt_spread_done(&one, 3, 1.5, 2);
	cr_expect_eq(omt_spread_choose(&one, 1, 3, INFINITY, 2), 0);
	cr_expect_eq(one.speed, 2);
}

Test(spread, devices_not_measured_get_one_each)
{
	omt_share shares[2] = {{.room = 2}, {.room = 2}};
	cr_expect_eq(choose(shares, INFINITY, 0), 0);
	omt_spread_take(&shares[0], 3, 0);
	cr_expect_eq(choose(shares, INFINITY, 0), 1);
	omt_spread_take(&shares[1], 3, 0);
	cr_expect_eq(choose(shares, INFINITY, 0), -1);
}

Test(spread, the_fast_one_first_then_the_idle_one)
{
	omt_share shares[2];
	two(shares);
	cr_expect_eq(choose(shares, INFINITY, 0), 1);
	omt_spread_take(&shares[1], 3, 0);
	cr_expect_eq(choose(shares, INFINITY, 0), 0);
	omt_spread_take(&shares[0], 3, 0);
	/* Both compute: the next batch is taken shortly before it is needed. */
	cr_expect_eq(choose(shares, INFINITY, 0.7), -1);
	cr_expect_eq(choose(shares, INFINITY, 0.8), 1);
	omt_spread_take(&shares[1], 3, 0.8);
	cr_expect_eq(choose(shares, INFINITY, 0.8), -1);
	cr_expect_eq(choose(shares, INFINITY, 2.3), 0);
}

Test(spread, the_last_batches_go_where_they_are_done_soonest)
{
	omt_share shares[2];
	two(shares);
	omt_spread_take(&shares[1], 3, 0);
	omt_spread_take(&shares[1], 3, 0);
	/* The fast one is done with one more after 3 s, as the slow one is. */
	cr_expect_eq(choose(shares, 3, 0), 0);
	/* A little later it is not: the slow one leaves it to the fast one that has no room yet. */
	cr_expect_eq(choose(shares, 3, 0.1), -1);
	/* Two left: the fast one is not done with both in 3 s. */
	cr_expect_eq(choose(shares, 6, 0.1), 0);
	omt_spread_done(&shares[1], 3, 1, 1);
	cr_expect_eq(shares[1].pending, 3);
	cr_expect_eq(choose(shares, 3, 1.8), 1);
}

Test(spread, a_lost_device_takes_nothing_and_is_not_waited_for)
{
	omt_share shares[2];
	two(shares);
	shares[1].lost = true;
	cr_expect_eq(choose(shares, 3, 0), 0);
	omt_spread_take(&shares[0], 3, 0);
	cr_expect_eq(choose(shares, 3, 0), 0);
	omt_spread_take(&shares[0], 3, 0);
	cr_expect_eq(choose(shares, 3, 0), -1);
}

/* Whatever the speeds and whatever is left, somebody takes the next batch in the end. */
Test(spread, no_batch_is_left)
{
	for (int seed = 1; seed < 300; seed++) {
		omt_share shares[5] = {{0}};
		double now_s = 0, works[5][2] = {{0}};
		int32_t left = 40, turns = 0;
		srand((unsigned)seed);
		for (int32_t i = 0; i < 5; i++)
			shares[i] = (omt_share){.speed = rand() % 3 ? pow(2, rand() % 9) : 0,
			                        .room = 1 + rand() % 2};
		while (left && turns++ < 100000) {
			const double work = 1 + rand() % 7;
			int32_t to = omt_spread_choose(shares, 5, work, work * left, now_s);
			if (to >= 0) {
				cr_assert_lt(shares[to].batches, shares[to].room);
				works[to][shares[to].batches] = work;
				omt_spread_take(&shares[to], work, now_s);
				left--;
				continue;
			}
			/* Somebody is done with a batch; its time is not what was thought. */
			int32_t busy = rand() % 5;
			now_s += 0.01 * (rand() % 100);
			if (!shares[busy].batches)
				continue;
			const double done = works[busy][0];
			works[busy][0] = works[busy][1];
			omt_spread_done(&shares[busy], done, done / (1 + rand() % 50), now_s);
		}
		cr_assert_eq(left, 0, "seed %d: %d batches are left", seed, left);
	}
}

/* ---- a device that fails ---- */

typedef struct lossy_run {
	omt_item item;
	omt_part part;
	char id[16];
	int given, limit, received, failed, remarks;
	char reason[512], remark[512];
} lossy_run;

static bool next(void *user, const omt_item **item)
{
	lossy_run *run = user;
	if (run->given == run->limit)
		return false;
	snprintf(run->id, sizeof run->id, "item %d", run->given);
	run->part = (omt_part){.kind = OMT_TEXT, .text = run->id, .text_bytes = strlen(run->id)};
	run->item = (omt_item){.id = run->id, .parts = &run->part, .part_count = 1};
	/* Items that fail on their own stay where they are. */
	if (run->given % 10 == 3)
		run->item.failed = (omt_error){OMT_BAD_FORMAT, "broken"};
	run->given++;
	*item = &run->item;
	return true;
}

static omt_status put(void *user, const omt_result *result, omt_error *error)
{
	lossy_run *run = user;
	char id[16];
	(void)error;
	snprintf(id, sizeof id, "item %d", run->received);
	cr_expect_str_eq(result->id, id);
	cr_expect_eq(result->index, (uint64_t)run->received);
	cr_expect_eq(result->vector == NULL, result->failed.status != OMT_OK);
	if (run->received % 10 == 3)
		cr_expect_str_eq(result->failed.text, "broken");
	else if (result->failed.status != OMT_OK) {
		run->failed++;
		snprintf(run->reason, sizeof run->reason, "%s", result->failed.text);
	}
	run->received++;
	return OMT_OK;
}

static void remark(void *user, const char *text)
{
	lossy_run *run = user;
	run->remarks++;
	snprintf(run->remark, sizeof run->remark, "%s", text);
}

static const char *device(const char *name, int fails_after_ops)
{
	char text[160];
	snprintf(text, sizeof text,
	         "device: %s\npeak_gflops: 10\nbandwidth_gbs: 10\nfails_after_ops: %d\n", name,
	         fails_after_ops);
	return scratch_text(name, text);
}

static omt_engine *open_engine(const char *devices, lossy_run *run)
{
	omt_engine *engine;
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.backend = "model";
	options.device = devices;
	options.batch_items = 4;
	options.progress = (omt_progress){.note = remark, .user = run};
	cr_assert_eq(omt_engine_open(model, &options, &engine, &err), OMT_OK, "%s", err.text);
	return engine;
}

static void embed(omt_engine *engine, lossy_run *run, int items)
{
	omt_embed_stats stats;
	*run = (lossy_run){.limit = items};
	cr_assert_eq(
		omt_embed(engine, &(omt_source){next, run}, &(omt_sink){put, run}, &stats, &err),
		OMT_OK, "%s", err.text);
	cr_expect_eq(run->received, items);
	cr_expect_eq(stats.failed, (uint64_t)(run->failed + (items + 6) / 10));
}

static json_t *devices_of(const omt_engine *engine, json_t **root)
{
	char *text = omt_engine_describe(engine);
	*root = json_loads(text, 0, NULL);
	omt_free(text);
	return json_object_get(*root, "devices");
}

TestSuite(devices, .init = tiny_open, .fini = tiny_close, .timeout = 60);

/* Ops are counted from loading the weights on; a batch of text has about 60. */
Test(devices, a_failed_ones_batches_go_to_the_others)
{
	for (int ops = 150; ops < 450; ops += 111) {
		char devices[1100];
		lossy_run run;
		json_t *root;
		snprintf(devices, sizeof devices, "%s,%s", device("weak.yaml", ops),
		         device("strong.yaml", 0));
		omt_engine *engine = open_engine(devices, &run);
		embed(engine, &run, 200);
		cr_expect_eq(run.failed, 0, "%d ops: %s", ops, run.reason);
		cr_expect_eq(run.remarks, 1);
		cr_expect(
			strstr(run.remark, "device 1 failed, 1 go on: model of weak.yaml: failed"),
			"%s", run.remark);
		/* It stays out, and that is not told again. */
		embed(engine, &run, 40);
		cr_expect_eq(run.failed, 0);
		cr_expect_eq(run.remarks, 0);
		json_t *described = devices_of(engine, &root);
		cr_expect(json_object_get(json_array_get(described, 0), "error"));
		cr_expect_not(json_object_get(json_array_get(described, 1), "error"));
		json_decref(root);
		omt_engine_close(engine);
	}
}

Test(devices, without_any_left_items_fail_with_the_reason)
{
	lossy_run run;
	char devices[1100];
	snprintf(devices, sizeof devices, "%s,%s", device("a.yaml", 300), device("b.yaml", 500));
	omt_engine *engine = open_engine(devices, &run);
	embed(engine, &run, 200);
	cr_expect_gt(run.failed, 100);
	cr_expect_lt(run.failed, 180);
	cr_expect_eq(run.remarks, 2);
	cr_expect(strstr(run.remark, "0 go on"), "%s", run.remark);
	cr_expect(strstr(run.reason, "as its file says"), "%s", run.reason);
	embed(engine, &run, 40);
	cr_expect_eq(run.failed, 36);
	cr_expect(strstr(run.reason, "as its file says"), "%s", run.reason);
	omt_engine_close(engine);
}

Test(devices, a_single_one_fails)
{
	lossy_run run;
	omt_engine *engine = open_engine(device("only.yaml", 300), &run);
	embed(engine, &run, 100);
	cr_expect_gt(run.failed, 50);
	cr_expect_eq(run.remarks, 1);
	omt_engine_close(engine);
}

static omt_status stop(void *user, const omt_result *result, omt_error *error)
{
	(void)user;
	return result->index < 21 ? OMT_OK : OMT_FAIL(error, STOPPED, "enough");
}

Test(devices, a_sink_ends_the_run)
{
	lossy_run run = {.limit = 1000};
	char devices[1100];
	snprintf(devices, sizeof devices, "%s,%s,%s", device("a.yaml", 0), device("b.yaml", 0),
	         device("c.yaml", 0));
	omt_engine *engine = open_engine(devices, &run);
	cr_expect_eq(
		omt_embed(engine, &(omt_source){next, &run}, &(omt_sink){stop, NULL}, NULL, &err),
		OMT_STOPPED);
	/* The engine is as good as before. */
	embed(engine, &run, 100);
	cr_expect_eq(run.failed, 0);
	omt_engine_close(engine);
}
