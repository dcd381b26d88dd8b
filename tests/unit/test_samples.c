/* Percentiles of all samples, arrivals as a Poisson process has them, and the rules that make a
 * part valid. */
#include <math.h>
#include <time.h>

#include "base/median.h"
#include "bench/scenario/arrivals.h"
#include "bench/scenario/meter.h"
#include "bench/scenario/part.h"
#include "bench/scenario/samples.h"
#include "tests/unit/scratch.h"

static omt_error err;

/* ---- percentiles ---- */

/* By the definition: the least value so that at least percent of all are not above it. */
static double by_definition(const double *values, size_t count, double percent)
{
	double least = INFINITY;
	for (size_t i = 0; i < count; i++) {
		size_t within = 0;
		for (size_t j = 0; j < count; j++)
			within += values[j] <= values[i];
		/* In whole numbers: percent has one decimal. */
		if (within * 1000 >= count * (size_t)llround(10 * percent))
			least = fmin(least, values[i]);
	}
	return least;
}

Test(samples, percentiles_are_by_nearest_rank)
{
	static const double percents[] = {0.1, 1, 50, 90, 95, 99, 99.9, 100};
	omt_random random;
	omt_random_seed(&random, 7, 0);
	for (size_t count = 1; count < 1200; count += 1 + count / 9) {
		double values[1200];
		for (size_t i = 0; i < count; i++) /* with ties */
			values[i] = floor(100 * omt_random_unit(&random));
		omt_reals_sort(values, count);
		for (size_t p = 0; p < sizeof percents / sizeof *percents; p++)
			cr_expect_eq(omt_samples_percentile(values, count, percents[p]),
			             by_definition(values, count, percents[p]), "%g of %zu",
			             percents[p], count);
	}
}

Test(samples, as_many_may_be_late_as_a_percentile_leaves_out)
{
	cr_expect_eq(omt_samples_allowed(100, 99), 1);
	cr_expect_eq(omt_samples_allowed(99, 99), 0);
	cr_expect_eq(omt_samples_allowed(1100, 99), 11);
	cr_expect_eq(omt_samples_allowed(1000, 99.9), 1);
	cr_expect_eq(omt_samples_allowed(0, 99), 0);
	for (size_t count = 1; count < 500; count++) {
		double values[500] = {0};
		const size_t late = (size_t)omt_samples_allowed(count, 97);
		for (size_t i = 0; i < count; i++)
			values[i] = i < count - late ? 1 : 2;
		cr_expect_eq(omt_samples_percentile(values, count, 97), 1);
		values[count - late - 1] = 2;
		cr_expect_eq(omt_samples_percentile(values, count, 97), 2);
	}
}

/* LoadGen's least counts of queries for an estimate: 64 of the 90th percentile, 662 of the 99th. */
Test(samples, bounds_need_as_many_samples_as_loadgen_says)
{
	static double values[2000];
	double bound = -1;
	for (int i = 0; i < 2000; i++)
		values[i] = i;
	cr_expect(!omt_samples_bound(values, 63, 90, &bound));
	cr_expect(omt_samples_bound(values, 64, 90, &bound));
	cr_expect_eq(bound, 63);
	cr_expect(!omt_samples_bound(values, 661, 99, &bound));
	cr_expect(omt_samples_bound(values, 662, 99, &bound));
	cr_expect_eq(bound, 661);
	cr_expect(!omt_samples_bound(values, 0, 99, &bound));
	cr_expect(!omt_samples_bound(values, 10, 100, &bound));
}

/* Of many runs of 200 samples one in a hundred at most has a bound below the true percentile. */
Test(samples, bounds_hold_as_often_as_they_say)
{
	enum { RUNS = 20000, SAMPLES = 200 };
	omt_random random;
	int wrong = 0;
	omt_random_seed(&random, 3, 0);
	for (int run = 0; run < RUNS; run++) {
		double values[SAMPLES], bound;
		for (int i = 0; i < SAMPLES; i++)
			values[i] = omt_random_unit(&random);
		omt_reals_sort(values, SAMPLES);
		cr_assert(omt_samples_bound(values, SAMPLES, 90, &bound));
		wrong += bound < 0.9;
	}
	cr_log_info("%d of %d bounds were too low", wrong, RUNS);
	cr_expect_lt(wrong, RUNS / 100);
	cr_expect_gt(wrong, RUNS / 1000, "a bound that always holds says nothing");
}

Test(samples, nothing_is_known_of_no_samples)
{
	json_t *none = omt_samples_describe(NULL, 0);
	cr_expect(json_is_null(json_object_get(none, "p99")));
	cr_expect_eq(json_object_size(none), 8);
	json_decref(none);
}

/* ---- arrivals ---- */

enum { GAPS = 100000 };

