#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_eval(int argc, char **argv);

static const json_t *run_at(const json_t *runs, size_t i, const char *kind, const char *measure,
                            const char *cut)
{
	const json_t *measures = json_object_get(json_array_get(runs, i), kind);
	return json_object_get(json_object_get(measures, measure), cut);
}

/* A line a run of one measure. */
static void print_measure(const json_t *runs, const char *measure, const char *cut)
{
	char name[64];
	snprintf(name, sizeof name, "%s%s%s", measure, *cut ? "@" : "", cut);
	for (size_t i = 0; i < json_array_size(runs); i++) {
		const json_t *value = run_at(runs, i, "measured", measure, cut);
		const json_t *compared = run_at(runs, i, "compared", measure, cut);
		printf("%-14s", i ? "" : name);
		if (json_array_size(runs) > 1)
			printf("%4zu", i + 1);
		printf("  %8.5f", cli_number(value, "value"));
		if (json_object_get(value, "low"))
			printf("  %7.5f to %7.5f", cli_number(value, "low"),
			       cli_number(value, "high"));
		if (compared)
			printf("  %+10.5f  %+8.5f to %+8.5f  %8.5f  %8.5f",
			       cli_number(compared, "difference"), cli_number(compared, "low"),
			       cli_number(compared, "high"),
			       cli_number(compared, "p_randomisation"),
			       cli_number(compared, "p_bootstrap"));
		putchar('\n');
	}
}

static void print_table(const json_t *result)
{
	const json_t *runs = json_object_get(result, "runs"), *run;
	const bool resampled = cli_number(result, "resamples") > 0,
		   several = json_array_size(runs) > 1;
	const char *measure, *cut;
	size_t i;
	json_t *cuts, *value;
	printf("convention %s", json_string_value(json_object_get(result, "convention")));
	if (resampled)
		printf(", 95 %% intervals%s of %.0f resamples, seed %.0f",
		       several ? " and p values" : "", cli_number(result, "resamples"),
		       cli_number(result, "seed"));
	printf("\n");
	json_array_foreach((json_t *)(uintptr_t)runs, i, run) printf(
		"run %zu  %s: %.0f of %.0f judged queries count, %.0f of them answered\n", i + 1,
		json_string_value(json_object_get(run, "run")), cli_number(run, "queries"),
		cli_number(run, "judged"), cli_number(run, "answered"));
	printf("\n%-14s%s  %8s", "measure", several ? " run" : "", "value");
	if (resampled)
		printf("  %-18s", "95 %");
	if (resampled && several)
		printf("  %10s  %-20s  %8s  %8s", "less run 1", "95 %", "p (sign)", "p (boot)");
	printf("\n");
	json_object_foreach(json_object_get(json_array_get(runs, 0), "measured"), measure, cuts)
		json_object_foreach(cuts, cut, value) print_measure(runs, measure, cut);
}

/* "1,5,10" into cuts[limit]; 0: not that. */
static size_t parse_cuts(const char *text, int32_t *cuts, size_t limit)
{
	size_t count = 0;
	char *end;
	for (const char *at = text;; at = end + 1) {
		long value = strtol(at, &end, 10);
		if (end == at || value < 1 || value > INT32_MAX || count == limit)
			return 0;
		cuts[count++] = (int32_t)value;
		if (!*end)
			return count;
		if (*end != ',')
			return 0;
	}
}

int cli_eval(int argc, char **argv)
{
	static const char verb[] = "eval";
	const char *cuts_text = NULL;
	int64_t resamples = 1000, seed = 1;
	int32_t cuts[16];
	cli_texts runs = {0};
	omt_eval_options options = {.cuts = cuts};
	const cli_option own[] = {
		{"qrels", "FILE", "judgements, TREC or BEIR", CLI_TEXT, &options.qrels, 0, 0, NULL},
		{"run", "FILE", "answers, TREC or JSON; again: compared with the first", CLI_TEXTS,
	         &runs, 0, 0, NULL},
		{"convention", "NAME", "trec_eval (default), mteb or mmeb", CLI_TEXT,
	         &options.convention, 0, 0, NULL},
		{"k", "LIST", "cut-offs with commas between them (the convention's)", CLI_TEXT,
	         &cuts_text, 0, 0, NULL},
		{"absent", "HOW", "judged queries not in a run: zero, skip (the convention's)",
	         CLI_TEXT, &options.absent, 0, 0, NULL},
		{"ignore-identical", NULL, "drop answers with the query's own id", CLI_FLAG,
	         &options.ignore_identical, 0, 0, NULL},
		{"bootstrap", "N", "resamples for intervals and p values, 0: neither (1000)",
	         CLI_INT, &resamples, 0, 1000000, NULL},
		{"seed", "N", "of the resamples (1)", CLI_INT, &seed, 0, 1e15, NULL},
		{"per-query", "FILE", "values of each query as JSON lines", CLI_TEXT,
	         &options.per_query, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, NULL);
	if (cuts_text)
		options.cut_count = parse_cuts(cuts_text, cuts, sizeof cuts / sizeof *cuts);
	if (!options.qrels || !runs.count || (cuts_text && !options.cut_count)) {
		free(runs.text);
		return options.qrels && runs.count
		               ? cli_usage(verb,
		                           "--k %s: expected up to 16 numbers from 1, as 1,5,10",
		                           cuts_text)
		               : cli_usage(verb, "expected --qrels FILE and --run FILE");
	}
	options.runs = runs.text;
	options.run_count = runs.count;
	options.resamples = (int32_t)resamples;
	options.seed = (uint64_t)seed;
	omt_status status = omt_eval(&options, &json, &err);
	free(runs.text);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	json_t *result = cli_json ? NULL : json_loads(json, 0, NULL);
	if (result)
		print_table(result);
	else
		puts(json);
	json_decref(result);
	omt_free(json);
	return CLI_OK;
}
