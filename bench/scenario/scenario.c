#include "bench/scenario/scenario.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench/scenario/part.h"
#include "bench/scenario/server.h"

const char *const omt_bench_mode_names[OMT_BENCH_MODE_COUNT + 1] = {
	"offline", "single-stream", "multi-stream", "server", "modelled", NULL};

void omt_bench_scenario_init(omt_bench_scenario *scenario)
{
	*scenario = (omt_bench_scenario){.min_duration_s = 10,
	                                 .min_queries = 100,
	                                 .warmup = 8,
	                                 .repetitions = 1,
	                                 .seed = 1,
	                                 .samples_per_query = 8,
	                                 .target_latency_ms = 100,
	                                 .percentile = 99};
}

void omt_bench_vectors_free(omt_bench_vectors *vectors)
{
	free(vectors->data);
	json_decref(vectors->ids);
	*vectors = (omt_bench_vectors){0};
}

/* Everything in memory, and room for the vectors where the mode makes them. */
static omt_status load_files(const omt_bench_load *load, omt_bench_items *items,
                             omt_bench_vectors *vectors, omt_error *err)
{
	for (size_t i = 0; i < load->file_count; i++) {
		const size_t before = items->count;
		vectors[i].ids = json_array();
		vectors[i].dimension = load->dimension;
		OMT_TRY(omt_bench_items_load(items, &load->files[i], (uint32_t)i, vectors[i].ids,
		                             err));
		vectors[i].count = items->count - before;
		if (load->scenario->mode != OMT_BENCH_OFFLINE)
			continue;
		const size_t values = vectors[i].count * (size_t)load->dimension;
		vectors[i].data = malloc(values * sizeof *vectors[i].data);
		if (!vectors[i].data)
			return OMT_FAIL(err, NO_MEMORY, "%zu vectors", vectors[i].count);
		memset(vectors[i].data, 0xff, values * sizeof *vectors[i].data); /* NaN */
	}
	return OMT_OK;
}

/* Items that go before the clock starts: whole queries. */
static omt_status warm_up(const omt_traffic *measured, omt_error *err)
{
	omt_traffic traffic = *measured;
	omt_trial trial;
	const uint64_t each = traffic.samples_per_query;
	traffic.most = ((uint64_t)traffic.load->scenario->warmup + each - 1) / each * each;
	traffic.vectors = NULL;
	traffic.energy = NULL;
	if (traffic.mode == OMT_BENCH_SERVER) /* nothing to wait for */
		traffic.mode = OMT_BENCH_OFFLINE;
	if (!traffic.most)
		return OMT_OK;
	omt_status status = omt_traffic_run(&traffic, &trial, err);
	omt_trial_free(&trial);
	return status;
}

/* What the parts of a run have in common. */
typedef struct omt_parts {
	const omt_bench_load *load;
	omt_bench_items items;
	omt_bench_vectors *vectors;
	uint32_t *places; /* of the part's items */
	omt_output requests;
	omt_energy *energy;
	json_t *parts;
} omt_parts;

/* The median trial by items/s, of an even number the slower of the middle two; with the rates of
 * all. */
static size_t choose(const omt_trial *trials, size_t count, json_t *rates)
{
	size_t median = 0;
	for (size_t i = 0; i < count; i++) {
		const double rate = omt_trial_rate(&trials[i]);
		size_t slower = 0;
		for (size_t j = 0; j < count; j++) {
			const double other = omt_trial_rate(&trials[j]);
			slower += other < rate || (j < i && other == rate);
		}
		if (slower == (count - 1) / 2)
			median = i;
		json_array_append_new(rates, json_real(rate));
	}
	return median;
}

/* Puts a part and its requests to the others. */
static omt_status add_part(omt_parts *run, const omt_traffic *traffic, const omt_trial *trial,
                           const char *file, const char *modality, json_t *more, omt_error *err)
{
	json_t *part = omt_part_describe(traffic, trial, file, modality);
	if (!part || json_object_update(part, more) != 0 ||
	    json_array_append_new(run->parts, part) != 0)
		return OMT_FAIL(err, NO_MEMORY, "a part of %zu requests", trial->requests.count);
	if (!run->requests.stream)
		return OMT_OK;
	const double start = omt_now_s();
	const omt_status status = omt_requests_write(
		run->requests.stream, json_array_size(run->parts) - 1, traffic, trial, err);
	omt_trace_mark(run->load->trace, "requests", start, omt_now_s());
	return status;
}

static omt_status run_part(omt_parts *run, omt_traffic *traffic, const char *file,
                           const char *modality, omt_error *err)
{
	const size_t count = (size_t)run->load->scenario->repetitions;
	omt_trial *trials = calloc(count, sizeof *trials);
	json_t *rates = json_array(), *more = json_pack("{sO}", "repeats", rates);
	omt_status status;
	if (!trials || !more)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu repetitions", count));
	OMT_GOTO(warm_up(traffic, err));
	for (size_t i = 0; i < count; i++) {
		OMT_GOTO(omt_traffic_run(traffic, &trials[i], err));
		traffic->vectors = NULL; /* the first repetition's are kept */
	}
	OMT_GOTO(add_part(run, traffic, &trials[choose(trials, count, rates)], file, modality, more,
	                  err));
done:
	for (size_t i = 0; trials && i < count; i++)
		omt_trial_free(&trials[i]);
	free(trials);
	json_decref(rates);
	json_decref(more);
	return status;
}

