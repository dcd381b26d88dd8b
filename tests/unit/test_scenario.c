/* Scenarios on models of devices: their time is known, they take no core of this machine. What
 * needs a quiet machine is in suite pipe, whose tests run alone. */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "bench/scenario/scenario.h"
#include "tests/unit/number.h"
#include "tests/unit/tiny.h"

enum { PASSAGES = 30, QUERIES = 7 };

TestSuite(scenario, .init = tiny_open, .fini = tiny_close);

/* ---- a run ---- */

/* A list of texts, all of the same length; each `pictures`-th is a picture (0: none). */
static void write_list(const char *name, int count, int pictures, bool bad)
{
	FILE *file = fopen(scratch_path(name), "w");
	char *folder = realpath(DATA "inputs", NULL);
	for (int i = 0; i < count; i++) {
		fprintf(file, "{\"id\": \"%s %d\", ", name, i);
		if (bad && i == 0)
			fprintf(file, "\"text\": 7}\n");
		else if (pictures && i % pictures == 0)
			fprintf(file, "\"image\": \"%s/img_tiny_20x20.png\"}\n", folder);
		else
			fprintf(file, "\"text\": \"a red bird on a branch\"}\n");
	}
	fclose(file);
	free(folder);
}

typedef struct omt_test_bench {
	omt_bench_scenario scenario;
	double gflops;
	int32_t batch_items, slots, threads;
	int pictures; /* 0: texts alone */
	bool bad;     /* the first passage is none */
	bool empty;   /* no queries */
	bool (*stop)(void *user);
	int asked;
	json_t *parts;
	omt_bench_vectors vectors[2];
} omt_test_bench;

static omt_test_bench bench_of(omt_bench_mode mode, double gflops)
{
	omt_test_bench bench = {.gflops = gflops, .batch_items = 4, .slots = 2, .threads = 1};
	omt_bench_scenario_init(&bench.scenario);
	bench.scenario.mode = mode;
	bench.scenario.min_duration_s = 0.1;
	bench.scenario.min_queries = 50;
	return bench;
}

/* The tiny model on a device of `gflops` and as many GB/s, items of two files. */
static omt_status run(omt_test_bench *bench)
{
	char text[160], paths[2][128];
	omt_engine_options options;
	/* No roles, whose prefixes make texts longer. */
	omt_bench_file files[2] = {{.name = "passages", .path = paths[0]},
	                           {.name = "queries", .path = paths[1]}};
	omt_bench_load load = {.scenario = &bench->scenario,
	                       .files = files,
	                       .file_count = 2,
	                       .dimension = omt_model_dimension(model),
	                       .energy = true,
	                       .stop = bench->stop,
	                       .user = bench};
	omt_engine_options_init(&options);
	for (int i = 0; i < 2; i++) {
		omt_limits_init(&files[i].limits);
		snprintf(paths[i], sizeof paths[i], "%s/%c", scratch_folder, "pq"[i]);
	}
	write_list("p", PASSAGES, bench->pictures, bench->bad);
	write_list("q", bench->empty ? 0 : QUERIES, 0, false);
	snprintf(text, sizeof text,
	         "device: test\npeak_gflops: %.9f\nbandwidth_gbs: %.9f\nlink_gbs: 8\n",
	         bench->gflops, bench->gflops);
	options.backend = "model";
	options.device = scratch_text("device.yaml", text);
	options.batch_items = bench->batch_items;
	options.slots = bench->slots;
	options.threads = bench->threads;
	options.eager = bench->scenario.mode != OMT_BENCH_OFFLINE;
	cr_assert_eq(omt_engine_open(model, &options, &load.engine, &err), OMT_OK, "%s", err.text);
	omt_status status = omt_bench_scenario_run(&load, &bench->parts, bench->vectors, &err);
	omt_engine_close(load.engine);
	return status;
}

static void run_well(omt_test_bench *bench)
{
	cr_assert_eq(run(bench), OMT_OK, "%s", err.text);
}

