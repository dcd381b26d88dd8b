#include "train/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Streams of random numbers: choices of sets by their number, orders by set and epoch. */
#define CHOICE           ((uint64_t)1 << 62)
#define ORDER(set, walk) ((uint64_t)(set) << 40 | (walk)->epoch)

omt_status omt_sampler_open(const omt_dataset *dataset, uint64_t seed, bool same_dataset,
                            omt_sampler *sampler, omt_error *err)
{
	*sampler = (omt_sampler){.dataset = dataset,
	                         .seed = seed,
	                         .same_dataset = same_dataset,
	                         .walks = calloc(dataset->count, sizeof(omt_walk))};
	bool whole = sampler->walks != NULL;
	for (size_t i = 0; whole && i < dataset->count; i++) {
		omt_walk *walk = &sampler->walks[i];
		sampler->total += dataset->sets[i].data->weight;
		walk->order = malloc(dataset->sets[i].count * sizeof *walk->order);
		whole = walk->order != NULL;
	}
	if (whole)
		return OMT_OK;
	omt_sampler_close(sampler);
	return OMT_FAIL(err, NO_MEMORY, "orders of %zu data sets", dataset->count);
}

void omt_sampler_close(omt_sampler *sampler)
{
	for (size_t i = 0; sampler->walks && i < sampler->dataset->count; i++)
		free(sampler->walks[i].order);
	free(sampler->walks);
	free(sampler->taken);
	*sampler = (omt_sampler){0};
}

void omt_sampler_copy(omt_sampler *to, const omt_sampler *from)
{
	to->choices = from->choices;
	for (size_t i = 0; i < from->dataset->count; i++) {
		omt_walk *walk = &to->walks[i];
		const omt_walk *other = &from->walks[i];
		walk->epoch = other->epoch;
		walk->at = other->at;
		walk->waiting_count = other->waiting_count;
		memcpy(walk->waiting, other->waiting, sizeof walk->waiting);
	}
}

/* ---- drawing ------------------------------------------------------------------------------- */

/* A set by weight. */
static uint32_t choose(omt_sampler *sampler)
{
	const omt_dataset *dataset = sampler->dataset;
	omt_random random;
	uint32_t set = 0, last = 0;
	omt_random_seed(&random, sampler->seed, CHOICE | sampler->choices++);
	double at = omt_random_unit(&random) * sampler->total;
	for (; set < dataset->count; set++) {
		const double weight = dataset->sets[set].data->weight;
		if (weight <= 0)
			continue;
		last = set;
		if (at < weight)
			break;
		at -= weight;
	}
	return last;
}

omt_status omt_sampler_begin(omt_sampler *sampler, int32_t queries, omt_error *err)
{
	if ((size_t)queries > sampler->taken_room) {
		omt_item_key *larger =
			realloc(sampler->taken, (size_t)queries * sizeof *sampler->taken);
		if (!larger)
			return OMT_FAIL(err, NO_MEMORY, "a batch of %d", queries);
		sampler->taken = larger;
		sampler->taken_room = (size_t)queries;
	}
	sampler->taken_count = 0;
	if (sampler->same_dataset)
		sampler->set = choose(sampler);
	return OMT_OK;
}

static omt_item_key positive(const omt_sampler *sampler, uint32_t set, uint32_t pair)
{
	const omt_train_set *from = &sampler->dataset->sets[set];
	return OMT_ITEM_KEY(from->passages, from->pairs[pair].passage);
}

static bool is_taken(const omt_sampler *sampler, uint32_t set, uint32_t pair)
{
	const omt_item_key key = positive(sampler, set, pair);
	for (size_t i = 0; i < sampler->taken_count; i++)
		if (sampler->taken[i] == key)
			return true;
	return false;
}

/* The next one in the set's order; after the last one the next epoch begins. */
static uint32_t walk_on(omt_sampler *sampler, uint32_t set)
{
	omt_walk *walk = &sampler->walks[set];
	const size_t count = sampler->dataset->sets[set].count;
	if (walk->at == count) {
		walk->at = 0;
		walk->epoch++;
	}
	if (walk->ordered != walk->epoch + 1) {
		omt_random random;
		for (size_t i = 0; i < count; i++)
			walk->order[i] = (uint32_t)i;
		omt_random_seed(&random, sampler->seed, ORDER(set, walk));
		omt_random_shuffle(&random, walk->order, count);
		walk->ordered = walk->epoch + 1;
	}
	return walk->order[walk->at++];
}

