/* omt_mine(): hard negatives of all queries, into a file. */
#include "index/miner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"

#define BATCH_QUERIES 1024
#define BATCH_BYTES   ((size_t)1 << 26) /* of survivors at most */

/* A query of a batch. */
typedef struct omt_asked {
	size_t query;
	int64_t *rows; /* [count]: its positives of the pair, ascending; then, ascending too, what
	                  is no candidate */
	float *scores; /* [count] */
	size_t count;
} omt_asked;

typedef struct omt_batch {
	omt_asked *asked;     /* [room] */
	omt_survivors *found; /* [room] */
	omt_neighbor *best;   /* [room, wanted] */
	size_t count, room;
} omt_batch;

/* What came of a pair. */
typedef struct omt_tally {
	uint64_t queries, few, empty, positives, negatives;
	double positive_sum, negative_sum;
} omt_tally;

void omt_mine_options_init(omt_mine_options *options)
{
	*options = (omt_mine_options){.threshold = NAN, .skip = -1, .k = 4};
}

/* ---- one query ------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Its positives and what is no candidate. False: no memory. asked->count 0: it has no positive of
 * the pair. */
static bool collect(const omt_miner *miner, const omt_kind_pair *pair, omt_asked *asked,
                    omt_mining_query *rule)
{
	uint32_t count;
	const uint32_t *rows = omt_miner_judged(miner, asked->query, &count);
	asked->rows = malloc((2 * (size_t)count + 1) * sizeof *asked->rows);
	asked->scores = malloc(((size_t)count + 1) * sizeof *asked->scores);
	if (!asked->rows || !asked->scores)
		return false;
	int64_t *excluded = asked->rows + count;
	for (uint32_t i = 0; i < count; i++) {
		const int64_t row = omt_miner_positive(miner, rows[i]);
		if (row < 0)
			continue;
		excluded[rule->excluded_count++] = row;
		if (omt_kind_fits(pair->positive, omt_miner_kind(miner, row)))
			asked->rows[asked->count++] = row;
	}
	if (miner->own && miner->own[asked->query] >= 0)
		excluded[rule->excluded_count++] = miner->own[asked->query];
	qsort(asked->rows, asked->count, sizeof *asked->rows, ascending);
	qsort(excluded, rule->excluded_count, sizeof *excluded, ascending);
	rule->excluded = excluded;
	return true;
}

static void drop(omt_asked *asked)
{
	free(asked->rows);
	free(asked->scores);
	*asked = (omt_asked){0};
}

/* Takes a query that has a positive of the pair into the batch. */
static omt_status ask(const omt_miner *miner, const omt_kind_pair *pair, size_t query,
                      omt_batch *batch, omt_error *err)
{
	omt_asked *asked = &batch->asked[batch->count];
	omt_survivors *found = &batch->found[batch->count];
	const omt_loaded *queries = miner->o->queries;
	*asked = (omt_asked){.query = query};
	*found = (omt_survivors){
		.vector = queries->values + query * (size_t)queries->dimension,
		.rule = {.skip = miner->rule.skip},
		.best = batch->best + batch->count * miner->wanted,
	};
	if (!collect(miner, pair, asked, &found->rule)) {
		drop(asked);
		return OMT_FAIL(err, NO_MEMORY, "positives of query %.80s", queries->ids[query]);
	}
	for (size_t i = 0; i < asked->count; i++) {
		omt_status status = omt_pool_score(&miner->pool, found->vector, asked->rows[i],
		                                   &asked->scores[i], err);
		if (status == OMT_OK && !isfinite(asked->scores[i]))
			status = OMT_FAIL(err, BAD_ARGUMENT, "query %.80s: score %g of a positive",
			                  queries->ids[query], (double)asked->scores[i]);
		if (status != OMT_OK) {
			drop(asked);
			return status;
		}
	}
	if (!asked->count) {
		drop(asked);
		return OMT_OK;
	}
	found->rule.limit = omt_mining_limit(&miner->rule, asked->scores, asked->count);
	batch->count++;
	return OMT_OK;
}

