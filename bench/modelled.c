#include "bench/modelled.h"

#include <stdlib.h>

#include "bench/items.h"
#include "bench/scenario/samples.h"

enum { FILES = 2, PARTS = FILES * OMT_BENCH_GROUPS };

/* Latencies from seconds, and where their maximum comes from. */
static json_t *latency_of(const json_t *alone_s)
{
	const size_t count = json_array_size(alone_s);
	double *values = malloc((count + 1) * sizeof *values);
	json_t *latency = NULL;
	for (size_t i = 0; values && i < count; i++)
		values[i] = 1e3 * json_number_value(json_array_get(alone_s, i));
	if (values)
		latency = omt_samples_describe(values, count);
	free(values);
	return latency;
}

/* Joules, or why there are none. */
static json_t *energy_of(const json_t *group, double items, const char *card)
{
	const json_t *joules = json_object_get(group, "joules");
	char source[128];
	snprintf(source, sizeof source, "model of %.100s", card);
	if (json_is_number(joules))
		return json_pack("{sO sf s[s]}", "joules", joules, "joules_per_item",
		                 json_number_value(joules) / items, "sources", source);
	return json_pack("{ss}", "reason",
	                 items > 0 ? "not available: the card's file says no power"
	                           : "not available: no item was computed");
}

/* What a card cannot give for long. */
static json_t *remarks_on(const json_t *group, double seconds, const json_t *card)
{
	const double most = json_number_value(json_object_get(card, "most_watts"));
	const double watts = json_number_value(json_object_get(group, "joules")) / seconds;
	return seconds > 0 && watts > most && most > 0
	               ? json_pack("[o]", json_sprintf("%.0f W, the card takes %.0f", watts, most))
	               : json_array();
}

/* A part from what omt_plan_items() says of its group. */
static json_t *describe_part(const json_t *group, const char *file, const char *modality,
                             const char *name, const json_t *card)
{
	const json_int_t items = json_integer_value(json_object_get(group, "items"));
	const json_int_t failed = json_integer_value(json_object_get(group, "failed"));
	const json_int_t tokens = json_integer_value(json_object_get(group, "tokens"));
	const double seconds = json_number_value(json_object_get(group, "seconds"));
	json_t *reasons = json_deep_copy(json_object_get(group, "reasons"));
	json_t *part = json_pack("{ss ss ss sb so so sI sI sI sf so* so}", "mode",
	                         omt_bench_mode_names[OMT_BENCH_MODELLED], "file", file, "modality",
	                         modality, "valid", !failed, "reasons", reasons, "remarks",
	                         remarks_on(group, seconds, card), "items", items + failed,
	                         "failed", failed, "tokens", tokens, "duration_s", seconds,
	                         "latency_ms", latency_of(json_object_get(group, "alone_s")),
	                         "energy", energy_of(group, (double)items, name));
	if (part && seconds > 0) {
		json_object_set_new(part, "items_per_s", json_real((double)items / seconds));
		json_object_set_new(part, "tokens_per_s", json_real((double)tokens / seconds));
	}
	return part;
}

static omt_status load(const omt_bench_settings *s, omt_bench_items *items, omt_error *err)
{
	const omt_bench_file files[FILES] = {
		{"passages", s->passages, OMT_ROLE_PASSAGE, s->limits},
		{"queries", s->queries, OMT_ROLE_QUERY, s->limits},
	};
	json_t *ids = json_array();
	omt_status status = ids ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "ids");
	for (uint32_t i = 0; i < FILES && status == OMT_OK && files[i].path; i++)
		status = omt_bench_items_load(items, &files[i], i, ids, err);
	json_decref(ids);
	return status;
}

/* Every item with its part's number. */
static omt_status plan(const omt_model *model, const omt_bench_settings *s,
                       const omt_bench_options *options, const omt_bench_items *items,
                       json_t **planned, omt_error *err)
{
	const omt_plan_options how = {.engine = s->engine, .card = s->card};
	omt_plan_options with_card = how;
	omt_plan_list list = {.count = items->count,
	                      .group_count = PARTS,
	                      .progress = options->progress,
	                      .stop = options->stop,
	                      .user = options->user};
	const omt_item **all = malloc((items->count + 1) * sizeof *all);
	int32_t *groups = malloc((items->count + 1) * sizeof *groups);
	char *text = NULL;
	omt_status status = OMT_OK;
	if (!all || !groups) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu items", items->count);
		goto done;
	}
	for (size_t i = 0; i < items->count; i++) {
		all[i] = items->all[i].item;
		groups[i] = (int32_t)(items->all[i].file * OMT_BENCH_GROUPS + items->all[i].group);
	}
	list.items = all;
	list.groups = groups;
	with_card.engine.device = s->card_name;
	OMT_GOTO(omt_plan_items(model, &with_card, &list, &text, err));
	*planned = json_loads(text, 0, NULL);
	if (!*planned)
		status = OMT_FAIL(err, NO_MEMORY, "the plan of %zu items", items->count);
done:
	omt_free(text);
	free(all);
	free(groups);
	return status;
}

omt_status omt_bench_modelled(const omt_model *model, const omt_bench_settings *s,
                              const omt_bench_options *options, json_t **parts, json_t **card,
                              omt_error *err)
{
	static const char *const files[FILES] = {"passages", "queries"};
	omt_bench_items items = {0};
	json_t *planned = NULL;
	omt_status status = OMT_OK;
	*parts = *card = NULL;
	OMT_GOTO(load(s, &items, err));
	OMT_GOTO(plan(model, s, options, &items, &planned, err));
	*parts = json_array();
	*card = json_incref(json_object_get(planned, "card"));
	for (int32_t i = 0; i < PARTS; i++) {
		const json_t *group = json_array_get(json_object_get(planned, "groups"), (size_t)i);
		const char *modality = omt_bench_group_names[i % OMT_BENCH_GROUPS];
		if (json_integer_value(json_object_get(group, "items")) +
		            json_integer_value(json_object_get(group, "failed")) ==
		    0)
			continue;
		if (json_array_append_new(*parts, describe_part(group, files[i / OMT_BENCH_GROUPS],
		                                                modality, s->card_name, *card)) !=
		    0)
			status = OMT_FAIL(err, NO_MEMORY, "a part");
	}
done:
	json_decref(planned);
	omt_bench_items_free(&items);
	return status;
}
