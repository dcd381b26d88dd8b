#include <criterion/criterion.h>
#include <math.h>

#include "base/random.h"
#include "index/significance.h"

#define QUERIES 24

/* Two runs' values; `shift` is added to the second. */
static void make(double *a, double *b, double shift)
{
	for (int i = 0; i < QUERIES; i++) {
		a[i] = (i * 37 % 101) / 101.0;
		b[i] = ((i * 53 + 20) % 97) / 97.0 + shift;
	}
}

/* Expected values: numpy with 2 million resamples (its own generator), both tests written from the
 * papers; Student's t on the same differences gives 0.7228, 0.1030 and 0.0059. */
Test(significance, as_numpy_has_it)
{
	static const struct {
		double shift, difference, p_randomisation, p_bootstrap, low, high;
	} cases[] = {
		{0, 0.0268194, 0.72079, 0.72091, -0.11492, 0.17098},
		{0.1, 0.1268194, 0.10279, 0.10303, -0.01492, 0.27098},
		{0.2, 0.2268194, 0.00599, 0.00657, 0.08508, 0.37098},
	};
	double a[QUERIES], b[QUERIES];
	for (size_t i = 0; i < 3; i++) {
		omt_paired paired;
		const int32_t n = 50000;
		make(a, b, cases[i].shift);
		cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, n, 1, &paired, NULL), OMT_OK);
		/* Four standard errors of a share. */
		const double p = cases[i].p_randomisation, margin = 4 * sqrt(p * (1 - p) / n);
		cr_expect_float_eq(paired.difference, cases[i].difference, 1e-6);
		cr_expect_float_eq(paired.p_randomisation, p, margin, "%g", paired.p_randomisation);
		cr_expect_float_eq(paired.p_bootstrap, cases[i].p_bootstrap, margin, "%g",
		                   paired.p_bootstrap);
		cr_expect_float_eq(paired.low, cases[i].low, 0.004, "%g", paired.low);
		cr_expect_float_eq(paired.high, cases[i].high, 0.004, "%g", paired.high);
	}
}

/* Few queries: all signs are tried, as scipy.stats.permutation_test does (0.3828125). */
Test(significance, exact_for_few_queries)
{
	double a[QUERIES], b[QUERIES];
	omt_paired paired;
	make(a, b, 0.1);
	cr_assert_eq(omt_paired_compare(a, b, 10, 1, 1024, 1, &paired, NULL), OMT_OK);
	cr_expect_eq(paired.p_randomisation, 0.3828125, "%.9g", paired.p_randomisation);
	/* Three of the same difference: 2 of 8 signs are as far; others do not matter. */
	for (int i = 0; i < QUERIES; i++)
		b[i] = a[i] + (i < 3 ? 0.25 : 0);
	cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, 8, 1, &paired, NULL), OMT_OK);
	cr_expect_eq(paired.p_randomisation, 0.25, "%g", paired.p_randomisation);
}

Test(significance, the_same_twice_and_nothing)
{
	double a[QUERIES], b[QUERIES];
	omt_paired paired, again;
	make(a, b, 0);
	cr_assert_eq(omt_paired_compare(a, a, QUERIES, 1, 100, 1, &paired, NULL), OMT_OK);
	cr_expect(paired.difference == 0 && paired.low == 0 && paired.high == 0);
	cr_expect(paired.p_randomisation == 1 && paired.p_bootstrap == 1);
	cr_assert_eq(omt_paired_compare(a, a, 0, 1, 100, 1, &paired, NULL), OMT_OK);
	cr_expect(paired.p_randomisation == 1 && paired.p_bootstrap == 1);
	/* The same seed gives the same bits, another one others. */
	cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, 1000, 7, &paired, NULL), OMT_OK);
	cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, 1000, 7, &again, NULL), OMT_OK);
	cr_expect(!memcmp(&paired, &again, sizeof paired));
	cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, 1000, 8, &again, NULL), OMT_OK);
	cr_expect_neq(paired.low, again.low);
}

/* Where nothing differs but by chance, p is below 0.05 one time in twenty, and the interval of a
 * mean holds the true one nineteen times in twenty (a bit less: the percentile interval of 30
 * queries is known to be short). 1,000 trials; the margins are over four standard errors. */
