#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/median.h"
#include "base/random.h"
#include "bench/results.h"
#include "index/significance.h"

#define RESAMPLES   2000
#define REPETITIONS 64 /* of a part, that an interval is made of */
#define SIGNIFICANT 0.05

/* A figure of a part or of a record. */
typedef struct omt_bench_metric {
	const char *name;
	const char *object; /* of the part, or of the record; NULL: itself */
	bool of_part;       /* otherwise of the record */
	bool higher_is_better;
} omt_bench_metric;

static const omt_bench_metric metrics[] = {
	{"items_per_s", NULL, true, true},
	{"tokens_per_s", NULL, true, true},
	{"queries_per_s", NULL, true, true},
	{"hidden_share", NULL, true, true},
	{"rate", NULL, true, true},
	{"min", "latency_ms", true, false},
	{"mean", "latency_ms", true, false},
	{"p50", "latency_ms", true, false},
	{"p90", "latency_ms", true, false},
	{"p95", "latency_ms", true, false},
	{"p99", "latency_ms", true, false},
	{"p99_9", "latency_ms", true, false},
	{"max", "latency_ms", true, false},
	{"joules_per_item", "energy", true, false},
	{"build_s", "start", false, false},
	{"load_s", "start", false, false},
	{"open_s", "start", false, false},
	{"first_s", "start", false, false},
	{"host_peak_bytes", "memory", false, false},
	{"device_bytes", "memory", false, false},
	{"weights_bytes", "memory", false, false},
};

/* Of a record's `retrieval`, at a cut-off after an @ or over the whole ranking. */
static const omt_bench_metric measures[] = {
	{"ndcg", NULL, false, true},      {"map", NULL, false, true}, {"recall", NULL, false, true},
	{"precision", NULL, false, true}, {"mrr", NULL, false, true}, {"hit", NULL, false, true},
};

static bool is_measure(const omt_bench_metric *metric)
{
	return !metric->of_part && !metric->object;
}

/* "ndcg@10", "map": one of retrieval's, with the measure's name before the @. NULL: no such figure.
 */
static const omt_bench_metric *find_metric(const char *name)
{
	const size_t length = strcspn(name, "@");
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		if (!strcmp(metrics[i].name, name))
			return &metrics[i];
	for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
		if (strlen(measures[i].name) == length && !strncmp(measures[i].name, name, length))
			return &measures[i];
	return NULL;
}

/* ---- intervals ----------------------------------------------------------------------------- */

static size_t take_reals(const json_t *list, double *values)
{
	size_t count = 0;
	for (size_t i = 0; i < json_array_size(list) && count < REPETITIONS; i++) {
		values[count] = json_number_value(json_array_get(list, i));
		count += values[count] > 0;
	}
	return count;
}

static double draw_median(omt_random *random, const double *values, size_t count)
{
	double drawn[REPETITIONS];
	for (size_t i = 0; i < count; i++)
		drawn[i] = values[omt_random_below(random, count)];
	return omt_median(drawn, count);
}

bool omt_bench_ratio_interval(const json_t *a, const json_t *b, double *low, double *high)
{
	double of_a[REPETITIONS], of_b[REPETITIONS], ratios[RESAMPLES];
	const size_t in_a = take_reals(a, of_a), in_b = take_reals(b, of_b);
	omt_random random;
	if (in_a < 2 || in_b < 2)
		return false;
	omt_random_seed(&random, 1, 0);
	for (int i = 0; i < RESAMPLES; i++) {
		const double from = draw_median(&random, of_a, in_a);
		ratios[i] = draw_median(&random, of_b, in_b) / from;
	}
	omt_reals_sort(ratios, RESAMPLES);
	*low = ratios[RESAMPLES / 40];
	*high = ratios[RESAMPLES - 1 - RESAMPLES / 40];
	return true;
}

/* ---- one figure ---------------------------------------------------------------------------- */

/* What is asked for, and what was found so far. */
typedef struct omt_comparison {
	double threshold;
	char *names; /* of metrics, each with a NUL after it */
	size_t name_bytes;
	bool *seen; /* [name_bytes]: at the name's place, whether both files had the figure */
	size_t regressions;
	omt_error *err;
} omt_comparison;