/* Every file and modality on its own. */
static omt_status run_apart(omt_parts *run, omt_error *err)
{
	const omt_bench_scenario *scenario = run->load->scenario;
	for (int file = 0; file < (int)run->load->file_count; file++)
		for (int group = 0; group < OMT_BENCH_GROUPS; group++) {
			omt_traffic traffic = {.load = run->load,
			                       .energy = run->energy,
			                       .items = &run->items,
			                       .places = run->places,
			                       .what = omt_bench_group_names[group],
			                       .mode = scenario->mode,
			                       .samples_per_query = 1,
			                       .min_duration_s = scenario->min_duration_s,
			                       .min_queries = (uint64_t)scenario->min_queries,
			                       .most = run->load->most,
			                       .vectors = scenario->mode == OMT_BENCH_OFFLINE
			                                          ? run->vectors
			                                          : NULL};
			if (scenario->mode == OMT_BENCH_MULTI_STREAM)
				traffic.samples_per_query = (uint64_t)scenario->samples_per_query;
			traffic.place_count =
				omt_bench_items_pick(&run->items, file, group, run->places);
			if (traffic.place_count)
				OMT_TRY(run_part(run, &traffic, run->load->files[file].name,
				                 omt_bench_group_names[group], err));
		}
	return OMT_OK;
}

/* Everything mixed, as it arrives. */
static omt_status run_server(omt_parts *run, omt_error *err)
{
	const omt_bench_scenario *scenario = run->load->scenario;
	omt_traffic traffic = {.load = run->load,
	                       .energy = run->energy,
	                       .items = &run->items,
	                       .places = run->places,
	                       .place_count =
	                               omt_bench_items_pick(&run->items, -1, -1, run->places),
	                       .what = "mixed",
	                       .mode = OMT_BENCH_SERVER,
	                       .samples_per_query = 1,
	                       .min_duration_s = scenario->min_duration_s,
	                       .min_queries = (uint64_t)scenario->min_queries};
	omt_server server = {0};
	json_t *more = NULL;
	omt_status status;
	OMT_GOTO(warm_up(&traffic, err));
	OMT_GOTO(omt_server_run(&traffic, &server, err));
	more = json_pack("{sf sf sf sO}", "rate", server.rate, "target_latency_ms",
	                 scenario->target_latency_ms, "percentile", scenario->percentile, "search",
	                 server.search);
	OMT_GOTO(add_part(run, &traffic, &server.trial, NULL, "mixed", more, err));
done:
	omt_server_free(&server);
	json_decref(more);
	return status;
}

omt_status omt_bench_scenario_run(const omt_bench_load *load, json_t **parts,
                                  omt_bench_vectors *vectors, omt_error *err)
{
	const char *requests = load->scenario->requests;
	double start = omt_now_s();
	omt_parts run = {.load = load, .vectors = vectors, .parts = json_array()};
	omt_status status;
	*parts = NULL;
	memset(vectors, 0, load->file_count * sizeof *vectors);
	OMT_GOTO(load_files(load, &run.items, vectors, err));
	omt_trace_mark(load->trace, "lists", start, omt_now_s());
	run.places = malloc(run.items.count * sizeof *run.places);
	if (!run.places || !run.parts)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu items", run.items.count));
	if (load->energy)
		OMT_GOTO(omt_energy_open(NULL, &run.energy, err));
	if (requests)
		OMT_GOTO(omt_output_open(requests, &run.requests, err));
	OMT_GOTO(load->scenario->mode == OMT_BENCH_SERVER ? run_server(&run, err)
	                                                  : run_apart(&run, err));
done:
	if (run.requests.stream) {
		const bool commit = status == OMT_OK;
		start = omt_now_s();
		const omt_status closed =
			omt_output_close(&run.requests, commit, commit ? err : NULL);
		omt_trace_mark(load->trace, "requests", start, omt_now_s());
		status = commit ? closed : status;
	}
	for (size_t i = 0; status != OMT_OK && i < load->file_count; i++)
		omt_bench_vectors_free(&vectors[i]);
	if (status == OMT_OK)
		*parts = json_incref(run.parts);
	json_decref(run.parts);
	omt_energy_close(run.energy);
	free(run.places);
	omt_bench_items_free(&run.items);
	return status;
}

void omt_bench_parts_compare(json_t *parts, const json_t *serial)
{
	size_t i;
	json_t *part;
	json_array_foreach(parts, i, part)
	{
		const json_t *other = json_array_get(serial, i);
		if (other)
			json_object_set_new(part, "serial",
			                    json_pack("{sO sO}", "items_per_s",
			                              json_object_get(other, "items_per_s"),
			                              "hidden_share",
			                              json_object_get(other, "hidden_share")));
	}
}
