#include "index/significance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* A matrix [rows, columns] of differences, and what is counted of each column. */
typedef struct omt_columns {
	size_t rows, columns;
	int32_t resamples;
	uint64_t seed;
	int64_t *extreme;
} omt_columns;

static double p_value(int64_t extreme, int64_t resamples)
{
	return (double)(extreme + 1) / (double)(resamples + 1);
}

/* Sums of the same numbers in another order differ in their last bits: they count as equal. */
static bool as_far(double value, double observed)
{
	return fabs(value) >= fabs(observed) * (1 - 1e-12);
}

/* Signs of all queries at once: under the null hypothesis either run could have given either value
 * (Smucker, Allan and Carterette 2007). */
static void randomise(const double *differences, const omt_columns *of, double *sums,
                      omt_paired *paired)
{
	omt_random random;
	omt_random_seed(&random, of->seed, DRAW_SIGNS);
	for (size_t c = 0; c < of->columns; c++)
		of->extreme[c] = 0;
	for (int32_t trial = 0; trial < of->resamples; trial++) {
		uint64_t signs = 0;
		memset(sums, 0, of->columns * sizeof *sums);
		for (size_t i = 0; i < of->rows; i++) {
			const double *row = differences + i * of->columns;
			signs = i % 64 ? signs >> 1 : omt_random_next(&random);
			const double sign = signs & 1 ? 1 : -1;
			for (size_t c = 0; c < of->columns; c++)
				sums[c] += sign * row[c];
		}
		for (size_t c = 0; c < of->columns; c++)
			of->extreme[c] += as_far(sums[c], paired[c].difference * (double)of->rows);
	}
	for (size_t c = 0; c < of->columns; c++)
		paired[c].p_randomisation = p_value(of->extreme[c], of->resamples);
}

#define EXACT_MAX 30

/* All signs of one column, when they are no more than the resamples; queries without a difference
 * do not matter. */
static void try_all_signs(const double *differences, const omt_columns *of, size_t column,
                          omt_paired *paired)
{
	double moved[EXACT_MAX], observed = 0;
	size_t count = 0;
	int64_t extreme = 0;
	for (size_t i = 0; i < of->rows; i++) {
		const double difference = differences[i * of->columns + column];
		if (difference == 0)
			continue;
		if (count == EXACT_MAX || of->resamples >> count < 2)
			return;
		moved[count++] = difference;
		observed += difference;
	}
	for (int64_t signs = 0; signs < 1 << count; signs++) {
		double sum = 0;
		for (size_t i = 0; i < count; i++)
			sum += signs >> i & 1 ? moved[i] : -moved[i];
		extreme += as_far(sum, observed);
	}
	paired->p_randomisation = (double)extreme / (double)(1 << count);
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

/* What is summed over the queries of one draw, of each column. */
typedef struct omt_drawn {
	double *plain, *shifted, *squares;
} omt_drawn;

static void add_row(const double *row, const omt_columns *of, const omt_paired *paired,
                    const omt_drawn *drawn)
{
	for (size_t c = 0; c < of->columns; c++) {
		const double shifted = row[c] - paired[c].difference;
		drawn->plain[c] += row[c];
		drawn->shifted[c] += shifted;
		drawn->squares[c] += shifted * shifted;
	}
}

/* Student's t of the differences as they are. */
static double observe(const double *differences, const omt_columns *of, size_t column)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < of->rows; i++) {
		const double difference = differences[i * of->columns + column];
		sum += difference;
		squares += difference * difference;
	}
	return studentised(sum, squares, of->rows);
}

/* Sakai 2006, figure 1, and the interval of the mean from the same draws. */
static void resample(const double *differences, const omt_columns *of, const omt_drawn *drawn,
                     double *observed, double *means, omt_paired *paired)
{
	omt_random random;
	omt_random_seed(&random, of->seed, DRAW_DIFFERENCES);
	for (size_t c = 0; c < of->columns; c++) {
		observed[c] = observe(differences, of, c);
		of->extreme[c] = 0;
	}
	for (int32_t b = 0; b < of->resamples; b++) {
		memset(drawn->plain, 0, of->columns * sizeof(double));
		memset(drawn->shifted, 0, of->columns * sizeof(double));
		memset(drawn->squares, 0, of->columns * sizeof(double));
		for (size_t i = 0; i < of->rows; i++)
			add_row(differences + omt_random_below(&random, of->rows) * of->columns, of,
			        paired, drawn);
		for (size_t c = 0; c < of->columns; c++) {
			double t = studentised(drawn->shifted[c], drawn->squares[c], of->rows);
			of->extreme[c] += as_far(t, observed[c]);
			means[c * (size_t)of->resamples + (size_t)b] =
				drawn->plain[c] / (double)of->rows;
		}
	}
	for (size_t c = 0; c < of->columns; c++) {
		paired[c].p_bootstrap = p_value(of->extreme[c], of->resamples);
		interval(means + c * (size_t)of->resamples, of->resamples, &paired[c].low,
		         &paired[c].high);
	}
}

omt_status omt_paired_compare(const double *a, const double *b, size_t rows, size_t columns,
                              int32_t resamples, uint64_t seed, omt_paired *paired, omt_error *err)
{
	omt_columns of = {rows, columns, resamples, seed, NULL};
	for (size_t c = 0; c < columns; c++)
		paired[c] = (omt_paired){.p_randomisation = 1, .p_bootstrap = 1};
	if (!rows)
		return OMT_OK;
	double *differences = malloc((rows * columns + 1) * sizeof *differences);
	double *means = malloc(((size_t)resamples * columns + 1) * sizeof *means);
	double *sums = malloc((4 * columns + 1) * sizeof *sums);
	of.extreme = malloc((columns + 1) * sizeof *of.extreme);
	const bool whole = differences && means && sums && of.extreme;
	for (size_t i = 0; whole && i < rows * columns; i++) {
		differences[i] = b[i] - a[i];
		paired[i % columns].difference += differences[i] / (double)rows;
	}
	if (whole) {
		const omt_drawn drawn = {sums, sums + columns, sums + 2 * columns};
		randomise(differences, &of, sums, paired);
		for (size_t c = 0; c < columns; c++)
			try_all_signs(differences, &of, c, &paired[c]);
		resample(differences, &of, &drawn, sums + 3 * columns, means, paired);
	}
	free(differences);
	free(means);
	free(sums);
	free(of.extreme);
	return whole ? OMT_OK
	             : OMT_FAIL(err, NO_MEMORY, "%zu queries, %d resamples", rows, resamples);
}
