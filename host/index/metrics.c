#include "index/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define MAX_FILE  ((size_t)4 << 30)
#define MAX_GRADE 1000000 /* keeps sums of gains exact */

struct omt_qrels {
	json_t *grades; /* {query: {document: grade}} */
};

typedef struct omt_answer {
	const char *document; /* borrowed from the run */
	double score;
} omt_answer;

struct omt_run {
	json_t *answers; /* {query: {document: score}} */
};

/* ---- files --------------------------------------------------------------------------------- */

static omt_status set(json_t *table, const char *query, const char *document, json_t *value,
                      omt_error *err)
{
	json_t *row = json_object_get(table, query);
	if (!row) {
		row = json_object();
		if (json_object_set_new(table, query, row) != 0)
			row = NULL;
	}
	const char *wrong = !row                             ? "not UTF-8"
	                    : json_object_get(row, document) ? "for the second time"
	                                                     : NULL;
	if (wrong)
		json_decref(value);
	else if (json_object_set_new(row, document, value) != 0)
		wrong = "not UTF-8";
	if (wrong)
		return OMT_FAIL(err, BAD_FORMAT, "query %.80s, document %.80s: %s", query, document,
		                wrong);
	return OMT_OK;
}

typedef omt_status omt_line(json_t *table, char *const *fields, int count, const char *place,
                            omt_error *err);

/* Calls `take` with the white-space separated fields of each line. */
static omt_status read_lines(const char *path, json_t *table, omt_line *take, omt_error *err)
{
	char *text, place[512], *rest = NULL;
	size_t number = 0, bytes;
	omt_status status = OMT_OK;
	OMT_TRY(omt_file_read(path, MAX_FILE, &text, &bytes, err));
	if (strlen(text) != bytes)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: a NUL byte at %zu", path, strlen(text));
	for (char *line = text; line && *line && status == OMT_OK; line = rest) {
		char *fields[8], *save = NULL;
		int count = 0;
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = '\0';
		snprintf(place, sizeof place, "%s:%zu", path, ++number);
		for (char *field = strtok_r(line, " \t\r", &save); field && count < 8;
		     field = strtok_r(NULL, " \t\r", &save))
			fields[count++] = field;
		if (count)
			status = take(table, fields, count, place, err);
	}
	free(text);
	return status;
}

static omt_status take_qrel(json_t *table, char *const *fields, int count, const char *place,
                            omt_error *err)
{
	char *end;
	const char *grade = fields[count - 1];
	if (count == 3 && !strcmp(grade, "score"))
		return OMT_OK; /* BEIR's header line */
	long value = strtol(grade, &end, 10);
	if (*end || labs(value) > MAX_GRADE || (count != 3 && count != 4))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not \"query 0 document grade\"", place);
	if (set(table, fields[0], fields[count - 2], json_integer(value), err) != OMT_OK)
		return omt_fail_at(err, OMT_BAD_FORMAT, "%s", place);
	return OMT_OK;
}

static omt_status take_answer(json_t *table, char *const *fields, int count, const char *place,
                              omt_error *err)
{
	char *end = NULL;
	double score = count == 6 ? strtod(fields[4], &end) : 0;
	if (!end || *end || !isfinite(score))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not \"query Q0 document rank score tag\"",
		                place);
	if (set(table, fields[0], fields[2], json_real(score), err) != OMT_OK)
		return omt_fail_at(err, OMT_BAD_FORMAT, "%s", place);
	return OMT_OK;
}

