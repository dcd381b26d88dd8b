/* Figures of parts: throughput against latency, and time by stage. */
#include <math.h>
#include <string.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"

/* ---- frame ------------------------------------------------------------------------------- */

void omt_figure_open(FILE *out, const char *id, const char *title, const char *caption)
{
	fprintf(out, "<figure id=\"%s\"><figcaption><h2>%s</h2><p>%s</p></figcaption>\n", id, title,
	        caption);
}

void omt_figure_close(FILE *out)
{
	fputs("</figure>\n", out);
}

static void legend_entry(FILE *out, omt_mark mark, const char *text)
{
	fputs("<li>", out);
	omt_plot_swatch(out, mark);
	fputs("<span>", out);
	omt_html_text(out, text);
	fputs("</span></li>", out);
}

void omt_figure_legend(FILE *out, const omt_results *report)
{
	if (!report->varied_count)
		return;
	fputs("<ul class=\"legend\">", out);
	for (size_t k = 0; k < report->varied_count && k < 2; k++) {
		const omt_varied *varied = &report->varied[k];
		bool alone = report->varied_count == 1;
		fputs("<li><span>", out);
		omt_html_text(out, varied->key);
		fputs(":</span></li>", out);
		for (size_t i = 0; i < varied->count && i < OMT_PLOT_SERIES; i++) {
			omt_mark mark = {.series = k ? 6 : (int)i,
			                 .shape = k || alone ? (int)i : 0};
			legend_entry(out, mark, *varied->values[i] ? varied->values[i] : "none");
		}
	}
	for (size_t r = 0; r < report->count; r++)
		if (omt_record_invalid(&report->records[r])) {
			legend_entry(out, (omt_mark){.series = 6, .hollow = true}, "INVALID");
			break;
		}
	fputs("</ul>\n", out);
}

void omt_figure_draw(FILE *out, omt_results *report, omt_draw draw, const void *data)
{
	fputs("<div class=\"wide\">", out);
	draw(out, report, OMT_FIGURE_WIDE, data);
	fputs("</div><div class=\"narrow\">", out);
	draw(out, report, OMT_FIGURE_PANEL, data);
	fputs("</div>\n", out);
}

/* ---- throughput against latency ---------------------------------------------------------- */

typedef struct omt_extent {
	double low, high;
} omt_extent;

static void extend(omt_extent *extent, double value)
{
	if (value > 0 && isfinite(value)) {
		extent->low = fmin(extent->low, value);
		extent->high = fmax(extent->high, value);
	}
}

/* Throughput of a part: of the server mode its rate. */
static double speed_of(const json_t *part)
{
	double speed = omt_report_number(part, "items_per_s");
	return isfinite(speed) ? speed : omt_report_number(part, "rate");
}

typedef struct omt_pairs {
	const json_t *array; /* of [record, part] */
	const char *name;
	bool parts; /* marks are parts of one record, not records */
} omt_pairs;

/* From the slowest repetition to the fastest. */
static void draw_repeats(omt_plot *plot, const json_t *part, double y, int series)
{
	const json_t *repeats = omt_report_at(part, "repeats");
	omt_extent speeds = {INFINITY, 0};
	for (size_t i = 0; i < json_array_size(repeats); i++)
		extend(&speeds, json_number_value(json_array_get(repeats, i)));
	if (speeds.high > speeds.low)
		omt_plot_range_x(plot, y, speeds.low, speeds.high, series);
}

static void draw_latency_mark(omt_plot *plot, omt_results *report, const omt_pairs *pairs, size_t i)
{
	const json_t *pair = json_array_get(pairs->array, i), *part = omt_group_part(report, pair);
	const omt_record *record = omt_group_record(report, pair);
	double speed = speed_of(part), p50 = omt_report_number(part, "latency_ms.p50");
	double p99 = omt_report_number(part, "latency_ms.p99");
	omt_mark mark = omt_record_mark(record);
	const char *label = record->number;
	if (!(speed > 0) || !(p50 > 0))
		return;
	if (pairs->parts) {
		mark.series = mark.shape = (int)(i % OMT_PLOT_SERIES);
		label = omt_part_subject(report, part);
	}
	mark.hollow = omt_part_invalid(part);
	if (p99 > p50)
		omt_plot_range_y(plot, speed, p50, p99, mark.series);
	draw_repeats(plot, part, p50, mark.series);
	omt_plot_mark(plot, speed, p50, mark,
	              omt_report_text(report, "%s%s%s: %s items/s, p50 %s ms, p99 %s ms%s", label,
	                              *record->label ? ", " : "", record->label,
	                              omt_digits_short(speed).text, omt_digits_short(p50).text,
	                              omt_digits_short(p99).text, mark.hollow ? ", INVALID" : ""));
	omt_plot_label_at(plot, speed, p50, 6, "label", label);
}

