#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_bench(int argc, char **argv);
int cli_roofline(int argc, char **argv);

/* A number, or what stands in the place of none. */
static const char *figure(char text[16], const json_t *value, double scale, const char *unit)
{
	if (json_is_number(value))
		snprintf(text, 16, "%.1f%s", scale * json_number_value(value), unit);
	else
		strcpy(text, "-");
	return text;
}

/* The last column: of a card's model what it costs, else what was hidden. */
static const char *last_column(char text[16], const json_t *part)
{
	const json_t *joules = json_object_get(json_object_get(part, "energy"), "joules_per_item");
	if (strcmp(cli_string(part, "mode"), "modelled") != 0)
		return figure(text, json_object_get(part, "hidden_share"), 100, "%");
	snprintf(text, 16, json_is_number(joules) ? "%.4g" : "-", json_number_value(joules));
	return text;
}

static void print_part(const json_t *part, const char *file, const char *modality)
{
	static const char *const latencies[] = {"p50", "p90", "p99", "p99_9"};
	char text[16];
	const json_t *latency = json_object_get(part, "latency_ms");
	printf("%-9s %-8s %6.0f %6.0f %9.1f %10.0f", file, modality, cli_number(part, "items"),
	       cli_number(part, "failed"), cli_number(part, "items_per_s"),
	       cli_number(part, "tokens_per_s"));
	for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++)
		printf(" %9s", figure(text, json_object_get(latency, latencies[i]), 1, ""));
	printf(" %8s", last_column(text, part));
}

/* A server's part has figures of each modality. */
static void print_server(const json_t *part)
{
	const char *modality;
	json_t *of_modality;
	char text[16];
	json_object_foreach((json_t *)(uintptr_t)json_object_get(part, "modalities"), modality,
	                    of_modality)
	{
		print_part(of_modality, "", modality);
		putchar('\n');
	}
	printf("server    %s requests/s, p%g within %s ms",
	       figure(text, json_object_get(part, "rate"), 1, ""), cli_number(part, "percentile"),
	       figure((char[16]){0}, json_object_get(part, "target_latency_ms"), 1, ""));
	printf(" (is %s ms), %zu rates tried\n",
	       figure(text, json_object_get(json_object_get(part, "headline"), "latency_ms"), 1,
	              ""),
	       json_array_size(json_object_get(part, "search")));
}

static void print_parts(const json_t *record)
{
	size_t i, j;
	json_t *part, *reason;
	const bool modelled = json_object_get(record, "card") != NULL;
	printf("\n%-9s %-8s %6s %6s %9s %10s %9s %9s %9s %9s %8s\n", "file", "modality", "items",
	       "failed", "items/s", "tokens/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms",
	       modelled ? "J/item" : "hidden");
	json_array_foreach(json_object_get(record, "parts"), i, part)
	{
		const bool server = json_object_get(part, "modalities") != NULL;
		print_part(part, cli_string(part, "file"), cli_string(part, "modality"));
		printf("  %s\n",
		       json_is_false(json_object_get(part, "valid")) ? "INVALID" : "valid");
		json_array_foreach(json_object_get(part, "reasons"), j, reason)
			printf("%-18s not valid: %s\n", "", json_string_value(reason));
		json_array_foreach(json_object_get(part, "remarks"), j, reason)
			printf("%-18s %s\n", "", json_string_value(reason));
		if (server)
			print_server(part);
	}
	puts(modelled ? "by the card's model: its kernels alone, without preparation and transfers"
	              : "hidden: share of preparation and transfers that ran while the device "
	                "computed");
}

static void print_measure(const json_t *retrieval, const char *key, const json_t *cuts)
{
	const char *cut;
	json_t *value;
	char name[48];
	const json_t *chance = json_object_get(json_object_get(retrieval, "chance"), key);
	json_object_foreach((json_t *)(uintptr_t)cuts, cut, value)
	{
		snprintf(name, sizeof name, "%s%s%s", key, *cut ? "@" : "", cut);
		printf("%-14s %8.4f", name, cli_number(value, "value"));
		if (json_is_number(json_object_get(value, "low")))
			printf("  95 %% %.4f to %.4f", cli_number(value, "low"),
			       cli_number(value, "high"));
		if (json_is_number(json_object_get(chance, cut)))
			printf("  chance %8.4f", cli_number(chance, cut));
		putchar('\n');
	}
}