static void drop(omt_test_bench *bench)
{
	json_decref(bench->parts);
	for (int i = 0; i < 2; i++)
		omt_bench_vectors_free(&bench->vectors[i]);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void expect_valid(const json_t *part)
{
	char *text = json_dumps(part, 0);
	cr_expect(json_is_true(json_object_get(part, "valid")), "%.300s", text);
	free(text);
}

/* The speed of a device that computes one of the texts in so long, in a batch of `items`. */
static double gflops_for(double item_s, int32_t items)
{
	/* So slow that its time is not the host's. */
	omt_test_bench bench = bench_of(OMT_BENCH_OFFLINE, 2);
	bench.batch_items = items;
	bench.scenario.min_duration_s = 0;
	bench.scenario.min_queries = 1;
	bench.scenario.warmup = 0;
	run_well(&bench);
	const json_t *part = json_array_get(bench.parts, 0);
	const double took_s =
		number(json_object_get(part, "stages_s"), "compute") / number(part, "items");
	drop(&bench);
	return bench.gflops * took_s / item_s;
}

/* ---- modes ---- */

Test(scenario, offline_has_every_item_as_often)
{
	static const struct {
		const char *file, *modality;
		int items;
	} expected[] = {
		{"passages", "text", 20}, {"passages", "image", 10}, {"queries", "text", 7}};
	omt_test_bench bench = bench_of(OMT_BENCH_OFFLINE, 1000);
	bench.pictures = 3;
	bench.scenario.repetitions = 3;
	run_well(&bench);
	cr_assert_eq(json_array_size(bench.parts), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *part = json_array_get(bench.parts, i);
		const json_t *latency = json_object_get(part, "latency_ms");
		const json_t *repeats = json_object_get(part, "repeats");
		const json_t *energy = json_object_get(part, "energy");
		cr_expect_str_eq(text_of(part, "mode"), "offline");
		/* Where the machine tells, else why not. */
		cr_expect(json_object_get(energy, "joules") || *text_of(energy, "reason"));
		cr_expect_str_eq(text_of(part, "file"), expected[i].file);
		cr_expect_str_eq(text_of(part, "modality"), expected[i].modality);
		expect_valid(part);
		cr_expect_geq(number(part, "items"), 50);
		cr_expect_eq(fmod(number(part, "items"), expected[i].items), 0);
		cr_expect_geq(number(part, "duration_s"), 0.1);
		cr_expect_float_eq(number(part, "items_per_s") * number(part, "duration_s"),
		                   number(part, "items"), 1e-6);
		cr_assert_eq(json_array_size(repeats), 3);
		int slower = 0;
		for (size_t j = 0; j < 3; j++)
			slower += json_number_value(json_array_get(repeats, j)) <
			          number(part, "items_per_s");
		cr_expect_eq(slower, 1, "the median one");
		cr_expect_leq(number(latency, "p50"), number(latency, "p99"));
		cr_expect_gt(number(latency, "min"), 0);
	}
	cr_expect_eq(bench.vectors[0].count, PASSAGES);
	cr_expect_eq(bench.vectors[1].count, QUERIES);
	for (size_t i = 0; i < PASSAGES * (size_t)bench.vectors[0].dimension; i++)
		cr_assert_eq(bench.vectors[0].data[i], 0.0f, "the device model makes zeros");
	cr_expect_str_eq(json_string_value(json_array_get(bench.vectors[1].ids, 6)), "q 6");
	drop(&bench);
}

/* Latency is the device's time for a query's items and more, never a wait for another query. */
static void expect_one_query_at_a_time(omt_bench_mode mode, int samples)
{
	const double item_s = 0.002;
	/* In smaller batches an item takes longer. */
	omt_test_bench bench = bench_of(mode, gflops_for(item_s, samples < 4 ? samples : 4));
	bench.scenario.samples_per_query = samples;
	run_well(&bench);
	cr_assert_eq(json_array_size(bench.parts), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *part = json_array_get(bench.parts, i);
		const json_t *latency = json_object_get(part, "latency_ms");
		const double queries = number(part, "queries");
		expect_valid(part);
		cr_expect_geq(queries, 50);
		cr_expect_eq(number(part, "items"), queries * samples);
		cr_expect_geq(number(latency, "min"), 0.99e3 * item_s * samples);
		/* One after the other: they fill the time. */
		cr_expect_leq(number(latency, "mean") * queries,
		              1.001e3 * number(part, "duration_s"));
		cr_expect_geq(number(latency, "mean") * queries,
		              0.5e3 * number(part, "duration_s"));
		cr_expect_eq(number(json_object_get(part, "headline"), "percentile"),
		             mode == OMT_BENCH_SINGLE_STREAM ? 90 : 99);
		cr_expect_null(bench.vectors[i].data);
	}
	drop(&bench);
}

Test(scenario, single_stream_sends_when_the_last_is_answered, .timeout = 60)
{
	expect_one_query_at_a_time(OMT_BENCH_SINGLE_STREAM, 1);
}

Test(scenario, multi_stream_sends_several_at_once, .timeout = 60)
{
	expect_one_query_at_a_time(OMT_BENCH_MULTI_STREAM, 6);
}

/* Fewer slots, more threads, larger batches: no combination waits for ever. */
Test(scenario, no_engine_waits_for_ever, .timeout = 120)
{
	for (omt_bench_mode mode = OMT_BENCH_SINGLE_STREAM; mode < OMT_BENCH_MODE_COUNT; mode++)
		for (int i = 0; i < 8; i++) {
			omt_test_bench bench = bench_of(mode, 1000);
			bench.slots = i & 1 ? 2 : 1;
			bench.threads = i & 2 ? 3 : 1;
			bench.batch_items = i & 4 ? 16 : 1;
			bench.scenario.min_duration_s = 0;
			bench.scenario.min_queries = 9;
			bench.scenario.samples_per_query = 5;
			bench.scenario.rate = 2000;
			bench.scenario.target_latency_ms = 10000;
			run_well(&bench);
			drop(&bench);
		}
}

/* ---- server ---- */

Test(scenario, server_mixes_everything, .timeout = 60)
{
	omt_test_bench bench = bench_of(OMT_BENCH_SERVER, 1000);
	bench.pictures = 3;
	bench.scenario.rate = 300;
	bench.scenario.target_latency_ms = 5000;
	bench.scenario.min_duration_s = 1;
	run_well(&bench);
	cr_assert_eq(json_array_size(bench.parts), 1);
	const json_t *part = json_array_get(bench.parts, 0);
	const json_t *kinds = json_object_get(part, "modalities");
	const double items = number(part, "items");
	cr_expect_str_eq(text_of(part, "modality"), "mixed");
	cr_expect_eq(number(part, "failed"), 0);
	cr_expect_eq(number(part, "rate"), 300);
	/* Poisson: 300 and 17 as a standard deviation. */
	cr_expect_float_eq(items, 300, 60);
	cr_expect_eq(json_object_size(kinds), 2);
	cr_expect_eq(number(json_object_get(kinds, "text"), "items") +
	                     number(json_object_get(kinds, "image"), "items"),
	             items);
	/* 10 of 37 are pictures, in every pass. */
	cr_expect_float_eq(number(json_object_get(kinds, "image"), "items"), items * 10 / 37, 8);
	drop(&bench);
}

/* Twice as many requests as are served: latency counts from when they were due. */
Test(scenario, server_that_is_too_slow_is_not_valid, .timeout = 60)
{
	const double item_s = 0.004;
	omt_test_bench bench = bench_of(OMT_BENCH_SERVER, gflops_for(item_s, 1));
	bench.batch_items = 1;
	bench.scenario.rate = 2 / item_s;
	bench.scenario.target_latency_ms = 100;
	bench.scenario.min_duration_s = 0.5;
	run_well(&bench);
	const json_t *part = json_array_get(bench.parts, 0);
	const json_t *latency = json_object_get(part, "latency_ms");
	cr_expect(json_is_false(json_object_get(part, "valid")));
	cr_expect_eq(json_array_size(json_object_get(part, "reasons")), 2);
	/* The last one waits for half of all. */
	cr_expect_geq(number(latency, "max"), 0.8e3 * number(part, "items") * item_s / 2);
	cr_expect_leq(number(part, "items_per_s"), 1.01 / item_s);
	drop(&bench);
}

/* No rate helps when one request alone takes longer than the target. */
Test(scenario, server_whose_target_is_out_of_reach, .timeout = 60)
{
	omt_test_bench bench = bench_of(OMT_BENCH_SERVER, gflops_for(0.003, 1));
	bench.batch_items = 1;
	bench.scenario.target_latency_ms = 2;
	run_well(&bench);
	const json_t *part = json_array_get(bench.parts, 0);
	const json_t *search = json_object_get(part, "search");
	cr_expect(json_is_false(json_object_get(part, "valid")));
	cr_expect_eq(json_array_size(search), 7);
	for (size_t i = 0; i < json_array_size(search); i++)
		cr_expect(json_is_false(json_object_get(json_array_get(search, i), "valid")));
	cr_expect_eq(number(json_array_get(search, 6), "rate"), number(part, "rate"));
	drop(&bench);
}

/* ---- requests ---- */

Test(scenario, requests_tell_their_stages, .timeout = 60)
{
	for (omt_bench_mode mode = OMT_BENCH_OFFLINE; mode < OMT_BENCH_MODE_COUNT; mode++) {
		static const char *const stages[] = {"queue_ms", "decode_ms",   "preprocess_ms",
		                                     "pack_ms",  "transfer_ms", "compute_ms"};
		omt_test_bench bench = bench_of(mode, 1000);
		char line[1024], path[128];
		double items = 0, arrival_s = 0;
		size_t lines = 0, number_of_part = 0;
		bench.pictures = 3;
		bench.scenario.rate = 1000;
		snprintf(path, sizeof path, "%s/requests.jsonl", scratch_folder);
		bench.scenario.requests = path;
		run_well(&bench);
		for (size_t i = 0; i < json_array_size(bench.parts); i++)
			items += number(json_array_get(bench.parts, i), "items");
		FILE *file = fopen(path, "r");
		cr_assert_not_null(file);
		while (fgets(line, sizeof line, file)) {
			json_t *request = json_loads(line, 0, NULL);
			cr_assert_not_null(request, "%s", line);
			double sum = 0;
			for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
				cr_expect_geq(number(request, stages[i]), -1e-6, "%s", line);
				sum += number(request, stages[i]);
			}
			cr_expect_float_eq(sum, number(request, "total_ms"), 1e-5, "%s", line);
			cr_expect_gt(number(request, "compute_ms"), 0);
			cr_expect_geq(number(request, "tokens"), 1);
			if (number(request, "part") > (double)number_of_part) {
				number_of_part++;
				arrival_s = 0;
			}
			cr_expect_eq(number(request, "part"), (double)number_of_part);
			cr_expect_geq(number(request, "arrival_s"), arrival_s);
			arrival_s = number(request, "arrival_s");
			lines++;
			json_decref(request);
		}
		fclose(file);
		cr_expect_eq(number_of_part + 1, json_array_size(bench.parts));
		cr_expect_eq((double)lines, items);
		drop(&bench);
	}
}