static void draw_latency(FILE *out, omt_results *report, double width, const void *data)
{
	const omt_pairs *pairs = data;
	omt_extent speeds = {INFINITY, 0}, latencies = {INFINITY, 0};
	omt_plot plot = {.left = 52, .right = 24, .top = 34, .bottom = 42};
	for (size_t i = 0; i < json_array_size(pairs->array); i++) {
		const json_t *part = omt_group_part(report, json_array_get(pairs->array, i));
		extend(&speeds, speed_of(part));
		extend(&latencies, omt_report_number(part, "latency_ms.p50"));
		extend(&latencies, omt_report_number(part, "latency_ms.p99"));
	}
	if (!(speeds.high > 0) || !(latencies.high > 0))
		return;
	bool log_x = speeds.high > 8 * speeds.low;
	size_t want = width > OMT_FIGURE_PANEL ? 10 : 5;
	double below =
		log_x ? speeds.low / 1.3 : fmax(speeds.low - 0.25 * (speeds.high - speeds.low), 0);
	omt_scale_fit(&plot.x, below, speeds.high * (log_x ? 1.3 : 1.04), log_x, want);
	omt_scale_fit(&plot.y, latencies.low / 1.2, latencies.high * 1.1, true, 6);
	omt_plot_open(&plot, out, width, width > OMT_FIGURE_PANEL ? 380 : 270, pairs->name,
	              omt_report_text(report,
	                              "Latency from p50 to p99 over items a second, %zu marks.",
	                              json_array_size(pairs->array)));
	omt_plot_axes(&plot, "items/s", "latency, ms: mark p50, line up to p99");
	for (size_t i = 0; i < json_array_size(pairs->array); i++)
		draw_latency_mark(&plot, report, pairs, i);
	omt_plot_close(&plot);
}

/* A panel a group where a part is in several records; else all of them together, named by the part
 * unless there is but one. */
static void draw_groups(FILE *out, omt_results *report, json_t *groups, omt_draw draw,
                        const char *title, bool legend)
{
	const char *name;
	json_t *pairs, *all = json_array();
	bool apart = false, parts = report->count == 1 || json_object_size(groups) > 1;
	size_t panels = 0;
	json_object_foreach(groups, name, pairs) apart =
		apart || (json_object_size(groups) > 1 && json_array_size(pairs) > 1);
	if (legend && (apart || !parts))
		omt_figure_legend(out, report);
	fputs(apart ? "<div class=\"panels\">\n" : "", out);
	json_object_foreach(groups, name, pairs)
	{
		omt_pairs data = {pairs, name, false};
		json_array_extend(all, pairs);
		if (!apart || ++panels > OMT_FIGURE_PANELS)
			continue;
		fputs("<div><h3>", out);
		omt_html_text(out, name);
		fputs("</h3>", out);
		draw(out, report, OMT_FIGURE_PANEL, &data);
		fputs("</div>\n", out);
	}
	fputs(apart ? "</div>\n" : "", out);
	if (!apart)
		omt_figure_draw(out, report, draw, &(omt_pairs){all, title, parts});
	json_decref(all);
}

static void figure_latency(FILE *out, omt_results *report)
{
	json_t *groups = omt_report_part_groups(report, "latency_ms.p50");
	if (json_object_size(groups)) {
		omt_figure_open(
			out, "latency", "Throughput against latency",
			"Better is right and low. Upright whiskers reach the 99th percentile, "
			"level ones span the repetitions.");
		draw_groups(out, report, groups, draw_latency, "Throughput against latency", true);
		omt_figure_close(out);
	}
	json_decref(groups);
}

/* ---- time by stage ----------------------------------------------------------------------- */

static const char *const stages[] = {"decode", "preprocess", "pack", "transfer", "compute"};
#define STAGES   (sizeof stages / sizeof *stages)
#define MAX_ROWS 40

