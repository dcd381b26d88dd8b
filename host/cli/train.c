#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_train(int argc, char **argv);

static const char verb[] = "train";

static const char *duration(char text[64], double seconds)
{
	const long whole = (long)(seconds + 0.5);
	if (whole >= 3600)
		snprintf(text, 64, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
	else
		snprintf(text, 64, "%ld min %02ld s", whole / 60, whole % 60);
	return text;
}

static void print_cuts(const json_t *line, const char *measure, const char *name)
{
	const char *cut;
	json_t *value;
	json_object_foreach(json_object_get(line, measure), cut, value)
		printf("  %s@%s %.4f", name, cut, json_number_value(value));
}

static void print_plan(const json_t *plan)
{
	const char *name;
	json_t *set;
	printf("%s training of %.0f parameters in %.0f tensors, %.0f steps of %.0f queries on %.0f "
	       "threads\n",
	       cli_string(plan, "method"), cli_number(plan, "parameters"),
	       cli_number(plan, "tensors"), cli_number(plan, "steps"),
	       cli_number(plan, "queries_per_step"), cli_number(plan, "threads"));
	printf("a batch: %.0f items at most, in %.0f micro-batches or more\n",
	       cli_number(plan, "items_per_batch_at_most"),
	       cli_number(plan, "micro_batches_at_least"));
	printf("memory: %.1f MB of parameters, moments and gradients, %.0f MB of prepared items at "
	       "most\n",
	       cli_number(plan, "state_bytes") / 1e6, cli_number(plan, "cache_bytes") / 1e6);
	printf("%-24s %9s %9s %9s %9s\n", "data set", "samples", "queries", "passages",
	       "negatives");
	json_object_foreach(json_object_get(plan, "data"), name, set)
		printf("%-24s %9.0f %9.0f %9.0f %9.0f\n", name, cli_number(set, "pairs"),
	               cli_number(set, "queries"), cli_number(set, "passages"),
	               cli_number(set, "negatives"));
}

static void print_step(const json_t *line)
{
	char left[64];
	cli_progress_line(
		verb,
		"step %.0f/%.0f  loss %.4f  accuracy %.3f  lr %.3g  norm %.3g  "
		"%.1f items/s  %s left",
		cli_number(line, "step"), cli_number(line, "steps"), cli_number(line, "loss"),
		cli_number(line, "accuracy"), cli_number(line, "lr"), cli_number(line, "grad_norm"),
		cli_number(line, "items_per_s"), duration(left, cli_number(line, "left_s")));
}

static void print_eval(const json_t *line)
{
	cli_progress_end();
	printf("step %.0f  %s:", cli_number(line, "step"), cli_string(line, "eval"));
	print_cuts(line, "recall", "recall");
	print_cuts(line, "ndcg", "ndcg");
	print_cuts(line, "mrr", "mrr");
	printf("  (%.0f queries, %.0f passages, %.1f s)\n", cli_number(line, "queries"),
	       cli_number(line, "passages"), cli_number(line, "seconds"));
	fflush(stdout);
}

static void print_end(const json_t *line)
{
	char took[64];
	cli_progress_end();
	printf("%s: after %.0f steps, %s", cli_string(line, "written"), cli_number(line, "step"),
	       duration(took, cli_number(line, "seconds")));
	if (cli_number(line, "skipped") > 0)
		printf(", %.0f items could not be used", cli_number(line, "skipped"));
	putchar('\n');
}

static void take_line(void *user, const char *text)
{
	double *skipped = user; /* items */
	json_t *line = json_loads(text, 0, NULL);
	if (json_object_get(line, "written"))
		*skipped = cli_number(line, "skipped");
	if (cli_json)
		puts(text);
	else if (json_object_get(line, "plan"))
		print_plan(json_object_get(line, "plan"));
	else if (json_object_get(line, "loss"))
		print_step(line);
	else if (json_object_get(line, "eval"))
		print_eval(line);
	else if (json_object_get(line, "written"))
		print_end(line);
	if (cli_json)
		fflush(stdout);
	json_decref(line);
}

static bool stop(void *user)
{
	(void)user;
	return cli_stopped();
}

int cli_train(int argc, char **argv)
{
	static omt_train_options options;
	static cli_texts sets;
	static const cli_option table[] = {
		{"set", "KEY=VALUE", "over the file's value, as optimiser.lr=1e-3; more than once",
	         CLI_TEXTS, &sets, 0, 0, NULL},
		{"restart", NULL, "begin anew, whatever the output folder holds", CLI_FLAG,
	         &options.restart, 0, 0, NULL},
		{"dry-run", NULL, "tell samples, parameters and memory; train nothing", CLI_FLAG,
	         &options.dry_run, 0, 0, NULL},
		{"export", NULL, "write final/ or adapter/ of the last checkpoint; train nothing",
	         CLI_FLAG, &options.export_only, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {table, NULL};
	cli_texts files = {0};
	double skipped = 0;
	omt_error err;
	cli_parse(verb, argc, argv, tables, &files);
	if (files.count != 1)
		return cli_usage(verb, "expected one training file");
	cli_catch_signals();
	options.set = sets.text;
	options.set_count = sets.count;
	options.progress = cli_progress();
	options.line = take_line;
	options.stop = stop;
	options.user = &skipped;
	const omt_status status = omt_train(files.text[0], &options, &err);
	cli_progress_end();
	free(files.text);
	free(sets.text);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	return skipped > 0 ? CLI_SOME_FAILED : CLI_OK;
}
