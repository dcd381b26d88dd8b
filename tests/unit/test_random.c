#include "base/random.h"
#include "tests/unit/scratch.h"

/* xoshiro256** from this state gives these numbers first (the authors' program). */
Test(random, is_xoshiro256)
{
	omt_random random = {{1, 2, 3, 4}};
	static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240u};
	for (int i = 0; i < 4; i++)
		cr_expect_eq(omt_random_next(&random), expected[i]);
}

Test(random, streams_differ_and_seeds_repeat)
{
	omt_random a, b, c;
	omt_random_seed(&a, 1, 0);
	omt_random_seed(&b, 1, 0);
	omt_random_seed(&c, 1, 1);
	int same = 0;
	for (int i = 0; i < 100; i++) {
		const uint64_t value = omt_random_next(&a);
		cr_expect_eq(value, omt_random_next(&b));
		same += value == omt_random_next(&c);
	}
	cr_expect_eq(same, 0);
}

Test(random, numbers_below_a_bound_are_as_likely)
{
	enum { DRAWS = 60000, BOUND = 6 };
	omt_random random;
	int counts[BOUND] = {0};
	double chi = 0;
	omt_random_seed(&random, 5, 0);
	for (int i = 0; i < DRAWS; i++) {
		const uint64_t value = omt_random_below(&random, BOUND);
		cr_assert_lt(value, BOUND);
		counts[value]++;
	}
	for (int i = 0; i < BOUND; i++) {
		const double off = counts[i] - DRAWS / BOUND;
		chi += off * off / (DRAWS / BOUND);
	}
	cr_expect_lt(chi, 15.09, "1 %% point of 5 degrees of freedom");
}

/* All 24 orders of 4 values, as often. */
Test(random, shuffles_are_as_likely)
{
	enum { DRAWS = 24000 };
	omt_random random;
	int counts[256] = {0}, orders = 0;
	double chi = 0;
	omt_random_seed(&random, 6, 0);
	for (int i = 0; i < DRAWS; i++) {
		uint32_t v[4] = {0, 1, 2, 3};
		omt_random_shuffle(&random, v, 4);
		counts[v[0] | v[1] << 2 | v[2] << 4 | v[3] << 6]++;
	}
	for (int i = 0; i < 256; i++) {
		const double off = counts[i] - DRAWS / 24;
		orders += counts[i] > 0;
		chi += counts[i] ? off * off / (DRAWS / 24) : 0;
	}
	cr_expect_eq(orders, 24);
	cr_expect_lt(chi, 41.64, "1 %% point of 23 degrees of freedom");
}
