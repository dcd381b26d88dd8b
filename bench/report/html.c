/* The page: summary, figures, tables, and what was run. */
#include <math.h>
#include <string.h>

#include "bench/report/report.h"

/* ---- tables ------------------------------------------------------------------------------ */

static void column_title(FILE *out, const omt_sheet_column *column, omt_sheet_style style)
{
	omt_html_text(out, column->title);
	if (*style.unit)
		fprintf(out, " %s", style.unit);
}

static bool is_number(const omt_sheet *table, size_t column)
{
	return table->columns[column].kind != OMT_CELL_TEXT;
}

/* The mark by which plots show a point, before its number. */
static void point_mark(FILE *out, const omt_results *report, const char *number)
{
	for (size_t r = 0; number && report->varied_count && r < report->count; r++)
		if (report->records[r].number == number) {
			omt_plot_swatch(out, omt_record_mark(&report->records[r]));
			fputc(' ', out);
			return;
		}
}

/* A cell of the rows first to last - 1, among which the best is bold. */
static void write_cell(FILE *out, omt_results *report, const omt_sheet *table, size_t first,
                       size_t last, size_t row, size_t column, omt_sheet_style style)
{
	const omt_cell *cell = &table->cells[row * table->column_count + column];
	const char *text = omt_cell_shown(report, table, row, column, style);
	const char *interval = omt_cell_interval(report, cell);
	bool head = column < table->keys, best = omt_cell_is_best(table, first, last, row, column);
	bool is_long = !head && strlen(text) > 32 && strchr(text, ' ');
	const char *class = cell->loud                 ? " class=\"loud\""
	                    : is_number(table, column) ? " class=\"n\""
	                    : is_long                  ? " class=\"long\""
	                                               : "";
	fprintf(out, head ? "<th scope=\"row\"%s>" : "<td%s>", class);
	if (head)
		point_mark(out, report, cell->text);
	fputs(best ? "<b>" : "", out);
	omt_html_text(out, text);
	fputs(best ? "</b>" : "", out);
	if (interval)
		fprintf(out, "<small>%s</small>", interval);
	fputs(head ? "</th>" : "</td>", out);
}

static bool same_group(const omt_sheet *table, size_t a, size_t b)
{
	for (size_t c = 0; c < table->groups; c++) {
		const char *x = table->cells[a * table->column_count + c].text;
		const char *y = table->cells[b * table->column_count + c].text;
		if (strcmp(x ? x : "", y ? y : "") != 0)
			return false;
	}
	return true;
}

/* Whether headings of groups save anything. */
static bool is_grouped(const omt_sheet *table)
{
	for (size_t r = 1; table->groups && r < table->row_count; r++)
		if (same_group(table, r - 1, r))
			return true;
	return false;
}