omt_status omt_qrels_load(const char *path, omt_qrels **given, omt_error *err)
{
	*given = NULL;
	omt_qrels *qrels = calloc(1, sizeof *qrels);
	if (!qrels || !(qrels->grades = json_object())) {
		omt_qrels_free(qrels);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	omt_status status = read_lines(path, qrels->grades, take_qrel, err);
	if (status != OMT_OK)
		omt_qrels_free(qrels);
	else
		*given = qrels;
	return status;
}

void omt_qrels_free(omt_qrels *qrels)
{
	if (qrels)
		json_decref(qrels->grades);
	free(qrels);
}

omt_status omt_run_new(omt_run **run, omt_error *err)
{
	*run = calloc(1, sizeof **run);
	if (!*run || !((*run)->answers = json_object())) {
		omt_run_free(*run);
		*run = NULL;
		return OMT_FAIL(err, NO_MEMORY, "a run");
	}
	return OMT_OK;
}

omt_status omt_run_load(const char *path, omt_run **run, omt_error *err)
{
	OMT_TRY(omt_run_new(run, err));
	omt_status status = read_lines(path, (*run)->answers, take_answer, err);
	if (status != OMT_OK) {
		omt_run_free(*run);
		*run = NULL;
	}
	return status;
}

omt_status omt_run_add(omt_run *run, const char *query, const char *document, double score,
                       omt_error *err)
{
	if (!isfinite(score))
		return OMT_FAIL(err, BAD_ARGUMENT, "query %.80s, document %.80s: score %g", query,
		                document, score);
	return set(run->answers, query, document, json_real(score), err);
}

void omt_run_free(omt_run *run)
{
	if (run)
		json_decref(run->answers);
	free(run);
}

/* ---- measures ------------------------------------------------------------------------------ */

/* trec_eval's order: score descending, then id descending. */
static int by_score(const void *a, const void *b)
{
	const omt_answer *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return -strcmp(x->document, y->document);
}

static int descending(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x < y) - (x > y);
}

static double gain_at(long grade, size_t rank)
{
	return grade > 0 ? (double)grade / log2((double)rank + 1) : 0;
}

/* Grades of the judged documents, best first; relevant ones are counted. Given, free(). */
static long *ideal_grades(const json_t *judged, size_t *relevant)
{
	size_t count = 0;
	const char *document;
	json_t *grade;
	long *grades = malloc((json_object_size(judged) + 1) * sizeof *grades);
	*relevant = 0;
	if (!grades)
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)judged, document, grade)
	{
		grades[count] = (long)json_integer_value(grade);
		*relevant += grades[count++] > 0;
	}
	qsort(grades, count, sizeof *grades, descending);
	return grades;
}

static omt_answer *sorted_answers(const json_t *answers, size_t *count)
{
	const char *document;
	json_t *score;
	omt_answer *sorted = malloc((json_object_size(answers) + 1) * sizeof *sorted);
	*count = 0;
	if (!sorted)
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)answers, document, score)
	{
		sorted[(*count)++] = (omt_answer){document, json_real_value(score)};
	}
	qsort(sorted, *count, sizeof *sorted, by_score);
	return sorted;
}

/* Adds one query's measures. */
static void add_query(const json_t *judged, const long *ideal, size_t relevant,
                      const omt_answer *answers, size_t count, const int32_t *cuts,
                      size_t cut_count, omt_metrics *sum)
{
	double precision = 0;
	size_t hits = 0;
	for (size_t c = 0; c < cut_count; c++) {
		size_t cut = (size_t)cuts[c], found = 0;
		double dcg = 0, best = 0, reciprocal = 0;
		for (size_t i = 0; i < cut && i < relevant; i++)
			best += gain_at(ideal[i], i + 1);
		for (size_t i = 0; i < cut && i < count; i++) {
			long grade = (long)json_integer_value(
				json_object_get(judged, answers[i].document));
			dcg += gain_at(grade, i + 1);
			if (grade > 0 && !found++)
				reciprocal = 1.0 / (double)(i + 1);
		}
		sum->ndcg[c] += best > 0 ? dcg / best : 0;
		sum->recall[c] += relevant ? (double)found / (double)relevant : 0;
		sum->precision[c] += (double)found / (double)cut;
		sum->mrr[c] += reciprocal;
	}
	for (size_t i = 0; i < count; i++)
		if (json_integer_value(json_object_get(judged, answers[i].document)) > 0)
			precision += (double)++hits / (double)(i + 1);
	sum->map += relevant ? precision / (double)relevant : 0;
}

static void average(omt_metrics *metrics, size_t cut_count)
{
	double n = metrics->queries ? (double)metrics->queries : 1;
	for (size_t c = 0; c < cut_count; c++) {
		metrics->ndcg[c] /= n;
		metrics->recall[c] /= n;
		metrics->precision[c] /= n;
		metrics->mrr[c] /= n;
	}
	metrics->map /= n;
}

