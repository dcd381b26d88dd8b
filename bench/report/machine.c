/* Figures of the machine: ops under the device's roofs, and memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"

/* ---- roofline (Williams, Waterman, Patterson, CACM 2009) --------------------------------- */

#define MAX_OPS 64

typedef struct omt_roof_op {
	const char *name;
	double seconds, intensity, gflops, share;
	bool memory; /* the side of the ridge its intensity is on */
} omt_roof_op;

typedef struct omt_roofs {
	const omt_record *record;
	double peak, gbytes,
		cache; /* highest roof; of memory; of the fastest set, NAN: as memory */
	omt_roof_op ops[MAX_OPS];
	size_t count;
} omt_roofs;

static int by_seconds(const void *a, const void *b)
{
	double x = ((const omt_roof_op *)a)->seconds, y = ((const omt_roof_op *)b)->seconds;
	return (x < y) - (x > y);
}

static void collect_ops(omt_roofs *roofs)
{
	const json_t *ops = omt_report_at(roofs->record->root, "ops");
	double total = 0;
	for (size_t i = 0; i < json_array_size(ops) && roofs->count < MAX_OPS; i++) {
		const json_t *op = json_array_get(ops, i);
		double flops = omt_report_number(op, "flops"),
		       bytes = omt_report_number(op, "bytes");
		double gflops = omt_report_number(op, "gflops");
		double seconds = omt_report_number(op, "seconds");
		const char *name = omt_report_string(op, "op"),
			   *bound = omt_report_string(op, "bound");
		total += seconds > 0 ? seconds : 0;
		if (name && flops > 0 && bytes > 0 && gflops > 0 && seconds > 0)
			roofs->ops[roofs->count++] =
				(omt_roof_op){name,   seconds, flops / bytes,
			                      gflops, 0,       bound && !strcmp(bound, "memory")};
	}
	qsort(roofs->ops, roofs->count, sizeof *roofs->ops, by_seconds);
	for (size_t i = 0; i < roofs->count; i++)
		roofs->ops[i].share = roofs->ops[i].seconds / total;
}

/* False: nothing to draw. */
static bool collect_roofs(const omt_record *record, omt_roofs *roofs)
{
	const json_t *roofline = omt_report_at(record->root, "roofline"), *set;
	const char *type;
	json_t *gflops;
	*roofs = (omt_roofs){.record = record, .cache = NAN};
	json_object_foreach((json_t *)(uintptr_t)omt_report_at(roofline, "gflops"), type, gflops)
		roofs->peak = fmax(roofs->peak, json_number_value(gflops));
	roofs->gbytes = omt_report_number(roofline, "gbytes_per_s");
	for (size_t i = 0; (set = json_array_get(omt_report_at(roofline, "sets"), i)); i++) {
		double fast = omt_report_number(set, "gbytes_per_s");
		if (fast > 1.3 * roofs->gbytes)
			roofs->cache = fmax(roofs->cache, fast);
	}
	collect_ops(roofs);
	return roofs->peak > 0 && roofs->gbytes > 0 && roofs->count;
}

/* A slanted roof up to `peak`, named along its foot. */
static void draw_bandwidth(omt_plot *plot, omt_results *report, double gbytes, double peak,
                           const char *what, const char *class)
{
	double ridge = peak / gbytes, from = plot->x.low, y = gbytes * from;
	if (y < plot->y.low) {
		y = plot->y.low;
		from = y / gbytes;
	}
	if (ridge <= from)
		return;
	double to = fmin(ridge, plot->x.high);
	double dx = omt_plot_x(plot, to) - omt_plot_x(plot, from);
	double dy = omt_plot_y(plot, gbytes * to) - omt_plot_y(plot, y);
	double angle = atan2(dy, dx) * 57.29578;
	omt_plot_line(plot, from, y, to, gbytes * to, class);
	fprintf(plot->out,
	        "<text transform=\"translate(%.1f %.1f) rotate(%.1f)\" dx=\"8\" dy=\"-6\" "
	        "class=\"aside\">",
	        omt_plot_x(plot, from), omt_plot_y(plot, y), angle);
	omt_html_text(plot->out,
	              omt_report_text(report, "%s %s GB/s", what, omt_digits_short(gbytes).text));
	fputs("</text>\n", plot->out);
}