static void write_head(FILE *out, const omt_sheet *table, const omt_sheet_style *styles,
                       size_t from)
{
	fputs("<thead><tr>", out);
	for (size_t c = from; c < table->column_count; c++) {
		if (!styles[c].shown)
			continue;
		fprintf(out, "<th scope=\"col\"%s>", is_number(table, c) ? " class=\"n\"" : "");
		column_title(out, &table->columns[c], styles[c]);
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n", out);
}

static void write_group(FILE *out, const omt_sheet *table, size_t row, size_t width)
{
	bool any = false;
	fprintf(out, "<tr><th scope=\"rowgroup\" class=\"group\" colspan=\"%zu\"><span>", width);
	for (size_t c = 0; c < table->groups; c++) {
		const char *text = table->cells[row * table->column_count + c].text;
		if (!text)
			continue;
		fputs(any ? ", " : "", out);
		omt_html_text(out, text);
		any = true;
	}
	fputs("</span></th></tr>\n", out);
}

static void write_rows(FILE *out, omt_results *report, const omt_sheet *table,
                       const omt_sheet_style *styles)
{
	bool grouped = is_grouped(table);
	bool alone = table->groups && !grouped; /* rows of different things have no best */
	size_t from = grouped ? table->groups : 0, width = 0, last;
	for (size_t c = from; c < table->column_count; c++)
		width += styles[c].shown;
	write_head(out, table, styles, from);
	for (size_t first = 0; first < table->row_count; first = last) {
		for (last = first + 1; last < table->row_count; last++)
			if (grouped && !same_group(table, first, last))
				break;
		fputs("<tbody>\n", out);
		if (grouped)
			write_group(out, table, first, width);
		for (size_t r = first; r < last; r++) {
			fputs(table->invalid[r] ? "<tr class=\"out\">" : "<tr>", out);
			for (size_t c = from; c < table->column_count; c++)
				if (styles[c].shown)
					write_cell(out, report, table, alone ? r : first,
					           alone ? r + 1 : last, r, c, styles[c]);
			fputs("</tr>\n", out);
		}
		fputs("</tbody>\n", out);
	}
}

/* A table of one or two rows stands upright: a row for each of its columns. */
static void write_upright(FILE *out, omt_results *report, const omt_sheet *table,
                          const omt_sheet_style *styles)
{
	if (table->keys) {
		fputs("<thead><tr><td></td>", out);
		for (size_t r = 0; r < table->row_count; r++) {
			fputs("<th scope=\"col\" class=\"n\">", out);
			omt_html_text(out, omt_cell_shown(report, table, r, table->keys - 1,
			                                  styles[table->keys - 1]));
			fputs("</th>", out);
		}
		fputs("</tr></thead>\n", out);
	}
	fputs("<tbody>\n", out);
	for (size_t c = table->keys; c < table->column_count; c++) {
		if (!styles[c].shown)
			continue;
		fputs("<tr><th scope=\"row\">", out);
		column_title(out, &table->columns[c], styles[c]);
		fputs("</th>", out);
		for (size_t r = 0; r < table->row_count; r++)
			write_cell(out, report, table, r, r + 1, r, c, styles[c]);
		fputs("</tr>\n", out);
	}
	fputs("</tbody>\n", out);
}

static void write_table(FILE *out, omt_results *report, const omt_sheet *table)
{
	omt_sheet_style styles[OMT_REPORT_COLUMNS];
	bool upright = report->count == 1 && !table->groups && table->row_count <= 2;
	for (size_t c = 0; c < table->column_count; c++)
		styles[c] = omt_sheet_styled(table, c);
	fprintf(out,
	        table->details ? "<details id=\"%s\"><summary><h2>%s</h2></summary>\n"
	                       : "<section id=\"%s\"><h2>%s</h2>\n",
	        table->name, table->title);
	fprintf(out, "<p class=\"note\">%s%s</p>\n", table->caption,
	        table->row_count > 1 && (is_grouped(table) || !table->groups) && !upright
	                ? " Bold is the best valid value."
	                : "");
	fprintf(out,
	        "<div class=\"scroll%s\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">"
	        "<table><caption>%s</caption>\n",
	        upright ? " upright" : "", table->title, table->title);
	if (upright)
		write_upright(out, report, table, styles);
	else
		write_rows(out, report, table, styles);
	fputs(table->details ? "</table></div></details>\n" : "</table></div></section>\n", out);
}

/* ---- summary ----------------------------------------------------------------------------- */

static void write_lines(FILE *out, omt_results *report, const char *text)
{
	fputs("<ul>", out);
	while (*text) {
		int length = (int)strcspn(text, "\n");
		fputs("<li>", out);
		omt_html_text(out, omt_report_text(report, "%.*s", length, text));
		fputs("</li>", out);
		text += length + (text[length] == '\n');
	}
	fputs("</ul>", out);
}

static void write_finding(FILE *out, omt_results *report, const omt_finding *finding)
{
	fprintf(out, "<div%s><dt>", finding->bad ? " class=\"bad\"" : "");
	omt_html_text(out, finding->title);
	fputs("</dt><dd><strong>", out);
	omt_html_text(out, finding->value);
	fputs("</strong>", out);
	if (finding->bad)
		write_lines(out, report, finding->text);
	else
		omt_html_text(out, finding->text);
	fputs("</dd></div>\n", out);
}

static void lede_part(FILE *out, const char *text, bool *any)
{
	if (!text || !*text)
		return;
	fputs(*any ? " · " : "", out);
	omt_html_text(out, text);
	*any = true;
}

static const char *fact(const omt_results *report, const char *key)
{
	return json_string_value(json_object_get(report->same, key));
}

/* "2026-11-26 09:20" of "2026-11-26T09:20:10Z". */
static const char *day(omt_results *report, const char *date)
{
	return strlen(date) == 20 && date[10] == 'T'
	               ? omt_report_text(report, "%.10s %.5s", date, date + 11)
	               : omt_report_text(report, "%.20s", date);
}

static void write_lede(FILE *out, omt_results *report)
{
	const json_t *first = report->records[0].root;
	const json_t *last = report->records[report->count - 1].root;
	const char *from = omt_report_string(first, "date"), *to = omt_report_string(last, "date");
	bool any = false;
	fputs("<p class=\"lede\">", out);
	lede_part(out, fact(report, "architecture"), &any);
	lede_part(out, fact(report, "model"), &any);
	lede_part(out, fact(report, "runs on"), &any);
	lede_part(out, fact(report, "host"), &any);
	if (from && to && strcmp(from, to) != 0)
		lede_part(out,
		          omt_report_text(report, "%s to %s", day(report, from), day(report, to)),
		          &any);
	else
		lede_part(out, from ? day(report, from) : NULL, &any);
	if (fact(report, "omnitile"))
		lede_part(out, omt_report_text(report, "omnitile %.40s", fact(report, "omnitile")),
		          &any);
	fputs("</p>\n", out);
}

static void write_header(FILE *out, omt_results *report, const omt_sheets *tables)
{
	fputs("<header><p class=\"brand\">omnitile benchmark</p>\n<h1>", out);
	omt_html_text(out, omt_report_title(report));
	fputs("</h1>\n", out);
	write_lede(out, report);
	if (report->count > 1) {
		fprintf(out, "<p class=\"lede\">%zu points", report->count);
		for (size_t k = 0; k < report->varied_count; k++) {
			const omt_varied *varied = &report->varied[k];
			fputs(k ? "; " : " over ", out);
			omt_html_text(out, varied->key);
			for (size_t i = 0; i < varied->count && i < 12; i++) {
				fputs(i ? ", " : " ", out);
				omt_html_text(out, *varied->values[i] ? varied->values[i] : "none");
			}
			fputs(varied->count > 12 ? ", …" : "", out);
		}
		fputs(".</p>\n", out);
	}
	fputs("<nav aria-label=\"Contents\"><ul><li><a href=\"#figures\">Figures</a></li>", out);
	for (size_t i = 0; i < tables->count; i++)
		fprintf(out, "<li><a href=\"#%s\">%s</a></li>", tables->table[i].name,
		        tables->table[i].title);
	fputs("<li><a href=\"#setup\">What was run</a></li></ul></nav></header>\n", out);
}

/* ---- what was run ------------------------------------------------------------------------ */

static void write_facts(FILE *out, const omt_results *report)
{
	const char *key;
	json_t *value;
	fprintf(out, "<section id=\"setup\"><h2>What was run</h2>\n<p class=\"note\">%s</p>\n",
	        report->count > 1 ? "As in every record; what varies stands in the tables."
	                          : "Settings, defaults filled in.");
	fputs("<dl class=\"facts\">\n", out);
	json_object_foreach(report->same, key, value)
	{
		fputs("<div><dt>", out);
		omt_html_text(out, key);
		fputs("</dt><dd>", out);
		omt_html_text(out, json_string_value(value));
		fputs("</dd></div>\n", out);
	}
	fputs("</dl>\n", out);
}

/* Digests of the first record's files; others' are in their records. */
static void write_files(FILE *out, const omt_results *report)
{
	const char *name;
	json_t *file;
	const json_t *files = omt_report_at(report->records[0].root, "files");
	fputs("<dl class=\"facts\">\n", out);
	json_object_foreach((json_t *)(uintptr_t)files, name, file)
	{
		const char *digest = omt_report_string(file, "sha256");
		fputs("<div><dt>", out);
		omt_html_text(out, name);
		fputs(", SHA-256</dt><dd>", out);
		omt_html_text(out, digest ? digest : "–");
		fputs("</dd></div>\n", out);
	}
	fputs("</dl>\n", out);
}

static void write_remarks(FILE *out, const omt_results *report)
{
	size_t i;
	json_t *remark;
	if (json_array_size(report->remarks))
		fputs("<h2>Remarks</h2><ul>\n", out);
	json_array_foreach(report->remarks, i, remark)
	{
		fputs("<li>", out);
		omt_html_text(out, json_string_value(remark));
		fputs("</li>\n", out);
	}
	if (json_array_size(report->remarks))
		fputs("</ul>\n", out);
}

void omt_report_html(FILE *out, omt_results *report, const omt_sheets *tables,
                     const omt_findings *findings)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n<title>",
	      out);
	omt_html_text(out, omt_report_title(report));
	fprintf(out, " – omnitile</title>\n<style>\n%s</style></head>\n", omt_report_style);
	fputs("<body>\n", out);
	write_header(out, report, tables);
	fputs("<main>\n<section id=\"summary\" aria-label=\"Summary\"><dl class=\"cards\">\n", out);
	for (size_t i = 0; i < findings->count; i++)
		write_finding(out, report, &findings->finding[i]);
	fputs("</dl></section>\n", out);
	if (report->count > 1) /* by its numbers plots call the points */
		write_table(out, report, &tables->table[0]);
	fputs("<section id=\"figures\" aria-label=\"Figures\">\n", out);
	omt_report_figures(out, report);
	fputs("</section>\n", out);
	for (size_t i = report->count > 1; i < tables->count; i++)
		write_table(out, report, &tables->table[i]);
	write_facts(out, report);
	write_files(out, report);
	write_remarks(out, report);
	fprintf(out,
	        "</section></main>\n<footer>Made by omnitile %s from %zu record%s.</footer>\n"
	        "</body></html>\n",
	        omt_version(), report->count, report->count == 1 ? "" : "s");
}