/* Worse by more than the threshold, and not by chance as far as an interval tells. */
static bool is_regression(const omt_comparison *all, const omt_bench_metric *metric, double a,
                          double b, const json_t *figure)
{
	const double ratio = b / a;
	const json_t *low = json_object_get(figure, "low"), *high = json_object_get(figure, "high");
	const json_t *p = json_object_get(figure, "p");
	if (!(a > 0))
		return !metric->higher_is_better && b > 0;
	if (metric->higher_is_better ? ratio >= 1 - all->threshold : ratio <= 1 + all->threshold)
		return false;
	if (json_is_number(p))
		return json_number_value(p) < SIGNIFICANT;
	if (json_is_number(low))
		return metric->higher_is_better ? json_number_value(high) < 1
		                                : json_number_value(low) > 1;
	return true;
}

/* Appends {"metric", "a", "b", "ratio", ..., "better", "regression"} when both have the figure.
 * `more` (taken): low, high, p and the like; may be NULL. */
static void add_figure(omt_comparison *all, const char *name, const omt_bench_metric *metric,
                       const json_t *a, const json_t *b, json_t *more, json_t *figures)
{
	if (json_is_number(a) && json_is_number(b)) {
		const double from = json_number_value(a), to = json_number_value(b);
		json_t *figure = json_pack("{ss sf sf}", "metric", name, "a", from, "b", to);
		json_object_set_new(figure, "ratio", from > 0 ? json_real(to / from) : json_null());
		json_object_update(figure, more);
		const bool worse = is_regression(all, metric, from, to, figure);
		json_object_set_new(figure, "better",
		                    json_string(metric->higher_is_better ? "higher" : "lower"));
		json_object_set_new(figure, "regression", json_boolean(worse));
		json_array_append_new(figures, figure);
		all->regressions += worse;
		all->seen[name - all->names] = true;
	}
	json_decref(more);
}

static const char *next_name(const omt_comparison *all, const char *name)
{
	name = name ? name + strlen(name) + 1 : all->names;
	return name < all->names + all->name_bytes ? name : NULL;
}

static const json_t *figure_of(const omt_bench_metric *metric, const char *name, const json_t *of)
{
	return json_object_get(metric->object ? json_object_get(of, metric->object) : of, name);
}

/* ---- parts, retrieval, records -------------------------------------------------------------- */

static json_t *ratio_interval(const char *name, const json_t *a, const json_t *b)
{
	double low, high;
	if (strcmp(name, "items_per_s") != 0 ||
	    !omt_bench_ratio_interval(json_object_get(a, "repeats"), json_object_get(b, "repeats"),
	                              &low, &high))
		return NULL;
	return json_pack("{sf sf}", "low", low, "high", high);
}

static bool is_invalid(const json_t *part)
{
	return json_is_false(json_object_get(part, "valid"));
}

/* What parts of one kind have in common. */
static const char *const same[] = {"file", "modality", "mode"};

/* A result that breaks the rules says nothing, where the one before kept them. */
static json_t *compare_part(omt_comparison *all, const json_t *a, const json_t *b)
{
	json_t *compared = json_object(), *figures = json_array();
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		json_object_set(compared, same[i], json_object_get(a, same[i]));
	json_object_set_new(compared, "valid", json_pack("[b, b]", !is_invalid(a), !is_invalid(b)));
	all->regressions += !is_invalid(a) && is_invalid(b);
	for (const char *name = NULL; (name = next_name(all, name));) {
		const omt_bench_metric *metric = find_metric(name);
		if (metric->of_part)
			add_figure(all, name, metric, figure_of(metric, name, a),
			           figure_of(metric, name, b), ratio_interval(name, a, b), figures);
	}
	json_object_set_new(compared, "figures", figures);
	return compared;
}

static const json_t *find_part(const json_t *parts, const json_t *part)
{
	size_t i;
	json_t *other;
	json_array_foreach((json_t *)(uintptr_t)parts, i, other)
	{
		size_t equal = 0;
		for (size_t j = 0; j < sizeof same / sizeof *same; j++) {
			const json_t *x = json_object_get(part, same[j]);
			const json_t *y = json_object_get(other, same[j]);
			equal += x == y || json_equal(x, y);
		}
		if (equal == sizeof same / sizeof *same)
			return other;
	}
	return NULL;
}