Test(significance, as_often_as_said)
{
	enum { TRIALS = 1000, COUNT = 30 };
	double a[COUNT], b[COUNT];
	int randomised = 0, bootstrapped = 0, covered = 0;
	omt_random random;
	omt_random_seed(&random, 5, 0);
	for (int trial = 0; trial < TRIALS; trial++) {
		omt_paired paired;
		double low, high;
		for (int i = 0; i < COUNT; i++) {
			double hard = omt_random_unit(&random);
			a[i] = hard + omt_random_unit(&random);
			b[i] = hard + omt_random_unit(&random);
		}
		uint64_t seed = (uint64_t)trial;
		cr_assert_eq(omt_paired_compare(a, b, COUNT, 1, 400, seed, &paired, NULL), OMT_OK);
		cr_assert_eq(omt_bootstrap_means(a, COUNT, 1, 400, seed, &low, &high, NULL),
		             OMT_OK);
		randomised += paired.p_randomisation <= 0.05;
		bootstrapped += paired.p_bootstrap <= 0.05;
		covered += low <= 1 && 1 <= high;
	}
	cr_expect(randomised > 22 && randomised < 78, "%d", randomised);
	cr_expect(bootstrapped > 22 && bootstrapped < 78, "%d", bootstrapped);
	cr_expect(covered > 900 && covered < 975, "%d", covered);
}

/* Every column is drawn alike; scipy.stats.bootstrap gives 0.34695 to 0.58003 for the first. */
Test(significance, intervals_of_means)
{
	double a[QUERIES], b[QUERIES], both[2 * QUERIES], low[2], high[2];
	make(a, b, 0);
	for (int i = 0; i < QUERIES; i++) {
		both[2 * i] = a[i];
		both[2 * i + 1] = 1 - a[i];
	}
	cr_assert_eq(omt_bootstrap_means(both, QUERIES, 2, 50000, 3, low, high, NULL), OMT_OK);
	cr_expect_float_eq(low[0], 0.34695, 0.004, "%g", low[0]);
	cr_expect_float_eq(high[0], 0.58003, 0.004, "%g", high[0]);
	cr_expect_float_eq(low[1], 1 - high[0], 1e-3);
	cr_expect_float_eq(high[1], 1 - low[0], 1e-3);
}

/* Columns together give the same as each alone. */
Test(significance, columns_do_not_touch)
{
	double a[QUERIES], b[QUERIES], as[3 * QUERIES], bs[3 * QUERIES];
	omt_paired together[3], alone;
	for (int c = 0; c < 3; c++) {
		make(a, b, 0.07 * c);
		for (int i = 0; i < QUERIES; i++) {
			as[3 * i + c] = a[i];
			/* The second differs in four queries only: all its signs are tried. */
			bs[3 * i + c] = c == 1 && i > 3 ? a[i] : b[i];
		}
	}
	cr_assert_eq(omt_paired_compare(as, bs, QUERIES, 3, 500, 3, together, NULL), OMT_OK);
	for (int c = 0; c < 3; c++) {
		for (int i = 0; i < QUERIES; i++) {
			a[i] = as[3 * i + c];
			b[i] = bs[3 * i + c];
		}
		cr_assert_eq(omt_paired_compare(a, b, QUERIES, 1, 500, 3, &alone, NULL), OMT_OK);
		cr_expect(!memcmp(&alone, &together[c], sizeof alone), "column %d", c);
	}
	cr_expect_eq(fmod(together[1].p_randomisation * 16, 1), 0);
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	cr_assert_not_null(value, "%s", text);
	return value;
}

/* Results are paired by query, whatever their order; what only one has is left out. */
Test(significance, results_are_paired_by_query)
{
	json_t *a = parse(
		"{\"query\":[\"x\",\"y\",\"z\"],\"ndcg\":{\"5\":[0.1,0.2,0.3],\"10\":[1,1,1]},"
		"\"map\":{\"\":[0,0,1]},\"hit\":{\"1\":[0,0,0]}}");
	json_t *b = parse("{\"query\":[\"z\",\"w\",\"x\"],\"ndcg\":{\"5\":[0.5,9,0.2]},"
	                  "\"map\":{\"\":[1,5,1]}}");
	json_t *compared, *ndcg;
	omt_error err;
	cr_assert_eq(omt_per_query_compare(a, b, 100, 1, &compared, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(json_integer_value(json_object_get(compared, "queries")), 2);
	ndcg = json_object_get(compared, "ndcg");
	cr_expect_eq(json_object_size(ndcg), 1);
	cr_expect_eq(json_object_size(compared), 3);
	cr_expect_float_eq(
		json_number_value(json_object_get(json_object_get(ndcg, "5"), "difference")), 0.15,
		1e-12);
	json_decref(compared);
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"{}", "no array \"query\""},
		{"{\"query\":[1]}", "\"query\"[0]: not a string"},
		{"{\"query\":[\"x\",\"x\"]}", "query x twice"},
		{"{\"query\":[\"x\"],\"map\":{\"\":[]}}", "\"map\" at \"\": not a value a query"},
		{"{\"query\":[\"x\"],\"map\":{\"\":[\"1\"]}}",
	         "\"map\" at \"\": [0] is not a number"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *c = parse(bad[i].text);
		cr_expect_eq(omt_per_query_compare(a, c, 10, 1, &compared, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, bad[i].error), "%s", err.text);
		cr_expect_null(compared);
		json_decref(c);
	}
	json_decref(a);
	json_decref(b);
}
