#include "cli/cli.h"

int cli_tune(int argc, char **argv);

static void line(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "%s\n", text);
}

static bool stop(void *user)
{
	(void)user;
	return cli_stopped();
}

static void print_report(const char *json)
{
	size_t i;
	json_t *report = json_loads(json, 0, NULL), *class;
	printf("%-14s %10s %7s  %s\n", "class", "GFLOP/s", "ratio", "tiles");
	json_array_foreach(json_object_get(report, "classes"), i, class) printf(
		"%-14s %10.1f %7.3f  %s\n", json_string_value(json_object_get(class, "class")),
		json_number_value(json_object_get(class, "gflops")),
		json_number_value(json_object_get(class, "ratio")),
		json_string_value(json_object_get(class, "tiles")));
	printf("written to %s\n", json_string_value(json_object_get(report, "output")));
	json_decref(report);
}

int cli_tune(int argc, char **argv)
{
	static const char verb[] = "tune";
	omt_tune_options options = {0};
	const cli_option own[] = {
		{"device", "D", "number or part of a name (omnitile devices)", CLI_TEXT,
	         &options.device, 0, 0, NULL},
		{"output", "FILE", "a .yaml, of which other classes are kept (the user's folder)",
	         CLI_TEXT, &options.output, 0, 0, NULL},
		{"class", "NAME", "this class of shapes alone (all)", CLI_TEXT, &options.class_name,
	         0, 0, NULL},
		{"seconds", "N", "of search in all (900, quick: 20)", CLI_REAL, &options.seconds,
	         0.1, 1e6, NULL},
		{"quick", NULL, "one shape a class, two repeats, one sweep", CLI_FLAG,
	         &options.quick, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, NULL);
	options.line = cli_quiet ? NULL : line;
	options.stop = stop;
	cli_catch_signals();
	if (omt_tune(&options, &json, &err) != OMT_OK)
		return cli_fail(verb, &err);
	if (cli_json)
		puts(json);
	else
		print_report(json);
	omt_free(json);
	return CLI_OK;
}
