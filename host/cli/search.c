#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_search(int argc, char **argv);

#define BATCH 1024 /* queries searched together */

typedef struct search_run {
	omt_index *index;
	size_t k;
	const char *tag; /* of TREC lines; NULL: a table */
	uint64_t failed;
	bool force;

	/* Queries that were embedded, to be searched together. */
	char **ids;
	float *vectors;
	size_t count;
} search_run;

static omt_status fail(omt_error *err, omt_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static omt_status fail(omt_error *err, omt_status status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return err->status = status;
}

/* The name of a file need not be UTF-8: then it has '?', as among the ids that embed writes. */
static json_t *text_of(const char *query)
{
	json_t *text = json_string(query);
	char *ascii = text ? NULL : strdup(query);
	for (char *at = ascii; at && *at; at++)
		*at = (unsigned char)*at < 0x80 ? *at : '?';
	text = text ? text : json_string(ascii);
	free(ascii);
	return text;
}

static omt_status print_json(const char *query, const omt_hit *hits, size_t found, omt_error *err)
{
	json_t *list = json_array();
	for (size_t i = 0; i < found; i++)
		json_array_append_new(list, json_pack("{si ss sf}", "rank", (int)i + 1, "id",
		                                      hits[i].id, "score", (double)hits[i].score));
	json_t *line = json_pack("{so so}", "query", text_of(query), "hits", list);
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	if (text)
		puts(text);
	free(text);
	json_decref(line);
	return text ? OMT_OK : fail(err, OMT_NO_MEMORY, "no memory for the hits of %.200s", query);
}

/* Blanks part the columns of a TREC run. */
static bool is_column(const char *text)
{
	return *text && !strpbrk(text, " \t\r\n\v\f");
}

static omt_status print_trec(const char *query, const omt_hit *hits, size_t found, const char *tag,
                             omt_error *err)
{
	const char *id = query;
	for (size_t i = 0; i < found && is_column(id); i++)
		id = hits[i].id;
	if (!is_column(id))
		return fail(err, OMT_BAD_ARGUMENT,
		            "id \"%.200s\" has a blank and no place in a TREC run: --json has", id);
	for (size_t i = 0; i < found; i++)
		printf("%s Q0 %s %zu %.9g %s\n", query, hits[i].id, i + 1, (double)hits[i].score,
		       tag);
	return OMT_OK;
}

static omt_status print(const search_run *run, const char *query, const omt_hit *hits, size_t found,
                        omt_error *err)
{
	if (cli_json)
		return print_json(query, hits, found, err);
	if (run->tag)
		return print_trec(query, hits, found, run->tag, err);
	printf("%s\n", query);
	for (size_t i = 0; i < found; i++)
		printf("%5zu  %9.6f  %s\n", i + 1, (double)hits[i].score, hits[i].id);
	return OMT_OK;
}

/* Searches for `count` queries and prints their hits. */
static omt_status search(const search_run *run, const char *const *ids, const float *vectors,
                         size_t count, int32_t dimension, omt_error *err)
{
	omt_status status = OMT_OK;
	/* As many hits of each as fit a gigabyte. */
	size_t step = ((size_t)1 << 30) / (run->k * sizeof(omt_hit));
	step = step < 1 ? 1 : step > BATCH ? BATCH : step;
	omt_hit *hits = calloc(step * run->k, sizeof *hits);
	size_t *found = calloc(step, sizeof *found);
	if (!hits || !found)
		status = fail(err, OMT_NO_MEMORY, "no memory for hits: a smaller --k may help");
	for (size_t q = 0; q < count && status == OMT_OK; q += step) {
		const size_t some = count - q < step ? count - q : step;
		status = omt_index_search(run->index, vectors + q * (size_t)dimension, some,
		                          dimension, run->k, hits, found, err);
		for (size_t i = 0; i < some && status == OMT_OK; i++)
			status = print(run, ids[q + i], hits + i * run->k, found[i], err);
	}
	free(hits);
	free(found);
	return status;
}

/* Searches for the queries that were kept. */
static omt_status flush(search_run *run, omt_error *err)
{
	const omt_status status = search(run, (const char *const *)run->ids, run->vectors,
	                                 run->count, omt_index_dimension(run->index), err);
	while (run->count)
		free(run->ids[--run->count]);
	return status;
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	search_run *run = user;
	const int32_t dimension = omt_index_dimension(run->index);
	if (result->failed.status != OMT_OK) {
		fprintf(stderr, "omnitile search: %s: %s\n", result->id, result->failed.text);
		run->failed++;
		return OMT_OK;
	}
	/* Refused by the search, with the reason. */
	if (result->dimension != dimension)
		return search(run, &result->id, result->vector, 1, result->dimension, err);
	memcpy(run->vectors + run->count * (size_t)dimension, result->vector,
	       (size_t)dimension * sizeof(float));
	if (!(run->ids[run->count] = strdup(result->id)))
		return fail(err, OMT_NO_MEMORY, "no memory for a query");
	return ++run->count < BATCH ? OMT_OK : flush(run, err);
}

/* Whether the index may be asked by vectors of this model. */
static omt_status compare(const search_run *run, const char *model, omt_error *err)
{
	if (!cli_quiet && (!model || !omt_index_model(run->index)))
		fprintf(stderr, "omnitile search: %s does not tell its model: not compared\n",
		        model ? "the index" : "the file of queries");
	return run->force || !model ? OMT_OK : omt_index_expect_model(run->index, model, err);
}

static omt_status search_file(search_run *run, const char *path, omt_error *err)
{
	omt_loaded *queries;
	omt_status status = omt_vectors_load(path, &queries, err);
	if (status != OMT_OK)
		return status;
	status = compare(run, queries->model, err);
	if (status == OMT_OK)
		status = search(run, queries->ids, queries->values, queries->count,
		                queries->dimension, err);
	if (queries->left_out && status == OMT_OK)
		fprintf(stderr, "omnitile search: %zu queries of %s have no vector\n",
		        queries->left_out, path);
	run->failed += queries->left_out;
	omt_vectors_unload(queries);
	return status;
}

/* Embeds the items and searches for their vectors. */
static bool search_items(const char *verb, search_run *run, cli_engine *options, cli_items *items,
                         omt_error *err)
{
	omt_model *model = NULL;
	omt_engine *engine = NULL;
	char identity[OMT_IDENTITY_TEXT];
	bool whole = false;
	if (!cli_engine_open(verb, options, &model, &engine)) {
		err->text[0] = '\0'; /* it was said */
	} else if (cli_engine_is_modelled(engine)) {
		cli_usage(verb, "backend model makes no vectors to search with");
		err->text[0] = '\0';
	} else {
		whole = omt_model_identity(model, identity, err) == OMT_OK &&
		        compare(run, identity, err) == OMT_OK && cli_items_open(items, err) &&
		        omt_embed(engine, &(omt_source){cli_items_next, items},
		                  &(omt_sink){put, run}, NULL, err) == OMT_OK &&
		        flush(run, err) == OMT_OK;
	}
	omt_engine_close(engine);
	omt_model_close(model);
	return whole;
}

/* What of the command line does not go together; NULL: all does. */
static const char *misused(const char *index, bool embeds, const char *queries, const char *tag)
{
	if (!index)
		return "--index is missing";
	if (embeds && queries)
		return "--queries are vectors: no items beside them";
	if (!embeds && !queries)
		return "no query: name files, --text, --input or --queries";
	return tag && !is_column(tag) ? "--trec TAG: a tag is one word" : NULL;
}

int cli_search(int argc, char **argv)
{
	static const char verb[] = "search";
	cli_engine engine_options;
	cli_limits limits;
	cli_items items = {.verb = verb, .role = OMT_ROLE_QUERY};
	search_run run = {0};
	const char *index_path = NULL, *queries = NULL;
	int64_t k = 10;
	int exit_status = CLI_FAILED;
	const cli_option own[] = {
		{"index", "FILE", "made by omnitile index", CLI_TEXT, &index_path, 0, 0, NULL},
		{"text", "TEXT", "a query (may be given again)", CLI_TEXTS, &items.texts, 0, 0,
	         NULL},
		{"input", "LIST", "queries as JSON lines", CLI_TEXT, &items.list_path, 0, 0, NULL},
		{"kind", "KIND", "what comes through a pipe: image, video or audio", CLI_TEXT,
	         &items.kind, 0, 0, NULL},
		{"queries", "FILE", "vectors of queries instead: a .npy, .fbin, .jsonl or folder",
	         CLI_TEXT, &queries, 0, 0, NULL},
		{"k", "N", "passages a query (10)", CLI_INT, &k, 1, 1000000, NULL},
		{"trec", "TAG", "print a TREC run with this tag", CLI_TEXT, &run.tag, 0, 0, NULL},
		{"force", NULL, "search by queries of another model", CLI_FLAG, &run.force, 0, 0,
	         NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&engine_options),
	                              cli_limits_table(&limits), NULL};
	omt_error err;

	cli_parse(verb, argc, argv, tables, &items.inputs);
	const bool embeds = items.list_path || items.inputs.count || items.texts.count;
	const char *wrong = misused(index_path, embeds, queries, run.tag);
	if (wrong) {
		cli_usage(verb, "%s", wrong);
		goto done;
	}
	items.limits = cli_limits_get(&limits);
	run.k = (size_t)k;
	if (omt_index_open(index_path, &run.index, &err) != OMT_OK ||
	    omt_index_use(run.index, engine_options.options.backend, engine_options.options.device,
	                  0, &err) != OMT_OK) {
		cli_fail(verb, &err);
		goto done;
	}
	run.ids = calloc(BATCH, sizeof *run.ids);
	run.vectors = calloc((size_t)omt_index_dimension(run.index) * BATCH, sizeof(float));
	bool whole = false;
	if (!run.ids || !run.vectors)
		fail(&err, OMT_NO_MEMORY, "no memory for a batch of queries");
	else if (queries)
		whole = search_file(&run, queries, &err) == OMT_OK;
	else
		whole = search_items(verb, &run, &engine_options, &items, &err);
	if (whole)
		exit_status = run.failed ? CLI_SOME_FAILED : CLI_OK;
	else if (err.text[0])
		cli_fail(verb, &err);
done:
	cli_items_close(&items);
	while (run.count)
		free(run.ids[--run.count]);
	free(run.ids);
	free(run.vectors);
	omt_index_close(run.index);
	return exit_status;
}
