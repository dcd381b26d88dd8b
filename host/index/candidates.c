#include "index/candidates.h"

#include <math.h>
#include <stdlib.h>

#include "index/score.h"

static size_t room_for(size_t wanted)
{
	return 4 * wanted + 256;
}

size_t omt_candidates_bytes(size_t wanted)
{
	return room_for(wanted) * sizeof(omt_candidate);
}

omt_status omt_candidates_init(omt_candidates *all, size_t queries, size_t wanted,
                               omt_rescore rescore, void *user, omt_error *err)
{
	const size_t columns = (queries + OMT_SCORE_GROUP - 1) / OMT_SCORE_GROUP * OMT_SCORE_GROUP;
	*all = (omt_candidates){.queries = queries,
	                        .wanted = wanted,
	                        .room = room_for(wanted),
	                        .rescore = rescore,
	                        .user = user};
	all->list = malloc(queries * all->room * sizeof *all->list);
	all->count = calloc(queries, sizeof *all->count);
	all->shrunk = calloc(queries, sizeof *all->shrunk);
	all->floor = malloc(columns * sizeof *all->floor);
	all->bounds = malloc(queries * sizeof *all->bounds);
	all->margin = calloc(queries, sizeof *all->margin);
	all->marks = malloc(columns / OMT_SCORE_GROUP);
	all->rest = calloc(queries, sizeof *all->rest);
	if (!all->list || !all->count || !all->shrunk || !all->floor || !all->bounds ||
	    !all->margin || !all->marks || !all->rest) {
		omt_candidates_free(all);
		return OMT_FAIL(err, NO_MEMORY, "%zu candidates for each of %zu queries", all->room,
		                queries);
	}
	for (size_t q = 0; q < columns; q++)
		all->floor[q] = q < queries ? -INFINITY : INFINITY;
	return OMT_OK;
}

void omt_candidates_free(omt_candidates *all)
{
	free(all->list);
	free(all->count);
	free(all->shrunk);
	free(all->floor);
	free(all->bounds);
	free(all->margin);
	free(all->marks);
	free(all->rest);
}

static bool is_better(const omt_candidate *a, const omt_candidate *b)
{
	return a->score != b->score ? a->score > b->score : a->row < b->row;
}

static int best_first(const void *a, const void *b)
{
	return is_better(b, a) - is_better(a, b);
}

static void swap(omt_candidate *a, omt_candidate *b)
{
	const omt_candidate kept = *a;
	*a = *b;
	*b = kept;
}

/* Hoare's selection: the best `wanted` of list[0 .. count - 1] become the first ones. No two are
 * equal: rows differ. */
static void select_best(omt_candidate *list, size_t count, size_t wanted)
{
	size_t low = 0, high = count;
	while (high - low > 1 && low < wanted && wanted < high) {
		omt_candidate *middle = &list[low + (high - low) / 2], *last = &list[high - 1];
		/* The median of three goes to the end, as the pivot. */
		if (is_better(middle, &list[low]))
			swap(middle, &list[low]);
		if (is_better(last, &list[low]))
			swap(last, &list[low]);
		if (is_better(middle, last))
			swap(middle, last);
		size_t place = low;
		for (size_t i = low; i < high - 1; i++)
			if (is_better(&list[i], last))
				swap(&list[i], &list[place++]);
		swap(&list[place], last);
		if (place >= wanted)
			high = place;
		else
			low = place + 1;
	}
}

static float least_of(const omt_candidate *list, size_t count)
{
	float least = INFINITY;
	for (size_t i = 0; i < count; i++)
		least = list[i].score < least ? list[i].score : least;
	return least;
}

static bool rescore(const omt_candidates *all, size_t query, omt_candidate *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int64_t next = i + 1 < count ? list[i + 1].row : -1;
		if (!list[i].exact &&
		    !all->rescore(all->user, query, list[i].row, next, &list[i].score))
			return false;
		list[i].exact = true;
	}
	return true;
}

/* Greatest f32 that is no more than `value`. */
static float rounded_down(double value)
{
	const float near = (float)value;
	return (double)near > value ? nextafterf(near, -INFINITY) : near;
}

/* Drops what cannot be among the best any more. Each score is off by a margin at most: with k of
 * them no less than the k-th, what lies more than two margins below is worse than those k. Where so
 * many lie close together that this leaves no room, exact scores decide. */
static bool shrink(omt_candidates *all, size_t query)
{
	omt_candidate *list = all->list + query * all->room;
	size_t *count = &all->count[query], wanted = all->wanted, kept = wanted;
	const double margin = all->margin[query];
	select_best(list, *count, wanted);
	double floor = (double)least_of(list, wanted) - 2 * margin;
	for (size_t i = wanted; i < *count && margin > 0; i++)
		if ((double)list[i].score >= floor)
			swap(&list[i], &list[kept++]);
	if (kept > wanted + (all->room - wanted) / 2) {
		if (!rescore(all, query, list, kept))
			return false;
		select_best(list, kept, wanted);
		kept = wanted;
		floor = (double)least_of(list, wanted) - margin;
	}
	*count = all->shrunk[query] = kept;
	all->floor[query] = rounded_down(floor);
	return true;
}