/* ---- what goes wrong ---- */

static bool stop_soon(void *user)
{
	return ++((omt_test_bench *)user)->asked > 20;
}

Test(scenario, stops_when_asked, .timeout = 60)
{
	for (omt_bench_mode mode = OMT_BENCH_OFFLINE; mode < OMT_BENCH_MODE_COUNT; mode++) {
		omt_test_bench bench = bench_of(mode, 1000);
		bench.stop = stop_soon;
		bench.scenario.rate = 5; /* it is asked between arrivals, too */
		bench.scenario.min_duration_s = 1000;
		char path[128];
		snprintf(path, sizeof path, "%s/requests.jsonl", scratch_folder);
		bench.scenario.requests = path;
		const double begin_s = omt_now_s();
		cr_expect_eq(run(&bench), OMT_STOPPED, "%s", err.text);
		cr_expect_lt(omt_now_s() - begin_s, 20);
		cr_expect_null(bench.parts);
		cr_expect_neq(access(path, F_OK), 0);
	}
}

/* They are named as the reason, they have no latency, and the others are measured. */
Test(scenario, bad_items_make_a_part_invalid, .timeout = 60)
{
	for (omt_bench_mode mode = OMT_BENCH_OFFLINE; mode < OMT_BENCH_MODE_COUNT; mode++) {
		omt_test_bench bench = bench_of(mode, 1000);
		bench.bad = true;
		bench.scenario.rate = 1000;
		bench.scenario.target_latency_ms = 5000;
		run_well(&bench);
		const json_t *part = json_array_get(bench.parts, 0);
		char reason[64];
		snprintf(reason, sizeof reason, "%.0f of %.0f items failed", number(part, "failed"),
		         number(part, "items"));
		cr_expect(json_is_false(json_object_get(part, "valid")));
		cr_expect_str_eq(
			json_string_value(json_array_get(json_object_get(part, "reasons"), 0)),
			reason);
		cr_expect_gt(number(part, "failed"), 0);
		cr_expect_gt(number(part, "items_per_s"), 0);
		drop(&bench);
	}
}

