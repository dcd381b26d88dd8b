#include "train/draw.h"

#include <stdlib.h>
#include <string.h>

/* Who is told what cannot be made. */
typedef struct omt_draw_told {
	void (*skipped)(void *user, omt_item_key key, const omt_error *why);
	void *user;
	omt_error last;
} omt_draw_told;

omt_status omt_draw_open(const omt_dataset *dataset, omt_store *store, int32_t batch,
                         int32_t negatives, omt_draw *draw, omt_error *err)
{
	const size_t queries = (size_t)batch, each = 1 + (size_t)negatives;
	*draw = (omt_draw){.dataset = dataset,
	                   .store = store,
	                   .batch = batch,
	                   .negatives = negatives,
	                   .queries = malloc(queries * sizeof *draw->queries),
	                   .starts = calloc(queries + 1, sizeof *draw->starts),
	                   .passages = malloc(queries * each * sizeof *draw->passages),
	                   .passage_keys = malloc(queries * each * sizeof *draw->passage_keys),
	                   .samples = malloc(queries * (each + 1) * sizeof *draw->samples),
	                   .keys = malloc(queries * (each + 1) * sizeof *draw->keys)};
	if (draw->queries && draw->starts && draw->passages && draw->passage_keys &&
	    draw->samples && draw->keys)
		return OMT_OK;
	omt_draw_close(draw);
	return OMT_FAIL(err, NO_MEMORY, "a batch of %d queries", batch);
}

void omt_draw_release(omt_draw *draw)
{
	for (int32_t i = 0; i < draw->item_count; i++)
		omt_store_release(draw->store, draw->keys[i]);
	draw->query_count = draw->passage_count = draw->item_count = 0;
	omt_names_free(&draw->names);
}

void omt_draw_close(omt_draw *draw)
{
	omt_draw_release(draw);
	free(draw->queries);
	free(draw->starts);
	free(draw->passages);
	free(draw->passage_keys);
	free(draw->samples);
	free(draw->keys);
	*draw = (omt_draw){0};
}

/* ---- items --------------------------------------------------------------------------------- */

static bool has(const omt_draw *draw, omt_item_key key)
{
	uint32_t number;
	return omt_names_find(&draw->names, &key, sizeof key, &number);
}

/* The item's sample, which this batch does not have yet; NULL: it cannot be made. */
static const omt_sample *take(omt_draw *draw, omt_item_key key, omt_draw_told *told)
{
	omt_error failed;
	const omt_sample *sample = omt_store_take(draw->store, key, &failed);
	if (!sample && failed.status != OMT_OK) {
		told->last = failed;
		told->skipped(told->user, key, &failed);
	}
	return sample;
}

/* The item's number in the batch, to which a sample that was taken is added. */
static omt_status add(omt_draw *draw, omt_item_key key, const omt_sample *sample, int32_t *item,
                      omt_error *err)
{
	uint32_t number;
	if (!omt_names_add(&draw->names, &key, sizeof key, &number)) {
		if (sample)
			omt_store_release(draw->store, key);
		return OMT_FAIL(err, NO_MEMORY, "%d items of a batch", draw->item_count);
	}
	if (sample) {
		draw->samples[number] = sample;
		draw->keys[number] = key;
		draw->item_count++;
	}
	*item = (int32_t)number;
	return OMT_OK;
}

static omt_status add_passage(omt_draw *draw, omt_item_key key, const omt_sample *sample,
                              omt_error *err)
{
	int32_t item = 0;
	OMT_TRY(add(draw, key, sample, &item, err));
	draw->passages[draw->passage_count] = item;
	draw->passage_keys[draw->passage_count++] = key;
	return OMT_OK;
}

/* ---- samples ------------------------------------------------------------------------------- */

static void negatives_of(const omt_train_set *set, uint32_t query, const uint32_t **negatives,
                         uint32_t *count)
{
	*count = set->starts ? set->starts[query + 1] - set->starts[query] : 0;
	*negatives = *count ? set->negatives + set->starts[query] : NULL;
}

static omt_status add_negatives(omt_draw *draw, const omt_train_set *set, uint32_t query,
                                omt_draw_told *told, omt_error *err)
{
	const uint32_t *negatives;
	uint32_t count;
	negatives_of(set, query, &negatives, &count);
	for (uint32_t i = 0, added = 0; i < count && added < (uint32_t)draw->negatives; i++) {
		const omt_item_key key = OMT_ITEM_KEY(set->passages, negatives[i]);
		const bool here = has(draw, key);
		const omt_sample *sample = here ? NULL : take(draw, key, told);
		if (!here && !sample)
			continue;
		OMT_TRY(add_passage(draw, key, sample, err));
		added++;
	}
	return OMT_OK;
}

