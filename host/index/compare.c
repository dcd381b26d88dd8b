#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "index/significance.h"

/* Queries that both results have: at[0][i] and at[1][i] are places of one query. */
typedef struct omt_pairs {
	omt_names names[2];
	size_t *at[2];
	double *values[2];
	size_t count;
} omt_pairs;

static void free_pairs(omt_pairs *pairs)
{
	for (int i = 0; i < 2; i++) {
		omt_names_free(&pairs->names[i]);
		free(pairs->at[i]);
		free(pairs->values[i]);
	}
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
		pairs->values[i] = malloc(most * sizeof *pairs->values[i]);
		if (!pairs->at[i] || !pairs->values[i])
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

/* Values of the pairs out of an array with one number a query. */
static omt_status take(const json_t *list, omt_pairs *pairs, int side, const char *measure,
                       omt_error *err)
{
	if (!json_is_array(list) || json_array_size(list) != pairs->names[side].count)
		return OMT_FAIL(err, BAD_FORMAT, "values by query: \"%.40s\": not a value a query",
		                measure);
	for (size_t i = 0; i < pairs->count; i++) {
		const json_t *value = json_array_get(list, pairs->at[side][i]);
		if (!json_is_number(value))
			return OMT_FAIL(err, BAD_FORMAT,
			                "values by query: \"%.40s\"[%zu]: not a number", measure,
			                pairs->at[side][i]);
		pairs->values[side][i] = json_number_value(value);
	}
	return OMT_OK;
}

/* One measure, at the cut-offs of both; `cuts` is filled. */
static omt_status compare_cuts(const json_t *a, const json_t *b, const char *measure,
                               omt_pairs *pairs, int32_t resamples, uint64_t seed, json_t *cuts,
                               omt_error *err)
{
	const char *cut;
	json_t *values;
	json_object_foreach((json_t *)(uintptr_t)a, cut, values)
	{
		const json_t *other = json_object_get(b, cut);
		omt_paired paired;
		if (!other)
			continue;
		OMT_TRY(take(values, pairs, 0, measure, err));
		OMT_TRY(take(other, pairs, 1, measure, err));
		OMT_TRY(omt_paired_compare(pairs->values[0], pairs->values[1], pairs->count,
		                           resamples, seed, &paired, err));
		json_t *found =
			json_pack("{sf sf sf sf sf}", "difference", paired.difference, "low",
		                  paired.low, "high", paired.high, "p_randomisation",
		                  paired.p_randomisation, "p_bootstrap", paired.p_bootstrap);
		if (json_object_set_new(cuts, cut, found) != 0)
			return OMT_FAIL(err, NO_MEMORY, "%s", measure);
	}
	return OMT_OK;
}

omt_status omt_per_query_compare(const json_t *a, const json_t *b, int32_t resamples, uint64_t seed,
                                 json_t **compared, omt_error *err)
{
	const json_t *const results[] = {a, b};
	omt_pairs pairs = {0};
	const char *measure;
	json_t *cuts;
	omt_status status;
	*compared = NULL;
	OMT_GOTO(pair_queries(results, &pairs, err));
	*compared = json_pack("{sI}", "queries", (json_int_t)pairs.count);
	json_object_foreach((json_t *)(uintptr_t)a, measure, cuts)
	{
		const json_t *other = json_object_get(b, measure);
		if (!json_is_object(cuts) || !json_is_object(other))
			continue;
		json_t *found = json_object();
		if (json_object_set_new(*compared, measure, found) != 0)
			OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", measure));
		OMT_GOTO(compare_cuts(cuts, other, measure, &pairs, resamples, seed, found, err));
	}
	status = OMT_OK;
done:
	free_pairs(&pairs);
	if (status != OMT_OK) {
		json_decref(*compared);
		*compared = NULL;
	}
	return status;
}
