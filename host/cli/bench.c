#include <stdlib.h>

#include "cli/cli.h"

int cli_bench(int argc, char **argv);

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

static void print_passes(const json_t *record)
{
	size_t i;
	json_t *pass;
	printf("\n%-9s %-8s %6s %6s %9s %10s %9s %9s %9s %8s\n", "file", "modality", "items",
	       "failed", "items/s", "tokens/s", "p50 ms", "p90 ms", "p99 ms", "hidden");
	json_array_foreach(json_object_get(record, "passes"), i, pass)
	{
		const json_t *latency = json_object_get(pass, "latency_ms");
		printf("%-9s %-8s %6.0f %6.0f %9.1f %10.0f %9.1f %9.1f %9.1f %7.0f%%\n",
		       string(pass, "file"), string(pass, "modality"), number(pass, "items"),
		       number(pass, "failed"), number(pass, "items_per_s"),
		       number(pass, "tokens_per_s"), number(latency, "p50"), number(latency, "p90"),
		       number(latency, "p99"), 100 * number(pass, "hidden_share"));
	}
	printf("hidden: share of decoding and preprocessing that ran while the device computed\n");
}

static void print_measure(const json_t *retrieval, const char *key, const char *title)
{
	const char *cut;
	json_t *value;
	const json_t *measured = json_object_get(json_object_get(retrieval, "measured"), key);
	const json_t *chance = json_object_get(json_object_get(retrieval, "chance"), key);
	json_object_foreach((json_t *)(uintptr_t)measured, cut, value)
	{
		char name[32];
		snprintf(name, sizeof name, "%s%s%s", title, *cut ? "@" : "", cut);
		printf("%-12s %8.4f   chance %8.4f\n", name, number(value, "value"),
		       number(chance, cut));
	}
}

static void print_record(const json_t *record)
{
	const json_t *engine = json_object_get(record, "engine");
	const json_t *retrieval = json_object_get(record, "retrieval");
	printf("device    %s (%s), driver %s\nbackends  %s\nmodel     %s, %s\n",
	       string(engine, "device"), string(engine, "platform"), string(engine, "driver"),
	       string(engine, "chain"), string(json_object_get(record, "model"), "path"),
	       string(json_object_get(record, "model"), "architecture"));
	cli_print_devices(stdout, engine);
	print_passes(record);
	printf("\nretrieval of %.0f queries among %.0f passages\n", number(retrieval, "queries"),
	       number(retrieval, "passages"));
	print_measure(retrieval, "ndcg", "nDCG");
	print_measure(retrieval, "recall", "Recall");
	print_measure(retrieval, "mrr", "MRR");
}

int cli_bench(int argc, char **argv)
{
	static const char verb[] = "bench";
	static const cli_option none[] = {{0}};
	const cli_option *tables[] = {none, NULL};
	cli_texts files = {0};
	omt_progress progress;
	omt_error err;
	char *record;
	size_t i, failed = 0;
	json_t *pass;
	cli_parse(verb, argc, argv, tables, &files);
	if (files.count != 1)
		return cli_usage(verb, "expected one benchmark file");
	progress = cli_progress();
	omt_status status = omt_bench(files.text[0], &progress, &record, &err);
	cli_progress_end();
	free(files.text);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	json_t *parsed = json_loads(record, 0, NULL);
	if (cli_json)
		puts(record);
	else
		print_record(parsed);
	json_array_foreach(json_object_get(parsed, "passes"), i, pass) failed +=
		(size_t)number(pass, "failed");
	json_decref(parsed);
	omt_free(record);
	return failed ? CLI_SOME_FAILED : CLI_OK;
}