static omt_status check_cuts(const int32_t *cuts, size_t count, omt_error *err)
{
	if (count > OMT_METRIC_CUTS)
		return OMT_FAIL(err, LIMIT, "%zu cut-offs, at most %d", count, OMT_METRIC_CUTS);
	for (size_t i = 0; i < count; i++)
		if (cuts[i] < 1)
			return OMT_FAIL(err, BAD_ARGUMENT, "cut-off %d", cuts[i]);
	return OMT_OK;
}

omt_status omt_metrics_compute(const omt_qrels *qrels, omt_run *run, const int32_t *cuts,
                               size_t cut_count, bool all_judged, omt_metrics *metrics,
                               omt_error *err)
{
	const char *query;
	json_t *judged;
	*metrics = (omt_metrics){0};
	OMT_TRY(check_cuts(cuts, cut_count, err));
	json_object_foreach(qrels->grades, query, judged)
	{
		const json_t *answers = json_object_get(run->answers, query);
		size_t relevant, count;
		if (!answers && !all_judged)
			continue;
		long *ideal = ideal_grades(judged, &relevant);
		omt_answer *sorted = sorted_answers(answers, &count);
		if (ideal && sorted)
			add_query(judged, ideal, relevant, sorted, count, cuts, cut_count, metrics);
		bool whole = ideal && sorted;
		free(ideal);
		free(sorted);
		if (!whole)
			return OMT_FAIL(err, NO_MEMORY, "query %s", query);
		metrics->queries++;
		metrics->answered += answers != NULL;
	}
	average(metrics, cut_count);
	return OMT_OK;
}

/* ---- chance -------------------------------------------------------------------------------- */

/* A query with r relevant ones among n documents in random order: each place holds a document of
 * mean gain; the first relevant one is at place i with the probability of i - 1 others before it.
 * Average precision: place i is relevant with probability r / n and then has, on average,
 * (i - 1) (r - 1) / (n - 1) relevant ones before it; summed over i this leaves the harmonic number
 * of n. */
static void add_chance(const long *ideal, size_t r, double n, double harmonic, const int32_t *cuts,
                       size_t cut_count, omt_metrics *sum)
{
	double total = 0;
	r = (double)r < n ? r : (size_t)n; /* judged documents may lie outside the collection */
	for (size_t i = 0; i < r; i++)
		total += (double)ideal[i];
	for (size_t c = 0; c < cut_count; c++) {
		double best = 0, discounts = 0, reciprocal = 0, none = 1;
		double cut = cuts[c] < n ? cuts[c] : n;
		for (size_t i = 0; i < (size_t)cuts[c] && i < r; i++)
			best += gain_at(ideal[i], i + 1);
		for (double i = 1; i <= cut; i++) {
			double left = n - i + 1, hit = (double)r < left ? (double)r / left : 1;
			discounts += 1 / log2(i + 1);
			reciprocal += none * hit / i;
			none *= 1 - hit;
		}
		sum->ndcg[c] += best > 0 ? total / n * discounts / best : 0;
		sum->recall[c] += r ? cut / n : 0;
		sum->precision[c] += (double)r / n * cut / cuts[c];
		sum->mrr[c] += reciprocal;
	}
	double others = n > 1 ? ((double)r - 1) / (n - 1) : 0;
	sum->map += r ? (harmonic + others * (n - harmonic)) / n : 0;
}

omt_status omt_metrics_chance(const omt_qrels *qrels, size_t documents, const int32_t *cuts,
                              size_t cut_count, omt_metrics *metrics, omt_error *err)
{
	const char *query;
	json_t *judged;
	double harmonic = 0;
	*metrics = (omt_metrics){0};
	OMT_TRY(check_cuts(cuts, cut_count, err));
	for (size_t i = documents; i; i--)
		harmonic += 1 / (double)i;
	json_object_foreach(qrels->grades, query, judged)
	{
		size_t relevant;
		long *ideal = ideal_grades(judged, &relevant);
		if (!ideal)
			return OMT_FAIL(err, NO_MEMORY, "query %s", query);
		if (documents)
			add_chance(ideal, relevant, (double)documents, harmonic, cuts, cut_count,
			           metrics);
		free(ideal);
		metrics->queries++;
	}
	average(metrics, cut_count);
	return OMT_OK;
}
