#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/number.h"
#include "index/significance.h"

/* A measure at a cut-off that both results have. */
typedef struct omt_pair_column {
	const char *measure, *cut; /* borrowed */
	const json_t *lists[2];
} omt_pair_column;

/* Queries that both results have: at[0][i] and at[1][i] are places of one query. */
typedef struct omt_pairs {
	omt_names names[2];
	size_t *at[2];
	size_t count;
	omt_pair_column *columns;
	size_t column_count;
	double *values[2]; /* [count, column_count] */
	omt_paired *paired;
} omt_pairs;

static void free_pairs(omt_pairs *pairs)
{
	for (int i = 0; i < 2; i++) {
		omt_names_free(&pairs->names[i]);
		free(pairs->at[i]);
		free(pairs->values[i]);
	}
	free(pairs->columns);
	free(pairs->paired);
}

/* A query's number is its place. */
static omt_status name_queries(const json_t *per_query, omt_names *names, omt_error *err)
{
	const json_t *queries = json_object_get(per_query, "query");
	if (!json_is_array(queries))
		return OMT_FAIL(err, BAD_FORMAT, "values by query: no array \"query\"");
	for (size_t q = 0; q < json_array_size(queries); q++) {
		const json_t *query = json_array_get(queries, q);
		uint32_t number;
		if (!json_is_string(query))
			return OMT_FAIL(err, BAD_FORMAT,
			                "values by query: \"query\"[%zu]: "
			                "not a string",
			                q);
		if (!omt_names_add(names, json_string_value(query), json_string_length(query),
		                   &number))
			return OMT_FAIL(err, NO_MEMORY, "%zu queries", q);
		if (number != q)
			return OMT_FAIL(err, BAD_FORMAT, "values by query: query %.80s twice",
			                json_string_value(query));
	}
	return OMT_OK;
}

static omt_status pair_queries(const json_t *const results[2], omt_pairs *pairs, omt_error *err)
{
	for (int i = 0; i < 2; i++)
		OMT_TRY(name_queries(results[i], &pairs->names[i], err));
	const size_t most = (size_t)pairs->names[0].count + 1;
	for (int i = 0; i < 2; i++) {
		pairs->at[i] = malloc(most * sizeof *pairs->at[i]);
		if (!pairs->at[i])
			return OMT_FAIL(err, NO_MEMORY, "%zu queries", most);
	}
	for (uint32_t q = 0; q < pairs->names[0].count; q++) {
		const char *name = omt_names_get(&pairs->names[0], q);
		uint32_t other;
		if (!omt_names_find(&pairs->names[1], name, strlen(name), &other))
			continue;
		pairs->at[0][pairs->count] = q;
		pairs->at[1][pairs->count++] = other;
	}
	return OMT_OK;
}

static omt_status list_columns(const json_t *a, const json_t *b, omt_pairs *pairs, omt_error *err)
{
	const char *measure, *cut;
	json_t *cuts, *list;
	size_t most = 1;
	json_object_foreach((json_t *)(uintptr_t)a, measure, cuts) most += json_object_size(cuts);
	pairs->columns = malloc(most * sizeof *pairs->columns);
	pairs->paired = malloc(most * sizeof *pairs->paired);
	if (!pairs->columns || !pairs->paired)
		return OMT_FAIL(err, NO_MEMORY, "%zu measures", most);
	json_object_foreach((json_t *)(uintptr_t)a, measure, cuts)
		json_object_foreach(cuts, cut, list)
	{
		const json_t *other = json_object_get(json_object_get(b, measure), cut);
		if (other)
			pairs->columns[pairs->column_count++] =
				(omt_pair_column){measure, cut, {list, other}};
	}
	return OMT_OK;
}

/* The values of one column, one side. */
static omt_status take(omt_pairs *pairs, size_t column, int side, omt_error *err)
{
	const omt_pair_column *of = &pairs->columns[column];
	const json_t *list = of->lists[side];
	if (!json_is_array(list) || json_array_size(list) != pairs->names[side].count)
		return OMT_FAIL(err, BAD_FORMAT,
		                "values by query: \"%.40s\" at \"%.40s\": not a value a query",
		                of->measure, of->cut);
	for (size_t i = 0; i < pairs->count; i++) {
		const json_t *value = json_array_get(list, pairs->at[side][i]);
		if (!json_is_number(value))
			return OMT_FAIL(err, BAD_FORMAT,
			                "values by query: \"%.40s\" at \"%.40s\": [%zu] is not a "
			                "number",
			                of->measure, of->cut, pairs->at[side][i]);
		pairs->values[side][i * pairs->column_count + column] = json_number_value(value);
	}
	return OMT_OK;
}

static omt_status take_all(omt_pairs *pairs, omt_error *err)
{
	size_t count;
	if (!omt_mul_size(pairs->count + 1, (pairs->column_count + 1) * sizeof(double), &count))
		return OMT_FAIL(err, NO_MEMORY, "%zu queries", pairs->count);
	for (int side = 0; side < 2; side++) {
		pairs->values[side] = malloc(count);
		if (!pairs->values[side])
			return OMT_FAIL(err, NO_MEMORY, "%zu queries", pairs->count);
		for (size_t c = 0; c < pairs->column_count; c++)
			OMT_TRY(take(pairs, c, side, err));
	}
	return OMT_OK;
}

static json_t *describe(const omt_pairs *pairs)
{
	json_t *compared = json_pack("{sI}", "queries", (json_int_t)pairs->count);
	for (size_t c = 0; c < pairs->column_count; c++) {
		const omt_paired *paired = &pairs->paired[c];
		json_t *cuts = json_object_get(compared, pairs->columns[c].measure);
		if (!cuts) {
			cuts = json_object();
			json_object_set_new(compared, pairs->columns[c].measure, cuts);
		}
		json_t *one =
			json_pack("{sf sf sf sf sf}", "difference", paired->difference, "low",
		                  paired->low, "high", paired->high, "p_randomisation",
		                  paired->p_randomisation, "p_bootstrap", paired->p_bootstrap);
		if (json_object_set_new(cuts, pairs->columns[c].cut, one) != 0) {
			json_decref(compared);
			return NULL;
		}
	}
	return compared;
}

omt_status omt_per_query_compare(const json_t *a, const json_t *b, int32_t resamples, uint64_t seed,
                                 json_t **compared, omt_error *err)
{
	const json_t *const results[] = {a, b};
	omt_pairs pairs = {0};
	omt_status status;
	*compared = NULL;
	OMT_GOTO(pair_queries(results, &pairs, err));
	OMT_GOTO(list_columns(a, b, &pairs, err));
	OMT_GOTO(take_all(&pairs, err));
	OMT_GOTO(omt_paired_compare(pairs.values[0], pairs.values[1], pairs.count,
	                            pairs.column_count, resamples, seed, pairs.paired, err));
	*compared = describe(&pairs);
	if (!*compared)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu measures", pairs.column_count));
done:
	free_pairs(&pairs);
	return status;
}