static bool offer(omt_candidates *all, size_t query, omt_candidate candidate)
{
	all->list[query * all->room + all->count[query]++] = candidate;
	return all->count[query] < all->room || shrink(all, query);
}

static bool is_left_out(const uint8_t *left_out, int64_t row)
{
	return left_out && left_out[row / 8] >> (row % 8) & 1;
}

bool omt_candidates_take(omt_candidates *all, const float *scores, size_t ld, int64_t first,
                         size_t rows, const uint8_t *left_out, bool exact)
{
	const size_t groups = (all->queries + OMT_SCORE_GROUP - 1) / OMT_SCORE_GROUP;
	for (size_t i = 0; i < rows; i++, scores += ld) {
		const int64_t row = first + (int64_t)i;
		if (is_left_out(left_out, row))
			continue;
		omt_scores_mark(scores, all->floor, groups, all->marks);
		for (size_t q = 0; q < all->queries; q++) {
			if (q % OMT_SCORE_GROUP == 0 && !all->marks[q / OMT_SCORE_GROUP]) {
				q += OMT_SCORE_GROUP - 1;
				continue;
			}
			if (scores[q] >= all->floor[q] &&
			    !offer(all, q, (omt_candidate){row, scores[q], exact}))
				return false;
		}
	}
	return true;
}

const float *omt_candidates_bounds(omt_candidates *all)
{
	for (size_t q = 0; q < all->queries; q++) {
		const size_t news = all->count[q] - all->shrunk[q];
		if (all->count[q] > all->wanted && 2 * news > all->wanted && !shrink(all, q))
			return NULL;
		if (all->floor[q] == -INFINITY)
			return NULL;
		all->bounds[q] = nextafterf(all->floor[q], -INFINITY);
	}
	return all->bounds;
}

/* Whether what was cut off behind a query's last score may be among the best: with margins if that
 * one reached the floor; without, rows that are no worse come before it. */
static bool may_miss(const omt_candidates *all, size_t q, float last)
{
	return all->margin[q] > 0 ? last >= all->floor[q] : last > all->floor[q];
}

bool omt_candidates_take_best(omt_candidates *all, const omt_best *best, int64_t first,
                              const uint8_t *left_out, bool *whole)
{
	*whole = false;
	for (size_t q = 0; q < all->queries; q++) {
		const float *score = best->scores + q * best->kept;
		const int32_t *place = best->place + q * best->kept;
		size_t i = 0;
		for (; i < best->kept && place[i] >= 0 && score[i] >= all->floor[q]; i++)
			if (!is_left_out(left_out, first + place[i]) &&
			    !offer(all, q, (omt_candidate){first + place[i], score[i], false}))
				return false;
		/* Something may have been cut off. */
		const bool full = i == best->kept && best->kept < best->rows;
		if (full && all->count[q] > all->wanted && !shrink(all, q))
			return false;
		all->rest[q] = full && may_miss(all, q, score[best->kept - 1]);
		*whole |= all->rest[q];
	}
	return true;
}

bool omt_candidates_take_rest(omt_candidates *all, const omt_best *best, const float *scores,
                              size_t ld, int64_t first, const uint8_t *left_out)
{
	for (size_t i = 0; i < best->rows; i++, scores += ld) {
		const int64_t row = first + (int64_t)i;
		if (is_left_out(left_out, row))
			continue;
		for (size_t q = 0; q < all->queries; q++) {
			if (!all->rest[q] || !(scores[q] >= all->floor[q]))
				continue;
			const size_t last = (q + 1) * best->kept - 1;
			const omt_candidate had = {first + best->place[last], best->scores[last],
			                           false},
					    now = {row, scores[q], false};
			if (is_better(&had, &now) && !offer(all, q, now))
				return false;
		}
	}
	return true;
}

bool omt_candidates_finish(omt_candidates *all, size_t query, size_t *found)
{
	omt_candidate *list = all->list + query * all->room;
	size_t count = all->count[query], wanted = all->wanted < count ? all->wanted : count;
	select_best(list, count, wanted);
	if (!rescore(all, query, list, wanted))
		return false;
	/* The k-th best of these is exact: one margin below it nothing is a hit. */
	const double floor = (double)least_of(list, wanted) - all->margin[query];
	size_t kept = wanted;
	for (size_t i = wanted; i < count; i++)
		if ((double)list[i].score >= floor)
			swap(&list[i], &list[kept++]);
	if (!rescore(all, query, list + wanted, kept - wanted))
		return false;
	qsort(list, kept, sizeof *list, best_first);
	*found = wanted;
	return true;
}
