/* `embed` into a folder of shards: many items, several processes, more than one start. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define TELL_EVERY_S 0.2 /* on a terminal */
#define NOTE_EVERY_S 60  /* in a log */

typedef struct shards_run {
	const char *verb, *folder;
	omt_shards *shards;
	uint64_t done;
	double begin_s, told_s;
	bool terminal;
} shards_run;

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const cli_option *cli_shards_table(cli_shards *shards)
{
	static cli_option table[8];
	const cli_option made[] = {
		{"shard-items", "N", "lines of the list a shard, in the folder --output (10000)",
	         CLI_INT, &shards->lines, 1, 1e9, NULL},
		{"rank", "R", "shards: of the processes that share the list this is number R",
	         CLI_TEXT, &shards->ranks.rank_text, 0, 0, NULL},
		{"world", "N", "and N their number (else RANK, OMPI_, PMI_, SLURM_ variables)",
	         CLI_TEXT, &shards->ranks.world_text, 0, 0, NULL},
		{"retry-failed", NULL, "shards: embed the failed items again", CLI_FLAG,
	         &shards->retry, 0, 0, NULL},
		{"restart", NULL, "shards: remove what is there and begin anew", CLI_FLAG,
	         &shards->restart, 0, 0, NULL},
		{0},
	};
	*shards = (cli_shards){0};
	memcpy(table, made, sizeof made);
	return table;
}

bool cli_shards_wanted(const cli_shards *shards, const char *output)
{
	struct stat info;
	size_t length = strlen(output);
	return shards->lines || (length && output[length - 1] == '/') ||
	       (stat(output, &info) == 0 && S_ISDIR(info.st_mode));
}

bool cli_shards_told(const cli_shards *shards)
{
	return shards->ranks.rank_text || shards->ranks.world_text || shards->retry ||
	       shards->restart;
}

/* ---- progress ------------------------------------------------------------------------------ */

static void tell(shards_run *run)
{
	omt_shards_counts counts;
	const double now = now_s(), spent = now - run->begin_s;
	if (cli_quiet || now - run->told_s < (run->terminal ? TELL_EVERY_S : NOTE_EVERY_S))
		return;
	run->told_s = now;
	omt_shards_count(run->shards, &counts);
	double left_s = (double)(counts.todo_lines - counts.done_lines) * spent /
	                (double)(counts.done_lines ? counts.done_lines : 1);
	long long left = (long long)left_s;
	cli_progress_line(run->verb,
	                  "%lld of %lld lines, %lld of %lld shards, %.1f items/s, "
	                  "%lld:%02lld:%02lld left",
	                  (long long)counts.done_lines, (long long)counts.todo_lines,
	                  (long long)counts.own_whole, (long long)counts.own,
	                  (double)run->done / spent, left / 3600, left / 60 % 60, left % 60);
}

static bool next(void *user, const omt_item **item)
{
	const shards_run *run = user;
	return !cli_stopped() && omt_shards_next(run->shards, item);
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	shards_run *run = user;
	omt_status status = omt_shards_put(run->shards, result, err);
	if (status == OMT_OK && result->failed.status != OMT_OK) {
		cli_progress_end();
		fprintf(stderr, "omnitile %s: %s: %s\n", run->verb, result->id,
		        result->failed.text);
	}
	run->done++;
	tell(run);
	return status;
}

/* ---- the run ------------------------------------------------------------------------------- */

static omt_status open_shards(shards_run *run, const cli_shards *from, const cli_engine *engine,
                              const cli_items *items, const omt_model *model, omt_error *err)
{
	char identity[OMT_IDENTITY_TEXT];
	omt_shards_options options;
	omt_status status = omt_model_identity(model, identity, err);
	if (status != OMT_OK)
		return status;
	omt_shards_options_init(&options);
	options.folder = run->folder;
	options.list = items->list_path;
	options.role = items->role;
	options.limits = *items->limits;
	options.model = identity;
	options.weights = engine->options.weights;
	options.zeros = cli_engine_models(engine);
	options.dimension = omt_model_dimension(model);
	options.shard_lines = from->lines;
	options.rank = (int32_t)from->ranks.rank;
	options.world = (int32_t)from->ranks.world;
	options.restart = from->restart;
	options.retry_failed = from->retry;
	return omt_shards_open(&options, &run->shards, err);
}

