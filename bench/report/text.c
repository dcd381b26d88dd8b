/* The report as Markdown and as CSV. */
#include <math.h>
#include <string.h>

#include "bench/report/report.h"

/* ---- Markdown ------------------------------------------------------------------------------ */

/* One line of plain text: nothing in it is markup, of Markdown or of HTML. */
static void markdown_text(FILE *out, omt_results *report, const char *text)
{
	static const char special[] = "\\`*_{}[]#|~!\n\t";
	while (*text) {
		int plain = (int)strcspn(text, special);
		omt_html_text(out, omt_report_text(report, "%.*s", plain, text));
		text += plain;
		if (*text && strchr("\n\t", *text))
			fputc(' ', out);
		else if (*text)
			fprintf(out, "\\%c", *text);
		text += *text != '\0';
	}
}

static void markdown_row(FILE *out, omt_results *report, const omt_sheet *table, size_t row,
                         const omt_sheet_style *styles)
{
	for (size_t c = 0; c < table->column_count; c++) {
		const omt_cell *cell = &table->cells[row * table->column_count + c];
		const char *interval = omt_cell_interval(report, cell);
		if (!styles[c].shown)
			continue;
		fputs("| ", out);
		if (cell->loud)
			fputs("**", out);
		markdown_text(out, report, omt_cell_shown(report, table, row, c, styles[c]));
		if (interval)
			fprintf(out, " (%s)", interval);
		fputs(cell->loud ? "** " : " ", out);
	}
	fputs("|\n", out);
}

static void markdown_table(FILE *out, omt_results *report, const omt_sheet *table)
{
	omt_sheet_style styles[OMT_REPORT_COLUMNS];
	fprintf(out, "\n## %s\n\n%s\n\n", table->title, table->caption);
	for (size_t c = 0; c < table->column_count; c++) {
		styles[c] = omt_sheet_styled(table, c);
		if (!styles[c].shown)
			continue;
		fputs("| ", out);
		markdown_text(out, report, table->columns[c].title);
		fprintf(out, "%s%s ", *styles[c].unit ? " " : "", styles[c].unit);
	}
	fputs("|\n", out);
	for (size_t c = 0; c < table->column_count; c++)
		if (styles[c].shown)
			fputs(table->columns[c].kind == OMT_CELL_TEXT ? "|---" : "|---:", out);
	fputs("|\n", out);
	for (size_t r = 0; r < table->row_count; r++)
		markdown_row(out, report, table, r, styles);
}

static void markdown_facts(FILE *out, omt_results *report)
{
	const char *key;
	json_t *value;
	fputs("\n## As in every record\n\n| setting | value |\n|---|---|\n", out);
	json_object_foreach(report->same, key, value)
	{
		fputs("| ", out);
		markdown_text(out, report, key);
		fputs(" | ", out);
		markdown_text(out, report, json_string_value(value));
		fputs(" |\n", out);
	}
}

void omt_report_markdown(FILE *out, omt_results *report, const omt_sheets *tables,
                         const omt_findings *findings)
{
	size_t i;
	json_t *remark;
	fputs("# ", out);
	markdown_text(out, report, omt_report_title(report));
	fputs("\n\n", out);
	for (i = 0; i < findings->count; i++) {
		const omt_finding *finding = &findings->finding[i];
		fputs("- ", out);
		markdown_text(out, report, finding->title);
		fputs(": **", out);
		markdown_text(out, report, finding->value);
		fputs("**", out);
		for (const char *line = finding->text; *line;) {
			int length = (int)strcspn(line, "\n");
			fputs(finding->bad ? "\n  - " : " ", out);
			markdown_text(out, report, omt_report_text(report, "%.*s", length, line));
			line += length + (line[length] == '\n');
		}
		fputs("\n", out);
	}
	json_array_foreach(report->remarks, i, remark)
	{
		fputs("- Remark: ", out);
		markdown_text(out, report, json_string_value(remark));
		fputs("\n", out);
	}
	for (i = 0; i < tables->count; i++)
		markdown_table(out, report, &tables->table[i]);
	markdown_facts(out, report);
}

/* ---- CSV --------------------------------------------------------------------------------- */

/* RFC 4180. A text that a spreadsheet would take for a formula gets a quote in front. */
static void csv_text(FILE *out, const char *text)
{
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;
	if (quoted)
		fputc('"', out);
	if (*text && strchr("=+-@\t\r", *text))
		fputc('\'', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, out);
	}
	if (quoted)
		fputc('"', out);
}

static void csv_number(FILE *out, double value)
{
	if (isfinite(value))
		fprintf(out, "%.9g", value);
}

void omt_report_csv(FILE *out, const omt_sheet *table)
{
	for (size_t c = 0; c < table->column_count; c++) {
		const char *key = table->columns[c].key;
		fputs(c ? "," : "", out);
		csv_text(out, key);
		if (table->columns[c].kind == OMT_CELL_SCORE)
			fprintf(out, ",%s_low,%s_high", key, key);
	}
	fputs("\n", out);
	for (size_t r = 0; r < table->row_count; r++) {
		for (size_t c = 0; c < table->column_count; c++) {
			const omt_cell *cell = &table->cells[r * table->column_count + c];
			fputs(c ? "," : "", out);
			if (table->columns[c].kind == OMT_CELL_TEXT)
				csv_text(out, cell->text ? cell->text : "");
			else
				csv_number(out, cell->value);
			if (table->columns[c].kind == OMT_CELL_SCORE) {
				fputs(",", out);
				csv_number(out, cell->low);
				fputs(",", out);
				csv_number(out, cell->high);
			}
		}
		fputs("\n", out);
	}
}
