#include "index/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/convention.h"
#include "index/significance.h"

#define NOT_JUDGED UINT32_MAX

/* One query's ranking: what is summed over the first i answers, i from 0. */
typedef struct omt_ranking {
	omt_answer *answers;
	size_t count;
	double *gain, *precision;
	uint32_t *found; /* relevant ones */
	size_t first;    /* rank of the first relevant one by the order of mrr; 0: none */

	int32_t *grades; /* of judged documents, best first */
	size_t judged, relevant;
	double *ideal; /* gain of the first i of them */
} omt_ranking;

typedef struct omt_judge {
	const omt_table *qrels, *run;
	const omt_convention *by;
	bool ignore_identical, skip_absent;
	uint32_t *judged, *judged_starts; /* omt_table_group() */
	uint32_t *answered, *answered_starts;
	uint32_t *documents; /* the run's documents by the judgements' numbers, or NOT_JUDGED */
	omt_ranking ranking;
} omt_judge;

static void free_judge(omt_judge *judge)
{
	omt_ranking *ranking = &judge->ranking;
	free(judge->judged);
	free(judge->judged_starts);
	free(judge->answered);
	free(judge->answered_starts);
	free(judge->documents);
	free(ranking->answers);
	free(ranking->gain);
	free(ranking->precision);
	free(ranking->found);
	free(ranking->grades);
	free(ranking->ideal);
}

/* Rows of the largest group. */
static size_t largest(const uint32_t *starts, size_t count)
{
	size_t most = 0;
	for (size_t i = 0; i < count; i++)
		most = starts[i + 1] - starts[i] > most ? starts[i + 1] - starts[i] : most;
	return most;
}

static omt_status open_judge(omt_judge *judge, omt_error *err)
{
	const omt_table *qrels = judge->qrels, *run = judge->run;
	omt_ranking *ranking = &judge->ranking;
	OMT_TRY(omt_table_group(qrels, &judge->judged, &judge->judged_starts, err));
	OMT_TRY(omt_table_group(run, &judge->answered, &judge->answered_starts, err));
	size_t answers = largest(judge->answered_starts, run->queries.count) + 1;
	size_t judged = largest(judge->judged_starts, qrels->queries.count) + 1;
	judge->documents = malloc(((size_t)run->documents.count + 1) * sizeof(uint32_t));
	ranking->answers = malloc(answers * sizeof *ranking->answers);
	ranking->gain = malloc(answers * sizeof *ranking->gain);
	ranking->precision = malloc(answers * sizeof *ranking->precision);
	ranking->found = malloc(answers * sizeof *ranking->found);
	ranking->grades = malloc(judged * sizeof *ranking->grades);
	ranking->ideal = malloc(judged * sizeof *ranking->ideal);
	if (!judge->documents || !ranking->answers || !ranking->gain || !ranking->precision ||
	    !ranking->found || !ranking->grades || !ranking->ideal)
		return OMT_FAIL(err, NO_MEMORY, "%zu answers of a query", answers);
	for (uint32_t i = 0; i < run->documents.count; i++) {
		const char *id = omt_names_get(&run->documents, i);
		if (!omt_names_find(&qrels->documents, id, strlen(id), &judge->documents[i]))
			judge->documents[i] = NOT_JUDGED;
	}
	return OMT_OK;
}

/* ---- one query ------------------------------------------------------------------------------ */

static int32_t grade_of(const omt_judge *judge, uint32_t query, uint32_t document)
{
	const uint32_t key[2] = {query, judge->documents[document]};
	uint32_t row;
	if (key[1] == NOT_JUDGED || !omt_names_find(&judge->qrels->rows, key, sizeof key, &row))
		return 0;
	return (int32_t)judge->qrels->values[row];
}

static void sort(omt_ranking *ranking, omt_answer_order *order)
{
	qsort(ranking->answers, ranking->count, sizeof *ranking->answers, order);
}

static size_t first_relevant(const omt_ranking *ranking)
{
	for (size_t i = 0; i < ranking->count; i++)
		if (ranking->answers[i].grade > 0)
			return i + 1;
	return 0;
}

