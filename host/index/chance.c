#include <stdlib.h>
#include <string.h>

#include "index/convention.h"

/* Documents in random order: each place holds one of mean gain; the first relevant one is at place
 * i with the probability of i - 1 others before it. Average precision: place i is relevant with
 * probability r / n and then has, on average, (i - 1) (r - 1) / (n - 1) relevant ones before it;
 * summed over i this leaves harmonic numbers. r are the relevant ones that are there; ideals and
 * recall go by all R that were judged. */

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
	bool asked;
	size_t all;      /* relevant documents */
	size_t relevant; /* of them that are there, and */
	double gain;     /* what they are worth */
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

static double expected(const omt_odds *odds, omt_column column, size_t c, const omt_judged *judged,
                       const int32_t *grades)
{
	const double n = odds->documents, cut = odds->cut[c];
	const double r = (double)judged->relevant, all = (double)judged->all;
	const double others = n > 1 ? (r - 1) / (n - 1) : 0;
	double total = 0, best = 0, by = all;
	switch (column.measure) {
	case OMT_NDCG:
		for (size_t i = 0; i < judged->all && (!column.cut || i < (size_t)column.cut); i++)
			best += omt_gain_at(grades[i], i + 1);
		return best > 0 ? judged->gain / n * odds->discounts[c] / best : 0;
	case OMT_MAP:
		total = (1 - others) * odds->harmonic[c] + others * cut;
		if (odds->by->map_by_cut && column.cut && column.cut < all)
			by = column.cut;
		return by > 0 ? total * r / n / by : 0;
	case OMT_RECALL:
		return all > 0 ? r / all * cut / n : 0;
	case OMT_PRECISION:
		return r / n * cut / (double)column.cut;
	case OMT_MRR:
		return odds->reciprocal[c];
	default: /* OMT_HIT */
		return 1 - odds->none[c];
	}
}

static void add_queries(const omt_table *qrels, const uint32_t *rows, const uint32_t *starts,
                        const omt_judged *judged, bool skip_absent, omt_odds *odds, int32_t *grades,
                        omt_scores *scores)
{
	bool first = true;
	for (size_t q = 0; q < scores->judged; q++) {
		const uint32_t from = starts[judged[q].query], to = starts[judged[q].query + 1];
		if ((!judged[q].all && odds->by->needs_relevant) ||
		    (!judged[q].asked && skip_absent))
			continue;
		scores->queries++;
		if (!judged[q].asked)
			continue;
		if (first || judged[q].relevant != odds->relevant)
			prepare_relevant(odds, scores, judged[q].relevant);
		first = false;
		omt_grades_sort(qrels, rows + from, to - from, grades);
		for (size_t c = 0; c < scores->column_count; c++)
			scores->mean[c] +=
				expected(odds, scores->columns[c], c, &judged[q], grades);
	}
	for (size_t c = 0; scores->queries && c < scores->column_count; c++)
		scores->mean[c] /= (double)scores->queries;
}

static bool is_there(const omt_names *names, const omt_names *of, uint32_t number)
{
	const char *id = omt_names_get(of, number);
	uint32_t found;
	return !names || omt_names_find(names, id, strlen(id), &found);
}

/* What a query's judgements, count rows, are worth in a collection. */
static omt_judged judge(const omt_table *qrels, uint32_t query, const uint32_t *rows, size_t count,
                        const omt_collection *of, int32_t *grades)
{
	omt_judged judged = {.query = query,
	                     .asked = is_there(of->queries, &qrels->queries, query)};
	judged.all = omt_grades_sort(qrels, rows, count, grades);
	for (size_t i = 0; i < count && judged.relevant < of->count; i++) {
		const omt_row row = omt_table_row(qrels, rows[i]);
		if (row.value > 0 && is_there(of->documents, &qrels->documents, row.document)) {
			judged.relevant++;
			judged.gain += row.value;
		}
	}
	return judged;
}

omt_status omt_scores_chance(const omt_qrels *given, const omt_collection *of,
                             const omt_scoring *scoring, omt_scores *scores, omt_error *err)
{
	const omt_table *qrels = &given->table;
	omt_odds odds = {.documents = (double)of->count,
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
	for (uint32_t q = 0; q < count; q++)
		judged[q] =
			judge(qrels, q, rows + starts[q], starts[q + 1] - starts[q], of, grades);
	qsort(judged, count, sizeof *judged, by_relevant);
	prepare_cuts(&odds, scores);
	if (of->count)
		add_queries(qrels, rows, starts, judged,
		            omt_convention_skips_absent(odds.by, scoring), &odds, grades, scores);
	status = OMT_OK;
done:
	free(judged);
	free(grades);
	free(rows);
	free(starts);
	return status;
}
