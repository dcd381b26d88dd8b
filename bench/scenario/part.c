#include "bench/scenario/part.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/median.h"
#include "bench/scenario/samples.h"

/* ---- the rules ---- */

static void say(json_t *list, const char *format, ...) OMT_PRINTF(2, 3);
static void say(json_t *list, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(list, json_string(text));
}

/* Answers that still come long after the last arrival, by far more than one takes alone, are a
 * queue that grew: the rate is above what can be served, whatever the target. */
static bool fell_behind(const omt_verdict *v)
{
	return v->after_s > 0.1 * v->duration_s && 1e3 * v->after_s > 4 * v->least_ms;
}

bool omt_verdict_in_time(const omt_verdict *v)
{
	return v->latency_ms <= v->target_latency_ms && !fell_behind(v);
}

static void judge_server(const omt_verdict *v, json_t *reasons, json_t *remarks)
{
	if (v->samples && v->latency_ms > v->target_latency_ms)
		say(reasons, "latency %.6g ms in the %gth percentile, at most %g", v->latency_ms,
		    v->percentile, v->target_latency_ms);
	if (fell_behind(v))
		say(reasons,
		    "arrivals fell behind: the last answer came %.3g s after %.3g s of them",
		    v->after_s, v->duration_s);
	if (v->hopeless)
		say(reasons, "ended early: too many requests took longer than %g ms",
		    v->target_latency_ms);
	if (v->lag_ms > 0.1 * v->target_latency_ms)
		say(remarks, "an arrival came %.3g ms late, it counts as waiting", v->lag_ms);
}

void omt_verdict_judge(const omt_verdict *v, json_t *reasons, json_t *remarks)
{
	if (v->duration_s < v->min_duration_s)
		say(reasons, "%.3f s, at least %g", v->duration_s, v->min_duration_s);
	if (v->queries < v->min_queries)
		say(reasons, "%llu queries, at least %llu", (unsigned long long)v->queries,
		    (unsigned long long)v->min_queries);
	if (v->failed)
		say(reasons, "%llu of %llu items failed", (unsigned long long)v->failed,
		    (unsigned long long)v->items);
	if (v->mode == OMT_BENCH_SERVER)
		judge_server(v, reasons, remarks);
	if (v->samples && v->samples < 1000)
		say(remarks, "%zu samples: the 99.9th percentile is the largest of them",
		    v->samples);
}

/* ---- figures ---- */

double *omt_trial_latencies(const omt_trial *trial, size_t *count)
{
	const size_t requests = trial->requests.count;
	double *values = malloc((requests + 1) * sizeof *values);
	*count = 0;
	for (size_t i = 0; values && i < requests;) {
		const uint64_t query = omt_requests_at(&trial->requests, i)->query;
		bool failed = false;
		double last_ms = 0;
		for (; i < requests; i++) {
			const omt_request *request = omt_requests_at(&trial->requests, i);
			if (request->query != query)
				break;
			failed = failed || request->failed;
			last_ms = fmax(last_ms, request->total_ms);
		}
		if (!failed)
			values[(*count)++] = last_ms;
	}
	if (values)
		omt_reals_sort(values, *count);
	return values;
}

double omt_trial_rate(const omt_trial *trial)
{
	const double items = (double)(trial->requests.count - trial->failed);
	return trial->duration_s > 0 ? items / trial->duration_s : 0;
}

/* Requests of one modality, or of all. */
typedef struct omt_view {
	const omt_traffic *traffic;
	const omt_trial *trial;
	int group;      /* < 0: all */
	double *values; /* room for one a request */
} omt_view;

static bool is_in(const omt_view *view, const omt_request *request)
{
	return view->group < 0 ||
	       view->traffic->items->all[request->place].group == (uint32_t)view->group;
}

/* One stage of the requests that did not fail, OMT_STAGES: the total; into view->values. */
static size_t collect(const omt_view *view, int stage)
{
	size_t count = 0;
	for (size_t i = 0; i < view->trial->requests.count; i++) {
		const omt_request *request = omt_requests_at(&view->trial->requests, i);
		if (!request->failed && is_in(view, request))
			view->values[count++] =
				stage < OMT_STAGES ? request->stage_ms[stage] : request->total_ms;
	}
	return count;
}

static json_t *describe_stages(const omt_view *view)
{
	json_t *stages = json_object();
	for (int stage = 0; stage <= OMT_STAGES; stage++)
		json_object_set_new(stages, stage < OMT_STAGES ? omt_stage_names[stage] : "total",
		                    omt_samples_describe_short(view->values, collect(view, stage)));
	return stages;
}

static json_t *rate_of(double count, double seconds)
{
	return seconds > 0 ? json_real(count / seconds) : json_null();
}

static void describe_counts(const omt_view *view, json_t *part)
{
	const double s = view->trial->duration_s;
	double items = 0, failed = 0, tokens = 0;
	for (size_t i = 0; i < view->trial->requests.count; i++) {
		const omt_request *request = omt_requests_at(&view->trial->requests, i);
		if (!is_in(view, request))
			continue;
		items++;
		failed += request->failed;
		tokens += request->tokens;
	}
	json_object_set_new(part, "items", json_integer((json_int_t)items));
	json_object_set_new(part, "failed", json_integer((json_int_t)failed));
	json_object_set_new(part, "tokens", json_integer((json_int_t)tokens));
	json_object_set_new(part, "items_per_s", rate_of(items - failed, s));
	json_object_set_new(part, "tokens_per_s", rate_of(tokens, s));
}