static void print_retrieval(const json_t *retrieval)
{
	const char *key;
	json_t *cuts;
	if (!retrieval)
		return;
	printf("\nretrieval of %.0f queries (%.0f asked) among %.0f passages %s\n",
	       cli_number(retrieval, "queries"), cli_number(retrieval, "answered"),
	       cli_number(retrieval, "passages"), cli_string(retrieval, "convention"));
	json_object_foreach(json_object_get(retrieval, "measured"), key, cuts)
		print_measure(retrieval, key, cuts);
}

static void print_record(const json_t *record)
{
	const json_t *engine = json_object_get(record, "engine");
	const json_t *point = json_object_get(record, "point");
	char *varies = json_object_size(point) ? json_dumps(point, JSON_COMPACT) : NULL;
	if (varies)
		printf("\npoint     %s\n", varies);
	free(varies);
	if (json_is_object(json_object_get(record, "card")))
		cli_print_card(json_object_get(record, "card"));
	if (engine)
		printf("device    %s (%s), driver %s\nbackends  %s\n", cli_string(engine, "device"),
		       cli_string(engine, "platform"), cli_string(engine, "driver"),
		       cli_string(engine, "chain"));
	printf("model     %s, %s\n", cli_string(json_object_get(record, "model"), "path"),
	       cli_string(json_object_get(record, "model"), "architecture"));
	cli_print_devices(stdout, engine);
	print_parts(record);
	print_retrieval(json_object_get(record, "retrieval"));
	fflush(stdout);
}

/* A point of --dry-run. */
static void print_point(const json_t *line)
{
	char *varies = json_dumps(json_object_get(line, "point"), JSON_COMPACT);
	printf("%4.0f  %-5s %s\n", cli_number(line, "number"),
	       json_is_true(json_object_get(line, "done")) ? "done" : "to do",
	       varies ? varies : "");
	free(varies);
}

/* Prints records as they come and remembers whether something in them was not right. */
static void take_line(void *user, const char *text)
{
	bool *amiss = user;
	size_t i;
	json_t *part, *line = json_loads(text, 0, NULL);
	cli_progress_end();
	if (cli_json)
		puts(text);
	else if (json_object_get(line, "record"))
		print_record(line);
	else
		print_point(line);
	json_array_foreach(json_object_get(line, "parts"), i, part) *amiss =
		*amiss || cli_number(part, "failed") > 0 ||
		json_is_false(json_object_get(part, "valid"));
	json_decref(line);
}

static bool stop(void *user)
{
	(void)user;
	return cli_stopped();
}

/* "5%" or "0.05"; false: neither. */
static bool read_share(const char *text, double *share)
{
	char *end;
	const double value = strtod(text, &end);
	const bool percent = *end == '%';
	*share = percent ? value / 100 : value;
	return end != text && !end[percent] && *share >= 0 && *share <= 100;
}

static void print_figure(const json_t *part, const json_t *figure)
{
	printf("%-9s %-8s %-16s %11.5g %11.5g", cli_string(part, "file"),
	       cli_string(part, "modality"), cli_string(figure, "metric"), cli_number(figure, "a"),
	       cli_number(figure, "b"));
	if (json_is_number(json_object_get(figure, "ratio")))
		printf(" %7.3f", cli_number(figure, "ratio"));
	if (json_object_get(figure, "low"))
		printf("  %.3f to %.3f", cli_number(figure, "low"), cli_number(figure, "high"));
	if (json_object_get(figure, "p"))
		printf("  %+.4f (%+.4f to %+.4f), p = %.4f", cli_number(figure, "difference"),
		       cli_number(figure, "difference_low"), cli_number(figure, "difference_high"),
		       cli_number(figure, "p"));
	printf("%s\n", json_is_true(json_object_get(figure, "regression")) ? "  WORSE" : "");
}

static void print_unmatched(const json_t *compared, const char *key, const char *path)
{
	size_t i;
	json_t *point;
	json_array_foreach(json_object_get(compared, key), i, point)
	{
		char *text = json_dumps(point, JSON_COMPACT);
		printf("only in %s: %s\n", path, text ? text : "");
		free(text);
	}
}

