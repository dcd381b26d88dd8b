#include "bench/scenario/samples.h"

#include <math.h>

#include "base/median.h"

#define CONFIDENCE 0.99

/* percent / 100 * count is a whole number for 99 % of 1,100; floating point must not make more of
 * it. */
static uint64_t rank_of(uint64_t count, double percent)
{
	const double exact = percent * (double)count / 100;
	const double rank = ceil(exact - 1e-9 * exact);
	return rank < 1 ? 1 : rank > (double)count ? count : (uint64_t)rank;
}

double omt_samples_percentile(const double *values, size_t count, double percent)
{
	return values[rank_of(count, percent) - 1];
}

uint64_t omt_samples_allowed(uint64_t count, double percent)
{
	return count ? count - rank_of(count, percent) : 0;
}

bool omt_samples_bound(const double *values, size_t count, double percent, double *bound)
{
	const double n = (double)count, miss = 1 - percent / 100;
	double sum = 0; /* P[Binomial <= t] */
	size_t t = 0;
	if (miss <= 0)
		return false;
	for (; t < count; t++) {
		const double k = (double)t;
		sum += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(miss) +
		           (n - k) * log1p(-miss));
		if (sum > 1 - CONFIDENCE)
			break;
	}
	if (t < 2) /* the largest t that holds is t - 1, and it must be one value at least */
		return false;
	*bound = values[count - (t - 1)];
	return true;
}

static double mean(const double *values, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	return sum / (double)count;
}

static const struct {
	const char *key;
	double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99_9", 99.9}};

json_t *omt_samples_describe(double *values, size_t count)
{
	json_t *object = json_object();
	omt_reals_sort(values, count);
	json_object_set_new(object, "min", count ? json_real(values[0]) : json_null());
	json_object_set_new(object, "mean", count ? json_real(mean(values, count)) : json_null());
	for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
		json_object_set_new(object, percentiles[i].key,
		                    count ? json_real(omt_samples_percentile(
						    values, count, percentiles[i].percent))
		                          : json_null());
	json_object_set_new(object, "max", count ? json_real(values[count - 1]) : json_null());
	return object;
}

json_t *omt_samples_describe_short(double *values, size_t count)
{
	omt_reals_sort(values, count);
	if (!count)
		return json_pack("{sn sn sn}", "mean", "p50", "p99");
	return json_pack("{sf sf sf}", "mean", mean(values, count), "p50",
	                 omt_samples_percentile(values, count, 50), "p99",
	                 omt_samples_percentile(values, count, 99));
}
