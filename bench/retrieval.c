#include "bench/retrieval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/numeric.h"
#include "index/nearest.h"

#define DEPTH     1000 /* answers kept of a query, more when a cut-off asks for more */
#define QUERIES   256  /* searched together */
#define PER_QUERY 10   /* the cut-off whose values are kept for each query */
#define MANY      2000 /* queries; of more, only nDCG's values are kept by query */
#define TAG       "omnitile"
#define BLANKS    " \t\r\n\v\f"

/* Vectors of `dimension` values, dense, each of length 1, with the rows that they come from. */
typedef struct omt_cut_vectors {
	float *data;
	size_t *rows;
	size_t count;
	int32_t dimension;
} omt_cut_vectors;

/* The first values of a vector, scaled to length 1 again. False: there are none, or all are 0. */
static bool cut_vector(const float *from, int32_t dimension, float *to)
{
	double sum = 0;
	for (int32_t i = 0; i < dimension; i++)
		sum += (double)from[i] * (double)from[i];
	const double scale = 1 / sqrt(sum);
	if (!isfinite(scale))
		return false;
	for (int32_t i = 0; i < dimension; i++)
		to[i] = (float)(scale * (double)from[i]);
	return true;
}

/* Vectors that are whole keep their bits. Failed items (NaN) are left out. */
static omt_status cut_vectors(const omt_bench_vectors *from, int32_t dimension, omt_cut_vectors *to,
                              omt_error *err)
{
	const bool whole = !dimension || dimension == from->dimension;
	to->dimension = whole ? from->dimension : dimension;
	to->data = malloc(from->count * (size_t)to->dimension * sizeof *to->data);
	to->rows = malloc(from->count * sizeof *to->rows);
	if (!to->data || !to->rows)
		return OMT_FAIL(err, NO_MEMORY, "%zu vectors", from->count);
	for (size_t row = 0; row < from->count; row++) {
		const float *vector = from->data + row * (size_t)from->dimension;
		float *place = to->data + to->count * (size_t)to->dimension;
		if (!cut_vector(vector, to->dimension, place))
			continue;
		if (whole)
			memcpy(place, vector, (size_t)to->dimension * sizeof *place);
		to->rows[to->count++] = row;
	}
	return OMT_OK;
}

static void free_cut(omt_cut_vectors *vectors)
{
	free(vectors->data);
	free(vectors->rows);
}

static const char *id_of(const omt_bench_vectors *vectors, size_t row)
{
	return json_string_value(json_array_get(vectors->ids, row));
}

/* Answers of all queries, exactly. */
static omt_status search(const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                         int32_t dimension, size_t depth, omt_run *run, omt_error *err)
{
	omt_cut_vectors among = {0}, of = {0};
	omt_searcher *searcher = NULL;
	omt_neighbor *hits = NULL;
	size_t found[QUERIES];
	omt_status status;
	OMT_GOTO(cut_vectors(passages, dimension, &among, err));
	OMT_GOTO(cut_vectors(queries, dimension, &of, err));
	const omt_vector_set set = {
		.data = among.data, .count = (int64_t)among.count, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = among.dimension};
	depth = depth < among.count ? depth : among.count;
	hits = malloc((depth + 1) * QUERIES * sizeof *hits);
	if (!hits)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu answers a query", depth));
	OMT_GOTO(omt_searcher_new(&(omt_searcher_options){0}, &searcher, err));
	for (size_t first = 0; depth && first < of.count; first += QUERIES) {
		const size_t count = of.count - first < QUERIES ? of.count - first : QUERIES;
		OMT_GOTO(omt_searcher_find(searcher, &sets, of.data + first * (size_t)of.dimension,
		                           count, depth, hits, found, err));
		for (size_t q = 0; q < count; q++)
			for (size_t i = 0; i < found[q]; i++) {
				const omt_neighbor *hit = &hits[q * depth + i];
				OMT_GOTO(omt_run_add(run, id_of(queries, of.rows[first + q]),
				                     id_of(passages, among.rows[hit->row]),
				                     (double)hit->score, err));
			}
	}
	status = OMT_OK;
done:
	omt_searcher_free(searcher);
	free(hits);
	free_cut(&among);
	free_cut(&of);
	return status;
}

static const char *blank_id(const omt_bench_vectors *vectors)
{
	for (size_t row = 0; row < vectors->count; row++)
		if (strpbrk(id_of(vectors, row), BLANKS))
			return id_of(vectors, row);
	return NULL;
}

/* "query Q0 document rank score tag" a line, best first. An id with a blank has no place in one:
 * that is noted, and the measures stand without the file. */