Test(scenario, files_that_cannot_be_read_are_errors)
{
	omt_test_bench bench = bench_of(OMT_BENCH_OFFLINE, 1000);
	bench.empty = true;
	cr_expect_eq(run(&bench), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "/q: no items"), "%s", err.text);
	cr_expect_null(bench.parts);
	cr_expect_null(bench.vectors[0].ids);
}

/* ---- on a quiet machine ---- */

/* The benchmark costs less than 1 %: a device of known time is used for 99 % of it. */
static void expect_little_overhead(omt_bench_mode mode, double rate, double item_s)
{
	omt_test_bench bench = bench_of(mode, gflops_for(item_s, 8));
	bench.batch_items = 8;
	bench.scenario.min_duration_s = 2; /* what begin and end cost is little of it */
	bench.scenario.rate = rate;
	bench.scenario.target_latency_ms = 1e6;
	run_well(&bench);
	const json_t *part = json_array_get(bench.parts, 0);
	const double share = number(json_object_get(part, "overhead"), "share");
	const double reached = number(part, "items_per_s") * item_s;
	cr_log_info("%s: %.0f items/s, %.4f of what the device's time allows; source and sink took "
	            "%.6f of the time",
	            omt_bench_mode_names[mode], number(part, "items_per_s"), reached, share);
	cr_expect_geq(reached, 0.99);
	cr_expect_leq(reached, 1.005);
	cr_expect_leq(share, 0.01);
	drop(&bench);
}