/* Flat roofs, one a type, and the ridge of each with the memory's bandwidth. */
static void draw_peaks(omt_plot *plot, omt_results *report, const omt_roofs *roofs)
{
	const char *type;
	json_t *value;
	const json_t *all = omt_report_at(roofs->record->root, "roofline.gflops");
	double steepest = isfinite(roofs->cache) ? roofs->cache : roofs->gbytes;
	json_object_foreach((json_t *)(uintptr_t)all, type, value)
	{
		double peak = json_number_value(value), ridge = peak / roofs->gbytes;
		if (!(peak > 0))
			continue;
		omt_plot_line(plot, fmax(peak / steepest, plot->x.low), peak, plot->x.high, peak,
		              "roof");
		omt_plot_text(plot, plot->width - plot->right - 2, omt_plot_y(plot, peak) - 5,
		              "end", "label",
		              omt_report_text(report, "%.12s %s GFLOP/s", type,
		                              omt_digits_short(peak).text));
		if (ridge > plot->x.low && ridge < plot->x.high)
			omt_plot_mark(plot, ridge, peak,
			              (omt_mark){.series = 6, .shape = 3, .size = 3.5},
			              omt_report_text(report, "ridge of %.12s: %s FLOP/byte", type,
			                              omt_digits_short(ridge).text));
		if (peak != roofs->peak || ridge <= plot->x.low || ridge >= plot->x.high)
			continue;
		omt_plot_line(plot, ridge, plot->y.low, ridge, peak, "dot");
		bool left = omt_plot_x(plot, ridge) > plot->width / 2;
		omt_plot_text(plot, omt_plot_x(plot, ridge) + (left ? -5 : 5),
		              plot->height - plot->bottom - 6, left ? "end" : "start", "aside",
		              omt_report_text(report, "ridge of %.12s, %s", type,
		                              omt_digits_short(ridge).text));
	}
}

static void draw_op(omt_plot *plot, omt_results *report, const omt_roof_op *op)
{
	/* The mark's area goes by the share of time. */
	omt_mark mark = {.series = op->memory ? 1 : 0,
	                 .shape = op->memory ? 2 : 0,
	                 .size = fmin(fmax(18 * sqrt(op->share), 3.5), 14)};
	omt_plot_mark(plot, op->intensity, op->gflops, mark,
	              omt_report_text(report, "%.40s: %.1f %% of time, %s GFLOP/s at %s FLOP/byte",
	                              op->name, 100 * op->share, omt_digits_short(op->gflops).text,
	                              omt_digits_short(op->intensity).text));
}

static void draw_roofline(FILE *out, omt_results *report, double width, const void *data)
{
	const omt_roofs *roofs = data;
	bool wide = width > OMT_FIGURE_PANEL;
	double ridge = roofs->peak / roofs->gbytes, left = ridge / 8, right = ridge * 8;
	double low = roofs->peak;
	omt_plot plot = {.left = 52, .right = 24, .top = 34, .bottom = 42};
	for (size_t i = 0; i < roofs->count; i++) {
		left = fmin(left, roofs->ops[i].intensity / 1.6);
		right = fmax(right, roofs->ops[i].intensity * 1.6);
		low = fmin(low, roofs->ops[i].gflops / 1.6);
	}
	omt_scale_fit(&plot.x, left, right, true, wide ? 10 : 5);
	omt_scale_fit(&plot.y, low, roofs->peak * 1.6, true, wide ? 8 : 6);
	omt_plot_open(&plot, out, width, wide ? 470 : 380, "Roofline",
	              omt_report_text(report,
	                              "%zu ops by FLOPs a byte and GFLOP/s, under the "
	                              "device's measured roofs.",
	                              roofs->count));
	omt_plot_axes(&plot, "intensity, FLOP/byte", "GFLOP/s");
	draw_bandwidth(&plot, report, roofs->gbytes, roofs->peak, "memory", "roof");
	if (isfinite(roofs->cache))
		draw_bandwidth(&plot, report, roofs->cache, roofs->peak, "cache", "dash");
	draw_peaks(&plot, report, roofs);
	for (size_t i = 0; i < roofs->count; i++)
		draw_op(&plot, report, &roofs->ops[i]);
	for (size_t i = 0; i < roofs->count; i++) {
		const omt_roof_op *op = &roofs->ops[i];
		omt_plot_label_at(&plot, op->intensity, op->gflops,
		                  fmin(fmax(18 * sqrt(op->share), 3.5), 14), "label",
		                  op->share >= 0.01 ? omt_report_text(report, "%.24s %.0f %%",
		                                                      op->name, 100 * op->share)
		                                    : op->name);
	}
	omt_plot_close(&plot);
}