static omt_status write_run(const char *path, const omt_run *run, const omt_bench_vectors *passages,
                            const omt_bench_vectors *queries, const omt_progress *progress,
                            omt_error *err)
{
	const char *blank = blank_id(passages);
	omt_output output;
	size_t rank = 0;
	blank = blank ? blank : blank_id(queries);
	if (blank) {
		omt_note(progress, "%.200s: not written: id \"%.100s\" has a blank", path, blank);
		return OMT_OK;
	}
	OMT_TRY(omt_output_open(path, &output, err));
	const locale_t before = omt_numeric_begin();
	for (size_t i = 0; i < run->table.rows.count; i++) {
		const omt_row row = omt_table_row(&run->table, i);
		rank = i && omt_table_row(&run->table, i - 1).query == row.query ? rank + 1 : 1;
		fprintf(output.stream, "%s Q0 %s %zu %.9g %s\n",
		        omt_names_get(&run->table.queries, row.query),
		        omt_names_get(&run->table.documents, row.document), rank, row.value, TAG);
	}
	omt_numeric_end(before);
	return omt_output_close(&output, true, err);
}

/* Of values by query those at one cut-off, so that two records can be paired and a record stays
 * small: 10, or the smallest there is. */
static json_t *few_per_query(const omt_scores *scores)
{
	json_t *all = omt_scores_per_query(scores), *cuts;
	const char *measure, *cut;
	void *next, *next_measure;
	char kept[16];
	int32_t least = PER_QUERY;
	if (omt_scores_column(scores, OMT_NDCG, PER_QUERY) == SIZE_MAX)
		for (size_t i = scores->column_count; i--;)
			least = scores->columns[i].cut ? scores->columns[i].cut : least;
	snprintf(kept, sizeof kept, "%d", least);
	json_object_foreach_safe(all, next_measure, measure, cuts)
	{
		json_t *value;
		if (!json_is_object(cuts)) /* the queries' ids */
			continue;
		if (scores->queries > MANY && strcmp(measure, "ndcg") != 0) {
			json_object_del(all, measure);
			continue;
		}
		json_object_foreach_safe(cuts, next, cut, value) if (strcmp(cut, kept) != 0)
			json_object_del(cuts, cut);
	}
	return all;
}

static omt_status name_all(const json_t *ids, omt_names *names, omt_error *err)
{
	size_t i;
	json_t *id;
	uint32_t number;
	json_array_foreach(
		ids, i, id) if (!omt_names_add(names, json_string_value(id), json_string_length(id),
	                                       &number)) return OMT_FAIL(err, NO_MEMORY, "%zu ids",
	                                                                 json_array_size(ids));
	return OMT_OK;
}

/* What chance would bring among these passages, of these queries. */
static omt_status find_chance(const omt_qrels *qrels, const omt_bench_vectors *passages,
                              const omt_bench_vectors *queries, const omt_scoring *scoring,
                              omt_scores *chance, omt_error *err)
{
	omt_names documents = {0}, asked = {0};
	omt_status status;
	OMT_GOTO(name_all(passages->ids, &documents, err));
	OMT_GOTO(name_all(queries->ids, &asked, err));
	status = omt_scores_chance(qrels,
	                           &(omt_collection){.count = passages->count,
	                                             .documents = &documents,
	                                             .queries = &asked},
	                           scoring, chance, err);
done:
	omt_names_free(&documents);
	omt_names_free(&asked);
	return status;
}

omt_status omt_bench_retrieval(const omt_bench_settings *settings,
                               const omt_bench_vectors *passages, const omt_bench_vectors *queries,
                               const omt_progress *progress, json_t **retrieval, omt_error *err)
{
	omt_qrels *qrels = NULL;
	omt_run *run = NULL;
	omt_scores scores = {0}, chance;
	omt_scoring scoring = {.convention = settings->convention,
	                       .cut_count = settings->cut_count,
	                       .resamples = settings->bootstrap,
	                       .seed = (uint64_t)settings->scenario.seed};
	omt_status status;
	size_t depth = DEPTH;
	memcpy(scoring.cuts, settings->cuts, sizeof settings->cuts);
	for (size_t i = 0; i < settings->cut_count; i++)
		depth = (size_t)settings->cuts[i] > depth ? (size_t)settings->cuts[i] : depth;
	OMT_GOTO(omt_qrels_load(settings->qrels, &qrels, err));
	OMT_GOTO(omt_run_new(&run, err));
	OMT_GOTO(search(passages, queries, settings->dimension, depth, run, err));
	if (settings->run)
		OMT_GOTO(write_run(settings->run, run, passages, queries, progress, err));
	OMT_GOTO(omt_scores_compute(qrels, run, &scoring, &scores, err));
	OMT_GOTO(find_chance(qrels, passages, queries, &scoring, &chance, err));
	*retrieval =
		json_pack("{ss sI sI sI si so so so}", "convention", scores.convention, "queries",
	                  (json_int_t)scores.queries, "answered", (json_int_t)scores.answered,
	                  "passages", (json_int_t)passages->count, "dimension",
	                  settings->dimension ? settings->dimension : passages->dimension,
	                  "measured", omt_scores_measured(&scores), "chance",
	                  omt_scores_means(&chance), "per_query", few_per_query(&scores));
	if (!*retrieval)
		status = OMT_FAIL(err, NO_MEMORY, "measures of %zu queries", scores.queries);
done:
	omt_scores_free(&scores);
	omt_qrels_free(qrels);
	omt_run_free(run);
	return status;
}
