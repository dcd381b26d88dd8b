#include <stdlib.h>

#include "cli/cli.h"

int cli_report(int argc, char **argv);

int cli_report(int argc, char **argv)
{
	static const char verb[] = "report";
	bool markdown = false, csv = false;
	cli_texts files = {0};
	omt_report_options options = {0};
	const cli_option own[] = {
		{"output", "FILE", "also -o; appears whole or not at all (standard output)",
	         CLI_TEXT, &options.output, 0, 0, NULL},
		{"markdown", NULL, "Markdown instead of a page", CLI_FLAG, &markdown, 0, 0, NULL},
		{"csv", NULL, "CSV: one of the tables", CLI_FLAG, &csv, 0, 0, NULL},
		{"table", "NAME",
	         "of CSV: points, parts, modalities, search, retrieval, start, stages, ops or "
	         "devices (parts)",
	         CLI_TEXT, &options.table, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	cli_parse(verb, argc, argv, tables, &files);
	if (!files.count || (markdown && csv) || (options.table && !csv)) {
		free(files.text);
		return cli_usage(verb, files.count ? "--markdown, or --csv with --table, or none"
		                                   : "expected files of records");
	}
	options.inputs = files.text;
	options.input_count = files.count;
	options.form = csv ? OMT_REPORT_CSV : markdown ? OMT_REPORT_MARKDOWN : OMT_REPORT_HTML;
	options.progress = cli_progress();
	omt_status status = omt_report(&options, &err);
	free(files.text);
	return status == OMT_OK ? CLI_OK : cli_fail(verb, &err);
}
