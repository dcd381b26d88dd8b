/* Axes: ranges and ticks. */
#include <math.h>

#include "bench/report/plot.h"

/* The largest of 1, 2, 5 times a power of ten that is not above `value`, or the least not below. */
static double nice(double value, bool up)
{
	static const double steps[] = {1, 2, 5, 10};
	double power = pow(10, floor(log10(value)));
	double fraction = value / power, best = up ? 10 : 1;
	for (int i = 0; i < 4; i++) {
		double step = steps[up ? 3 - i : i];
		if (up ? step >= fraction * (1 - 1e-9) : step <= fraction * (1 + 1e-9))
			best = step;
	}
	return best * power;
}

static void fit_linear(omt_scale *scale, size_t want)
{
	double step = nice((scale->high - scale->low) / (double)(want ? want : 1), true);
	double first = floor(scale->low / step + 1e-9), last = ceil(scale->high / step - 1e-9);
	scale->count = 0;
	scale->decimals = (int)-floor(log10(step) + 1e-9);
	scale->decimals = scale->decimals < 0 ? 0 : scale->decimals;
	for (double i = first; i <= last && scale->count < OMT_PLOT_TICKS; i++)
		scale->ticks[scale->count++] = i * step;
	scale->low = scale->ticks[0];
	scale->high = scale->ticks[scale->count - 1];
}

/* Ticks at every `stride`-th power of ten, or at 1, 2, 5 times each. */
static void log_ticks(omt_scale *scale, int stride, bool between)
{
	static const double multiples[] = {1, 2, 5};
	int first = (int)floor(log10(scale->low) + 1e-9);
	scale->count = 0;
	for (int exponent = first; exponent <= 300; exponent++)
		for (int i = 0; i < (between ? 3 : 1); i++) {
			double tick = multiples[i] * pow(10, exponent);
			if (tick > scale->high * (1 + 1e-9))
				return;
			if ((exponent - first) % stride == 0 && tick >= scale->low * (1 - 1e-9) &&
			    scale->count < OMT_PLOT_TICKS)
				scale->ticks[scale->count++] = tick;
		}
}

static void fit_log(omt_scale *scale, size_t want)
{
	double decades = log10(scale->high / scale->low), room = want > 2 ? (double)want : 2;
	if (scale->high < 4 * scale->low) {
		double low = scale->low;
		fit_linear(scale, want);
		if (scale->low > 0)
			return;
		scale->low = low; /* zero is nowhere on this scale */
		scale->ticks[0] = low;
		return;
	}
	scale->low = nice(scale->low, false);
	scale->high = nice(scale->high, true);
	if (3 * decades <= room + 1)
		log_ticks(scale, 1, true);
	else
		log_ticks(scale, (int)ceil(decades / room), false);
	if (scale->count < 2) /* a decade and a bit: both its ends may lie outside */
		log_ticks(scale, 1, true);
}

void omt_scale_fit(omt_scale *scale, double low, double high, bool log, size_t want)
{
	const double most = 1e250;
	low = isfinite(low) ? fmin(fmax(low, -most), most) : 0;
	high = isfinite(high) ? fmin(fmax(high, -most), most) : 1;
	want = want < OMT_PLOT_TICKS - 2 ? want : OMT_PLOT_TICKS - 2;
	if (!(high - low > 1e-9 * fmax(fabs(low), fabs(high)))) {
		double middle = low, around = middle != 0 ? fabs(middle) / 2 : 1;
		low = middle - around;
		high = middle + around;
	}
	*scale = (omt_scale){.low = low, .high = high, .log = log && low > 1e-250};
	if (scale->log)
		fit_log(scale, want);
	else
		fit_linear(scale, want);
}

double omt_scale_place(const omt_scale *scale, double value)
{
	double place;
	if (scale->log)
		place = value > 0 ? log(value / scale->low) / log(scale->high / scale->low) : 0;
	else
		place = (value - scale->low) / (scale->high - scale->low);
	return place > 0 ? fmin(place, 1) : 0;
}
