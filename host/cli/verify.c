#include "cli/cli.h"

int cli_verify(int argc, char **argv);

int cli_verify(int argc, char **argv)
{
	static const char verb[] = "verify";
	cli_engine engine_options;
	const char *expected = NULL;
	const cli_option own[] = {
		{"expected", "DIR", "folder with cases.jsonl and its arrays", CLI_TEXT, &expected,
	         0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&engine_options), NULL};
	omt_model *model;
	omt_engine *engine;
	omt_verify_counts counts;
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!expected)
		return cli_usage(verb, "expected --model DIR and --expected DIR");
	if (!cli_engine_open(verb, &engine_options, &model, &engine))
		return CLI_FAILED;
	omt_status status = omt_verify(engine, expected, cli_check_line, NULL, &counts, &err);
	omt_engine_close(engine);
	omt_model_close(model);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	printf("%llu passed, %llu failed\n", (unsigned long long)counts.passed,
	       (unsigned long long)counts.failed);
	return counts.failed ? CLI_SOME_FAILED : CLI_OK;
}
