#include <stdlib.h>

#include "cli/cli.h"

int cli_index(int argc, char **argv);

int cli_index(int argc, char **argv)
{
	static const char verb[] = "index";
	const char *vectors = NULL, *output = NULL, *model = "";
	cli_texts rest = {0};
	const cli_option own[] = {
		{"vectors", "FILE", "vectors.npy of omnitile embed, ids beside it", CLI_TEXT,
	         &vectors, 0, 0, NULL},
		{"output", "FILE", "the index", CLI_TEXT, &output, 0, 0, NULL},
		{"model", "NAME", "which model the vectors come from, kept in the index", CLI_TEXT,
	         &model, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_index *index;
	omt_error err;
	cli_parse(verb, argc, argv, tables, &rest);
	if (!vectors || !output || rest.count)
		return cli_usage(verb, "expected --vectors FILE and --output FILE");
	if (omt_index_build(vectors, model, output, &err) != OMT_OK ||
	    omt_index_open(output, &index, &err) != OMT_OK)
		return cli_fail(verb, &err);
	char *described = omt_index_describe(index);
	if (!cli_quiet && described)
		puts(described);
	omt_free(described);
	omt_index_close(index);
	return CLI_OK;
}