/* *whole: the sample is in the batch. */
static omt_status add_sample(omt_draw *draw, uint32_t number, uint32_t pair, omt_draw_told *told,
                             bool *whole, omt_error *err)
{
	const omt_train_set *set = &draw->dataset->sets[number];
	const omt_item_key query = OMT_ITEM_KEY(set->queries, set->pairs[pair].query);
	const omt_item_key positive = OMT_ITEM_KEY(set->passages, set->pairs[pair].passage);
	const bool has_query = has(draw, query), has_positive = has(draw, positive);
	const omt_sample *asked = has_query ? NULL : take(draw, query, told);
	const omt_sample *answer = has_positive ? NULL : take(draw, positive, told);
	omt_draw_query *to = &draw->queries[draw->query_count];
	*whole = (asked || has_query) && (answer || has_positive);
	if (!*whole) {
		if (asked)
			omt_store_release(draw->store, query);
		if (answer)
			omt_store_release(draw->store, positive);
		return OMT_OK;
	}
	*to = (omt_draw_query){.set = number, .number = set->pairs[pair].query};
	omt_status status = add(draw, query, asked, &to->item, err);
	if (status != OMT_OK) {
		if (answer)
			omt_store_release(draw->store, positive);
		return status;
	}
	OMT_TRY(add_passage(draw, positive, answer, err));
	OMT_TRY(add_negatives(draw, set, set->pairs[pair].query, told, err));
	draw->starts[++draw->query_count] = draw->passage_count;
	return OMT_OK;
}

omt_status omt_draw_make(omt_draw *draw, omt_sampler *sampler,
                         void (*skipped)(void *user, omt_item_key key, const omt_error *why),
                         void *user, omt_error *err)
{
	omt_draw_told told = {.skipped = skipped, .user = user};
	size_t failures = 0; /* one after the other */
	omt_draw_release(draw);
	OMT_TRY(omt_sampler_begin(sampler, draw->batch, err));
	while (draw->query_count < draw->batch) {
		uint32_t set, pair;
		bool whole = false;
		omt_sampler_next(sampler, &set, &pair);
		OMT_TRY(add_sample(draw, set, pair, &told, &whole, err));
		failures = whole ? 0 : failures + 1;
		if (whole)
			omt_sampler_keep(sampler, set, pair);
		/* Twice through it: some samples wait, and the order changes in between. */
		if (failures > 2 * draw->dataset->sets[set].count + OMT_PUT_OFF)
			return OMT_FAIL(
				err, BAD_FORMAT,
				"data set \"%s\": none of its samples can be used, the last "
				"reason: %.300s",
				draw->dataset->sets[set].data->name,
				told.last.status ? told.last.text : "told before");
	}
	return OMT_OK;
}

omt_status omt_draw_hint(omt_draw *draw, omt_sampler *sampler, omt_error *err)
{
	OMT_TRY(omt_sampler_begin(sampler, draw->batch, err));
	for (int32_t i = 0; i < draw->batch; i++) {
		const uint32_t *negatives;
		uint32_t number, pair, count;
		omt_sampler_next(sampler, &number, &pair);
		const omt_train_set *set = &draw->dataset->sets[number];
		omt_sampler_keep(sampler, number, pair);
		omt_store_hint(draw->store, OMT_ITEM_KEY(set->queries, set->pairs[pair].query));
		omt_store_hint(draw->store, OMT_ITEM_KEY(set->passages, set->pairs[pair].passage));
		negatives_of(set, set->pairs[pair].query, &negatives, &count);
		for (uint32_t j = 0; j < count && j < (uint32_t)draw->negatives; j++)
			omt_store_hint(draw->store, OMT_ITEM_KEY(set->passages, negatives[j]));
	}
	return OMT_OK;
}

bool omt_draw_relevant(void *user, int32_t query, int32_t passage)
{
	const omt_draw *draw = user;
	const omt_draw_query *asked = &draw->queries[query];
	const omt_train_set *set = &draw->dataset->sets[asked->set];
	const omt_item_key key = draw->passage_keys[passage];
	return key >> 32 == set->passages &&
	       omt_train_set_relevant(set, asked->number, (uint32_t)key);
}
