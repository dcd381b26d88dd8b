#include <sys/stat.h>

#include "cli/cli.h"

int cli_embed(int argc, char **argv);

static const char *const roles[] = {"none", "query", "passage", NULL};

typedef struct embed_run {
	omt_writer *writer;
	omt_trace *trace; /* NULL: none */
	omt_progress progress;
	uint64_t done;
} embed_run;

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	embed_run *run = user;
	if (result->failed.status != OMT_OK) {
		cli_progress_end();
		fprintf(stderr, "omnitile embed: %s: %s\n", result->id, result->failed.text);
	}
	omt_status status = omt_writer_put(run->writer, result, err);
	if (run->progress.report)
		run->progress.report(run->progress.user, "items", ++run->done, 0);
	return status;
}

/* Closes what run holds; true when everything that was to be written is. */
static bool close_outputs(embed_run *run, bool commit)
{
	omt_error err;
	omt_status written = omt_writer_close(run->writer, commit, &err);
	if (written != OMT_OK)
		cli_fail("embed", &err);
	commit = commit && written == OMT_OK;
	omt_status traced = omt_trace_close(run->trace, commit, &err);
	if (traced != OMT_OK)
		cli_fail("embed", &err);
	run->writer = NULL;
	run->trace = NULL;
	return commit && traced == OMT_OK;
}

static int embed_all(embed_run *run, omt_engine *engine, cli_items *items, const char *output)
{
	omt_error err;
	omt_embed_stats stats;
	cli_warn_modelled("embed", engine);
	omt_status status = omt_embed(engine, &(omt_source){cli_items_next, items},
	                              &(omt_sink){put, run}, &stats, &err);
	cli_progress_end();
	if (status != OMT_OK)
		cli_fail("embed", &err);
	else if (cli_stopped())
		fprintf(stderr, "omnitile embed: stopped; nothing was written to %s\n", output);
	if (!close_outputs(run, status == OMT_OK && !cli_stopped()))
		return CLI_FAILED;
	if (!cli_quiet) {
		json_t *described = cli_engine_described(engine);
		fprintf(stderr,
		        "%llu items, %llu failed, %llu tokens in %.2f s (prepare %.2f s, compute "
		        "%.2f s)\n",
		        (unsigned long long)stats.items, (unsigned long long)stats.failed,
		        (unsigned long long)stats.tokens, stats.wall_s, stats.prepare_s,
		        stats.compute_s);
		cli_print_devices(stderr, described);
		json_decref(described);
	}
	return stats.failed ? CLI_SOME_FAILED : CLI_OK;
}

static int embed_shards(embed_run *run, cli_shards *shards, const cli_engine *engine,
                        const cli_items *items, const char *output)
{
	int exit_status = cli_shards_embed("embed", shards, engine, items, output);
	return close_outputs(run, exit_status != CLI_FAILED) ? exit_status : CLI_FAILED;
}

/* Both are JSON lines by their names, and easily taken for each other. */
static bool is_list(const cli_items *items, const char *output)
{
	struct stat list, out;
	return items->list_path && stat(items->list_path, &list) == 0 && stat(output, &out) == 0 &&
	       S_ISREG(out.st_mode) && list.st_dev == out.st_dev && list.st_ino == out.st_ino;
}

/* What of the command line does not go together; NULL: all does. */
static const char *find_wrong(const cli_items *items, const cli_shards *shards, const char *output,
                              bool sharded)
{
	const bool inputs = items->inputs.count || items->texts.count;
	if (!items->list_path && !inputs)
		return "nothing to embed: name files, --text or --input";
	if (items->list_path && inputs)
		return "--input is a list of its own: no further inputs beside it";
	if (is_list(items, output))
		return "--output would go over the list";
	if (sharded && !items->list_path)
		return "shards are made of an --input list";
	if (!sharded && cli_shards_told(shards))
		return "--rank, --world, --retry-failed and --restart need shards: --output "
		       "FOLDER/";
	return NULL;
}

int cli_embed(int argc, char **argv)
{
	static const char verb[] = "embed";
	cli_engine engine_options;
	cli_limits limits;
	cli_items items = {.verb = verb};
	const char *output = "-", *trace_path = NULL;
	int role = OMT_ROLE_PASSAGE, exit_status = CLI_FAILED;
	const cli_option own[] = {
		{"role", "ROLE", "query, passage or none: whose prefix goes first (passage)",
	         CLI_WORD, &role, 0, 0, roles},
		{"input", "LIST", "JSON lines, an item a line; \"-\": standard input", CLI_TEXT,
	         &items.list_path, 0, 0, NULL},
		{"text", "TEXT", "a text (may be given again)", CLI_TEXTS, &items.texts, 0, 0,
	         NULL},
		{"kind", "KIND", "what comes through a pipe: image, video or audio", CLI_TEXT,
	         &items.kind, 0, 0, NULL},
		{"output", "OUT",
	         "vectors.npy, lines.jsonl, a FOLDER/ of shards; \"-\": JSON lines (-)", CLI_TEXT,
	         &output, 0, 0, NULL},
		{"trace", "FILE", "what ran when, as Chrome trace events (Perfetto)", CLI_TEXT,
	         &trace_path, 0, 0, NULL},
		{0},
	};
	cli_shards shards;
	const cli_option *tables[] = {own, cli_shards_table(&shards),
	                              cli_engine_table(&engine_options), cli_limits_table(&limits),
	                              NULL};
	omt_model *model = NULL;
	omt_engine *engine = NULL;
	omt_error err;
	embed_run run = {0};
	char identity[OMT_IDENTITY_TEXT];

	cli_parse(verb, argc, argv, tables, &items.inputs);
	const bool sharded = cli_shards_wanted(&shards, output);
	const char *wrong = find_wrong(&items, &shards, output, sharded);
	if (wrong) {
		cli_usage(verb, "%s", wrong);
		goto done;
	}
	items.role = (omt_role)role;
	items.limits = cli_limits_get(&limits);
	if (trace_path && omt_trace_open(trace_path, &run.trace, &err) != OMT_OK) {
		cli_fail(verb, &err);
		goto done;
	}
	engine_options.options.trace = run.trace;
	if (sharded) {
		exit_status = embed_shards(&run, &shards, &engine_options, &items, output);
		goto done;
	}
	cli_catch_signals();
	if (!cli_engine_open(verb, &engine_options, &model, &engine))
		goto done;
	run.progress = cli_progress();
	if (!cli_items_open(&items, &err) || omt_model_identity(model, identity, &err) != OMT_OK ||
	    omt_writer_open(output, identity, omt_model_dimension(model), &run.writer, &err) !=
	            OMT_OK) {
		cli_fail(verb, &err);
		goto done;
	}
	exit_status = embed_all(&run, engine, &items, output);
done:
	omt_trace_close(run.trace, false, NULL);
	cli_items_close(&items);
	omt_engine_close(engine);
	omt_model_close(model);
	return exit_status;
}