Test(pipe, benchmark_costs_little_offline, .init = tiny_open, .fini = tiny_close)
{
	expect_little_overhead(OMT_BENCH_OFFLINE, 0, 0.0005);
}

/* More requests than are served, so that the device is always busy. */
Test(pipe, benchmark_costs_little_as_a_server, .init = tiny_open, .fini = tiny_close)
{
	expect_little_overhead(OMT_BENCH_SERVER, 1.1 / 0.0005, 0.0005);
}

/* One at a time in 4 ms each, 99 % within 40 ms: by queueing theory (M/D/1) that holds up to about
 * 80 % of 250/s; the search comes close to it and is where its own trials change. */
Test(pipe, server_finds_the_highest_rate, .init = tiny_open, .fini = tiny_close, .timeout = 120)
{
	const double item_s = 0.004;
	omt_test_bench bench = bench_of(OMT_BENCH_SERVER, gflops_for(item_s, 1));
	bench.batch_items = 1;
	bench.scenario.target_latency_ms = 40;
	bench.scenario.min_duration_s = 0.4;
	bench.scenario.min_queries = 100;
	const double begin_s = omt_now_s();
	run_well(&bench);
	const json_t *part = json_array_get(bench.parts, 0), *trial;
	const json_t *search = json_object_get(part, "search");
	const double rate = number(part, "rate");
	double low = 0, high = INFINITY;
	size_t i;
	cr_log_info("%.1f/s found in %.1f s and %zu trials", rate, omt_now_s() - begin_s,
	            json_array_size(search));
	expect_valid(part);
	cr_expect_geq(rate, 0.5 / item_s);
	cr_expect_leq(rate, 1.05 / item_s);
	cr_expect_leq(number(json_object_get(part, "latency_ms"), "p99"), 40);
	json_array_foreach(search, i, trial)
	{
		const bool valid = json_is_true(json_object_get(trial, "valid"));
		/* null when it was cut short */
		const double took_ms = json_number_value(json_object_get(trial, "latency_ms"));
		cr_log_info("%8.2f/s  %s  %4.0f requests  %.2f ms", number(trial, "rate"),
		            valid ? "valid  " : "invalid", number(trial, "queries"), took_ms);
		if (valid)
			low = fmax(low, number(trial, "rate"));
		else
			high = fmin(high, number(trial, "rate"));
	}
	cr_expect_geq(low, rate);
	cr_expect_lt(high, 1.03 * low);
	drop(&bench);
}
