/* Figures of records: quality against speed, measures beside chance, the server mode's search. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"

/* ---- quality against speed --------------------------------------------------------------- */

typedef struct omt_trade {
	const char *measure, *cut;
	double *speed, *quality; /* of valid records */
	bool *front;
} omt_trade;

/* The front as steps: at each speed the best quality that is at least as fast. */
static void draw_front(omt_plot *plot, const omt_trade *trade, size_t count)
{
	double from_x = plot->x.low, from_y = NAN;
	for (;;) { /* from slow to fast, hence from good to poor */
		size_t next = count;
		for (size_t r = 0; r < count; r++)
			if (trade->front[r] && (isnan(from_y) || trade->speed[r] > from_x) &&
			    (next == count || trade->speed[r] < trade->speed[next]))
				next = r;
		if (next == count)
			break;
		double x = trade->speed[next], y = trade->quality[next];
		if (isfinite(from_y))
			omt_plot_line(plot, from_x, from_y, from_x, y, "front");
		omt_plot_line(plot, from_x, y, x, y, "front");
		from_x = x;
		from_y = y;
	}
	if (isfinite(from_y))
		omt_plot_line(plot, from_x, from_y, from_x, plot->y.low, "front");
}

static void draw_trade_mark(omt_plot *plot, omt_results *report, const omt_trade *trade, size_t r)
{
	const omt_record *record = &report->records[r];
	omt_measured score = omt_record_score(record, trade->measure, trade->cut);
	double speed = record->speed;
	omt_mark mark = omt_record_mark(record);
	if (!(speed > 0) || !isfinite(score.value))
		return;
	if (isfinite(score.low) && isfinite(score.high))
		omt_plot_range_y(plot, speed, score.low, score.high, mark.series);
	mark.size = trade->front[r] ? 6.5 : 4.5;
	omt_plot_mark(plot, speed, score.value, mark,
	              omt_report_text(report, "%s: %s, %s /s, %s%s", record->number, record->label,
	                              omt_digits_short(speed).text,
	                              omt_digits_fixed(score.value, 3).text,
	                              mark.hollow ? ", INVALID" : ""));
	omt_plot_label_at(plot, speed, score.value, mark.size + 1,
	                  trade->front[r] ? "strong" : "label", record->number);
}

static void draw_trade(FILE *out, omt_results *report, double width, const void *data)
{
	const omt_trade *trade = data;
	bool wide = width > OMT_FIGURE_PANEL;
	double slow = INFINITY, fast = 0, low = INFINITY, high = -INFINITY, chance = NAN;
	omt_plot plot = {.left = 52, .right = 24, .top = 34, .bottom = 42};
	for (size_t r = 0; r < report->count; r++) {
		omt_measured score =
			omt_record_score(&report->records[r], trade->measure, trade->cut);
		double speed = report->records[r].speed;
		if (!(speed > 0) || !isfinite(score.value))
			continue;
		slow = fmin(slow, speed);
		fast = fmax(fast, speed);
		low = fmin(low, isfinite(score.low) ? score.low : score.value);
		high = fmax(high, isfinite(score.high) ? score.high : score.value);
		chance = score.chance;
	}
	bool log_x = fast > 8 * slow;
	if (high - low > 0.5 * chance && chance < low && chance > low - (high - low))
		low = chance;
	double below = log_x ? slow / 1.3 : fmax(slow - 0.25 * (fast - slow), 0);
	omt_scale_fit(&plot.x, below, fast * (log_x ? 1.3 : 1.04), log_x, wide ? 10 : 5);
	if (high - low < 0.02) {
		low = fmax(low - 0.05, 0);
		high = high > 1 ? high : fmin(high + 0.05, 1);
	}
	omt_scale_fit(&plot.y, low, high, false, 6);
	omt_plot_open(&plot, out, width, wide ? 430 : 320, "Quality against speed",
	              omt_report_text(report, "%s over %s of %zu records.",
	                              omt_measure_name(report, trade->measure, trade->cut),
	                              omt_report_speed_name(report), report->count));
	omt_plot_axes(&plot, omt_report_speed_name(report),
	              omt_report_text(report, "%s, 95 %% interval",
	                              omt_measure_name(report, trade->measure, trade->cut)));
	if (chance >= plot.y.low && chance <= plot.y.high) {
		omt_plot_line(&plot, plot.x.low, chance, plot.x.high, chance, "dot");
		omt_plot_text(&plot, plot.left + 6, omt_plot_y(&plot, chance) - 5, "start", "aside",
		              "chance");
	}
	draw_front(&plot, trade, report->count);
	for (size_t r = 0; r < report->count; r++)
		draw_trade_mark(&plot, report, trade, r);
	omt_plot_close(&plot);
}

