#include "index/miner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/score.h"
#include "index/seen.h"

#define NOTED 10 /* missing positives that are named */

static const uint32_t no_number = UINT32_MAX;

/* ---- settings -------------------------------------------------------------------------------- */

static omt_status take_pairs(omt_miner *miner, omt_error *err)
{
	const omt_mine_options *o = miner->o;
	miner->pair_count = 1;
	if (o->pairs && o->candidates)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "pairs say which candidates they want: no candidates beside them");
	if (o->pairs)
		OMT_TRY(omt_kind_pairs_parse(o->pairs, miner->pairs, &miner->pair_count, err));
	else if (o->candidates)
		OMT_TRY(omt_kinds_parse(o->candidates, strlen(o->candidates),
		                        &miner->pairs[0].candidate, err));
	for (size_t i = 0; i < miner->pair_count; i++) {
		if (miner->pairs[i].query && !o->query_list)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "pair %s: no list tells the queries' kinds",
			                miner->pairs[i].name);
		if (miner->pairs[i].candidate && !o->passage_list)
			return OMT_FAIL(err, BAD_ARGUMENT, "no list tells the passages' kinds");
	}
	return OMT_OK;
}

static omt_status check_files(const omt_mine_options *o, omt_error *err)
{
	const char *const inputs[] = {o->qrels,
	                              o->query_list,
	                              o->passage_list,
	                              o->index ? o->index->path : NULL,
	                              o->queries ? o->queries->path : NULL,
	                              o->passages ? o->passages->path : NULL};
	if (!o->qrels || !o->output)
		return OMT_FAIL(err, BAD_ARGUMENT, "expected judgements and an output");
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		if (inputs[i] && omt_files_are_one(inputs[i], o->output))
			return OMT_FAIL(err, BAD_ARGUMENT, "%s: the output would go over it",
			                inputs[i]);
	return OMT_OK;
}

static omt_status check_models(const omt_mine_options *o, omt_error *err)
{
	const char *model = o->index ? omt_index_model(o->index) : o->passages->model;
	const int32_t dimension = o->index ? omt_index_dimension(o->index) : o->passages->dimension;
	if (!o->force && model && o->queries->model && strcmp(model, o->queries->model))
		return OMT_FAIL(err, MISMATCH, "passages of model %.90s, queries of %.90s", model,
		                o->queries->model);
	if (dimension != o->queries->dimension)
		return OMT_FAIL(err, BAD_ARGUMENT, "passages have %d values, queries %d", dimension,
		                o->queries->dimension);
	return OMT_OK;
}

static omt_status check(omt_miner *miner, omt_error *err)
{
	const omt_mine_options *o = miner->o;
	if (!o->index == !o->passages || !o->queries)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "expected queries, and an index or passages in memory");
	if (!o->queries->count)
		return OMT_FAIL(err, BAD_ARGUMENT, "no queries");
	if (!o->k || (o->sample && o->sample < o->k))
		return OMT_FAIL(err, BAD_ARGUMENT, "k is %zu%s", o->k,
		                o->k ? ", more than the sample is drawn from" : "");
	miner->wanted = o->sample ? o->sample : o->k;
	OMT_TRY(omt_mining_rule_make(o->method, o->threshold, o->skip, o->first_positive,
	                             &miner->rule, err));
	if (miner->wanted > INT32_MAX || miner->rule.skip > INT32_MAX)
		return OMT_FAIL(err, BAD_ARGUMENT, "%zu survivors a query after the first %zu",
		                miner->wanted, miner->rule.skip);
	OMT_TRY(take_pairs(miner, err));
	OMT_TRY(check_files(o, err));
	return check_models(o, err);
}

/* ---- queries --------------------------------------------------------------------------------- */

static omt_status take_queries(omt_miner *miner, omt_error *err)
{
	const omt_loaded *queries = miner->o->queries;
	const omt_names *judged = &miner->qrels->table.queries;
	miner->numbers = malloc(queries->count * sizeof *miner->numbers);
	miner->asked = calloc(queries->count, sizeof *miner->asked);
	miner->query_kinds = calloc(queries->count, 1);
	if (!miner->numbers || !miner->asked || !miner->query_kinds)
		return OMT_FAIL(err, NO_MEMORY, "%zu queries", queries->count);
	for (size_t q = 0; q < queries->count; q++) {
		const char *id = queries->ids[q];
		uint32_t number;
		if (!omt_names_add(&miner->names, id, strlen(id), &number))
			return OMT_FAIL(err, NO_MEMORY, "%zu queries", queries->count);
		if (number != q)
			return OMT_FAIL(err, BAD_FORMAT, "query id \"%.80s\" for the second time",
			                id);
		if (!omt_names_find(judged, id, strlen(id), &miner->numbers[q]))
			miner->numbers[q] = no_number;
	}
	return OMT_OK;
}