/* How gaps of mean 1 differ from a Poisson process's; each is a few standard deviations of what
 * chance does at most, KS the 1 % point of its distribution. */
static int judge_gaps(const double *gaps, bool tell)
{
	static double sorted[GAPS];
	double mean = 0, variance = 0, lag = 0, distance = 0, at = 0;
	enum { WINDOW = 10, WINDOWS = GAPS / WINDOW - 200 };
	static double counts[WINDOWS];
	memset(counts, 0, sizeof counts);
	for (int i = 0; i < GAPS; i++) {
		mean += gaps[i] / GAPS;
		at += gaps[i];
		if (at < (double)WINDOWS * WINDOW)
			counts[(int)(at / WINDOW)]++;
		sorted[i] = gaps[i];
	}
	for (int i = 0; i < GAPS; i++)
		variance += (gaps[i] - mean) * (gaps[i] - mean) / (GAPS - 1);
	for (int i = 0; i + 1 < GAPS; i++)
		lag += (gaps[i] - mean) * (gaps[i + 1] - mean) / variance / (GAPS - 1);
	omt_reals_sort(sorted, GAPS);
	for (int i = 0; i < GAPS; i++) {
		const double expected = -expm1(-sorted[i]);
		distance = fmax(distance, fmax(fabs(expected - (double)i / GAPS),
		                               fabs(expected - (i + 1.0) / GAPS)));
	}
	double counted = 0, spread = 0;
	for (int i = 0; i < WINDOWS; i++)
		counted += counts[i] / WINDOWS;
	for (int i = 0; i < WINDOWS; i++)
		spread += (counts[i] - counted) * (counts[i] - counted) / (WINDOWS - 1);
	const double dispersion = spread / counted, root = sqrt(GAPS);
	if (tell)
		cr_log_info("mean %.4f, variance %.4f, KS %.5f, dispersion %.4f, lag 1 %.5f", mean,
		            variance, distance, dispersion, lag);
	/* Standard deviations: of the mean 1/root, of the variance sqrt(8)/root, of the index of
	 * dispersion sqrt(2/windows), of the autocorrelation 1/root. */
	return (fabs(mean - 1) > 3 / root) + (fabs(variance - 1) > 3 * sqrt(8) / root) +
	       (distance > 1.628 / root) + (fabs(dispersion - 1) > 3 * sqrt(2.0 / WINDOWS)) +
	       (fabs(lag) > 3 / root);
}

Test(arrivals, are_a_poisson_process)
{
	for (int64_t seed = 1; seed <= 3; seed++) {
		double *times, gaps[GAPS];
		size_t count;
		const double rate = 1000;
		cr_assert_eq(omt_arrivals_make(rate, 0, GAPS, seed, 2, &times, &count, &err),
		             OMT_OK);
		cr_assert_eq(count, GAPS);
		for (int i = 0; i < GAPS; i++)
			gaps[i] = rate * (times[i] - (i ? times[i - 1] : 0));
		cr_expect_eq(judge_gaps(gaps, true), 0);
		free(times);
	}
}

/* The same checks see what is no Poisson process, though its rate is right. */
Test(arrivals, others_are_told_from_a_poisson_process)
{
	static double gaps[GAPS];
	omt_random random;
	omt_random_seed(&random, 1, 2);
	for (int i = 0; i < GAPS; i++)
		gaps[i] = 2 * omt_random_unit(&random);
	cr_expect_geq(judge_gaps(gaps, false), 3, "uniform gaps");
	for (int i = 0; i < GAPS; i++)
		gaps[i] = 1;
	cr_expect_geq(judge_gaps(gaps, false), 3, "equal gaps");
	/* Exponential, but in clusters: half of the gaps three times as long as the others. */
	for (int i = 0; i < GAPS; i++)
		gaps[i] = omt_arrivals_gap(&random) * (i / 500 % 2 ? 1.5 : 0.5);
	cr_expect_geq(judge_gaps(gaps, false), 2, "clusters");
	/* Each gap twice. */
	for (int i = 0; i < GAPS; i++)
		gaps[i] = i % 2 ? gaps[i - 1] : omt_arrivals_gap(&random);
	cr_expect_geq(judge_gaps(gaps, false), 2, "pairs");
}

