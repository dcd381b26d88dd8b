#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_mine(int argc, char **argv);

static const char verb[] = "mine";

typedef struct mine_run {
	const char *index, *passage_vectors, *query_vectors;
	cli_engine engine;
	cli_limits limits;
	omt_mine_options options;
	int64_t k, sample, seed;
	uint64_t failed;
} mine_run;

/* ---- vectors --------------------------------------------------------------------------------- */

/* Vectors of a list that are embedded, as omt_loaded shows them. */
typedef struct mine_vectors {
	omt_loaded shown;
	char **ids;
	float *values;
	size_t room;
	char identity[OMT_IDENTITY_TEXT];
	omt_progress progress;
	const char *what;
	uint64_t done;
	omt_loaded *file; /* instead of all this: those of a file */
} mine_vectors;

static bool stop(void *user)
{
	(void)user;
	return cli_stopped();
}

static const omt_loaded *show(const mine_vectors *vectors)
{
	return vectors->file ? vectors->file : &vectors->shown;
}

static void drop(mine_vectors *vectors)
{
	for (size_t i = 0; i < vectors->shown.count; i++)
		free(vectors->ids[i]);
	free(vectors->ids);
	free(vectors->values);
	omt_vectors_unload(vectors->file);
}

static bool grow(mine_vectors *vectors, size_t dimension)
{
	if (vectors->shown.count < vectors->room)
		return true;
	const size_t room = vectors->room ? 2 * vectors->room : 256;
	char **ids = realloc(vectors->ids, room * sizeof *ids);
	vectors->ids = ids ? ids : vectors->ids;
	float *values = realloc(vectors->values, room * dimension * sizeof *values);
	vectors->values = values ? values : vectors->values;
	vectors->room = ids && values ? room : vectors->room;
	return ids && values;
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	mine_vectors *vectors = user;
	const size_t dimension = (size_t)result->dimension;
	if (vectors->progress.report)
		vectors->progress.report(vectors->progress.user, vectors->what, ++vectors->done, 0);
	if (result->failed.status != OMT_OK) {
		cli_progress_end();
		fprintf(stderr, "omnitile mine: %s: %s\n", result->id, result->failed.text);
		vectors->shown.left_out++;
		return OMT_OK;
	}
	if (!grow(vectors, dimension) ||
	    !(vectors->ids[vectors->shown.count] = strdup(result->id))) {
		snprintf(err->text, sizeof err->text, "no memory for %zu vectors", vectors->room);
		return err->status = OMT_NO_MEMORY;
	}
	memcpy(vectors->values + vectors->shown.count++ * dimension, result->vector,
	       dimension * sizeof(float));
	return OMT_OK;
}

/* Embeds the items of a list. */
static bool embed(mine_run *run, omt_engine *engine, const omt_model *model, const char *list,
                  omt_role role, mine_vectors *vectors, omt_error *err)
{
	cli_items items = {.verb = verb,
	                   .role = role,
	                   .limits = cli_limits_get(&run->limits),
	                   .list_path = list};
	vectors->progress = cli_progress();
	vectors->what = role == OMT_ROLE_QUERY ? "queries" : "passages";
	const bool whole = omt_model_identity(model, vectors->identity, err) == OMT_OK &&
	                   cli_items_open(&items, err) &&
	                   omt_embed(engine, &(omt_source){cli_items_next, &items},
	                             &(omt_sink){put, vectors}, NULL, err) == OMT_OK;
	cli_items_close(&items);
	cli_progress_end();
	vectors->shown.values = vectors->values;
	vectors->shown.ids = (const char *const *)vectors->ids;
	vectors->shown.model = vectors->identity;
	vectors->shown.dimension = omt_model_dimension(model);
	return whole;
}