/* k of the survivors, all sets of k as likely, in the order they have. */
static void draw(const omt_miner *miner, size_t pair, size_t query, omt_survivors *found)
{
	const size_t k = miner->o->k;
	omt_random random;
	size_t taken = 0;
	if (found->count <= k)
		return;
	omt_random_seed(&random, miner->o->seed, query * miner->pair_count + pair);
	/* Each is taken with the chance that those still missing leave it (Knuth, volume 2,
	 * section 3.4.2, algorithm S). */
	for (size_t i = 0; taken < k; i++)
		if (omt_random_below(&random, found->count - i) < k - taken)
			found->best[taken++] = found->best[i];
	found->count = k;
}

static json_t *entry(const omt_miner *miner, int64_t row, float score)
{
	return json_pack("{so sf}", "id", omt_json_text(omt_miner_id(miner, (uint64_t)row)),
	                 "score", (double)score);
}

static omt_status write_line(const omt_miner *miner, const omt_kind_pair *pair,
                             const omt_asked *asked, const omt_survivors *found, omt_error *err)
{
	json_t *line =
		json_pack("{so}", "query", omt_json_text(miner->o->queries->ids[asked->query]));
	json_t *positives = json_array(), *negatives = json_array();
	bool whole = line && positives && negatives;
	if (*pair->name)
		whole = whole && !json_object_set_new(line, "pair", json_string(pair->name));
	for (size_t i = 0; whole && i < asked->count; i++)
		whole = !json_array_append_new(positives,
		                               entry(miner, asked->rows[i], asked->scores[i]));
	for (size_t i = 0; whole && i < found->count; i++)
		whole = !json_array_append_new(
			negatives, entry(miner, found->best[i].row, found->best[i].score));
	whole = whole && !json_object_set(line, "positives", positives) &&
	        !json_object_set(line, "negatives", negatives);
	char *text = whole ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(positives);
	json_decref(negatives);
	json_decref(line);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "a line of %s", miner->o->output);
	/* What the disk does not take is told when the file is closed. */
	fprintf(miner->output.stream, "%s\n", text);
	free(text);
	return OMT_OK;
}

/* ---- batches --------------------------------------------------------------------------------- */

static void count(const omt_miner *miner, const omt_asked *asked, const omt_survivors *found,
                  omt_tally *tally)
{
	tally->queries++;
	tally->few += found->count < miner->o->k;
	tally->empty += !found->count;
	tally->positives += asked->count;
	tally->negatives += found->count;
	for (size_t i = 0; i < asked->count; i++)
		tally->positive_sum += (double)asked->scores[i];
	for (size_t i = 0; i < found->count; i++)
		tally->negative_sum += (double)found->best[i].score;
}

/* Mines for the queries of the batch, which is empty then. */
static omt_status flush(omt_miner *miner, size_t pair, omt_batch *batch, omt_tally *tally,
                        omt_error *err)
{
	omt_status status =
		omt_survivors_find(&miner->pool, batch->found, batch->count, miner->wanted, err);
	for (size_t i = 0; i < batch->count && status == OMT_OK; i++) {
		draw(miner, pair, batch->asked[i].query, &batch->found[i]);
		status = write_line(miner, &miner->pairs[pair], &batch->asked[i], &batch->found[i],
		                    err);
		count(miner, &batch->asked[i], &batch->found[i], tally);
	}
	while (batch->count)
		drop(&batch->asked[--batch->count]);
	return status;
}

static omt_status mine_pair(omt_miner *miner, size_t pair, omt_batch *batch, omt_tally *tally,
                            omt_error *err)
{
	const omt_mine_options *o = miner->o;
	omt_miner_restrict(miner, &miner->pairs[pair]);
	for (size_t q = 0; q < o->queries->count; q++) {
		if (miner->asked[q] &&
		    omt_kind_fits(miner->pairs[pair].query, miner->query_kinds[q]))
			OMT_TRY(ask(miner, &miner->pairs[pair], q, batch, err));
		if (batch->count < batch->room && q + 1 < o->queries->count)
			continue;
		if (o->stop && o->stop(o->user))
			return OMT_FAIL(err, STOPPED, "stopped: nothing is written to %s",
			                o->output);
		OMT_TRY(flush(miner, pair, batch, tally, err));
		if (o->progress.report)
			o->progress.report(o->progress.user, "queries",
			                   pair * o->queries->count + q + 1,
			                   miner->pair_count * o->queries->count);
	}
	return OMT_OK;
}

