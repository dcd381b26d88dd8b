/* omt_report(): records in, a page, Markdown or CSV out. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/numeric.h"
#include "bench/report/report.h"

static omt_status write_csv(FILE *out, const omt_sheets *tables, const char *name, omt_error *err)
{
	const char *wanted = name ? name : "parts", *names = "";
	char list[256] = "";
	for (size_t i = 0; i < tables->count; i++) {
		const omt_sheet *table = &tables->table[i];
		if (!strcmp(table->name, wanted)) {
			omt_report_csv(out, table);
			return OMT_OK;
		}
		size_t used = strlen(list);
		snprintf(list + used, sizeof list - used, " %s", table->name);
		names = list;
	}
	return OMT_FAIL(err, BAD_ARGUMENT, "no table \"%.60s\" of these records, which have%s",
	                wanted, names);
}

static omt_status write_form(FILE *out, const omt_report_options *options, omt_results *report,
                             const omt_sheets *tables, omt_error *err)
{
	omt_findings findings;
	omt_report_findings(report, &findings);
	switch (options->form) {
	case OMT_REPORT_CSV:
		OMT_TRY(write_csv(out, tables, options->table, err));
		break;
	case OMT_REPORT_MARKDOWN:
		omt_report_markdown(out, report, tables, &findings);
		break;
	default:
		omt_report_html(out, report, tables, &findings);
	}
	return report->exhausted ? OMT_FAIL(err, NO_MEMORY, "the report") : OMT_OK;
}

static omt_status write_report(const omt_report_options *options, omt_results *report,
                               const omt_sheets *tables, omt_error *err)
{
	omt_output output;
	if (!options->output || !strcmp(options->output, "-")) {
		OMT_TRY(write_form(stdout, options, report, tables, err));
		return fflush(stdout) == 0
		               ? OMT_OK
		               : OMT_FAIL(err, IO, "standard output: %s", strerror(errno));
	}
	OMT_TRY(omt_output_open(options->output, &output, err));
	omt_status status = write_form(output.stream, options, report, tables, err);
	omt_status closed =
		omt_output_close(&output, status == OMT_OK, status == OMT_OK ? err : NULL);
	return status == OMT_OK ? closed : status;
}

static omt_status make_report(const omt_report_options *options, omt_results *report,
                              omt_error *err)
{
	omt_sheets tables = {0};
	omt_status status;
	OMT_GOTO(omt_report_load(options->inputs, options->input_count, report, err));
	OMT_GOTO(omt_report_tables(report, &tables, err));
	OMT_GOTO(write_report(options, report, &tables, err));
done:
	omt_report_tables_free(&tables);
	return status;
}

omt_status omt_report(const omt_report_options *options, omt_error *err)
{
	omt_results report;
	size_t i;
	json_t *remark;
	const locale_t before = omt_numeric_begin();
	omt_status status = make_report(options, &report, err);
	omt_numeric_end(before);
	if (status == OMT_OK && options->progress.note)
		json_array_foreach(report.remarks, i, remark)
			options->progress.note(options->progress.user, json_string_value(remark));
	omt_report_free(&report);
	return status;
}
