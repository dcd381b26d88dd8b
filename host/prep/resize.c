/* Bicubic resizing with antialiasing in the three forms of the reference. All are separable and use
 * the same filter (Keys, a = -0.5, stretched by the scale when shrinking); they differ in the
 * weights' precision, in rounding between the passes, and in which pass comes first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prep/prep.h"

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

static uint8_t clip_8(int32_t sum, int32_t precision)
{
	int32_t value = (sum + (1 << (precision - 1))) >> precision;
	return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Values summed at a time. A pass goes over neighbouring values (the channels of a pixel, or a
 * whole row) in blocks, all weights of a block in turn, so that memory is read in its order. */
#define BLOCK 64

/* sums[n] = weighted sums of n neighbouring values, whose samples are `step` apart. */
static inline void sum_u8(const uint8_t *from, size_t step, const int32_t *weights, int32_t count,
                          int32_t *sums, size_t n)
{
	for (size_t c = 0; c < n; c++)
		sums[c] = 0;
	for (int32_t j = 0; j < count; j++, from += step)
		for (size_t c = 0; c < n; c++)
			sums[c] += from[c] * weights[j];
}

/* One pass: `lines` lines of samples `step` apart (in `unit` neighbouring values each). */
static void pass_u8(const omt_filter *filter, const uint8_t *in, uint8_t *out, int32_t lines,
                    size_t in_line, size_t out_line, size_t step, size_t unit)
{
	int32_t sums[BLOCK];
	for (int32_t line = 0; line < lines; line++)
		for (int32_t i = 0; i < filter->outputs; i++) {
			const uint8_t *from =
				in + (size_t)line * in_line + (size_t)filter->first[i] * step;
			const int32_t *weights = filter->fixed + (size_t)i * (size_t)filter->taps;
			int32_t count = filter->count[i];
			uint8_t *to = out + (size_t)line * out_line + (size_t)i * step;
			for (size_t c = 0; c < unit; c += BLOCK) {
				size_t n = unit - c < BLOCK ? unit - c : BLOCK;
				/* Constant lengths let the compiler use vectors. */
				if (n == BLOCK)
					sum_u8(from + c, step, weights, count, sums, BLOCK);
				else if (n == 3)
					sum_u8(from + c, step, weights, count, sums, 3);
				else
					sum_u8(from + c, step, weights, count, sums, n);
				for (size_t k = 0; k < n; k++)
					to[c + k] = clip_8(sums[k], filter->precision);
			}
		}
}

/* Both passes; `vertical_first` says which comes first. Each is left out when its size stays. */
static bool resize_u8(const omt_filter *across, const omt_filter *down, const uint8_t *in,
                      int32_t height, int32_t width, int32_t channels, bool vertical_first,
                      uint8_t *out)
{
	size_t unit = (size_t)channels;
	size_t in_row = (size_t)width * unit, out_row = (size_t)across->outputs * unit;
	bool wide = across->outputs != width, tall = down->outputs != height;
	if (!wide && !tall) {
		memcpy(out, in, (size_t)height * in_row);
	} else if (!tall) {
		pass_u8(across, in, out, height, in_row, out_row, unit, unit);
	} else if (!wide) { /* a row is one wide sample */
		pass_u8(down, in, out, 1, 0, 0, in_row, in_row);
	} else {
		size_t rows = (size_t)(vertical_first ? down->outputs : height);
		uint8_t *middle = malloc(rows * (vertical_first ? in_row : out_row));
		if (!middle)
			return false;
		if (vertical_first) {
			pass_u8(down, in, middle, 1, 0, 0, in_row, in_row);
			pass_u8(across, middle, out, down->outputs, in_row, out_row, unit, unit);
		} else {
			pass_u8(across, in, middle, height, in_row, out_row, unit, unit);
			pass_u8(down, middle, out, 1, 0, 0, out_row, out_row);
		}
		free(middle);
	}
	return true;
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

/* ATen's loop is compiled to fused multiply-adds; a product and sum in f64, rounded in every step,
 * gives the same without the hardware. */
static inline void sum_f32(const float *from, size_t step, const double *weights, int32_t count,
                           float *sums, size_t n)
{
	for (size_t c = 0; c < n; c++)
		sums[c] = from[c] * (float)weights[0];
	for (int32_t j = 1; j < count; j++) {
		from += step;
		for (size_t c = 0; c < n; c++)
			sums[c] = (float)((double)from[c] * weights[j] + (double)sums[c]);
	}
}

static void pass_f32(const omt_filter *filter, const float *in, float *out, int32_t lines,
                     size_t in_line, size_t out_line, size_t step, size_t unit)
{
	for (int32_t line = 0; line < lines; line++)
		for (int32_t i = 0; i < filter->outputs; i++) {
			const float *from =
				in + (size_t)line * in_line + (size_t)filter->first[i] * step;
			const double *weights = filter->weights + (size_t)i * (size_t)filter->taps;
			int32_t count = filter->count[i];
			float *to = out + (size_t)line * out_line + (size_t)i * step;
			for (size_t c = 0; c < unit; c += BLOCK) {
				size_t n = unit - c < BLOCK ? unit - c : BLOCK;
				if (n == BLOCK)
					sum_f32(from + c, step, weights, count, to + c, BLOCK);
				else if (n == 3)
					sum_f32(from + c, step, weights, count, to + c, 3);
				else
					sum_f32(from + c, step, weights, count, to + c, n);
			}
		}
}

omt_status omt_resize_f32(const float *in, int32_t height, int32_t width, int32_t channels,
                          int32_t out_height, int32_t out_width, float *out, omt_error *err)
{
	size_t unit = (size_t)channels;
	size_t in_row = (size_t)width * unit, out_row = (size_t)out_width * unit;
	omt_filter across = {0}, down = {0};
	if (height == out_height && width == out_width) {
		memcpy(out, in, (size_t)height * in_row * sizeof *out);
		return OMT_OK;
	}
	float *middle = malloc((size_t)height * out_row * sizeof *middle);
	bool done = middle && filter_make(&across, width, out_width, true) &&
	            filter_make(&down, height, out_height, true);
	if (done) {
		pass_f32(&across, in, middle, height, in_row, out_row, unit, unit);
		pass_f32(&down, middle, out, 1, 0, 0, out_row, out_row);
	}
	free(middle);
	filter_free(&across);
	filter_free(&down);
	return done ? OMT_OK : no_memory(out_height, out_width, err);
}
