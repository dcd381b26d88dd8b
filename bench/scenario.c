#include "bench/scenario.h"

#include <stdlib.h>
#include <string.h>

#include "bench/part.h"

const char *const omt_bench_mode_names[OMT_BENCH_MODE_COUNT + 1] = {"offline", "single-stream",
                                                                    "multi-stream", "server", NULL};

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
	if (!traffic.most)
		return OMT_OK;
	omt_status status = omt_traffic_run(&traffic, &trial, err);
	omt_trial_free(&trial);
	return status;
}

static double items_per_s(const json_t *part)
{
	return json_number_value(json_object_get(part, "items_per_s"));
}

/* The part of the median repetition by items/s (of an even number the slower of the middle two),
 * with the rates of all. */
static json_t *choose_part(const json_t *repetitions)
{
	const size_t count = json_array_size(repetitions);
	json_t *rates = json_array(), *median = NULL;
	size_t i, j;
	json_t *part, *other;
	json_array_foreach(repetitions, i, part)
	{
		size_t slower = 0;
		json_array_append_new(rates, json_real(items_per_s(part)));
		json_array_foreach(repetitions, j, other) slower +=
			items_per_s(other) < items_per_s(part) ||
			(j < i && items_per_s(other) == items_per_s(part));
		if (slower == (count - 1) / 2)
			median = part;
	}
	json_object_set_new(median, "repeats", rates);
	return json_incref(median);
}

static omt_status run_part(omt_traffic *traffic, const char *file, const char *modality,
                           json_t *parts, omt_error *err)
{
	json_t *repetitions = json_array();
	omt_status status = warm_up(traffic, err);
	for (int32_t i = 0; status == OMT_OK && i < traffic->load->scenario->repetitions; i++) {
		omt_trial trial;
		json_t *part = NULL;
		status = omt_traffic_run(traffic, &trial, err);
		if (status == OMT_OK)
			part = omt_part_describe(traffic, &trial, file, modality);
		if (status == OMT_OK && json_array_append_new(repetitions, part) != 0)
			status = OMT_FAIL(err, NO_MEMORY, "a part of %zu requests",
			                  trial.requests.count);
		omt_trial_free(&trial);
		traffic->vectors = NULL; /* the first repetition's are kept */
	}
	if (status == OMT_OK)
		json_array_append_new(parts, choose_part(repetitions));
	json_decref(repetitions);
	return status;
}

/* Every file and modality on its own. */
static omt_status run_parts(const omt_bench_load *load, const omt_bench_items *items,
                            uint32_t *places, json_t *parts, omt_bench_vectors *vectors,
                            omt_error *err)
{
	const omt_bench_scenario *scenario = load->scenario;
	for (int file = 0; file < (int)load->file_count; file++)
		for (int group = 0; group < OMT_BENCH_GROUPS; group++) {
			omt_traffic traffic = {
				.load = load,
				.items = items,
				.places = places,
				.what = omt_bench_group_names[group],
				.mode = scenario->mode,
				.samples_per_query = 1,
				.min_duration_s = scenario->min_duration_s,
				.min_queries = (uint64_t)scenario->min_queries,
				.most = load->most,
				.vectors = scenario->mode == OMT_BENCH_OFFLINE ? vectors : NULL};
			if (scenario->mode == OMT_BENCH_MULTI_STREAM)
				traffic.samples_per_query = (uint64_t)scenario->samples_per_query;
			traffic.place_count = omt_bench_items_pick(items, file, group, places);
			if (traffic.place_count)
				OMT_TRY(run_part(&traffic, load->files[file].name,
				                 omt_bench_group_names[group], parts, err));
		}
	return OMT_OK;
}

omt_status omt_bench_scenario_run(const omt_bench_load *load, json_t **given,
                                  omt_bench_vectors *vectors, omt_error *err)
{
	omt_bench_items items = {0};
	uint32_t *places = NULL;
	json_t *parts = json_array();
	omt_status status;
	*given = NULL;
	memset(vectors, 0, load->file_count * sizeof *vectors);
	OMT_GOTO(load_files(load, &items, vectors, err));
	places = malloc(items.count * sizeof *places);
	if (!places || !parts)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu items", items.count));
	OMT_GOTO(run_parts(load, &items, places, parts, vectors, err));
	*given = json_incref(parts);
done:
	if (status != OMT_OK)
		for (size_t i = 0; i < load->file_count; i++)
			omt_bench_vectors_free(&vectors[i]);
	json_decref(parts);
	free(places);
	omt_bench_items_free(&items);
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