Test(arrivals, of_a_seed_are_the_same_at_any_rate)
{
	double *slow, *fast, *other;
	size_t slow_count, fast_count, other_count;
	cr_assert_eq(omt_arrivals_make(10, 5, 100, 1, 2, &slow, &slow_count, &err), OMT_OK);
	cr_assert_eq(omt_arrivals_make(40, 5, 100, 1, 2, &fast, &fast_count, &err), OMT_OK);
	cr_assert_eq(omt_arrivals_make(10, 5, 100, 1, 3, &other, &other_count, &err), OMT_OK);
	cr_expect_eq(slow_count, 100, "as many queries as are asked for");
	cr_expect_gt(fast_count, 150, "as long as is asked for");
	cr_expect_geq(fast[fast_count - 1], 5);
	cr_expect_lt(fast[fast_count - 2], 5);
	for (int i = 0; i < 100; i++)
		cr_expect_float_eq(slow[i], 4 * fast[i], 1e-9);
	cr_expect_neq(slow[0], other[0]);
	free(slow);
	free(fast);
	free(other);
	cr_expect_eq(omt_arrivals_make(1e9, 10, 1, 1, 2, &slow, &slow_count, &err), OMT_LIMIT);
	cr_expect_eq(omt_arrivals_make(0, 10, 1, 1, 2, &slow, &slow_count, &err), OMT_LIMIT);
}

/* ---- validity ---- */

static void expect_verdict(const omt_verdict *verdict, const char *reason, const char *remark)
{
	json_t *reasons = json_array(), *remarks = json_array();
	omt_verdict_judge(verdict, reasons, remarks);
	const char *said = json_string_value(json_array_get(reasons, 0));
	const char *remarked = json_string_value(json_array_get(remarks, 0));
	cr_expect_str_eq(said ? said : "", reason);
	cr_expect_str_eq(remarked ? remarked : "", remark);
	cr_expect_leq(json_array_size(reasons), 1);
	cr_expect_leq(json_array_size(remarks), 1);
	json_decref(reasons);
	json_decref(remarks);
}

Test(verdict, says_why_a_part_is_not_valid)
{
	const omt_verdict good = {.mode = OMT_BENCH_SERVER,
	                          .duration_s = 10,
	                          .min_duration_s = 10,
	                          .queries = 1000,
	                          .min_queries = 1000,
	                          .items = 1000,
	                          .samples = 1000,
	                          .percentile = 99,
	                          .latency_ms = 100,
	                          .target_latency_ms = 100,
	                          .least_ms = 10,
	                          .after_s = 0.1,
	                          .lag_ms = 1};
	omt_verdict v = good;
	expect_verdict(&v, "", "");
	v.duration_s = 9.25;
	expect_verdict(&v, "9.250 s, at least 10", "");
	v = good;
	v.min_queries = 1001;
	expect_verdict(&v, "1000 queries, at least 1001", "");
	v = good;
	v.failed = 3;
	expect_verdict(&v, "3 of 1000 items failed", "");
	v = good;
	v.latency_ms = 100.5;
	expect_verdict(&v, "latency 100.5 ms in the 99th percentile, at most 100", "");
	v.mode = OMT_BENCH_OFFLINE;
	expect_verdict(&v, "", "");
	v = good;
	v.after_s = 1.5;
	expect_verdict(&v, "arrivals fell behind: the last answer came 1.5 s after 10 s of them",
	               "");
	v.least_ms = 500; /* one alone takes that long */
	expect_verdict(&v, "", "");
	v = good;
	v.hopeless = true;
	expect_verdict(&v, "ended early: too many requests took longer than 100 ms", "");
	v = good;
	v.samples = 999;
	expect_verdict(&v, "", "999 samples: the 99.9th percentile is the largest of them");
	v = good;
	v.lag_ms = 11;
	expect_verdict(&v, "", "an arrival came 11 ms late, it counts as waiting");
}

/* ---- the meter ---- */

/* What runs is counted, what sleeps is not; calls that do nothing cost next to nothing. */
Test(meter, tells_what_calls_cost)
{
	enum { CALLS = 800 };
	omt_meter work, sleep, nothing;
	omt_meter_open(&work);
	omt_meter_open(&sleep);
	omt_meter_open(&nothing);
	for (int i = 0; i < CALLS; i++) {
		omt_meter_begin(&work);
		struct timespec at;
		double begin_s, now_s;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
		begin_s = (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
		do {
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
			now_s = (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
		} while (now_s < begin_s + 1e-4);
		omt_meter_end(&work);
		omt_meter_begin(&sleep);
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
		omt_meter_end(&sleep);
		omt_meter_begin(&nothing);
		omt_meter_end(&nothing);
	}
	cr_log_info("work %.6f s, sleep %.6f s, nothing %.6f s", omt_meter_total_s(&work),
	            omt_meter_total_s(&sleep), omt_meter_total_s(&nothing));
	cr_expect_float_eq(omt_meter_total_s(&work), CALLS * 1e-4, 0.2 * CALLS * 1e-4);
	cr_expect_lt(omt_meter_total_s(&sleep), 0.3 * CALLS * 2e-4);
	cr_expect_lt(omt_meter_total_s(&nothing), CALLS * 1e-5);
}
