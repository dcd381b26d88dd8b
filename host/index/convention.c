#include "index/convention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const omt_answer *x, const omt_answer *y)
{
	return strcmp(y->document, x->document);
}

static int by_float_and_id(const void *a, const void *b)
{
	const omt_answer *x = a, *y = b;
	const float p = (float)x->score, q = (float)y->score;
	return p != q ? (p < q) - (p > q) : by_id(x, y);
}

static int by_double_and_id(const void *a, const void *b)
{
	const omt_answer *x = a, *y = b;
	return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : by_id(x, y);
}

static int by_double_and_row(const void *a, const void *b)
{
	const omt_answer *x = a, *y = b;
	return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
	                            : (x->row > y->row) - (x->row < y->row);
}

static const omt_convention conventions[] = {
	{"trec_eval", {1, 5, 10}, true, true, false, false, 0, by_float_and_id, by_float_and_id},
	{"mteb",
         {1, 3, 5, 10, 20, 100, 1000},
         false,
         false,
         false,
         false,
         5,
         by_float_and_id,
         by_double_and_id},
	{"mmeb", {1, 5, 10}, false, true, true, true, 0, by_double_and_row, by_double_and_row},
};
#define CONVENTIONS (sizeof conventions / sizeof *conventions)

static const omt_convention *named(const char *name, omt_error *err)
{
	for (size_t i = 0; i < CONVENTIONS; i++)
		if (!name || !strcmp(name, conventions[i].name))
			return &conventions[i];
	OMT_FAIL(err, BAD_ARGUMENT, "convention is \"%s\", expected trec_eval, mteb or mmeb", name);
	return NULL;
}

static omt_status check(const omt_scoring *scoring, omt_error *err)
{
	if (scoring->cut_count > OMT_METRIC_CUTS)
		return OMT_FAIL(err, LIMIT, "%zu cut-offs, at most %d", scoring->cut_count,
		                OMT_METRIC_CUTS);
	for (size_t i = 0; i < scoring->cut_count; i++) {
		if (scoring->cuts[i] < 1)
			return OMT_FAIL(err, BAD_ARGUMENT, "cut-off %d", scoring->cuts[i]);
		for (size_t j = 0; j < i; j++)
			if (scoring->cuts[i] == scoring->cuts[j])
				return OMT_FAIL(err, BAD_ARGUMENT, "cut-off %d twice",
				                scoring->cuts[i]);
	}
	if (scoring->resamples < 0 || scoring->resamples > OMT_RESAMPLES_MAX)
		return OMT_FAIL(err, BAD_ARGUMENT, "%d resamples, 0 to %d", scoring->resamples,
		                OMT_RESAMPLES_MAX);
	return OMT_OK;
}

const omt_convention *omt_convention_find(const omt_scoring *scoring, omt_scores *scores,
                                          omt_error *err)
{
	static const bool has_whole[OMT_MEASURE_COUNT] = {
		[OMT_NDCG] = true, [OMT_MAP] = true, [OMT_MRR] = true};
	const omt_convention *by = named(scoring->convention, err);
	*scores = (omt_scores){0};
	if (!by || check(scoring, err) != OMT_OK)
		return NULL;
	const int32_t *cuts = scoring->cut_count ? scoring->cuts : by->cuts;
	size_t count = scoring->cut_count;
	if (!count)
		while (by->cuts[count])
			count++;
	scores->convention = by->name;
	for (omt_measure m = 0; m < OMT_MEASURE_COUNT; m++) {
		if (by->whole && has_whole[m])
			scores->columns[scores->column_count++] = (omt_column){m, 0};
		for (size_t i = 0; i < count; i++)
			scores->columns[scores->column_count++] = (omt_column){m, cuts[i]};
	}
	return by;
}

omt_status omt_scoring_check(const omt_scoring *scoring, omt_error *err)
{
	OMT_TRY(check(scoring, err));
	return named(scoring->convention, err) ? OMT_OK : OMT_BAD_ARGUMENT;
}

static int descending(const void *a, const void *b)
{
	const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x < y) - (x > y);
}

size_t omt_grades_sort(const omt_table *qrels, const uint32_t *rows, size_t count, int32_t *grades)
{
	size_t relevant = 0;
	for (size_t i = 0; i < count; i++) {
		grades[i] = (int32_t)qrels->values[rows[i]];
		relevant += grades[i] > 0;
	}
	qsort(grades, count, sizeof *grades, descending);
	return relevant;
}

double omt_gain_at(int32_t grade, size_t rank)
{
	return grade > 0 ? (double)grade / log2((double)rank + 1) : 0;
}

bool omt_convention_skips_absent(const omt_convention *by, const omt_scoring *scoring)
{
	return scoring->absent == OMT_ABSENT_SKIP ||
	       (scoring->absent == OMT_ABSENT_BY_CONVENTION && !by->absent_zero);
}