/* {"file", "modality", "mode"} of the parts that the others lack. */
static json_t *lone_parts(const json_t *parts, const json_t *others)
{
	json_t *list = json_array(), *part;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)parts, i, part) if (!find_part(others, part))
		json_array_append_new(list, json_pack("{sO? sO? sO?}", "file",
	                                              json_object_get(part, "file"), "modality",
	                                              json_object_get(part, "modality"), "mode",
	                                              json_object_get(part, "mode")));
	return list;
}

/* A measure's value at the cut-off of its name. */
static const json_t *measure_of(const json_t *record, const char *name)
{
	const char *at = strchr(name, '@');
	const json_t *measured = json_object_get(json_object_get(record, "retrieval"), "measured");
	const json_t *cuts = json_object_getn(measured, name, strcspn(name, "@"));
	return json_object_get(json_object_get(cuts, at ? at + 1 : ""), "value");
}

/* The paired difference at the figure's cut-off, where both records have values by query. */
static json_t *paired_of(const json_t *paired, const char *name)
{
	const char *at = strchr(name, '@');
	const json_t *cuts = json_object_getn(paired, name, strcspn(name, "@"));
	const json_t *found = json_object_get(cuts, at ? at + 1 : "");
	if (!found)
		return NULL;
	return json_pack("{sO sO sO sO}", "difference", json_object_get(found, "difference"),
	                 "difference_low", json_object_get(found, "low"), "difference_high",
	                 json_object_get(found, "high"), "p",
	                 json_object_get(found, "p_randomisation"));
}

static omt_status compare_records(omt_comparison *all, const json_t *a, const json_t *b,
                                  json_t **compared)
{
	const json_t *of_a = json_object_get(json_object_get(a, "retrieval"), "per_query");
	const json_t *of_b = json_object_get(json_object_get(b, "retrieval"), "per_query");
	json_t *paired = NULL, *part;
	size_t i;
	if (of_a && of_b)
		OMT_TRY(omt_per_query_compare(of_a, of_b, RESAMPLES, 1, &paired, all->err));
	json_t *parts = json_array(), *figures = json_array();
	json_array_foreach(json_object_get(a, "parts"), i, part)
	{
		const json_t *other = find_part(json_object_get(b, "parts"), part);
		if (other)
			json_array_append_new(parts, compare_part(all, part, other));
	}
	for (const char *name = NULL; (name = next_name(all, name));) {
		const omt_bench_metric *metric = find_metric(name);
		if (is_measure(metric))
			add_figure(all, name, metric, measure_of(a, name), measure_of(b, name),
			           paired_of(paired, name), figures);
		else if (!metric->of_part)
			add_figure(all, name, metric, figure_of(metric, name, a),
			           figure_of(metric, name, b), NULL, figures);
	}
	json_decref(paired);
	const json_t *of[] = {json_object_get(a, "parts"), json_object_get(b, "parts")};
	*compared = json_pack("{sO? so so so so}", "point", json_object_get(b, "point"), "parts",
	                      parts, "figures", figures, "only_a", lone_parts(of[0], of[1]),
	                      "only_b", lone_parts(of[1], of[0]));
	return *compared ? OMT_OK : OMT_FAIL(all->err, NO_MEMORY, "a comparison");
}

/* ---- files -------------------------------------------------------------------------------- */

static json_t *only_equal(const json_t *records, const char *key, const json_t *value,
                          size_t *count)
{
	size_t i;
	json_t *record, *found = NULL;
	*count = 0;
	json_array_foreach((json_t *)(uintptr_t)records, i, record)
	{
		const json_t *other = json_object_get(record, key);
		if (!value || !other || !json_equal(value, other))
			continue;
		found = found ? found : record;
		++*count;
	}
	return found;
}

/* The record of `records` that is the same point as `record`: of the same key; or else the only
 * one with the same `point`; or else the only one there is, when `record` is the only one of
 * `others`, too. NULL: none. */