/* What each modality had of a mixed run. */
static json_t *describe_modalities(const omt_view *mixed)
{
	json_t *modalities = json_object();
	for (int group = 0; group < OMT_BENCH_GROUPS; group++) {
		omt_view view = *mixed;
		json_t *modality = json_object();
		view.group = group;
		describe_counts(&view, modality);
		json_object_set_new(modality, "latency_ms",
		                    omt_samples_describe(view.values, collect(&view, OMT_STAGES)));
		json_object_set_new(modality, "stages_ms", describe_stages(&view));
		if (json_integer_value(json_object_get(modality, "items")))
			json_object_set(modalities, omt_bench_group_names[group], modality);
		json_decref(modality);
	}
	return modalities;
}

static void describe_sums(const omt_trial *trial, json_t *part)
{
	const omt_embed_stats *stats = &trial->stats;
	const double beside_s = stats->prepare_s + stats->transfer_s;
	const double hidden_s = stats->hidden_s + stats->hidden_transfer_s;
	json_object_set_new(part, "stages_s",
	                    json_pack("{sf sf sf sf sf}", "prepare", stats->prepare_s, "transfer",
	                              stats->transfer_s, "compute", stats->compute_s,
	                              "hidden_prepare", stats->hidden_s, "hidden_transfer",
	                              stats->hidden_transfer_s));
	json_object_set_new(part, "hidden_share",
	                    beside_s > 0 ? json_real(hidden_s / beside_s) : json_null());
	json_object_set_new(part, "overhead",
	                    json_pack("{sf so}", "harness_s", trial->harness_s, "share",
	                              rate_of(trial->harness_s, trial->duration_s)));
}

/* The percentile that a mode is told by; 0: none. */
static double headline(const omt_traffic *traffic)
{
	static const double percents[OMT_BENCH_MODE_COUNT] = {
		[OMT_BENCH_SINGLE_STREAM] = 90, [OMT_BENCH_MULTI_STREAM] = 99};
	return traffic->mode == OMT_BENCH_SERVER ? traffic->load->scenario->percentile
	                                         : percents[traffic->mode];
}

static void describe_latency(const omt_traffic *traffic, double *values, size_t count, json_t *part)
{
	const double percent = headline(traffic);
	double bound = 0;
	json_object_set_new(part, "latency_ms", omt_samples_describe(values, count));
	if (percent <= 0)
		return;
	const bool bounded = omt_samples_bound(values, count, percent, &bound);
	json_object_set_new(
		part, "headline",
		json_pack("{sf so sf so}", "percentile", percent, "latency_ms",
	                  count ? json_real(omt_samples_percentile(values, count, percent))
	                        : json_null(),
	                  "confidence", 0.99, "at_most_ms",
	                  bounded ? json_real(bound) : json_null()));
}

omt_verdict omt_trial_verdict(const omt_traffic *traffic, const omt_trial *trial,
                              const double *values, size_t count)
{
	const omt_bench_scenario *scenario = traffic->load->scenario;
	omt_verdict verdict = {.mode = traffic->mode,
	                       .duration_s = trial->duration_s,
	                       .min_duration_s = traffic->min_duration_s,
	                       .queries = trial->queries,
	                       .min_queries = traffic->min_queries,
	                       .items = trial->requests.count,
	                       .failed = trial->failed,
	                       .samples = count,
	                       .percentile = scenario->percentile,
	                       .target_latency_ms = scenario->target_latency_ms,
	                       .hopeless = trial->hopeless,
	                       .lag_ms = 1e3 * trial->lag_s};
	if (traffic->mode == OMT_BENCH_SERVER && trial->requests.count) {
		verdict.duration_s = traffic->arrivals_s[trial->requests.count - 1];
		verdict.after_s = trial->duration_s - verdict.duration_s;
	}
	if (count) {
		verdict.latency_ms = omt_samples_percentile(values, count, scenario->percentile);
		verdict.least_ms = values[0];
	}
	return verdict;
}

static void judge(const omt_verdict *verdict, json_t *part)
{
	json_t *reasons = json_array(), *remarks = json_array();
	omt_verdict_judge(verdict, reasons, remarks);
	json_object_set_new(part, "valid", json_boolean(!json_array_size(reasons)));
	json_object_set_new(part, "reasons", reasons);
	json_object_set_new(part, "remarks", remarks);
}

json_t *omt_part_describe(const omt_traffic *traffic, const omt_trial *trial, const char *file,
                          const char *modality)
{
	size_t count;
	double *values = omt_trial_latencies(trial, &count);
	json_t *part = json_object();
	if (!values || !part) {
		free(values);
		json_decref(part);
		return NULL;
	}
	const omt_view view = {traffic, trial, -1, values};
	const omt_verdict verdict = omt_trial_verdict(traffic, trial, values, count);
	json_object_set_new(part, "mode", json_string(omt_bench_mode_names[traffic->mode]));
	json_object_set_new(part, "file", file ? json_string(file) : json_null());
	json_object_set_new(part, "modality", json_string(modality));
	judge(&verdict, part);
	json_object_set_new(part, "queries", json_integer((json_int_t)trial->queries));
	describe_counts(&view, part);
	json_object_set_new(part, "seed", json_integer(traffic->load->scenario->seed));
	json_object_set_new(part, "duration_s", json_real(trial->duration_s));
	json_object_set_new(part, "queries_per_s",
	                    rate_of((double)trial->queries, trial->duration_s));
	describe_latency(traffic, values, count, part);
	json_object_set_new(part, "stages_ms", describe_stages(&view));
	describe_sums(trial, part);
	if (trial->energy)
		json_object_set(part, "energy", trial->energy);
	if (traffic->mode == OMT_BENCH_SERVER)
		json_object_set_new(part, "modalities", describe_modalities(&view));
	free(values);
	return part;
}