void omt_figure_roofline(FILE *out, omt_results *report)
{
	const omt_record *record = omt_report_profiled(report);
	omt_roofs *roofs = malloc(sizeof *roofs);
	if (!roofs)
		report->exhausted = true;
	if (roofs && record && collect_roofs(record, roofs)) {
		const char *device = omt_report_string(record->root, "roofline.device");
		omt_figure_open(
			out, "roofline", "Roofline",
			"Every op under what the device can do, as measured; a mark's area is "
			"its share of device time. Small diamonds are the ridges.");
		fputs("<ul class=\"legend\"><li>", out);
		omt_plot_swatch(out, (omt_mark){0});
		fputs("<span>bound by compute</span></li><li>", out);
		omt_plot_swatch(out, (omt_mark){.series = 1, .shape = 2});
		fputs("<span>bound by memory</span></li><li><span>", out);
		omt_html_text(out, device ? device : "");
		if (report->count > 1) {
			fprintf(out, ", point %s: ", record->number);
			omt_html_text(out, record->label);
		}
		fputs("</span></li></ul>\n", out);
		omt_figure_draw(out, report, draw_roofline, roofs);
		omt_figure_close(out);
	}
	free(roofs);
}

/* ---- memory ------------------------------------------------------------------------------ */

#define MAX_ROWS 40

static double bytes_of(const omt_record *record, const char *key)
{
	double bytes = omt_report_number(omt_report_at(record->root, "memory"), key);
	return bytes > 0 ? bytes : 0;
}

static void draw_memory_row(omt_plot *plot, omt_results *report, const omt_record *record,
                            double scale, double y)
{
	double host = bytes_of(record, "host_peak_bytes"),
	       weights = bytes_of(record, "weights_bytes");
	double device = fmax(bytes_of(record, "device_bytes"), weights);
	const struct {
		double from, to;
		int line;
		const char *class, *what;
	} bars[] = {{0, host, 0, "f3", "host, peak"},
	            {0, weights, 1, "f4", "weights"},
	            {weights, device, 1, "f1", "rest of the device's"}};
	if (report->count > 1)
		omt_plot_text(plot, plot->left, y, "start", "label",
		              omt_report_text(report, "%s  %.60s", record->number, record->label));
	for (size_t i = 0; i < sizeof bars / sizeof *bars; i++)
		if (bars[i].to > bars[i].from)
			omt_plot_bar(
				plot, bars[i].from * scale, bars[i].to * scale,
				y + 5 + 13 * bars[i].line, 12, bars[i].class,
				omt_report_text(report, "%s %s", bars[i].what,
			                        omt_digits_bytes(bars[i].to - bars[i].from).text));
	omt_plot_text(plot, omt_plot_x(plot, host * scale) + 5, y + 15, "start", "label",
	              host > 0 ? omt_report_text(report, "host %s", omt_digits_bytes(host).text)
	                       : "");
	omt_plot_text(plot, omt_plot_x(plot, device * scale) + 5, y + 28, "start", "label",
	              device > 0
	                      ? omt_report_text(report, "device %s", omt_digits_bytes(device).text)
	                      : "");
}

static void draw_memory(FILE *out, omt_results *report, double width, const void *data)
{
	double most = *(const double *)data;
	size_t rows = report->count < MAX_ROWS ? report->count : MAX_ROWS;
	double height = report->count > 1 ? 50 : 34, top = report->count > 1 ? 18 : 2;
	omt_bytes_unit unit = omt_digits_unit(most);
	omt_plot plot = {.left = 12, .right = 12, .top = 4, .bottom = 40};
	omt_scale_fit(&plot.x, 0, most / unit.bytes, false, width > OMT_FIGURE_PANEL ? 8 : 4);
	plot.x.high = fmax(plot.x.high, most / unit.bytes * width / (width - 130));
	omt_plot_open(&plot, out, width, 46 + height * (double)rows, "Memory",
	              "Bars of host and device memory of each record; numbers are in the table.");
	omt_plot_axis_x(&plot, unit.name);
	for (size_t r = 0; r < rows; r++)
		draw_memory_row(&plot, report, &report->records[r], 1 / unit.bytes,
		                top + height * (double)r);
	omt_plot_close(&plot);
}

void omt_figure_memory(FILE *out, omt_results *report)
{
	static const char *const names[][2] = {
		{"i3", "host, peak"}, {"i4", "weights"}, {"i1", "rest of the device's"}};
	double most = 0;
	for (size_t r = 0; r < report->count; r++) {
		most = fmax(most, bytes_of(&report->records[r], "host_peak_bytes"));
		most = fmax(most, bytes_of(&report->records[r], "device_bytes"));
	}
	if (!(most > 0))
		return;
	omt_figure_open(
		out, "memory", "Memory",
		"A device that is the host's own CPU has its memory in the host's peak, too.");
	fputs("<ul class=\"legend\">", out);
	for (size_t i = 0; i < 3; i++)
		fprintf(out, "<li><i class=\"%s\"></i><span>%s</span></li>", names[i][0],
		        names[i][1]);
	fputs("</ul>\n", out);
	omt_figure_draw(out, report, draw_memory, &most);
	omt_figure_close(out);
}