static void print_rank(const shards_run *run, const cli_ranks *ranks)
{
	if (ranks->from && !cli_quiet)
		fprintf(stderr, "omnitile %s: rank %lld of %lld (%s)\n", run->verb,
		        (long long)ranks->rank, (long long)ranks->world, ranks->from);
}

/* What there is now; true when all of this rank's is. */
static bool print_end(const shards_run *run, const omt_shards_counts *counts, bool failed)
{
	const bool complete = counts->own_whole == counts->own;
	const double spent = now_s() - run->begin_s;
	if (!complete)
		fprintf(stderr,
		        "omnitile %s: %s: %lld of %lld shards are written to %s; the same "
		        "command goes on\n",
		        run->verb, failed ? "ended early" : "stopped", (long long)counts->own_whole,
		        (long long)counts->own, run->folder);
	if (cli_json)
		printf("{\"items\":%llu,\"failed\":%llu,\"own_shards\":%lld,\"own_whole\":%lld,"
		       "\"shards\":%lld,\"whole\":%lld,\"embedded\":%llu,\"seconds\":%.3f}\n",
		       (unsigned long long)counts->items, (unsigned long long)counts->failed,
		       (long long)counts->own, (long long)counts->own_whole,
		       (long long)counts->shards, (long long)counts->whole,
		       (unsigned long long)run->done, run->begin_s > 0 ? spent : 0);
	if (cli_quiet)
		return complete;
	fprintf(stderr, "%llu items, %llu failed in %lld shards", (unsigned long long)counts->items,
	        (unsigned long long)counts->failed, (long long)counts->own_whole);
	if (run->done)
		fprintf(stderr, "; now %llu in %.2f s, %.1f items/s", (unsigned long long)run->done,
		        spent, (double)run->done / spent);
	if (counts->whole < counts->shards)
		fprintf(stderr, "; %s has %lld of %lld shards", run->folder,
		        (long long)counts->whole, (long long)counts->shards);
	fputc('\n', stderr);
	return complete;
}

static bool embed_all(shards_run *run, const cli_engine *from, const omt_model *model,
                      omt_error *err)
{
	omt_shards_counts counts;
	omt_engine *engine;
	omt_shards_count(run->shards, &counts);
	if (!counts.todo_lines)
		return true;
	if (!cli_engine_build(from, model, &engine, err))
		return false;
	cli_warn_modelled(run->verb, engine);
	run->begin_s = run->told_s = now_s();
	omt_status status =
		omt_embed(engine, &(omt_source){next, run}, &(omt_sink){put, run}, NULL, err);
	cli_progress_end();
	json_t *described = cli_engine_described(engine);
	if (!cli_quiet)
		cli_print_devices(stderr, described);
	json_decref(described);
	omt_engine_close(engine);
	return status == OMT_OK;
}

int cli_shards_embed(const char *verb, cli_shards *from, const cli_engine *engine,
                     const cli_items *items, const char *folder)
{
	shards_run run = {.verb = verb, .folder = folder, .terminal = isatty(STDERR_FILENO)};
	omt_shards_counts counts;
	omt_model *model = NULL;
	omt_error err;
	if (!cli_ranks_find(verb, &from->ranks))
		return CLI_FAILED;
	print_rank(&run, &from->ranks);
	cli_catch_signals(); /* one that comes while weights are loaded ends the run at its first
	                        item */
	if (!cli_model_open(verb, engine, &model))
		return CLI_FAILED;
	if (open_shards(&run, from, engine, items, model, &err) != OMT_OK) {
		omt_model_close(model);
		cli_fail(verb, &err);
		if (err.status == OMT_MISMATCH)
			fprintf(stderr,
			        "omnitile %s: other shards go to another --output; --restart "
			        "removes those that are there\n",
			        verb);
		return CLI_FAILED;
	}
	bool good = embed_all(&run, engine, model, &err);
	if (!good)
		cli_fail(verb, &err);
	if (omt_shards_close(run.shards, &counts, &err) != OMT_OK) {
		cli_fail(verb, &err);
		good = false;
	}
	omt_model_close(model);
	if (!print_end(&run, &counts, !good) || !good)
		return CLI_FAILED;
	return counts.failed ? CLI_SOME_FAILED : CLI_OK;
}
