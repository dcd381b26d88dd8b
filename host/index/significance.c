#include "index/significance.h"

#include <math.h>
#include <stdlib.h>

#include "base/median.h"
#include "base/random.h"

/* Streams of one seed. */
enum { DRAW_MEANS, DRAW_SIGNS, DRAW_DIFFERENCES };

/* The ceil(share * count)-th of sorted values. */
static double at_share(const double *sorted, int32_t count, double share)
{
	int32_t nth = (int32_t)ceil(share * count);
	return sorted[nth < 1 ? 0 : nth - 1];
}

static void interval(double *values, int32_t count, double *low, double *high)
{
	omt_reals_sort(values, (size_t)count);
	*low = at_share(values, count, 0.025);
	*high = at_share(values, count, 0.975);
}

omt_status omt_bootstrap_means(const double *values, size_t rows, size_t columns, int32_t resamples,
                               uint64_t seed, double *low, double *high, omt_error *err)
{
	omt_random random;
	double *means = calloc((size_t)resamples * columns + 1, sizeof *means); /* [columns, N] */
	double *sums = malloc((columns + 1) * sizeof *sums);
	if (!means || !sums) {
		free(means);
		free(sums);
		return OMT_FAIL(err, NO_MEMORY, "%d resamples", resamples);
	}
	omt_random_seed(&random, seed, DRAW_MEANS);
	for (int32_t b = 0; b < resamples; b++) {
		for (size_t c = 0; c < columns; c++)
			sums[c] = 0;
		for (size_t i = 0; i < rows; i++) {
			const double *row = values + omt_random_below(&random, rows) * columns;
			for (size_t c = 0; c < columns; c++)
				sums[c] += row[c];
		}
		for (size_t c = 0; c < columns; c++)
			means[c * (size_t)resamples + (size_t)b] = sums[c] / (double)rows;
	}
	for (size_t c = 0; c < columns; c++)
		interval(means + c * (size_t)resamples, resamples, &low[c], &high[c]);
	free(means);
	free(sums);
	return OMT_OK;
}

/* ---- two runs -------------------------------------------------------------------------------- */

static double p_value(int64_t extreme, int64_t resamples)
{
	return (double)(extreme + 1) / (double)(resamples + 1);
}

/* Sums of the same numbers in another order differ in their last bits: they count as equal. */
static bool as_far(double value, double observed)
{
	return fabs(value) >= fabs(observed) * (1 - 1e-12);
}

/* Smucker, Allan and Carterette 2007: under the null hypothesis either run could have given either
 * value of a query. Queries without a difference do not matter. */
static double randomise(const double *differences, size_t count, int32_t resamples, uint64_t seed)
{
	omt_random random;
	double observed = 0;
	size_t moved = 0;
	int64_t extreme = 0;
	for (size_t i = 0; i < count; i++) {
		observed += differences[i];
		moved += differences[i] != 0;
	}
	const bool exact = moved < 31 && 1 << moved <= resamples;
	const int64_t trials = exact ? 1 << moved : resamples;
	omt_random_seed(&random, seed, DRAW_SIGNS);
	for (int64_t trial = 0; trial < trials; trial++) {
		uint64_t signs = (uint64_t)trial;
		double total = 0;
		size_t used = 0;
		for (size_t i = 0; i < count; i++) {
			if (differences[i] == 0)
				continue;
			if (!exact && used % 64 == 0)
				signs = omt_random_next(&random);
			total += signs >> used++ % 64 & 1 ? differences[i] : -differences[i];
		}
		extreme += as_far(total, observed);
	}
	return exact ? (double)extreme / (double)trials : p_value(extreme, trials);
}

/* Mean over its standard error; of values that are all the same 0 or infinite. */
static double studentised(double sum, double squares, size_t count)
{
	const double n = (double)count, mean = sum / n;
	const double variance = n > 1 ? (squares - sum * mean) / (n - 1) : 0;
	if (variance > 1e-24)
		return mean / sqrt(variance / n);
	return fabs(mean) > 1e-12 ? INFINITY : 0;
}

/* Sakai 2006, figure 1, and the interval of the mean from the same draws. */
static void resample(const double *differences, size_t count, int32_t resamples, uint64_t seed,
                     double *means, omt_paired *paired)
{
	omt_random random;
	double sum = 0, squares = 0;
	int64_t extreme = 0;
	const double mean = paired->difference;
	for (size_t i = 0; i < count; i++) {
		sum += differences[i];
		squares += differences[i] * differences[i];
	}
	const double observed = studentised(sum, squares, count);
	omt_random_seed(&random, seed, DRAW_DIFFERENCES);
	for (int32_t b = 0; b < resamples; b++) {
		double drawn = 0;
		sum = squares = 0;
		for (size_t i = 0; i < count; i++) {
			const double difference = differences[omt_random_below(&random, count)];
			const double shifted = difference - mean;
			drawn += difference;
			sum += shifted;
			squares += shifted * shifted;
		}
		means[b] = drawn / (double)count;
		extreme += as_far(studentised(sum, squares, count), observed);
	}
	paired->p_bootstrap = p_value(extreme, resamples);
	interval(means, resamples, &paired->low, &paired->high);
}

omt_status omt_paired_compare(const double *a, const double *b, size_t count, int32_t resamples,
                              uint64_t seed, omt_paired *paired, omt_error *err)
{
	*paired = (omt_paired){.p_randomisation = 1, .p_bootstrap = 1};
	if (!count)
		return OMT_OK;
	double *differences = malloc(count * sizeof *differences);
	double *means = malloc((size_t)resamples * sizeof *means);
	if (!differences || !means) {
		free(differences);
		free(means);
		return OMT_FAIL(err, NO_MEMORY, "%zu queries, %d resamples", count, resamples);
	}
	for (size_t i = 0; i < count; i++) {
		differences[i] = b[i] - a[i];
		paired->difference += differences[i] / (double)count;
	}
	paired->p_randomisation = randomise(differences, count, resamples, seed);
	resample(differences, count, resamples, seed, means, paired);
	free(differences);
	free(means);
	return OMT_OK;
}