/* The answers to a query of the judgements, which may be absent from the run. */
static void rank(omt_judge *judge, uint32_t query, bool answered, uint32_t run_query)
{
	omt_ranking *ranking = &judge->ranking;
	const char *id = omt_names_get(&judge->qrels->queries, query);
	size_t from = answered ? judge->answered_starts[run_query] : 0;
	size_t to = answered ? judge->answered_starts[run_query + 1] : 0;
	ranking->count = 0;
	for (size_t i = from; i < to; i++) {
		uint32_t row = judge->answered[i];
		omt_row of = omt_table_row(judge->run, row);
		const char *document = omt_names_get(&judge->run->documents, of.document);
		if (judge->ignore_identical && !strcmp(document, id))
			continue;
		ranking->answers[ranking->count++] =
			(omt_answer){document, of.value, row, grade_of(judge, query, of.document)};
	}
	if (judge->by->mrr_order != judge->by->order) {
		sort(ranking, judge->by->mrr_order);
		ranking->first = first_relevant(ranking);
	}
	sort(ranking, judge->by->order);
	if (judge->by->mrr_order == judge->by->order)
		ranking->first = first_relevant(ranking);
}

static void sum(omt_ranking *ranking)
{
	double gain = 0, precision = 0, ideal = 0;
	uint32_t found = 0;
	for (size_t i = 0; i <= ranking->count; i++) {
		ranking->gain[i] = gain;
		ranking->precision[i] = precision;
		ranking->found[i] = found;
		if (i == ranking->count)
			break;
		gain += omt_gain_at(ranking->answers[i].grade, i + 1);
		if (ranking->answers[i].grade > 0)
			precision += (double)++found / (double)(i + 1);
	}
	for (size_t i = 0; i <= ranking->relevant; i++) {
		ranking->ideal[i] = ideal;
		if (i < ranking->relevant)
			ideal += omt_gain_at(ranking->grades[i], i + 1);
	}
}

static double measure(const omt_convention *by, const omt_ranking *ranking, omt_column column)
{
	const size_t cut = column.cut ? (size_t)column.cut : SIZE_MAX, relevant = ranking->relevant;
	const size_t seen = cut < ranking->count ? cut : ranking->count;
	const size_t best = cut < relevant ? cut : relevant;
	const double found = ranking->found[seen];
	switch (column.measure) {
	case OMT_NDCG:
		return relevant ? ranking->gain[seen] / ranking->ideal[best] : 0;
	case OMT_MAP:
		return relevant ? ranking->precision[seen] /
		                          (double)(by->map_by_cut ? best : relevant)
		                : 0;
	case OMT_RECALL:
		return relevant ? found / (double)relevant : 0;
	case OMT_PRECISION:
		return found / (double)cut;
	case OMT_MRR:
		return ranking->first && ranking->first <= cut ? 1 / (double)ranking->first : 0;
	default: /* OMT_HIT */
		return found > 0;
	}
}