static omt_status mine_pairs(omt_miner *miner, omt_tally *tallies, omt_error *err)
{
	const size_t bytes = miner->wanted * sizeof(omt_neighbor);
	omt_batch batch = {.room = BATCH_BYTES / bytes};
	omt_status status = OMT_OK;
	batch.room = batch.room < 1 ? 1 : batch.room > BATCH_QUERIES ? BATCH_QUERIES : batch.room;
	batch.asked = calloc(batch.room, sizeof *batch.asked);
	batch.found = calloc(batch.room, sizeof *batch.found);
	batch.best = malloc(batch.room * bytes);
	if (!batch.asked || !batch.found || !batch.best)
		status = OMT_FAIL(err, NO_MEMORY, "%zu survivors for each of %zu queries",
		                  miner->wanted, batch.room);
	for (size_t i = 0; i < miner->pair_count && status == OMT_OK; i++)
		status = mine_pair(miner, i, &batch, &tallies[i], err);
	while (batch.count)
		drop(&batch.asked[--batch.count]);
	free(batch.asked);
	free(batch.found);
	free(batch.best);
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static double mean(double sum, uint64_t of)
{
	return of ? sum / (double)of : 0;
}

static json_t *tally_json(const omt_kind_pair *pair, const omt_tally *tally)
{
	return json_pack("{ss sI sI sI sI sI sf sf sf}", "pair", pair->name, "queries",
	                 (json_int_t)tally->queries, "short", (json_int_t)tally->few, "empty",
	                 (json_int_t)tally->empty, "positives", (json_int_t)tally->positives,
	                 "negatives", (json_int_t)tally->negatives, "negatives_per_query",
	                 mean((double)tally->negatives, tally->queries), "mean_positive",
	                 mean(tally->positive_sum, tally->positives), "mean_negative",
	                 mean(tally->negative_sum, tally->negatives));
}

static omt_status describe(const omt_miner *miner, const omt_tally *tallies, double seconds,
                           char **json, omt_error *err)
{
	const omt_mine_options *o = miner->o;
	const omt_mine_counts *counts = &miner->counts;
	json_t *pairs = json_array();
	for (size_t i = 0; i < miner->pair_count; i++)
		json_array_append_new(pairs, tally_json(&miner->pairs[i], &tallies[i]));
	json_t *all =
		json_pack("{so ss sf sI sI sI sI sI sI sI sI sI sI sI sI sf so}", "output",
	                  omt_json_text(o->output), "method", omt_mining_name(miner->rule.method),
	                  "threshold", miner->rule.value, "skip", (json_int_t)miner->rule.skip, "k",
	                  (json_int_t)o->k, "sample", (json_int_t)o->sample, "seed",
	                  (json_int_t)o->seed, "passages", (json_int_t)counts->passages, "queries",
	                  (json_int_t)o->queries->count, "judged", (json_int_t)counts->judged,
	                  "without_positives", (json_int_t)counts->without_positives,
	                  "without_vector", (json_int_t)counts->without_vector, "missing_positives",
	                  (json_int_t)counts->missing_positives, "without_passage",
	                  (json_int_t)counts->without_passage, "unknown_kind",
	                  (json_int_t)counts->unknown_kind, "seconds", seconds, "pairs", pairs);
	*json = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "what was mined");
}

static omt_status mined_any(const omt_miner *miner, const omt_tally *tallies, omt_error *err)
{
	uint64_t queries = 0;
	for (size_t i = 0; i < miner->pair_count; i++)
		queries += tallies[i].queries;
	return queries ? OMT_OK
	               : OMT_FAIL(err, BAD_FORMAT,
	                          "%s: no query has a positive%s among the passages",
	                          miner->o->qrels, *miner->pairs->name ? " of a pair's kind" : "");
}

omt_status omt_mine(const omt_mine_options *options, char **json, omt_error *err)
{
	const double begin = omt_now_s();
	omt_tally tallies[OMT_KIND_PAIRS] = {{0}};
	omt_miner miner;
	omt_status status;
	*json = NULL;
	OMT_GOTO(omt_miner_open(options, &miner, err));
	OMT_GOTO(mine_pairs(&miner, tallies, err));
	OMT_GOTO(mined_any(&miner, tallies, err));
	OMT_GOTO(describe(&miner, tallies, omt_now_s() - begin, json, err));
	OMT_GOTO(omt_output_close(&miner.output, true, err));
done:
	omt_miner_close(&miner);
	if (status != OMT_OK) {
		free(*json);
		*json = NULL;
	}
	return status;
}
