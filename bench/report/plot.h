/* plot.h - a small layer over SVG: scales with sound ticks, axes, marks, labels that keep clear of
 * each other. Knows nothing of benchmarks.
 *
 * Colours are CSS classes of the page (bench/report_style.c): s0 to s6 are the series, marks have a
 * shape as well, so that they can be told apart without colour. All text is escaped here. */
#ifndef OMT_BENCH_PLOT_H
#define OMT_BENCH_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define OMT_PLOT_TICKS  14
#define OMT_PLOT_BOXES  1024
#define OMT_PLOT_LABELS 128
#define OMT_PLOT_SERIES 7 /* colours; as many shapes */

/* ---- scales ------------------------------------------------------------------------------ */

/* An axis' range, wide enough for the data, and its ticks, all within it. */
typedef struct omt_scale {
	double low, high;
	bool log;
	double ticks[OMT_PLOT_TICKS];
	size_t count;
	int decimals; /* of the ticks' labels; logarithmic: each has its own */
} omt_scale;

/* About `want` ticks at 1, 2 or 5 times a power of ten. A logarithmic scale of values that are not
 * all above zero becomes linear; no range at all becomes one around the value. */
void omt_scale_fit(omt_scale *scale, double low, double high, bool log, size_t want);

/* Where a value lies, 0 to 1 from low to high; values outside are at the ends. */
double omt_scale_place(const omt_scale *scale, double value);

/* ---- text -------------------------------------------------------------------------------- */

/* Text for HTML and SVG, content and quoted attributes alike: markup is escaped; control
 * characters and those that turn the direction of text become U+FFFD, as do bytes that are not
 * UTF-8. */
void omt_html_text(FILE *out, const char *text);

/* ---- plots ------------------------------------------------------------------------------- */

typedef struct omt_box {
	double x0, y0, x1, y1, weight;
} omt_box;

typedef struct omt_plot_label {
	double x, y; /* of the mark, in pixels */
	double reach;
	char text[48];
	char class[8];
} omt_plot_label;

typedef struct omt_plot {
	FILE *out;
	double width, height, left, right, top, bottom; /* picture and margins, in pixels */
	omt_scale x, y;
	omt_box boxes[OMT_PLOT_BOXES];
	size_t box_count;
	omt_plot_label labels[OMT_PLOT_LABELS];
	size_t label_count;
} omt_plot;

typedef struct omt_mark {
	int series;  /* colour, 0 to OMT_PLOT_SERIES - 1 */
	int shape;   /* 0 to OMT_PLOT_SERIES - 1: circle, square, triangle, diamond, ... */
	double size; /* half its width; 0: 5 */
	bool hollow; /* outline only */
} omt_mark;

/* Starts <svg> with its title and description, for readers that do not see it. */
void omt_plot_open(omt_plot *plot, FILE *out, double width, double height, const char *title,
                   const char *description);
/* Grid lines, ticks and titles of both axes, whose scales are set; the y title lies above. */
void omt_plot_axes(omt_plot *plot, const char *x_title, const char *y_title);
/* x axis alone, with grid lines over the whole height: for bars. */
void omt_plot_axis_x(omt_plot *plot, const char *title);
/* Places the labels and ends </svg>. */
void omt_plot_close(omt_plot *plot);

double omt_plot_x(const omt_plot *plot, double value);
double omt_plot_y(const omt_plot *plot, double value);

/* `tip` is shown where the pointer rests on the mark; NULL: none. */
void omt_plot_mark(omt_plot *plot, double x, double y, omt_mark mark, const char *tip);
/* A line between two values; `class` is of the style sheet. */
void omt_plot_line(omt_plot *plot, double x0, double y0, double x1, double y1, const char *class);
/* An interval along y, or along x, with short ends. */
void omt_plot_range_y(omt_plot *plot, double x, double low, double high, int series);
void omt_plot_range_x(omt_plot *plot, double y, double low, double high, int series);
/* A bar along x between two values, y in pixels. */
void omt_plot_bar(omt_plot *plot, double from, double to, double y, double height,
                  const char *class, const char *tip);
/* Text at a place in pixels; anchor "start", "middle" or "end". */
void omt_plot_text(omt_plot *plot, double x, double y, const char *anchor, const char *class,
                   const char *text);
/* Text beside a mark `reach` pixels wide to each side, put where it covers nothing. */
void omt_plot_label_at(omt_plot *plot, double x, double y, double reach, const char *class,
                       const char *text);

/* A mark alone, 14 pixels square: for legends. */
void omt_plot_swatch(FILE *out, omt_mark mark);

#endif