static omt_status take_query_kinds(omt_miner *miner, omt_error *err)
{
	omt_kinds kinds = {0};
	if (!miner->o->query_list || !miner->o->pairs)
		return OMT_OK;
	omt_status status = omt_kinds_read(miner->o->query_list, &kinds, err);
	for (size_t q = 0; q < miner->o->queries->count && status == OMT_OK; q++)
		miner->query_kinds[q] = omt_kinds_of(&kinds, miner->o->queries->ids[q]);
	omt_kinds_free(&kinds);
	return status;
}

/* ---- passages -------------------------------------------------------------------------------- */

/* Lengths are told, so that no search has to look. */
static omt_status take_memory(omt_miner *miner, omt_error *err)
{
	const omt_mine_options *o = miner->o;
	const omt_loaded *passages = o->passages;
	const size_t dimension = (size_t)passages->dimension;
	omt_vector_set *set = &miner->memory;
	*set = (omt_vector_set){
		.data = passages->values, .count = (int64_t)passages->count, .dtype = OMT_F32};
	for (size_t row = 0; row < passages->count; row++) {
		const float *values = passages->values + row * dimension;
		const double norm = omt_norm(values, OMT_F32, passages->dimension);
		if (!isfinite(norm))
			return OMT_FAIL(err, BAD_ARGUMENT, "passage %.80s is not finite",
			                passages->ids[row]);
		set->norm = fmax(set->norm, norm);
		set->rest = fmax(set->rest, omt_bf16_rest(values, passages->dimension));
	}
	miner->pool.sets =
		(omt_vector_sets){.set = set, .count = 1, .dimension = passages->dimension};
	OMT_TRY(omt_searcher_new(&(omt_searcher_options){.backend = o->backend,
	                                                 .device = o->device,
	                                                 .threads = o->threads},
	                         &miner->searcher, err));
	miner->pool.searcher = miner->searcher;
	return OMT_OK;
}

static bool is_deleted(const omt_miner *miner, int64_t row)
{
	return miner->o->index && omt_index_is_deleted(miner->o->index, (uint64_t)row);
}

/* What has the id of a passage learns its row. */
static void place(omt_miner *miner, int64_t row, const omt_kinds *kinds)
{
	const char *id = omt_miner_id(miner, (uint64_t)row);
	const size_t bytes = strlen(id);
	uint32_t number;
	miner->counts.passages++;
	if (omt_names_find(&miner->qrels->table.documents, id, bytes, &number))
		miner->places[number] = row;
	if (miner->own && omt_names_find(&miner->names, id, bytes, &number))
		miner->own[number] = row;
	if (miner->row_kinds) {
		miner->row_kinds[row] = omt_kinds_of(kinds, id);
		miner->counts.unknown_kind += !miner->row_kinds[row];
	}
}

/* An index has no id twice; vectors in memory may. */
static omt_status check_ids(const omt_miner *miner, omt_error *err)
{
	const omt_loaded *passages = miner->o->passages;
	omt_seen *seen = passages ? omt_seen_new() : NULL;
	omt_status status = OMT_OK;
	bool again = false;
	for (size_t row = 0; passages && row < passages->count && status == OMT_OK; row++)
		if (!seen || !omt_seen_add(seen, passages->ids[row], &again))
			status = OMT_FAIL(err, NO_MEMORY, "%zu passages", passages->count);
		else if (again)
			status = OMT_FAIL(err, BAD_FORMAT,
			                  "passage id \"%.80s\" for the second time",
			                  passages->ids[row]);
	omt_seen_free(seen);
	return status;
}

static bool make_places(omt_miner *miner, int64_t rows)
{
	const uint32_t documents = miner->qrels->table.documents.count;
	const size_t queries = miner->o->queries->count;
	miner->places = malloc(((size_t)documents + 1) * sizeof *miner->places);
	miner->own = miner->o->ignore_identical ? malloc(queries * sizeof *miner->own) : NULL;
	miner->left_out = calloc((size_t)rows / 8 + 1, 1);
	if (!miner->places || !miner->left_out || (miner->o->ignore_identical && !miner->own))
		return false;
	for (uint32_t i = 0; i < documents; i++)
		miner->places[i] = -1;
	for (size_t q = 0; miner->own && q < queries; q++)
		miner->own[q] = -1;
	return true;
}

static omt_status take_passages(omt_miner *miner, omt_error *err)
{
	const omt_mine_options *o = miner->o;
	omt_kinds kinds = {0};
	omt_status status = OMT_OK;
	if (o->index) {
		OMT_TRY(omt_index_sets(o->index, &miner->pool.sets, err));
		miner->pool.searcher = o->index->searcher;
	} else {
		OMT_TRY(check_ids(miner, err));
		OMT_TRY(take_memory(miner, err));
	}
	miner->pool.threads = o->threads;
	const int64_t rows = omt_pool_rows(&miner->pool);
	if (o->passage_list && (o->pairs || o->candidates)) {
		miner->row_kinds = calloc((size_t)rows + 1, 1);
		if (!miner->row_kinds)
			return OMT_FAIL(err, NO_MEMORY, "%lld passages", (long long)rows);
		OMT_GOTO(omt_kinds_read(o->passage_list, &kinds, err));
	}
	if (!make_places(miner, rows)) {
		status = OMT_FAIL(err, NO_MEMORY, "%lld passages", (long long)rows);
		goto done;
	}
	for (int64_t row = 0; row < rows; row++)
		if (!is_deleted(miner, row))
			place(miner, row, &kinds);
done:
	omt_kinds_free(&kinds);
	return status;
}