static void print_compared_point(const json_t *point)
{
	size_t i, j;
	json_t *part, *figure;
	char *varies = json_dumps(json_object_get(point, "point"), JSON_COMPACT);
	printf("\npoint %s\n%-9s %-8s %-16s %11s %11s %7s\n", varies ? varies : "{}", "file",
	       "modality", "figure", "A", "B", "B/A");
	free(varies);
	json_array_foreach(json_object_get(point, "parts"), i, part)
	{
		const json_t *valid = json_object_get(part, "valid");
		json_array_foreach(json_object_get(part, "figures"), j, figure)
			print_figure(part, figure);
		for (size_t side = 0; side < 2; side++)
			if (json_is_false(json_array_get(valid, side)))
				printf("%-9s %-8s %s is not valid\n", cli_string(part, "file"),
				       cli_string(part, "modality"), side ? "B" : "A");
	}
	json_array_foreach(json_object_get(point, "figures"), j, figure) print_figure(NULL, figure);
	print_unmatched(point, "only_a", "A");
	print_unmatched(point, "only_b", "B");
}

static int compare(const char *verb, const cli_texts *files, omt_bench_compare_options *options,
                   const char *threshold)
{
	omt_error err;
	char *text;
	size_t i;
	json_t *point;
	if (files->count != 2)
		return cli_usage(verb, "--compare needs two files of records");
	if (!read_share(threshold, &options->threshold))
		return cli_usage(verb, "--threshold \"%s\", expected 5%% or 0.05", threshold);
	if (omt_bench_compare(files->text[0], files->text[1], options, &text, &err) != OMT_OK)
		return cli_fail(verb, &err);
	json_t *compared = json_loads(text, 0, NULL);
	const double regressions = cli_number(compared, "regressions");
	if (cli_json) {
		puts(text);
	} else {
		json_array_foreach(json_object_get(compared, "points"), i, point)
			print_compared_point(point);
		print_unmatched(compared, "only_a", files->text[0]);
		print_unmatched(compared, "only_b", files->text[1]);
		printf("\n%.0f worse by more than %g %%\n", regressions, 100 * options->threshold);
	}
	json_decref(compared);
	omt_free(text);
	return regressions > 0 ? CLI_SOME_FAILED : CLI_OK;
}

static int run(const char *verb, const cli_texts *files, omt_bench_options *options)
{
	omt_error err;
	bool amiss = false;
	if (files->count != 1)
		return cli_usage(verb, "expected one benchmark file");
	cli_catch_signals();
	options->progress = cli_progress();
	options->line = take_line;
	options->stop = stop;
	options->user = &amiss;
	omt_status status = omt_bench(files->text[0], options, &err);
	cli_progress_end();
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	return amiss ? CLI_SOME_FAILED : CLI_OK;
}

int cli_bench(int argc, char **argv)
{
	static const char verb[] = "bench";
	static omt_bench_options options;
	static omt_bench_compare_options comparison;
	static const char *threshold = "5%";
	static bool compares;
	static const cli_option table[] = {
		{"restart", NULL, "run points again whose records are kept already", CLI_FLAG,
	         &options.restart, 0, 0, NULL},
		{"dry-run", NULL, "list the grid's points and which are done; run nothing",
	         CLI_FLAG, &options.dry_run, 0, 0, NULL},
		{"output", "FILE", "file of records, instead of the one it names", CLI_TEXT,
	         &options.output, 0, 0, NULL},
		{"trace", "FILE", "what ran when, as Chrome trace events (Perfetto); of one point",
	         CLI_TEXT, &options.trace, 0, 0, NULL},
		{"compare", NULL, "compare the records of two files, A.jsonl B.jsonl", CLI_FLAG,
	         &compares, 0, 0, NULL},
		{"threshold", "5%", "B worse than A by more: exit status 1 (5%)", CLI_TEXT,
	         &threshold, 0, 0, NULL},
		{"metric", "NAME,...",
	         "figures to compare: items_per_s, p99, ndcg@10, first_s, ...", CLI_TEXT,
	         &comparison.metrics, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {table, NULL};
	cli_texts files = {0};
	if (argc > 1 && !strcmp(argv[1], "roofline"))
		return cli_roofline(argc - 1, argv + 1);
	cli_parse(verb, argc, argv, tables, &files);
	const int status = compares ? compare(verb, &files, &comparison, threshold)
	                            : run(verb, &files, &options);
	free(files.text);
	return status;
}
