#include <stdlib.h>

#include "index/convention.h"

/* Documents in random order: each place holds one of mean gain; the first relevant one is at place
 * i with the probability of i - 1 others before it. Average precision: place i is relevant with
 * probability r / n and then has, on average, (i - 1) (r - 1) / (n - 1) relevant ones before it;
 * summed over i this leaves harmonic numbers. */

typedef struct omt_odds {
	double documents;
	const omt_convention *by;
	/* Of each column, up to its cut-off: */
	double cut[OMT_METRIC_COLUMNS]; /* not more than there are documents */
	double discounts[OMT_METRIC_COLUMNS], harmonic[OMT_METRIC_COLUMNS];
	/* and for queries with `relevant` ones, too: */
	size_t relevant;
	double reciprocal[OMT_METRIC_COLUMNS], none[OMT_METRIC_COLUMNS];
} omt_odds;

typedef struct omt_judged {
	uint32_t query;
	size_t relevant; /* no more than there are documents */
} omt_judged;

static int by_relevant(const void *a, const void *b)
{
	const omt_judged *x = a, *y = b;
	return (x->relevant > y->relevant) - (x->relevant < y->relevant);
}

static void prepare_cuts(omt_odds *odds, const omt_scores *scores)
{
	for (size_t c = 0; c < scores->column_count; c++) {
		const int32_t cut = scores->columns[c].cut;
		odds->cut[c] = cut > 0 && cut < odds->documents ? cut : odds->documents;
		for (size_t i = (size_t)odds->cut[c]; i; i--) {
			odds->discounts[c] += omt_gain_at(1, i);
			odds->harmonic[c] += 1 / (double)i;
		}
	}
}

/* Where the first relevant one is; only the measures that ask for it, it takes a step a place. */
static void prepare_relevant(omt_odds *odds, const omt_scores *scores, size_t relevant)
{
	odds->relevant = relevant;
	for (size_t c = 0; c < scores->column_count; c++) {
		const omt_measure measure = scores->columns[c].measure;
		double none = 1, reciprocal = 0;
		for (double i = 1;
		     i <= odds->cut[c] && (measure == OMT_MRR || measure == OMT_HIT) && none > 0;
		     i++) {
			const double left = odds->documents - i + 1;
			const double hit = (double)relevant < left ? (double)relevant / left : 1;
			reciprocal += none * hit / i;
			none *= 1 - hit;
		}
		odds->reciprocal[c] = reciprocal;
		odds->none[c] = none;
	}
}

static double expected(const omt_odds *odds, omt_column column, size_t c, const int32_t *grades)
{
	const double n = odds->documents, cut = odds->cut[c], r = (double)odds->relevant;
	const double others = n > 1 ? (r - 1) / (n - 1) : 0;
	double total = 0, best = 0;
	switch (column.measure) {
	case OMT_NDCG:
		for (size_t i = 0; i < odds->relevant; i++) {
			total += (double)grades[i];
			if ((double)i < cut)
				best += omt_gain_at(grades[i], i + 1);
		}
		return best > 0 ? total / n * odds->discounts[c] / best : 0;
	case OMT_MAP:
		total = (1 - others) * odds->harmonic[c] + others * cut;
		if (odds->by->map_by_cut && column.cut < r)
			total *= r / (double)column.cut;
		return r > 0 ? total / n : 0;
	case OMT_RECALL:
		return r > 0 ? cut / n : 0;
	case OMT_PRECISION:
		return r / n * cut / (double)column.cut;
	case OMT_MRR:
		return odds->reciprocal[c];
	default: /* OMT_HIT */
		return 1 - odds->none[c];
	}
}

static void add_queries(const omt_table *qrels, const uint32_t *rows, const uint32_t *starts,
                        const omt_judged *judged, omt_odds *odds, int32_t *grades,
                        omt_scores *scores)
{
	for (size_t q = 0; q < scores->judged; q++) {
		const uint32_t from = starts[judged[q].query], to = starts[judged[q].query + 1];
		if (!judged[q].relevant && odds->by->needs_relevant)
			continue;
		if (!scores->queries++ || judged[q].relevant != odds->relevant)
			prepare_relevant(odds, scores, judged[q].relevant);
		omt_grades_sort(qrels, rows + from, to - from, grades);
		for (size_t c = 0; c < scores->column_count; c++)
			scores->mean[c] += expected(odds, scores->columns[c], c, grades);
	}
	for (size_t c = 0; scores->queries && c < scores->column_count; c++)
		scores->mean[c] /= (double)scores->queries;
}

omt_status omt_scores_chance(const omt_qrels *given, size_t documents, const omt_scoring *scoring,
                             omt_scores *scores, omt_error *err)
{
	const omt_table *qrels = &given->table;
	omt_odds odds = {.documents = (double)documents,
	                 .by = omt_convention_find(scoring, scores, err)};
	uint32_t *rows = NULL, *starts = NULL;
	omt_status status;
	if (!odds.by)
		return omt_scoring_check(scoring, err);
	const size_t count = scores->judged = qrels->queries.count;
	omt_judged *judged = malloc((count + 1) * sizeof *judged);
	int32_t *grades = malloc(((size_t)qrels->rows.count + 1) * sizeof *grades);
	if (!judged || !grades)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu queries", count));
	OMT_GOTO(omt_table_group(qrels, &rows, &starts, err));
	for (uint32_t q = 0; q < count; q++) {
		size_t relevant =
			omt_grades_sort(qrels, rows + starts[q], starts[q + 1] - starts[q], grades);
		judged[q] = (omt_judged){q, relevant < documents ? relevant : documents};
	}
	qsort(judged, count, sizeof *judged, by_relevant);
	prepare_cuts(&odds, scores);
	if (documents)
		add_queries(qrels, rows, starts, judged, &odds, grades, scores);
	status = OMT_OK;
done:
	free(judged);
	free(grades);
	free(rows);
	free(starts);
	return status;
}