/* ---- judgements ------------------------------------------------------------------------------ */

static void note_missing(const omt_miner *miner, size_t query, uint32_t judgement)
{
	const omt_table *table = &miner->qrels->table;
	if (miner->counts.missing_positives > NOTED)
		return;
	omt_note(&miner->o->progress, "query %.80s: positive %.80s is not among the passages%s",
	         miner->o->queries->ids[query],
	         omt_names_get(&table->documents, omt_table_row(table, judgement).document),
	         miner->counts.missing_positives == NOTED ? "; further ones are counted" : "");
}

/* Whether there is something to mine for a query by; counts why not. */
static void judge(omt_miner *miner, size_t query)
{
	const omt_table *table = &miner->qrels->table;
	uint32_t count, positives = 0;
	const uint32_t *rows = omt_miner_judged(miner, query, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (omt_table_row(table, rows[i]).value <= 0)
			continue;
		positives++;
		if (omt_miner_positive(miner, rows[i]) >= 0) {
			miner->asked[query] = true;
			continue;
		}
		miner->counts.missing_positives++;
		note_missing(miner, query, rows[i]);
	}
	miner->counts.without_positives += !positives;
	miner->counts.without_passage += positives && !miner->asked[query];
}

static void count_judged(omt_miner *miner)
{
	const omt_table *table = &miner->qrels->table;
	for (uint32_t q = 0; q < table->queries.count; q++) {
		const char *id = omt_names_get(&table->queries, q);
		bool positive = false;
		uint32_t number;
		for (uint32_t i = miner->starts[q]; i < miner->starts[q + 1]; i++)
			positive |= omt_table_row(table, miner->order[i]).value > 0;
		miner->counts.judged += positive;
		miner->counts.without_vector +=
			positive && !omt_names_find(&miner->names, id, strlen(id), &number);
	}
}

/* ---- the whole ------------------------------------------------------------------------------- */

const char *omt_miner_id(const omt_miner *miner, uint64_t row)
{
	return miner->o->index ? omt_index_id(miner->o->index, row) : miner->o->passages->ids[row];
}

uint8_t omt_miner_kind(const omt_miner *miner, int64_t row)
{
	return miner->row_kinds ? miner->row_kinds[row] : 0;
}

const uint32_t *omt_miner_judged(const omt_miner *miner, size_t query, uint32_t *count)
{
	const uint32_t number = miner->numbers[query];
	*count = number == no_number ? 0 : miner->starts[number + 1] - miner->starts[number];
	return *count ? miner->order + miner->starts[number] : NULL;
}

int64_t omt_miner_positive(const omt_miner *miner, uint32_t judgement)
{
	const omt_row row = omt_table_row(&miner->qrels->table, judgement);
	return row.value > 0 ? miner->places[row.document] : -1;
}

void omt_miner_restrict(omt_miner *miner, const omt_kind_pair *pair)
{
	const int64_t rows = omt_pool_rows(&miner->pool);
	memset(miner->left_out, 0, (size_t)rows / 8 + 1);
	for (int64_t row = 0; row < rows; row++)
		if (is_deleted(miner, row) ||
		    !omt_kind_fits(pair->candidate, omt_miner_kind(miner, row)))
			miner->left_out[row / 8] |= (uint8_t)(1 << row % 8);
	miner->pool.sets.left_out = miner->left_out;
}

omt_status omt_miner_open(const omt_mine_options *options, omt_miner *miner, omt_error *err)
{
	*miner = (omt_miner){.o = options};
	OMT_TRY(check(miner, err));
	OMT_TRY(omt_qrels_load(options->qrels, &miner->qrels, err));
	OMT_TRY(omt_table_group(&miner->qrels->table, &miner->order, &miner->starts, err));
	OMT_TRY(take_queries(miner, err));
	OMT_TRY(take_query_kinds(miner, err));
	OMT_TRY(take_passages(miner, err));
	for (size_t q = 0; q < options->queries->count; q++)
		judge(miner, q);
	count_judged(miner);
	return omt_output_open(options->output, &miner->output, err);
}

void omt_miner_close(omt_miner *miner)
{
	omt_output_close(&miner->output, false, NULL);
	omt_searcher_free(miner->searcher);
	omt_qrels_free(miner->qrels);
	omt_names_free(&miner->names);
	free(miner->order);
	free(miner->starts);
	free(miner->places);
	free(miner->numbers);
	free(miner->asked);
	free(miner->own);
	free(miner->query_kinds);
	free(miner->row_kinds);
	free(miner->left_out);
}