/* Queries and, if they are not in an index, passages. *err has no text when it was said. */
static bool load(mine_run *run, mine_vectors *queries, mine_vectors *passages, omt_error *err)
{
	omt_model *model = NULL;
	omt_engine *engine = NULL;
	bool whole = true;
	err->text[0] = '\0';
	if (run->index)
		whole = omt_index_open(run->index, &run->options.index, err) == OMT_OK &&
		        omt_index_use(run->options.index, run->engine.options.backend,
		                      run->engine.options.device, 0, err) == OMT_OK;
	else if (run->passage_vectors)
		whole = omt_vectors_load(run->passage_vectors, &passages->file, err) == OMT_OK;
	if (whole && run->query_vectors)
		whole = omt_vectors_load(run->query_vectors, &queries->file, err) == OMT_OK;
	const bool embeds_passages = !run->index && !run->passage_vectors;
	if (whole && (embeds_passages || !run->query_vectors)) {
		whole = cli_engine_open(verb, &run->engine, &model, &engine);
		if (whole && cli_engine_is_modelled(engine)) {
			cli_usage(verb, "backend model makes no vectors to mine with");
			whole = false;
		}
	}
	if (whole && !run->query_vectors)
		whole = embed(run, engine, model, run->options.query_list, OMT_ROLE_QUERY, queries,
		              err);
	if (whole && embeds_passages)
		whole = embed(run, engine, model, run->options.passage_list, OMT_ROLE_PASSAGE,
		              passages, err);
	omt_engine_close(engine);
	omt_model_close(model);
	if (whole && cli_stopped()) {
		snprintf(err->text, sizeof err->text, "stopped: nothing is written to %s",
		         run->options.output);
		whole = false;
	}
	return whole;
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void print_counts(const json_t *result)
{
	static const struct {
		const char *key, *text;
	} counts[] = {
		{"without_positives", "queries have no positive in the judgements"},
		{"without_vector", "judged queries are not among the queries"},
		{"missing_positives", "positives are not among the passages"},
		{"without_passage", "queries have no positive among the passages"},
		{"unknown_kind", "passages are not in the list that tells kinds"},
	};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (cli_number(result, counts[i].key) > 0)
			printf("%.0f %s\n", cli_number(result, counts[i].key), counts[i].text);
}

static void print_table(const json_t *result)
{
	const json_t *pairs = json_object_get(result, "pairs");
	size_t i;
	json_t *pair;
	printf("%s, %.0f of %.0f queries judged, %.0f passages, %.2f s\n\n",
	       cli_string(result, "method"), cli_number(result, "judged"),
	       cli_number(result, "queries"), cli_number(result, "passages"),
	       cli_number(result, "seconds"));
	printf("%-24s %8s %10s %8s %8s %9s %9s\n", "pair", "queries", "negatives", "short", "empty",
	       "positive", "negative");
	json_array_foreach((json_t *)(uintptr_t)pairs, i, pair)
	{
		const char *name = cli_string(pair, "pair");
		printf("%-24s %8.0f %10.0f %8.0f %8.0f %9.6f %9.6f\n", *name ? name : "all",
		       cli_number(pair, "queries"), cli_number(pair, "negatives"),
		       cli_number(pair, "short"), cli_number(pair, "empty"),
		       cli_number(pair, "mean_positive"), cli_number(pair, "mean_negative"));
	}
	print_counts(result);
}

static int mine(mine_run *run, const mine_vectors *queries, const mine_vectors *passages)
{
	omt_error err;
	char *json;
	run->options.queries = show(queries);
	run->options.passages = run->index ? NULL : show(passages);
	run->failed = show(queries)->left_out + (run->index ? 0 : show(passages)->left_out);
	run->options.progress = cli_progress();
	run->options.stop = stop;
	omt_status status = omt_mine(&run->options, &json, &err);
	cli_progress_end();
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	if (run->failed)
		fprintf(stderr, "omnitile mine: %llu items have no vector\n",
		        (unsigned long long)run->failed);
	json_t *result = json_loads(json, 0, NULL);
	const bool lost = cli_number(result, "missing_positives") > 0;
	if (cli_json)
		puts(json);
	else if (!cli_quiet)
		print_table(result);
	json_decref(result);
	omt_free(json);
	return run->failed || lost ? CLI_SOME_FAILED : CLI_OK;
}

/* ---- the command line ------------------------------------------------------------------------ */

/* What of the command line does not go together; NULL: all does. */
static const char *misused(const mine_run *run)
{
	const omt_mine_options *o = &run->options;
	if (!o->qrels || !o->output)
		return "expected --qrels FILE and --output FILE";
	if (!run->query_vectors && !o->query_list)
		return "no queries: --queries LIST or --query-vectors FILE";
	if (run->index && run->passage_vectors)
		return "--index and --passage-vectors are the same passages twice";
	if (!run->index && !run->passage_vectors && !o->passage_list)
		return "no passages: --index FILE, --passage-vectors FILE or --passages LIST";
	if ((o->query_list && !strcmp(o->query_list, "-")) ||
	    (o->passage_list && !strcmp(o->passage_list, "-")))
		return "lists are read twice: no standard input";
	return NULL;
}

int cli_mine(int argc, char **argv)
{
	mine_run run = {.k = 4};
	mine_vectors queries = {0}, passages = {0};
	omt_mine_options *o = &run.options;
	const cli_option own[] = {
		{"index", "FILE", "passages, made by omnitile index; or", CLI_TEXT, &run.index, 0,
	         0, NULL},
		{"passage-vectors", "FILE", "a .npy, .fbin, .jsonl or folder of them; or", CLI_TEXT,
	         &run.passage_vectors, 0, 0, NULL},
		{"passages", "LIST", "JSON lines, embedded; beside the others: their kinds",
	         CLI_TEXT, &o->passage_list, 0, 0, NULL},
		{"queries", "LIST", "JSON lines, embedded; beside vectors: their kinds", CLI_TEXT,
	         &o->query_list, 0, 0, NULL},
		{"query-vectors", "FILE", "vectors of queries instead", CLI_TEXT,
	         &run.query_vectors, 0, 0, NULL},
		{"qrels", "FILE", "judgements, TREC or BEIR", CLI_TEXT, &o->qrels, 0, 0, NULL},
		{"output", "FILE", "JSON lines of negatives", CLI_TEXT, &o->output, 0, 0, NULL},
		{"method", "NAME",
	         "topk, topk_shifted, topk_abs, topk_marginpos, topk_percpos (the last)", CLI_TEXT,
	         &o->method, 0, 0, NULL},
		{"threshold", "X", "score (0.7), margin (0.05) or share (0.95) of the last three",
	         CLI_REAL, &o->threshold, -1e6, 1e6, NULL},
		{"skip", "N", "candidates that topk_shifted passes over (10)", CLI_INT, &o->skip, 0,
	         1e9, NULL},
		{"first-positive", NULL, "its score counts, not the lowest of several", CLI_FLAG,
	         &o->first_positive, 0, 0, NULL},
		{"k", "N", "negatives a query at most (4)", CLI_INT, &run.k, 1, 100000, NULL},
		{"sample", "N", "draw them from the N best", CLI_INT, &run.sample, 1, 100000, NULL},
		{"seed", "N", "of --sample (0)", CLI_INT, &run.seed, 0, 1e15, NULL},
		{"pairs", "LIST", "kinds, each pair for itself: text:image,text:audio", CLI_TEXT,
	         &o->pairs, 0, 0, NULL},
		{"candidates", "KIND", "only passages of this kind: image", CLI_TEXT,
	         &o->candidates, 0, 0, NULL},
		{"ignore-identical", NULL, "drop candidates with the query's own id", CLI_FLAG,
	         &o->ignore_identical, 0, 0, NULL},
		{"force", NULL, "queries and passages of different models", CLI_FLAG, &o->force, 0,
	         0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&run.engine),
	                              cli_limits_table(&run.limits), NULL};
	omt_error err;
	int exit_status = CLI_FAILED;
	omt_mine_options_init(o);
	cli_parse(verb, argc, argv, tables, NULL);
	const char *wrong = misused(&run);
	if (wrong)
		return cli_usage(verb, "%s", wrong);
	o->k = (size_t)run.k;
	o->sample = (size_t)run.sample;
	o->seed = (uint64_t)run.seed;
	o->backend = run.engine.options.backend;
	o->device = run.engine.options.device;
	cli_catch_signals();
	if (load(&run, &queries, &passages, &err))
		exit_status = mine(&run, &queries, &passages);
	else if (err.text[0])
		cli_fail(verb, &err);
	omt_index_close(o->index);
	drop(&queries);
	drop(&passages);
	return exit_status;
}