static json_t *match(const json_t *record, const json_t *others, const json_t *records)
{
	size_t here, there;
	const json_t *point = json_object_get(record, "point");
	json_t *found = only_equal(records, "key", json_object_get(record, "key"), &there);
	if (found)
		return found;
	(void)only_equal(others, "point", point, &here);
	found = only_equal(records, "point", point, &there);
	if (found && here == 1 && there == 1)
		return found;
	return json_array_size(others) == 1 && json_array_size(records) == 1
	               ? json_array_get(records, 0)
	               : NULL;
}

/* Points of one file that the other lacks. */
static json_t *unmatched(const json_t *records, const json_t *others)
{
	json_t *list = json_array(), *record;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)records, i,
	                   record) if (!match(record, records, others))
	{
		json_t *point = json_object_get(record, "point");
		json_array_append(list, point ? point : record);
	}
	return list;
}

static omt_status compare_files(omt_comparison *all, const json_t *a, const json_t *b,
                                json_t **given)
{
	json_t *points = json_array(), *record;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)b, i, record)
	{
		const json_t *other = match(record, b, a);
		json_t *compared;
		if (!other)
			continue;
		const omt_status status = compare_records(all, other, record, &compared);
		if (status != OMT_OK) {
			json_decref(points);
			return status;
		}
		json_array_append_new(points, compared);
	}
	*given = json_pack("{sf so so so sI}", "threshold", all->threshold, "points", points,
	                   "only_a", unmatched(a, b), "only_b", unmatched(b, a), "regressions",
	                   (json_int_t)all->regressions);
	return *given ? OMT_OK : OMT_FAIL(all->err, NO_MEMORY, "a comparison");
}

/* Splits "items_per_s,p99" and looks each name up. */
static omt_status read_names(omt_comparison *all, const char *list)
{
	all->names = strdup(list);
	all->name_bytes = strlen(list) + 1;
	all->seen = calloc(all->name_bytes, sizeof *all->seen);
	if (!all->names || !all->seen)
		return OMT_FAIL(all->err, NO_MEMORY, "names of figures");
	for (char *at = all->names; *at; at++)
		*at = *at == ',' ? '\0' : *at;
	for (const char *name = NULL; (name = next_name(all, name));)
		if (!find_metric(name))
			return OMT_FAIL(all->err, BAD_ARGUMENT,
			                "metric \"%.60s\" is none of items_per_s, tokens_per_s, "
			                "queries_per_s, hidden_share, rate, min, mean, p50, p90, "
			                "p95, p99, p99_9, max, joules_per_item, build_s, load_s, "
			                "open_s, first_s, host_peak_bytes, device_bytes, "
			                "weights_bytes, or a measure as ndcg@10",
			                name);
	return OMT_OK;
}

omt_status omt_bench_compare(const char *path_a, const char *path_b,
                             const omt_bench_compare_options *options, char **json, omt_error *err)
{
	static const char usual[] = "items_per_s,p50,p99,rate,ndcg@10";
	const bool asked = options && options->metrics;
	omt_comparison all = {.threshold = options ? options->threshold : 0.05, .err = err};
	json_t *a = NULL, *b = NULL, *compared = NULL;
	omt_status status;
	*json = NULL;
	OMT_GOTO(read_names(&all, asked ? options->metrics : usual));
	OMT_GOTO(omt_bench_records_load(path_a, &a, err));
	OMT_GOTO(omt_bench_records_load(path_b, &b, err));
	OMT_GOTO(compare_files(&all, a, b, &compared));
	if (!json_array_size(json_object_get(compared, "points")))
		OMT_GOTO(OMT_FAIL(err, MISMATCH, "%s and %s have no point in common", path_a,
		                  path_b));
	for (const char *name = NULL; asked && (name = next_name(&all, name));)
		if (!all.seen[name - all.names])
			OMT_GOTO(OMT_FAIL(err, MISMATCH, "%s and %s: no part of both has %s",
			                  path_a, path_b, name));
	*json = json_dumps(compared, JSON_COMPACT | JSON_REAL_PRECISION(6));
	if (!*json)
		status = OMT_FAIL(err, NO_MEMORY, "a comparison");
done:
	json_decref(a);
	json_decref(b);
	json_decref(compared);
	free(all.names);
	free(all.seen);
	return status;
}
