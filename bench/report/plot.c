#include "bench/report/plot.h"

#include <math.h>
#include <string.h>

#include "bench/report/digits.h"

#define TEXT_SIZE  12.0
#define TEXT_WIDTH 0.58 /* of the size, a character: a little more than most fonts take */

/* ---- text -------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at `text` and its code point; 0: not UTF-8. */
static size_t decode(const unsigned char *text, unsigned *point)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80             ? 1
	                : (text[0] & 0xe0) == 0xc0 ? 2
	                : (text[0] & 0xf0) == 0xe0 ? 3
	                : (text[0] & 0xf8) == 0xf0 ? 4
	                                           : 0;
	*point = length == 1 ? text[0] : text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3fu);
	}
	if (!length || *point < least[length] || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point < 0xe000))
		return 0;
	return length;
}

/* Control characters, non-characters and those that turn the direction of what follows. */
static bool is_harmful(unsigned point)
{
	return (point < 0x20 && point != '\t' && point != '\n') ||
	       (point >= 0x7f && point < 0xa0) || (point >= 0x202a && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || (point & 0xfffe) == 0xfffe ||
	       (point >= 0xfdd0 && point <= 0xfdef);
}

void omt_html_text(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	while (*at) {
		unsigned point;
		size_t length = decode(at, &point);
		const char *entity = point == '<'    ? "&lt;"
		                     : point == '>'  ? "&gt;"
		                     : point == '&'  ? "&amp;"
		                     : point == '"'  ? "&quot;"
		                     : point == '\'' ? "&#39;"
		                                     : NULL;
		if (!length || is_harmful(point))
			fputs("\xef\xbf\xbd", out);
		else if (length == 1 && entity)
			fputs(entity, out);
		else
			fwrite(at, 1, length, out);
		at += length ? length : 1;
	}
}

static double text_width(const char *text)
{
	size_t characters = 0;
	for (; *text; text++)
		characters += ((unsigned char)*text & 0xc0) != 0x80;
	return TEXT_SIZE * TEXT_WIDTH * (double)characters;
}

/* ---- frame --------------------------------------------------------------------------------- */

void omt_plot_open(omt_plot *plot, FILE *out, double width, double height, const char *title,
                   const char *description)
{
	plot->out = out;
	plot->width = width;
	plot->height = height;
	plot->box_count = plot->label_count = 0;
	fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>", width, height);
	omt_html_text(out, title);
	fputs("</title><desc>", out);
	omt_html_text(out, description);
	fputs("</desc>\n", out);
}

double omt_plot_x(const omt_plot *plot, double value)
{
	return plot->left +
	       omt_scale_place(&plot->x, value) * (plot->width - plot->left - plot->right);
}

double omt_plot_y(const omt_plot *plot, double value)
{
	return plot->height - plot->bottom -
	       omt_scale_place(&plot->y, value) * (plot->height - plot->top - plot->bottom);
}

static void occupy(omt_plot *plot, double x0, double y0, double x1, double y1, double weight)
{
	if (plot->box_count < OMT_PLOT_BOXES)
		plot->boxes[plot->box_count++] = (omt_box){x0, y0, x1, y1, weight};
}

void omt_plot_text(omt_plot *plot, double x, double y, const char *anchor, const char *class,
                   const char *text)
{
	double width = text_width(text);
	double from = !strcmp(anchor, "start") ? x
	              : !strcmp(anchor, "end") ? x - width
	                                       : x - width / 2;
	occupy(plot, from, y - TEXT_SIZE, from + width, y + 3, 1);
	fprintf(plot->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y,
	        anchor, class);
	omt_html_text(plot->out, text);
	fputs("</text>\n", plot->out);
}

static void raw_line(omt_plot *plot, double x0, double y0, double x1, double y1, const char *class)
{
	fprintf(plot->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n",
	        x0, y0, x1, y1, class);
}

static omt_digits tick_text(const omt_scale *scale, size_t i)
{
	return scale->log ? omt_digits_short(scale->ticks[i])
	                  : omt_digits_fixed(scale->ticks[i], scale->decimals);
}

/* 0.10 as 0.1: a power of ten has one digit. */
static omt_digits tidy_tick(const omt_scale *scale, size_t i)
{
	omt_digits digits = tick_text(scale, i);
	size_t length = strlen(digits.text);
	if (!scale->log || !strchr(digits.text, '.') || strchr(digits.text, 'e'))
		return digits;
	while (digits.text[length - 1] == '0')
		digits.text[--length] = '\0';
	if (digits.text[length - 1] == '.')
		digits.text[--length] = '\0';
	return digits;
}

void omt_plot_axis_x(omt_plot *plot, const char *title)
{
	double floor_y = plot->height - plot->bottom;
	for (size_t i = 0; i < plot->x.count; i++) {
		double x = omt_plot_x(plot, plot->x.ticks[i]);
		omt_digits digits = tidy_tick(&plot->x, i);
		raw_line(plot, x, plot->top, x, floor_y, "grid");
		omt_plot_text(plot, x, floor_y + 16, "middle", "tick", digits.text);
	}
	raw_line(plot, plot->left, floor_y, plot->width - plot->right, floor_y, "axis");
	omt_plot_text(plot, plot->width - plot->right, floor_y + 34, "end", "title", title);
}

void omt_plot_axes(omt_plot *plot, const char *x_title, const char *y_title)
{
	for (size_t i = 0; i < plot->y.count; i++) {
		double y = omt_plot_y(plot, plot->y.ticks[i]);
		omt_digits digits = tidy_tick(&plot->y, i);
		raw_line(plot, plot->left, y, plot->width - plot->right, y, "grid");
		omt_plot_text(plot, plot->left - 6, y + 4, "end", "tick", digits.text);
	}
	omt_plot_axis_x(plot, x_title);
	raw_line(plot, plot->left, plot->top, plot->left, plot->height - plot->bottom, "axis");
	omt_plot_text(plot, 2, plot->top - 12, "start", "title", y_title);
}

/* ---- marks --------------------------------------------------------------------------------- */

/* Paths of shapes with a half width of 1; areas are about alike. */
static const char *const shapes[OMT_PLOT_SERIES] = {
	"M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",                          /* circle */
	"M-.9-.9h1.8v1.8h-1.8z",                                       /* square */
	"M0-1.2L1.1.8H-1.1z",                                          /* triangle */
	"M0-1.3L1.3 0 0 1.3-1.3 0z",                                   /* diamond */
	"M0 1.2L1.1-.8H-1.1z",                                         /* triangle on its tip */
	"M-.4-1.2h.8v.8h.8v.8h-.8v.8h-.8v-.8h-.8v-.8h.8z",             /* plus */
	"M-1-.5L-.5-1 0-.5.5-1 1-.5.5 0 1 .5.5 1 0 .5-.5 1-1 .5-.5 0z" /* cross */
};

static void draw_mark(FILE *out, double x, double y, omt_mark mark, const char *tip)
{
	double size = mark.size > 0 ? mark.size : 5;
	fprintf(out,
	        "<path d=\"%s\" transform=\"translate(%.1f %.1f) scale(%.1f)\" class=\"%s s%d\"",
	        shapes[mark.shape % OMT_PLOT_SERIES], x, y, size, mark.hollow ? "hollow" : "mark",
	        mark.series % OMT_PLOT_SERIES);
	if (tip) {
		fputs("><title>", out);
		omt_html_text(out, tip);
		fputs("</title></path>\n", out);
	} else {
		fputs("/>\n", out);
	}
}

void omt_plot_mark(omt_plot *plot, double x, double y, omt_mark mark, const char *tip)
{
	double px = omt_plot_x(plot, x), py = omt_plot_y(plot, y);
	double size = mark.size > 0 ? mark.size : 5;
	occupy(plot, px - size, py - size, px + size, py + size, 2);
	draw_mark(plot->out, px, py, mark, tip);
}

void omt_plot_swatch(FILE *out, omt_mark mark)
{
	fputs("<svg viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">", out);
	draw_mark(out, 7, 7, mark, NULL);
	fputs("</svg>", out);
}

void omt_plot_line(omt_plot *plot, double x0, double y0, double x1, double y1, const char *class)
{
	double px0 = omt_plot_x(plot, x0), py0 = omt_plot_y(plot, y0);
	double px1 = omt_plot_x(plot, x1), py1 = omt_plot_y(plot, y1);
	int steps = (int)(hypot(px1 - px0, py1 - py0) / 8) + 1;
	for (int i = 0; i <= steps; i++) {
		double x = px0 + (px1 - px0) * i / steps, y = py0 + (py1 - py0) * i / steps;
		occupy(plot, x - 2, y - 2, x + 2, y + 2, 0.3);
	}
	raw_line(plot, px0, py0, px1, py1, class);
}

static void draw_range(omt_plot *plot, double x0, double y0, double x1, double y1, int series)
{
	bool along_y = fabs(y1 - y0) > fabs(x1 - x0);
	double dx = along_y ? 3 : 0, dy = along_y ? 0 : 3;
	occupy(plot, fmin(x0, x1) - 2, fmin(y0, y1) - 2, fmax(x0, x1) + 2, fmax(y0, y1) + 2, 0.5);
	fprintf(plot->out,
	        "<path d=\"M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f\" "
	        "class=\"range s%d\"/>\n",
	        x0, y0, x1, y1, x0 - dx, y0 - dy, x0 + dx, y0 + dy, x1 - dx, y1 - dy, x1 + dx,
	        y1 + dy, series % OMT_PLOT_SERIES);
}

void omt_plot_range_y(omt_plot *plot, double x, double low, double high, int series)
{
	double px = omt_plot_x(plot, x);
	draw_range(plot, px, omt_plot_y(plot, low), px, omt_plot_y(plot, high), series);
}

void omt_plot_range_x(omt_plot *plot, double y, double low, double high, int series)
{
	double py = omt_plot_y(plot, y);
	draw_range(plot, omt_plot_x(plot, low), py, omt_plot_x(plot, high), py, series);
}

void omt_plot_bar(omt_plot *plot, double from, double to, double y, double height,
                  const char *class, const char *tip)
{
	double x0 = omt_plot_x(plot, from), x1 = omt_plot_x(plot, to);
	fprintf(plot->out,
	        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
	        "class=\"bar %s\"><title>",
	        x0, y, fmax(x1 - x0, 0), height, class);
	omt_html_text(plot->out, tip);
	fputs("</title></rect>\n", plot->out);
}

/* ---- labels -------------------------------------------------------------------------------- */

void omt_plot_label_at(omt_plot *plot, double x, double y, double reach, const char *class,
                       const char *text)
{
	if (plot->label_count == OMT_PLOT_LABELS)
		return;
	omt_plot_label *label = &plot->labels[plot->label_count++];
	*label = (omt_plot_label){
		.x = omt_plot_x(plot, x), .y = omt_plot_y(plot, y), .reach = reach};
	snprintf(label->text, sizeof label->text, "%s", text);
	size_t end = strlen(label->text);
	if (end == sizeof label->text - 1) { /* cut, not in the middle of a character */
		while (end && ((unsigned char)label->text[end - 1] & 0xc0) == 0x80)
			end--;
		label->text[end && (label->text[end - 1] & 0x80) ? end - 1 : end] = '\0';
	}
	snprintf(label->class, sizeof label->class, "%s", class);
}

/* What a label in this box would cover; far outside counts most. */
static double cost(const omt_plot *plot, omt_box box)
{
	double sum = 0;
	if (box.x0 < plot->left || box.x1 > plot->width - 2 || box.y0 < 2 ||
	    box.y1 > plot->height - plot->bottom)
		return 1e9;
	for (size_t i = 0; i < plot->box_count; i++) {
		const omt_box *other = &plot->boxes[i];
		double width = fmin(box.x1, other->x1) - fmax(box.x0, other->x0);
		double height = fmin(box.y1, other->y1) - fmax(box.y0, other->y0);
		if (width > 0 && height > 0)
			sum += other->weight * (10 + width * height);
	}
	return sum;
}

static void place_label(omt_plot *plot, const omt_plot_label *label)
{
	static const double around[][2] = {{1, 0},    {0, -1},    {-1, 0},  {0, 1},
	                                   {.8, -.8}, {-.8, -.8}, {.8, .8}, {-.8, .8}};
	double width = text_width(label->text) + 5, height = TEXT_SIZE, least = 1e8, leader = 0;
	omt_box best = {0};
	for (int ring = 0; ring < 4; ring++)
		for (int i = 0; i < 8; i++) {
			double far = label->reach + 3 + 11 * ring;
			double x = label->x + around[i][0] * (far + width / 2);
			double y = label->y + around[i][1] * (far + height / 2);
			omt_box box = {x - width / 2, y - height / 2, x + width / 2, y + height / 2,
			               3};
			double here = cost(plot, box) + 0.5 * i + 12 * ring;
			if (here < least) {
				least = here;
				best = box;
				leader = ring;
			}
		}
	if (least >= 200) /* it would cover another one: its tip is there */
		return;
	occupy(plot, best.x0, best.y0, best.x1, best.y1, best.weight);
	if (leader > 1)
		raw_line(plot, label->x, label->y, fmin(fmax(label->x, best.x0), best.x1),
		         fmin(fmax(label->y, best.y0), best.y1), "leader");
	fprintf(plot->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", best.x0, best.y1 - 2,
	        label->class);
	omt_html_text(plot->out, label->text);
	fputs("</text>\n", plot->out);
}

void omt_plot_close(omt_plot *plot)
{
	for (size_t i = 0; i < plot->label_count; i++)
		place_label(plot, &plot->labels[i]);
	fputs("</svg>\n", plot->out);
}