/* Adds a row of values; a query that does not count adds none. */
static omt_status score_query(omt_judge *judge, uint32_t query, omt_scores *scores, omt_error *err)
{
	omt_ranking *ranking = &judge->ranking;
	const char *id = omt_names_get(&judge->qrels->queries, query);
	const uint32_t from = judge->judged_starts[query];
	uint32_t run_query, number;
	bool answered = omt_names_find(&judge->run->queries, id, strlen(id), &run_query);
	ranking->judged = judge->judged_starts[query + 1] - from;
	ranking->relevant = omt_grades_sort(judge->qrels, judge->judged + from, ranking->judged,
	                                    ranking->grades);
	if ((!answered && judge->skip_absent) || (!ranking->relevant && judge->by->needs_relevant))
		return OMT_OK;
	rank(judge, query, answered, run_query);
	sum(ranking);
	double *values = scores->values + scores->queries * scores->column_count;
	for (size_t c = 0; c < scores->column_count; c++)
		values[c] = measure(judge->by, ranking, scores->columns[c]);
	if (!omt_names_add(&scores->names, id, strlen(id), &number))
		return OMT_FAIL(err, NO_MEMORY, "query %.80s", id);
	scores->queries++;
	scores->answered += answered;
	return OMT_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* To the nearest decimal number, as Python's round(): printf rounds the exact value. */
static double rounded(double value, int decimals)
{
	char text[64];
	snprintf(text, sizeof text, "%.*f", decimals, value);
	return strtod(text, NULL);
}

static omt_status average(omt_scores *scores, const omt_convention *by, omt_error *err)
{
	for (size_t c = 0; c < scores->column_count; c++) {
		double total = 0;
		for (size_t q = 0; q < scores->queries; q++)
			total += scores->values[q * scores->column_count + c];
		scores->mean[c] = scores->queries ? total / (double)scores->queries : 0;
		if (by->decimals && scores->columns[c].measure != OMT_MRR)
			scores->mean[c] = rounded(scores->mean[c], by->decimals);
	}
	if (!scores->resamples)
		return OMT_OK;
	return omt_bootstrap_means(scores->values, scores->queries, scores->column_count,
	                           scores->resamples, scores->seed, scores->low, scores->high, err);
}

omt_status omt_scores_compute(const omt_qrels *qrels, const omt_run *run,
                              const omt_scoring *scoring, omt_scores *scores, omt_error *err)
{
	const omt_convention *by = omt_convention_find(scoring, scores, err);
	omt_judge judge = {.qrels = &qrels->table, .run = &run->table, .by = by};
	omt_status status;
	if (!by)
		return omt_scoring_check(scoring, err);
	judge.ignore_identical = scoring->ignore_identical;
	judge.skip_absent = omt_convention_skips_absent(by, scoring);
	scores->judged = qrels->table.queries.count;
	scores->seed = scoring->seed;
	scores->values = malloc((scores->judged * scores->column_count + 1) * sizeof(double));
	if (!scores->values)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu queries", scores->judged));
	OMT_GOTO(open_judge(&judge, err));
	for (uint32_t q = 0; q < scores->judged; q++)
		OMT_GOTO(score_query(&judge, q, scores, err));
	scores->resamples = scores->queries ? scoring->resamples : 0;
	OMT_GOTO(average(scores, by, err));
done:
	free_judge(&judge);
	if (status != OMT_OK)
		omt_scores_free(scores);
	return status;
}

void omt_scores_free(omt_scores *scores)
{
	omt_names_free(&scores->names);
	free(scores->values);
	scores->values = NULL;
}

size_t omt_scores_column(const omt_scores *scores, omt_measure of, int32_t cut)
{
	for (size_t c = 0; c < scores->column_count; c++)
		if (scores->columns[c].measure == of && scores->columns[c].cut == cut)
			return c;
	return SIZE_MAX;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

#define TEXT(name, text) text,
static const char *const measure_names[] = {OMT_MEASURE_LIST(TEXT)};
#undef TEXT

/* Puts value (taken) at {measure: {cut: value}}. */
static bool put(json_t *object, omt_column column, json_t *value)
{
	char key[16] = "";
	json_t *cuts = json_object_get(object, measure_names[column.measure]);
	if (!cuts) {
		cuts = json_object();
		if (json_object_set_new(object, measure_names[column.measure], cuts) != 0) {
			json_decref(value);
			return false;
		}
	}
	if (column.cut)
		snprintf(key, sizeof key, "%d", column.cut);
	return json_object_set_new(cuts, key, value) == 0;
}

typedef json_t *omt_column_value(const omt_scores *scores, size_t column);

static json_t *by_column(const omt_scores *scores, json_t *object, omt_column_value *value)
{
	for (size_t c = 0; object && c < scores->column_count; c++)
		if (!put(object, scores->columns[c], value(scores, c))) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *measured(const omt_scores *scores, size_t c)
{
	if (!scores->resamples)
		return json_pack("{sf}", "value", scores->mean[c]);
	return json_pack("{sf sf sf}", "value", scores->mean[c], "low", scores->low[c], "high",
	                 scores->high[c]);
}

static json_t *mean(const omt_scores *scores, size_t c)
{
	return json_real(scores->mean[c]);
}

static json_t *each(const omt_scores *scores, size_t c)
{
	json_t *list = json_array();
	for (size_t q = 0; q < scores->queries; q++)
		if (json_array_append_new(
			    list, json_real(scores->values[q * scores->column_count + c])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *omt_scores_measured(const omt_scores *scores)
{
	return by_column(scores, json_object(), measured);
}

json_t *omt_scores_means(const omt_scores *scores)
{
	return by_column(scores, json_object(), mean);
}

json_t *omt_scores_per_query(const omt_scores *scores)
{
	json_t *names = json_array();
	for (uint32_t q = 0; q < scores->queries; q++)
		if (json_array_append_new(names, json_string(omt_names_get(&scores->names, q)))) {
			json_decref(names);
			return NULL;
		}
	return by_column(scores, json_pack("{so}", "query", names), each);
}
