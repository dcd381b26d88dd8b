/* Bicubic resizing with antialiasing in the three forms of the reference. All are separable and use
 * the same filter (Keys, a = -0.5, stretched by the scale when shrinking); they differ in the
 * weights' precision, in rounding between the passes, and in which pass comes first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "prep/prep.h"

/* Values summed at a time: neighbouring values (the channels of a pixel, or a whole row) in blocks,
 * all weights of a block in turn, so that memory is read in its order. */
#define BLOCK 64

/* Rows of 8 bits that go through the horizontal pass side by side. */
#define LINES 16

/* Output sample i is a weighted sum of input samples [first[i], first[i] + count[i]). */
typedef struct omt_filter {
	int32_t outputs, taps; /* taps: room in each row of weights */
	int32_t *first, *count;
	double *weights; /* [outputs, taps] */
	int32_t *fixed;  /* the same, times 2^precision, rounded */
	int32_t precision;
} omt_filter;

static void filter_free(omt_filter *filter)
{
	free(filter->first);
	free(filter->count);
	free(filter->weights);
	free(filter->fixed);
	*filter = (omt_filter){0};
}

static double cubic(double x)
{
	const double a = -0.5;
	x = fabs(x);
	if (x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	if (x < 2)
		return (((x - 5) * x + 8) * x - 4) * a;
	return 0;
}

/* cubic() as ATen's f32 code computes it, fused multiply-adds included. */
static double cubic_f32(float x)
{
	const float a = -0.5f;
	x = fabsf(x);
	if (x < 1)
		return fmaf(fmaf(a + 2, x, -(a + 3)) * x, x, 1);
	if (x < 2)
		return fmaf(fmaf(fmaf(a, x, -5 * a), x, 8 * a), x, -4 * a);
	return 0;
}

/* `single`: in the f32 steps that ATen takes for f32 pictures. */
static bool filter_make(omt_filter *filter, int32_t in, int32_t out, bool single)
{
	double scale = single ? (double)((float)in / (float)out) : (double)in / out;
	double stretch = scale > 1 ? scale : 1, support = 2 * stretch;
	float inverse = 1.0f / (float)stretch;
	*filter = (omt_filter){.outputs = out, .taps = (int32_t)ceil(support) * 2 + 1};
	size_t room = (size_t)out * (size_t)filter->taps;
	filter->first = malloc((size_t)out * sizeof *filter->first);
	filter->count = malloc((size_t)out * sizeof *filter->count);
	filter->weights = calloc(room, sizeof *filter->weights);
	filter->fixed = calloc(room, sizeof *filter->fixed);
	if (!filter->first || !filter->count || !filter->weights || !filter->fixed) {
		filter_free(filter);
		return false;
	}
	for (int32_t i = 0; i < out; i++) {
		double center = (i + 0.5) * scale, total = 0;
		center = single ? (double)(float)center : center;
		double *weights = filter->weights + (size_t)i * (size_t)filter->taps;
		int32_t first = (int32_t)(center - support + 0.5);
		int32_t end = (int32_t)(center + support + 0.5);
		first = first < 0 ? 0 : first;
		end = end > in ? in : end;
		for (int32_t j = 0; j < end - first; j++) {
			weights[j] = single ? cubic_f32((float)(((double)((float)(j + first) -
			                                                  (float)center) +
			                                         0.5) *
			                                        (double)inverse))
			                    : cubic((j + first - center + 0.5) / stretch);
			total += weights[j];
			if (single)
				total = (double)(float)total;
		}
		for (int32_t j = 0; j < end - first; j++)
			weights[j] = single ? (double)((float)weights[j] / (float)total)
			                    : weights[j] / total;
		filter->first[i] = first;
		filter->count[i] = end - first;
	}
	return true;
}

static void filter_fix(omt_filter *filter, int32_t precision)
{
	size_t room = (size_t)filter->outputs * (size_t)filter->taps;
	filter->precision = precision;
	for (size_t i = 0; i < room; i++) {
		double scaled = ldexp(filter->weights[i], precision);
		filter->fixed[i] = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	}
}

/* ATen's precision: as many bits as keep the largest weight within 16 bits. */
static int32_t precision_16(const omt_filter *filter)
{
	size_t room = (size_t)filter->outputs * (size_t)filter->taps;
	double most = 0;
	int32_t precision = 0;
	for (size_t i = 0; i < room; i++)
		most = filter->weights[i] > most ? filter->weights[i] : most;
	while (precision < 22 && (int32_t)(0.5 + ldexp(most, precision + 1)) < 1 << 15)
		precision++;
	return precision;
}

/* ---- 8 bits ------------------------------------------------------------------------------- */

/* to[n]: weighted sums of n neighbouring values, whose samples are `step` apart, rounded to 8 bits.
 * Where n is a constant the compiler makes vectors of the inner loops. */
OMT_HOT void weigh_block(const uint8_t *from, size_t step, const int32_t *weights, int32_t count,
                         int32_t precision, uint8_t *to, size_t n)
{
	int32_t sums[BLOCK], j = 0;
	for (size_t c = 0; c < n; c++)
		sums[c] = 1 << (precision - 1);
	for (; j + 2 <= count; j += 2, from += 2 * step) {
		const int32_t w0 = weights[j], w1 = weights[j + 1];
		OMT_VECTOR_LOOP
		for (size_t c = 0; c < n; c++)
			sums[c] += from[c] * w0 + from[step + c] * w1;
	}
	if (j < count) {
		const int32_t w0 = weights[j];
		OMT_VECTOR_LOOP
		for (size_t c = 0; c < n; c++)
			sums[c] += from[c] * w0;
	}
	OMT_VECTOR_LOOP
	for (size_t c = 0; c < n; c++) {
		const int32_t value = sums[c] >> precision;
		const int32_t low = value < 0 ? 0 : value;
		to[c] = (uint8_t)(low > 255 ? 255 : low);
	}
}

/* Output sample i of a filter, in n neighbouring values; `from` is the filter's first input. */
OMT_HOT void weigh(const omt_filter *filter, int32_t i, const uint8_t *from, size_t step,
                   uint8_t *to, size_t n)
{
	const int32_t *weights = filter->fixed + (size_t)i * (size_t)filter->taps;
	const int32_t count = filter->count[i], precision = filter->precision;
	size_t c = 0;
	if (n == 3 * LINES) /* pixels of RGB, across */
		weigh_block(from, step, weights, count, precision, to, c = 3 * LINES);
	for (; c + BLOCK <= n; c += BLOCK)
		weigh_block(from + c, step, weights, count, precision, to + c, BLOCK);
	for (; c + 16 <= n; c += 16)
		weigh_block(from + c, step, weights, count, precision, to + c, 16);
	if (c < n)
		weigh_block(from + c, step, weights, count, precision, to + c, n - c);
}

/* One row of the vertical pass. */
OMT_HOT void weigh_row_body(const omt_filter *filter, int32_t i, const uint8_t *from, size_t row,
                            uint8_t *to)
{
	weigh(filter, i, from, row, to, row);
}
OMT_PATHS(weigh_row,
          (const omt_filter *filter, int32_t i, const uint8_t *from, size_t row, uint8_t *to),
          (filter, i, from, row, to))

typedef uint8_t lanes __attribute__((vector_size(16)));

/* Lanes of two vectors by their numbers; GCC before 12 only has a builtin of its own. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lanes){__VA_ARGS__})
#endif

/* 16 x 16 bytes, rows `in` apart to columns `out` apart: four rounds of interleaving. */
OMT_HOT void transpose_16(const uint8_t *from, size_t in, uint8_t *to, size_t out)
{
	lanes a[16], b[16];
	for (size_t i = 0; i < 16; i++)
		memcpy(&a[i], from + i * in, sizeof *a);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 8; i++) {
			b[2 * i] = SHUFFLE(a[i], a[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
			                   6, 22, 7, 23);
			b[2 * i + 1] = SHUFFLE(a[i], a[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
			                       13, 29, 14, 30, 15, 31);
		}
		memcpy(a, b, sizeof a);
	}
	for (size_t i = 0; i < 16; i++)
		memcpy(to + i * out, &a[i], sizeof *a);
}

/* rows x columns bytes, rows `in` apart, to columns x rows, `out` apart. */
OMT_HOT void transpose(const uint8_t *from, size_t in, size_t rows, size_t columns, uint8_t *to,
                       size_t out)
{
	for (size_t r = 0; r < rows; r += 16)
		for (size_t c = 0; c < columns; c += 16) {
			if (r + 16 <= rows && c + 16 <= columns) {
				transpose_16(from + r * in + c, in, to + c * out + r, out);
				continue;
			}
			for (size_t i = r; i < rows && i < r + 16; i++)
				for (size_t j = c; j < columns && j < c + 16; j++)
					to[j * out + i] = from[i * in + j];
		}
}

/* Up to LINES rows of the horizontal pass, side by side: a sample of all rows lies together in
 * `turned`, so that the sums are vectors over rows. turned: LINES x (in_row + out_row) bytes. */
OMT_HOT void weigh_across_body(const omt_filter *filter, const uint8_t *in, size_t in_row,
                               size_t lines, size_t unit, uint8_t *turned, uint8_t *out)
{
	const size_t out_row = (size_t)filter->outputs * unit, step = unit * LINES;
	uint8_t *sums = turned + LINES * in_row;
	transpose(in, in_row, lines, in_row, turned, LINES);
	for (int32_t i = 0; i < filter->outputs; i++)
		weigh(filter, i, turned + (size_t)filter->first[i] * step, step,
		      sums + (size_t)i * step, step);
	transpose(sums, LINES, out_row, lines, out, out_row);
}
OMT_PATHS(weigh_across,
          (const omt_filter *filter, const uint8_t *in, size_t in_row, size_t lines, size_t unit,
           uint8_t *turned, uint8_t *out),
          (filter, in, in_row, lines, unit, turned, out))

/* A resize of 8-bit rows; a pass is left out when its size stays. */
typedef struct omt_resizer {
	const omt_filter *across, *down;
	const uint8_t *in;
	uint8_t *out, *turned;
	int32_t height;
	size_t unit, in_row, out_row;
} omt_resizer;

static void across_rows(const omt_resizer *r, const uint8_t *in, int32_t rows, uint8_t *out)
{
	for (size_t row = 0; row < (size_t)rows; row += LINES)
		weigh_across(r->across, in + row * r->in_row, r->in_row,
		             (size_t)rows - row < LINES ? (size_t)rows - row : LINES, r->unit,
		             r->turned, out + row * r->out_row);
}

static void down_rows(const omt_resizer *r, int32_t first, int32_t count, size_t row, uint8_t *out)
{
	for (int32_t i = first; i < first + count; i++, out += row)
		weigh_row(r->down, i, r->in + (size_t)r->down->first[i] * row, row, out);
}

/* Both passes, LINES rows of the result at a time, so that what is between them stays in the cache;
 * middle: LINES rows as wide as the input's. */
static void down_then_across(const omt_resizer *r, uint8_t *middle)
{
	for (int32_t i = 0; i < r->down->outputs; i += LINES) {
		int32_t left = r->down->outputs - i, count = left < LINES ? left : LINES;
		down_rows(r, i, count, r->in_row, middle);
		across_rows(r, middle, count, r->out + (size_t)i * r->out_row);
	}
}

/* The same the other way round. middle: `room` rows as wide as the result's; it holds rows from
 * `begin` on up to `end`, and moves on when it is full. */
static void across_then_down(const omt_resizer *r, uint8_t *middle, int32_t room)
{
	int32_t begin = r->down->first[0], end = begin;
	for (int32_t i = 0; i < r->down->outputs; i++) {
		int32_t first = r->down->first[i], wanted = first + r->down->count[i];
		while (end < wanted) {
			int32_t rows = r->height - end < LINES ? r->height - end : LINES;
			if (end + rows - begin > room) {
				int32_t kept = end > first ? end - first : 0;
				memmove(middle, middle + (size_t)(end - kept - begin) * r->out_row,
				        (size_t)kept * r->out_row);
				begin = end - kept;
			}
			across_rows(r, r->in + (size_t)end * r->in_row, rows,
			            middle + (size_t)(end - begin) * r->out_row);
			end += rows;
		}
		weigh_row(r->down, i, middle + (size_t)(first - begin) * r->out_row, r->out_row,
		          r->out + (size_t)i * r->out_row);
	}
}

/* Both passes; `vertical_first` says which comes first. */
static bool resize_u8(const omt_filter *across, const omt_filter *down, const uint8_t *in,
                      int32_t height, int32_t width, int32_t channels, bool vertical_first,
                      uint8_t *out)
{
	size_t unit = (size_t)channels;
	omt_resizer r = {.across = across,
	                 .down = down,
	                 .in = in,
	                 .out = out,
	                 .height = height,
	                 .unit = unit,
	                 .in_row = (size_t)width * unit,
	                 .out_row = (size_t)across->outputs * unit};
	bool wide = across->outputs != width, tall = down->outputs != height;
	int32_t room = vertical_first ? LINES : down->taps + 4 * LINES;
	size_t row = vertical_first ? r.in_row : r.out_row;
	uint8_t *middle = wide && tall ? malloc((size_t)room * row) : NULL;
	r.turned = wide ? malloc(LINES * (r.in_row + r.out_row)) : NULL;
	bool done = (!wide || r.turned) && (!wide || !tall || middle);
	if (!done)
		;
	else if (!wide && !tall)
		memcpy(out, in, (size_t)height * r.in_row);
	else if (!tall)
		across_rows(&r, in, height, out);
	else if (!wide)
		down_rows(&r, 0, down->outputs, r.in_row, out);
	else if (vertical_first)
		down_then_across(&r, middle);
	else
		across_then_down(&r, middle, room);
	free(middle);
	free(r.turned);
	return done;
}

static omt_status no_memory(int32_t height, int32_t width, omt_error *err)
{
	return OMT_FAIL(err, NO_MEMORY, "resizing to %d x %d", width, height);
}

/* Which pass Pillow (12 and 13) does first: the vertical one where it takes away more than twice as
 * many rows as the horizontal one columns. Found by comparing: equal on 4,500 random sizes. */
static bool vertical_first(int32_t height, int32_t width, int32_t out_height, int32_t out_width)
{
	return out_height < height && height - out_height > 2 * (width - out_width);
}

omt_status omt_resize_pil(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                          int32_t out_height, int32_t out_width, uint8_t *out, omt_error *err)
{
	omt_filter across = {0}, down = {0};
	bool done = filter_make(&across, width, out_width, false) &&
	            filter_make(&down, height, out_height, false);
	if (done) {
		filter_fix(&across, 22);
		filter_fix(&down, 22);
		done = resize_u8(&across, &down, in, height, width, channels,
		                 vertical_first(height, width, out_height, out_width), out);
	}
	filter_free(&across);
	filter_free(&down);
	return done ? OMT_OK : no_memory(out_height, out_width, err);
}

omt_status omt_resize_u8(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                         int32_t out_height, int32_t out_width, uint8_t *out, omt_error *err)
{
	omt_filter across = {0}, down = {0};
	bool done = filter_make(&across, width, out_width, false) &&
	            filter_make(&down, height, out_height, false);
	if (done) {
		filter_fix(&across, precision_16(&across));
		filter_fix(&down, precision_16(&down));
		done = resize_u8(&across, &down, in, height, width, channels, false, out);
	}
	filter_free(&across);
	filter_free(&down);
	return done ? OMT_OK : no_memory(out_height, out_width, err);
}

/* ---- f32 ---------------------------------------------------------------------------------- */

/* to[n]: weighted sums of n neighbouring values, whose samples are `step` apart. ATen's loop is
 * compiled to fused multiply-adds; a product and sum in f64, rounded in every step, gives the same
 * without the hardware. */
#define SUM(name, type)                                                                            \
	OMT_HOT void name(const type *from, size_t step, const double *weights, int32_t count,     \
	                  float *to, size_t n)                                                     \
	{                                                                                          \
		float sums[BLOCK];                                                                 \
		OMT_VECTOR_LOOP                                                                    \
		for (size_t c = 0; c < n; c++)                                                     \
			sums[c] = (float)from[c] * (float)weights[0];                              \
		for (int32_t j = 1; j < count; j++) {                                              \
			from += step;                                                              \
			OMT_VECTOR_LOOP                                                            \
			for (size_t c = 0; c < n; c++)                                             \
				sums[c] = (float)((double)from[c] * weights[j] + (double)sums[c]); \
		}                                                                                  \
		memcpy(to, sums, n * sizeof *to);                                                  \
	}
SUM(sum_u8, uint8_t)
SUM(sum_f32, float)
#undef SUM

/* As weigh_across; sums: LINES x out_row floats. */
OMT_HOT void sum_across_body(const omt_filter *filter, const uint8_t *in, size_t in_row,
                             size_t lines, size_t unit, uint8_t *turned, float *sums, float *out)
{
	const size_t out_row = (size_t)filter->outputs * unit, step = unit * LINES;
	transpose(in, in_row, lines, in_row, turned, LINES);
	for (size_t i = 0; i < (size_t)filter->outputs; i++)
		for (size_t c = 0; c < step; c += LINES)
			sum_u8(turned + (size_t)filter->first[i] * step + c, step,
			       filter->weights + i * (size_t)filter->taps, filter->count[i],
			       sums + i * step + c, LINES);
	for (size_t i = 0; i < out_row; i += LINES)
		for (size_t line = 0; line < lines; line++)
			for (size_t k = i; k < i + LINES && k < out_row; k++)
				out[line * out_row + k] = sums[k * LINES + line];
}
OMT_PATHS(sum_across,
          (const omt_filter *filter, const uint8_t *in, size_t in_row, size_t lines, size_t unit,
           uint8_t *turned, float *sums, float *out),
          (filter, in, in_row, lines, unit, turned, sums, out))

/* One row of the vertical pass. */
OMT_HOT void sum_row_body(const omt_filter *filter, size_t i, const float *in, size_t row,
                          float *to)
{
	const float *from = in + (size_t)filter->first[i] * row;
	const double *weights = filter->weights + i * (size_t)filter->taps;
	size_t c = 0;
	for (; c + LINES <= row; c += LINES)
		sum_f32(from + c, row, weights, filter->count[i], to + c, LINES);
	if (c < row)
		sum_f32(from + c, row, weights, filter->count[i], to + c, row - c);
}
OMT_PATHS(sum_row, (const omt_filter *filter, size_t i, const float *in, size_t row, float *to),
          (filter, i, in, row, to))

omt_status omt_resize_f32(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                          int32_t out_height, int32_t out_width, float *out, omt_error *err)
{
	const size_t unit = (size_t)channels, rows = (size_t)height;
	const size_t in_row = (size_t)width * unit, out_row = (size_t)out_width * unit;
	omt_filter across = {0}, down = {0};
	if (height == out_height && width == out_width) {
		for (size_t i = 0; i < rows * in_row; i++)
			out[i] = (float)in[i];
		return OMT_OK;
	}
	float *middle = malloc(rows * out_row * sizeof *middle);
	float *sums = malloc(LINES * out_row * sizeof *sums);
	uint8_t *turned = malloc(LINES * in_row);
	bool done = middle && sums && turned && filter_make(&across, width, out_width, true) &&
	            filter_make(&down, height, out_height, true);
	for (size_t row = 0; done && row < rows; row += LINES)
		sum_across(&across, in + row * in_row, in_row,
		           rows - row < LINES ? rows - row : LINES, unit, turned, sums,
		           middle + row * out_row);
	for (size_t i = 0; done && i < (size_t)out_height; i++)
		sum_row(&down, i, middle, out_row, out + i * out_row);
	free(middle);
	free(sums);
	free(turned);
	filter_free(&across);
	filter_free(&down);
	return done ? OMT_OK : no_memory(out_height, out_width, err);
}
