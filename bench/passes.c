#include <stdlib.h>
#include <string.h>

#include "base/median.h"
#include "bench/harness.h"

/* Modalities of items: one kind of part, or several. */
static const char *const groups[] = {"text", "image", "video", "audio", "joined"};
#define GROUPS ((int)(sizeof groups / sizeof *groups))

/* Items of one group of a list, with their places in it. */
typedef struct omt_group_source {
	omt_list *list;
	int group;
	size_t seen;         /* items of the list so far */
	size_t limit, given; /* limit 0: all */
	size_t *places;      /* of the items given, when not NULL */
} omt_group_source;

static int group_of(const omt_item *item)
{
	uint32_t kinds = 0;
	int group = OMT_TEXT;
	for (size_t i = 0; i < item->part_count; i++) {
		kinds |= 1u << item->parts[i].kind;
		group = (int)item->parts[i].kind;
		if (item->parts[i].fusion != OMT_AUDIO_OFF)
			kinds |= 1u << OMT_AUDIO;
	}
	return kinds & (kinds - 1) ? GROUPS - 1 : group;
}

static bool next_of_group(void *user, const omt_item **item)
{
	omt_group_source *source = user;
	if (source->limit && source->given == source->limit)
		return false;
	while (omt_list_next(source->list, item)) {
		size_t place = source->seen++;
		if (group_of(*item) != source->group)
			continue;
		if (source->places)
			source->places[source->given] = place;
		source->given++;
		return true;
	}
	return false;
}

/* What one pass collects. */
typedef struct omt_pass {
	omt_bench_vectors *vectors;
	const size_t *places; /* of the items in the list; NULL: keep no vectors */
	double *latency_ms;
	size_t latency_count;
	const omt_progress *progress;
	uint64_t done, total;
	const char *what;
} omt_pass;

static omt_status take_result(void *user, const omt_result *result, omt_error *err)
{
	omt_pass *pass = user;
	(void)err;
	if (result->failed.status == OMT_OK) {
		pass->latency_ms[pass->latency_count++] = result->latency_ms;
		if (pass->places)
			memcpy(pass->vectors->data +
			               pass->places[result->index] * (size_t)result->dimension,
			       result->vector, (size_t)result->dimension * sizeof(float));
	}
	if (pass->progress && pass->progress->report)
		pass->progress->report(pass->progress->user, pass->what, ++pass->done, pass->total);
	return OMT_OK;
}

/* Nearest rank (MLPerf); values are sorted. */
static double percentile(const double *values, size_t count, double percent)
{
	size_t rank = (size_t)((double)count * percent / 100 + 0.999999);
	return count ? values[(rank ? rank : 1) - 1] : 0;
}

static omt_status embed_group(omt_engine *engine, const char *list, omt_role role, int group,
                              size_t limit, size_t *places, omt_pass *pass, omt_embed_stats *stats,
                              omt_error *err)
{
	omt_group_source source = {.group = group, .limit = limit, .places = places};
	omt_limits limits;
	omt_limits_init(&limits);
	pass->places = places;
	OMT_TRY(omt_list_open(list, role, &limits, &source.list, err));
	omt_status status = omt_embed(engine, &(omt_source){next_of_group, &source},
	                              &(omt_sink){take_result, pass}, stats, err);
	omt_list_close(source.list);
	return status;
}

static json_t *describe_pass(omt_pass *pass, const char *file, int group, omt_embed_stats *stats,
                             double *walls, double *hidden, int32_t repetitions)
{
	double wall_s = omt_median(walls, (size_t)repetitions);
	double share = omt_median(hidden, (size_t)repetitions);
	size_t count = pass->latency_count;
	omt_reals_sort(pass->latency_ms, count);
	return json_pack("{ss ss sI sI sI sf sf sf s{sf sf sf} sf sf sf}", "file", file, "modality",
	                 groups[group], "items", (json_int_t)stats->items, "failed",
	                 (json_int_t)stats->failed, "tokens", (json_int_t)stats->tokens, "wall_s",
	                 wall_s, "items_per_s", (double)stats->items / wall_s, "tokens_per_s",
	                 (double)stats->tokens / wall_s, "latency_ms", "p50",
	                 percentile(pass->latency_ms, count, 50), "p90",
	                 percentile(pass->latency_ms, count, 90), "p99",
	                 percentile(pass->latency_ms, count, 99), "prepare_s", stats->prepare_s,
	                 "compute_s", stats->compute_s, "hidden_share", share);
}