/* Takes the first of those that wait whose positive is not in the batch. */
static bool take_waiting(omt_sampler *sampler, uint32_t set, uint32_t *pair)
{
	omt_walk *walk = &sampler->walks[set];
	for (uint32_t i = 0; i < walk->waiting_count; i++) {
		if (is_taken(sampler, set, walk->waiting[i]))
			continue;
		*pair = walk->waiting[i];
		walk->waiting_count--;
		memmove(walk->waiting + i, walk->waiting + i + 1,
		        (walk->waiting_count - i) * sizeof *walk->waiting);
		return true;
	}
	return false;
}

void omt_sampler_next(omt_sampler *sampler, uint32_t *set, uint32_t *pair)
{
	*set = sampler->same_dataset ? sampler->set : choose(sampler);
	omt_walk *walk = &sampler->walks[*set];
	if (take_waiting(sampler, *set, pair))
		return;
	*pair = walk_on(sampler, *set);
	while (is_taken(sampler, *set, *pair) && walk->waiting_count < OMT_PUT_OFF) {
		walk->waiting[walk->waiting_count++] = *pair;
		*pair = walk_on(sampler, *set);
	}
}

void omt_sampler_keep(omt_sampler *sampler, uint32_t set, uint32_t pair)
{
	if (sampler->taken_count < sampler->taken_room)
		sampler->taken[sampler->taken_count++] = positive(sampler, set, pair);
}

/* ---- state --------------------------------------------------------------------------------- */

json_t *omt_sampler_state(const omt_sampler *sampler)
{
	json_t *walks = json_array();
	for (size_t i = 0; i < sampler->dataset->count; i++) {
		const omt_walk *walk = &sampler->walks[i];
		json_t *waiting = json_array();
		for (uint32_t j = 0; j < walk->waiting_count; j++)
			json_array_append_new(waiting, json_integer(walk->waiting[j]));
		json_array_append_new(walks,
		                      json_pack("{sI sI so}", "epoch", (json_int_t)walk->epoch,
		                                "at", (json_int_t)walk->at, "waiting", waiting));
	}
	return json_pack("{sI so}", "choices", (json_int_t)sampler->choices, "walks", walks);
}

static omt_status resume_walk(omt_walk *walk, size_t pairs, omt_json in, omt_error *err)
{
	int64_t epoch = -1, at = -1;
	int32_t waiting[OMT_PUT_OFF];
	size_t count = 0;
	OMT_TRY(omt_json_int64(in, "epoch", 0, (int64_t)1 << 39, &epoch, err));
	OMT_TRY(omt_json_int64(in, "at", 0, (int64_t)pairs, &at, err));
	OMT_TRY(omt_json_ints(in, "waiting", 0, (int64_t)pairs - 1, waiting, OMT_PUT_OFF, &count,
	                      err));
	if (epoch < 0 || at < 0)
		return OMT_FAIL(err, BAD_FORMAT, "%s: a data set's place is missing", in.place);
	walk->epoch = (uint64_t)epoch;
	walk->at = (uint64_t)at;
	walk->waiting_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		walk->waiting[i] = (uint32_t)waiting[i];
	return OMT_OK;
}

omt_status omt_sampler_resume(omt_sampler *sampler, omt_json state, omt_error *err)
{
	const omt_dataset *dataset = sampler->dataset;
	const json_t *walks = NULL;
	int64_t choices = -1;
	OMT_TRY(omt_json_int64(state, "choices", 0, (int64_t)1 << 60, &choices, err));
	OMT_TRY(omt_json_list(state, "walks", dataset->count, &walks, err));
	if (choices < 0 || json_array_size(walks) != dataset->count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: places of %zu data sets, there are %zu",
		                state.place, json_array_size(walks), dataset->count);
	sampler->choices = (uint64_t)choices;
	for (size_t i = 0; i < dataset->count; i++)
		OMT_TRY(resume_walk(&sampler->walks[i], dataset->sets[i].count,
		                    (omt_json){state.place, json_array_get(walks, i)}, err));
	return OMT_OK;
}
