#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_search(int argc, char **argv);

typedef struct search_run {
	omt_index *index;
	size_t k;
	omt_hit *hits;
	const char *tag; /* of TREC lines; NULL: a table */
	uint64_t failed;
} search_run;

static void print_json(const omt_result *query, const omt_hit *hits, size_t found)
{
	json_t *list = json_array();
	for (size_t i = 0; i < found; i++)
		json_array_append_new(list, json_pack("{si ss sf}", "rank", (int)i + 1, "id",
		                                      hits[i].id, "score", (double)hits[i].score));
	json_t *line = json_pack("{ss so}", "query", query->id, "hits", list);
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	if (text)
		puts(text);
	free(text);
	json_decref(line);
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	search_run *run = user;
	size_t found = 0;
	if (result->failed.status != OMT_OK) {
		fprintf(stderr, "omnitile search: %s: %s\n", result->id, result->failed.text);
		run->failed++;
		return OMT_OK;
	}
	omt_status status = omt_index_search(run->index, result->vector, 1, result->dimension,
	                                     run->k, run->hits, &found, err);
	if (status != OMT_OK)
		return status;
	if (cli_json) {
		print_json(result, run->hits, found);
		return OMT_OK;
	}
	if (!run->tag)
		printf("%s\n", result->id);
	for (size_t i = 0; i < found; i++)
		if (run->tag)
			printf("%s Q0 %s %zu %.9g %s\n", result->id, run->hits[i].id, i + 1,
			       (double)run->hits[i].score, run->tag);
		else
			printf("%5zu  %9.6f  %s\n", i + 1, (double)run->hits[i].score,
			       run->hits[i].id);
	return OMT_OK;
}

int cli_search(int argc, char **argv)
{
	static const char verb[] = "search";
	cli_engine engine_options;
	cli_limits limits;
	cli_items items = {.verb = verb, .role = OMT_ROLE_QUERY};
	search_run run = {0};
	const char *index_path = NULL;
	int64_t k = 10;
	int exit_status = CLI_FAILED;
	const cli_option own[] = {
		{"index", "FILE", "made by omnitile index", CLI_TEXT, &index_path, 0, 0, NULL},
		{"text", "TEXT", "a query (may be given again)", CLI_TEXTS, &items.texts, 0, 0,
	         NULL},
		{"input", "LIST", "queries as JSON lines", CLI_TEXT, &items.list_path, 0, 0, NULL},
		{"kind", "KIND", "what comes through a pipe: image, video or audio", CLI_TEXT,
	         &items.kind, 0, 0, NULL},
		{"k", "N", "passages a query (10)", CLI_INT, &k, 1, 1000000, NULL},
		{"trec", "TAG", "print a TREC run with this tag", CLI_TEXT, &run.tag, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&engine_options),
	                              cli_limits_table(&limits), NULL};
	omt_model *model = NULL;
	omt_engine *engine = NULL;
	omt_error err;

	cli_parse(verb, argc, argv, tables, &items.inputs);
	if (!index_path)
		return cli_usage(verb, "--index is missing");
	if (!items.list_path && !items.inputs.count && !items.texts.count)
		return cli_usage(verb, "no query: name files, --text or --input");
	items.limits = cli_limits_get(&limits);
	run.k = (size_t)k;
	run.hits = calloc(run.k, sizeof *run.hits);
	if (omt_index_open(index_path, &run.index, &err) != OMT_OK) {
		cli_fail(verb, &err);
		goto done;
	}
	if (!run.hits || !cli_engine_open(verb, &engine_options, &model, &engine))
		goto done;
	if (cli_engine_is_modelled(engine)) {
		cli_usage(verb, "backend model makes no vectors to search with");
		goto done;
	}
	if (!cli_items_open(&items, &err) ||
	    omt_embed(engine, &(omt_source){cli_items_next, &items}, &(omt_sink){put, &run}, NULL,
	              &err) != OMT_OK)
		cli_fail(verb, &err);
	else
		exit_status = run.failed ? CLI_SOME_FAILED : CLI_OK;
done:
	cli_items_close(&items);
	omt_engine_close(engine);
	omt_model_close(model);
	omt_index_close(run.index);
	free(run.hits);
	return exit_status;
}