void omt_figure_trade(FILE *out, omt_results *report)
{
	omt_trade trade = {.speed = calloc(report->count, sizeof *trade.speed),
	                   .quality = calloc(report->count, sizeof *trade.quality),
	                   .front = calloc(report->count, sizeof *trade.front)};
	size_t points = 0;
	if (!trade.speed || !trade.quality || !trade.front)
		report->exhausted = true;
	else if (report->count > 1 && omt_report_main_measure(report, &trade.measure, &trade.cut)) {
		omt_report_trade(report, trade.measure, trade.cut, trade.speed, trade.quality);
		omt_pareto((const double *const[]){trade.speed, trade.quality}, 2, report->count,
		           trade.front);
		for (size_t r = 0; r < report->count; r++)
			points += isfinite(trade.speed[r]) && isfinite(trade.quality[r]);
	}
	if (points > 1) {
		omt_figure_open(out, "trade", "Quality against speed",
		                "Better is right and high. The line is the Pareto front: for a "
		                "larger mark no valid point is both faster and better.");
		omt_figure_legend(out, report);
		omt_figure_draw(out, report, draw_trade, &trade);
		omt_figure_close(out);
	}
	free(trade.speed);
	free(trade.quality);
	free(trade.front);
}

/* ---- measures beside chance -------------------------------------------------------------- */

static void draw_score_row(omt_plot *plot, omt_results *report, const char *measure,
                           const char *cut, double y)
{
	omt_measured score = omt_record_score(&report->records[0], measure, cut);
	double value = plot->y.high - y; /* rows count from the top */
	omt_plot_text(plot, plot->left - 8, omt_plot_y(plot, value) + 4, "end", "label",
	              omt_measure_name(report, measure, cut));
	if (isfinite(score.chance))
		omt_plot_mark(plot, score.chance, value,
		              (omt_mark){.series = 6, .shape = 6, .size = 4},
		              omt_report_text(report, "chance %s",
		                              omt_digits_fixed(score.chance, 3).text));
	if (isfinite(score.low) && isfinite(score.high))
		omt_plot_range_x(plot, value, score.low, score.high, 0);
	omt_plot_mark(plot, score.value, value, (omt_mark){.size = 5},
	              omt_digits_fixed(score.value, 3).text);
	omt_plot_label_at(plot, isfinite(score.high) ? fmax(score.high, score.value) : score.value,
	                  value, 6, "label", omt_digits_fixed(score.value, 3).text);
}

static void draw_scores(FILE *out, omt_results *report, double width, const void *data)
{
	const json_t *measured = data;
	size_t rows = 0, at = 0;
	const char *measure, *cut;
	json_t *cuts, *value;
	omt_plot plot = {.left = 92, .right = 46, .top = 6, .bottom = 42};
	json_object_foreach((json_t *)(uintptr_t)measured, measure, cuts) rows +=
		json_object_size(cuts);
	rows = rows < 40 ? rows : 40;
	omt_scale_fit(&plot.x, 0, 1, false, width > OMT_FIGURE_PANEL ? 10 : 5);
	plot.y = (omt_scale){.low = 0, .high = (double)rows};
	omt_plot_open(&plot, out, width, 56 + 22.0 * (double)rows, "Retrieval measures",
	              "Each measure with its 95 % interval, and what a random order gives.");
	omt_plot_axis_x(&plot, "score");
	json_object_foreach((json_t *)(uintptr_t)measured, measure, cuts)
		json_object_foreach(cuts, cut, value) if (at < rows)
			draw_score_row(&plot, report, measure, cut, (double)at++ + 0.5);
	omt_plot_close(&plot);
}

void omt_figure_scores(FILE *out, omt_results *report)
{
	const json_t *measured = omt_report_at(report->records[0].root, "retrieval.measured");
	const char *measure, *cut;
	if (report->count > 1 || !omt_report_main_measure(report, &measure, &cut))
		return;
	omt_figure_open(
		out, "scores", "Retrieval beside chance",
		"Circles are measured, with 95 % intervals; crosses are what a random order "
		"gives.");
	omt_figure_draw(out, report, draw_scores, measured);
	omt_figure_close(out);
}

/* ---- the server mode's search ------------------------------------------------------------ */