static double stage_ms(omt_results *report, const json_t *part, const char *stage)
{
	double mean = omt_report_number(part, omt_report_text(report, "stages_ms.%s.mean", stage));
	return mean > 0 ? mean : 0;
}

static double work_ms(omt_results *report, const json_t *part)
{
	double sum = 0;
	for (size_t s = 0; s < STAGES; s++)
		sum += stage_ms(report, part, stages[s]);
	return sum;
}

static void draw_stage_row(omt_plot *plot, omt_results *report, const json_t *part, double y,
                           const char *label)
{
	double at = 0, queue = stage_ms(report, part, "queue");
	omt_plot_text(plot, plot->left, y, "start", "label", label);
	for (size_t s = 0; s < STAGES; s++) {
		double ms = stage_ms(report, part, stages[s]);
		double x0 = omt_plot_x(plot, at), x1 = omt_plot_x(plot, at + ms);
		if (ms > 0)
			omt_plot_bar(plot, at, at + ms, y + 5, 17,
			             omt_report_text(report, "f%zu", s),
			             omt_report_text(report, "%s %s ms", stages[s],
			                             omt_digits_short(ms).text));
		if (x1 - x0 > 7.2 * (double)strlen(stages[s]))
			omt_plot_text(plot, (x0 + x1) / 2, y + 17.5, "middle",
			              s == STAGES - 1 ? "on4" : "on", stages[s]);
		at += ms;
	}
	omt_plot_text(plot, omt_plot_x(plot, at) + 6, y + 18, "start", "label",
	              omt_report_text(report, "%s ms", omt_digits_short(at).text));
	if (queue > 0)
		omt_plot_text(plot, plot->width - plot->right, y + 18, "end", "aside",
		              omt_report_text(report, "waiting %s", omt_digits_short(queue).text));
}

static void draw_stages(FILE *out, omt_results *report, double width, const void *data)
{
	const omt_pairs *pairs = data;
	size_t rows = json_array_size(pairs->array);
	double most = 0;
	omt_plot plot = {.left = 12, .right = 12, .top = 4, .bottom = 40};
	rows = rows < MAX_ROWS ? rows : MAX_ROWS;
	for (size_t i = 0; i < rows; i++)
		most = fmax(most, work_ms(report,
		                          omt_group_part(report, json_array_get(pairs->array, i))));
	omt_scale_fit(&plot.x, 0, most, false, width > OMT_FIGURE_PANEL ? 8 : 4);
	/* Room at the end for the longest bar's figure. */
	plot.x.high = fmax(plot.x.high, most * width / (width - 170));
	omt_plot_open(
		&plot, out, width, 44 + 38.0 * (double)rows, pairs->name,
		"Bars of the mean time a request spends in each stage; numbers are in the table.");
	omt_plot_axis_x(&plot, "ms a request, mean");
	for (size_t i = 0; i < rows; i++) {
		const json_t *pair = json_array_get(pairs->array, i);
		const omt_record *record = omt_group_record(report, pair);
		const json_t *part = omt_group_part(report, pair);
		draw_stage_row(&plot, report, part, 18 + 38.0 * (double)i,
		               pairs->parts ? omt_part_subject(report, part)
		                            : omt_report_text(report, "%s  %.34s", record->number,
		                                              record->label));
	}
	omt_plot_close(&plot);
}

static void figure_stages(FILE *out, omt_results *report)
{
	json_t *groups = omt_report_part_groups(report, "stages_ms");
	if (json_object_size(groups)) {
		omt_figure_open(
			out, "stage", "Time by stage",
			"What a request's work is made of. Waiting for others stands beside "
			"the bars, in ms: offline it only tells how full the queue was.");
		fputs("<ul class=\"legend\">", out);
		for (size_t s = 0; s < STAGES; s++)
			fprintf(out, "<li><i class=\"i%zu\"></i><span>%s</span></li>", s,
			        stages[s]);
		fputs("</ul>\n", out);
		draw_groups(out, report, groups, draw_stages, "Time by stage", false);
		omt_figure_close(out);
	}
	json_decref(groups);
}

/* ---- all of them ------------------------------------------------------------------------- */

void omt_report_figures(FILE *out, omt_results *report)
{
	omt_figure_trade(out, report);
	figure_latency(out, report);
	omt_figure_search(out, report);
	omt_figure_scores(out, report);
	omt_figure_roofline(out, report);
	figure_stages(out, report);
	omt_figure_memory(out, report);
}
