/* Records as every form of the report. */
#include <string.h>

#include "bench/report/report.h"
#include "tests/fuzz/input.h"

static void write_forms(omt_results *report, const omt_sheets *tables)
{
	omt_findings findings;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	if (!out)
		abort();
	omt_report_findings(report, &findings);
	omt_report_html(out, report, tables, &findings);
	omt_report_markdown(out, report, tables, &findings);
	fflush(out);
	/* Markup of the record's, or a place on a plot that is none. */
	if (strstr(text, "<script") || strstr(text, "=\"nan\"") || strstr(text, "=\"inf\""))
		abort();
	for (size_t i = 0; i < tables->count; i++)
		omt_report_csv(out, &tables->table[i]);
	fclose(out);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_results report;
	omt_sheets tables = {0};
	omt_error err;
	char path[64];
	int fd = fuzz_file(data, size, path);
	const char *const paths[] = {path};
	if (omt_report_load(paths, 1, &report, &err) == OMT_OK &&
	    omt_report_tables(&report, &tables, &err) == OMT_OK)
		write_forms(&report, &tables);
	omt_report_tables_free(&tables);
	omt_report_free(&report);
	close(fd);
	return 0;
}