/* A trial that ended early has no latency: it lies at the top. */
static void draw_trial(omt_plot *plot, omt_results *report, const json_t *trial)
{
	double rate = omt_report_number(trial, "rate");
	double latency = omt_report_number(trial, "latency_ms");
	bool valid = omt_report_truth(trial, "valid") != 0, early = !(latency > 0);
	omt_mark mark = {.series = valid ? 0 : 1, .shape = valid ? 0 : 6};
	const char *what = valid ? "valid" : early ? "not valid, ended early" : "not valid";
	if (!(rate > 0) || (early && valid))
		return;
	omt_plot_mark(plot, rate, early ? plot->y.high : latency, mark,
	              omt_report_text(report, "%s queries/s: %s ms, %s",
	                              omt_digits_short(rate).text, omt_digits_short(latency).text,
	                              what));
}

static void draw_search(FILE *out, omt_results *report, double width, const void *data)
{
	const json_t *part = data, *trials = omt_report_at(part, "search"), *trial;
	double target = omt_report_number(part, "target_latency_ms");
	double rate = omt_report_number(part, "rate"), most = 0, low = target, high = target;
	size_t i, count = json_array_size(trials) < 200 ? json_array_size(trials) : 200;
	omt_plot plot = {.left = 52, .right = 24, .top = 34, .bottom = 42};
	for (i = 0; i < count; i++) {
		double latency = omt_report_number(trial = json_array_get(trials, i), "latency_ms");
		most = fmax(most, omt_report_number(trial, "rate"));
		if (!(latency > 0))
			continue;
		low = fmin(low, latency);
		high = fmax(high, latency);
	}
	omt_scale_fit(&plot.x, 0, most * 1.05, false, width > OMT_FIGURE_PANEL ? 10 : 5);
	omt_scale_fit(&plot.y, low / 1.2, high * 1.2, true, 6);
	omt_plot_open(&plot, out, width, width > OMT_FIGURE_PANEL ? 340 : 270,
	              "Search for the highest valid rate",
	              "Latency at each rate that was tried, and the target.");
	omt_plot_axes(&plot, "rate, queries/s",
	              omt_report_text(report, "latency, ms: p%g of all samples",
	                              omt_report_number(part, "percentile")));
	if (target > 0) {
		omt_plot_line(&plot, plot.x.low, target, plot.x.high, target, "limit");
		omt_plot_text(
			&plot, plot.left + 6, omt_plot_y(&plot, target) - 5, "start", "bad",
			omt_report_text(report, "target %s ms", omt_digits_short(target).text));
	}
	for (i = 0; i < count; i++)
		draw_trial(&plot, report, json_array_get(trials, i));
	if (rate > 0 && rate <= plot.x.high && !omt_part_invalid(part)) {
		omt_plot_line(&plot, rate, plot.y.low, rate, target > 0 ? target : high, "dash");
		omt_plot_label_at(&plot, rate, plot.y.low * 1.05, 4, "strong",
		                  omt_report_text(report, "%s/s", omt_digits_short(rate).text));
	}
	omt_plot_close(&plot);
}

void omt_figure_search(FILE *out, omt_results *report)
{
	json_t *groups = omt_report_part_groups(report, "search"), *pairs;
	const char *name;
	size_t i, panels = 0;
	json_object_foreach(groups, name, pairs) for (i = 0; i < json_array_size(pairs); i++)
	{
		const json_t *pair = json_array_get(pairs, i);
		const omt_record *record = omt_group_record(report, pair);
		if (!json_array_size(omt_report_at(omt_group_part(report, pair), "search")) ||
		    panels++ >= OMT_FIGURE_PANELS)
			continue;
		if (panels == 1) {
			omt_figure_open(
				out, "trials", "Search for the highest valid rate",
				"Circles are trials that held the target, crosses those that "
				"did not; one at the very top ended early.");
			fputs(report->count > 1 ? "<div class=\"panels\">\n" : "", out);
		}
		if (report->count < 2) {
			omt_figure_draw(out, report, draw_search, omt_group_part(report, pair));
			continue;
		}
		fprintf(out, "<div><h3>%s ", record->number);
		omt_html_text(out, record->label);
		fputs("</h3>", out);
		draw_search(out, report, OMT_FIGURE_PANEL, omt_group_part(report, pair));
		fputs("</div>\n", out);
	}
	if (panels && report->count > 1)
		fputs("</div>\n", out);
	if (panels)
		omt_figure_close(out);
	json_decref(groups);
}