/* Warm-up, then the repetitions of one group. */
static omt_status run_group(omt_engine *engine, const omt_bench_settings *settings,
                            const char *list, omt_role role, int group, size_t items,
                            omt_pass *pass, json_t *passes, omt_error *err)
{
	int32_t n = settings->repetitions;
	omt_embed_stats stats = {0};
	omt_status status = OMT_OK;
	double *walls = calloc((size_t)n, sizeof *walls),
	       *hidden = calloc((size_t)n, sizeof *hidden);
	size_t *places = calloc(items, sizeof *places);
	pass->latency_ms =
		calloc(items * (size_t)n + (size_t)settings->warmup + 1, sizeof *pass->latency_ms);
	pass->latency_count = 0;
	if (!walls || !hidden || !places || !pass->latency_ms) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu items", items);
		goto done;
	}
	if (settings->warmup)
		OMT_GOTO(embed_group(engine, list, role, group, (size_t)settings->warmup, NULL,
		                     pass, &stats, err));
	pass->latency_count = 0;
	for (int32_t i = 0; i < n; i++) {
		OMT_GOTO(embed_group(engine, list, role, group, 0, places, pass, &stats, err));
		walls[i] = stats.wall_s;
		hidden[i] = stats.prepare_s > 0 ? stats.hidden_s / stats.prepare_s : 0;
	}
	json_array_append_new(passes,
	                      describe_pass(pass, role == OMT_ROLE_QUERY ? "queries" : "passages",
	                                    group, &stats, walls, hidden, n));
done:
	free(walls);
	free(hidden);
	free(places);
	free(pass->latency_ms);
	return status;
}

/* Ids of all items, NaN vectors for them, and how many of each group there are. */
static omt_status survey(const char *list, omt_role role, omt_bench_vectors *vectors,
                         size_t counts[GROUPS], omt_error *err)
{
	omt_list *items;
	const omt_item *item;
	omt_limits limits;
	omt_limits_init(&limits);
	OMT_TRY(omt_list_open(list, role, &limits, &items, err));
	vectors->ids = json_array();
	while (omt_list_next(items, &item)) {
		counts[group_of(item)]++;
		json_array_append_new(vectors->ids, json_string(item->id));
	}
	omt_list_close(items);
	vectors->count = json_array_size(vectors->ids);
	if (!vectors->count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no items", list);
	size_t values = vectors->count * (size_t)vectors->dimension;
	vectors->data = malloc(values * sizeof *vectors->data);
	if (!vectors->data)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu vectors", list, vectors->count);
	memset(vectors->data, 0xff, values * sizeof *vectors->data); /* NaN */
	return OMT_OK;
}

omt_status omt_bench_passes(omt_engine *engine, const omt_bench_settings *settings,
                            const char *list, omt_role role, const omt_progress *progress,
                            json_t *passes, omt_bench_vectors *vectors, omt_error *err)
{
	size_t counts[GROUPS] = {0};
	OMT_TRY(survey(list, role, vectors, counts, err));
	for (int group = 0; group < GROUPS; group++) {
		if (!counts[group])
			continue;
		size_t warmup = (size_t)settings->warmup < counts[group] ? (size_t)settings->warmup
		                                                         : counts[group];
		omt_pass pass = {.vectors = vectors,
		                 .progress = progress,
		                 .what = groups[group],
		                 .total = warmup + counts[group] * (size_t)settings->repetitions};
		OMT_TRY(run_group(engine, settings, list, role, group, counts[group], &pass, passes,
		                  err));
	}
	return OMT_OK;
}
