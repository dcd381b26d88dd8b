#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "index/survivors.h"
#include "tests/unit/mining.h"

/* ---- the golden lists --------------------------------------------------------------------------
 */

static int best_first(const void *a, const void *b)
{
	const omt_neighbor *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

Test(mining, rules_on_the_golden_scores)
{
	mining_golden g = mining_load();
	size_t compared = 0;
	for (size_t c = 0; c < CASES; c++)
		for (size_t q = 0; q < QUERIES; q++) {
			const float *scores = (const float *)g.scores.data + q * PASSAGES;
			const json_t *positives = json_array_get(g.positives, q),
				     *wanted = mining_list(&g, mining_cases[c].key, q);
			omt_neighbor ranked[PASSAGES], kept[K];
			int64_t rows[8];
			float of_positives[8];
			const size_t count = json_array_size(positives);
			omt_mining_rule rule;
			cr_assert_eq(omt_mining_rule_make(mining_cases[c].method,
			                                  mining_cases[c].threshold,
			                                  mining_cases[c].skip,
			                                  mining_cases[c].first, &rule, NULL),
			             OMT_OK);
			for (size_t i = 0; i < PASSAGES; i++)
				ranked[i] = (omt_neighbor){(int64_t)i, scores[i]};
			qsort(ranked, PASSAGES, sizeof *ranked, best_first);
			for (size_t i = 0; i < count; i++) {
				rows[i] = json_integer_value(json_array_get(positives, i));
				of_positives[i] = scores[rows[i]];
			}
			const omt_mining_query query = {
				omt_mining_limit(&rule, of_positives, count), rule.skip, rows,
				count};
			const size_t found = omt_mining_pick(&query, ranked, PASSAGES, K, kept);
			cr_assert_eq(found, json_array_size(wanted), "%s: query %zu: %zu",
			             mining_cases[c].key, q, found);
			for (size_t i = 0; i < found; i++, compared++)
				cr_assert_eq(kept[i].row,
				             json_integer_value(json_array_get(wanted, i)),
				             "%s: query %zu", mining_cases[c].key, q);
		}
	cr_expect_gt(compared, 1000);
	mining_drop(&g);
}

/* ---- survivors against a loop ------------------------------------------------------------------
 */

enum { ROWS = 4000, N = 12, ASKED = 30 };

static float rows[ROWS * N], queries[ASKED * N];
static uint8_t left_out[ROWS / 8 + 1];

/* Few values, so that many scores are equal and all are exact. */
static void make_vectors(void)
{
	omt_random random;
	omt_random_seed(&random, 5, 0);
	for (size_t i = 0; i < ROWS * N; i++)
		rows[i] = (float)omt_random_below(&random, 7) / 4 - 0.75f;
	for (size_t i = 0; i < ASKED * N; i++)
		queries[i] = (float)omt_random_below(&random, 9) / 8 - 0.5f;
	for (size_t i = 0; i < ROWS; i++)
		if (!omt_random_below(&random, 9))
			left_out[i / 8] |= (uint8_t)(1 << i % 8);
}

/* Sorts all candidates and takes the first that are allowed. */
static void expect(const omt_survivors *of, size_t wanted, bool skips_rows, const char *what)
{
	static omt_neighbor ranked[ROWS];
	size_t count = 0, seen = 0, found = 0;
	for (int64_t row = 0; row < ROWS; row++) {
		float score = 0;
		bool candidate = !(skips_rows && left_out[row / 8] >> row % 8 & 1);
		for (size_t i = 0; i < N; i++)
			score += of->vector[i] * rows[row * N + (int64_t)i];
		for (size_t i = 0; i < of->rule.excluded_count; i++)
			candidate &= of->rule.excluded[i] != row;
		if (candidate && (double)score <= of->rule.limit)
			ranked[count++] = (omt_neighbor){row, score};
	}
	qsort(ranked, count, sizeof *ranked, best_first);
	for (size_t i = 0; i < count && found < wanted; i++) {
		if (seen++ < of->rule.skip)
			continue;
		cr_assert_lt(found, of->count, "%s: %zu found", what, of->count);
		cr_assert_eq(of->best[found].row, ranked[i].row, "%s: survivor %zu", what, found);
		cr_assert_eq(of->best[found].score, ranked[i].score, "%s", what);
		found++;
	}
	cr_assert_eq(of->count, found, "%s: %zu of %zu found", what, of->count, found);
}

Test(mining, survivors_are_those_of_a_loop)
{
	static const double limits[] = {INFINITY, 1.125, 0.75, 0.125, -0.25, -0.2501, -1.5, -100};
	static const size_t wants[] = {1, 20, ROWS + 1}, skips[] = {0, 3, 500};
	static omt_neighbor best[ASKED * (ROWS + 1)];
	int64_t excluded[ASKED][3];
	make_vectors();
	const omt_vector_set set[] = {
		{.data = rows, .count = 1500, .dtype = OMT_F32},
		{.data = rows, .count = 0, .dtype = OMT_F32},
		{.data = rows + 1500 * N, .count = ROWS - 1500, .dtype = OMT_F32}};
	omt_pool pool = {.sets = {.set = set, .count = 3, .dimension = N}, .threads = 2};
	omt_error err;
	cr_assert_eq(omt_searcher_new(&(omt_searcher_options){.threads = 2}, &pool.searcher, &err),
	             OMT_OK);
	/* Of the second number wanted most queries are settled by the first search. */
	for (size_t round = 0; round < 2 * 8; round++) {
		const double limit = limits[round / 2];
		pool.sets.left_out = round % 2 ? left_out : NULL;
		for (size_t w = 0; w < 3; w++)
			for (size_t s = 0; s < 3; s++) {
				omt_survivors of[ASKED];
				char what[64];
				snprintf(what, sizeof what, "limit %g, %zu after %zu", limit,
				         wants[w], skips[s]);
				for (size_t q = 0; q < ASKED; q++) {
					for (int64_t i = 0; i < 3; i++)
						excluded[q][i] = (int64_t)q * 7 + i * 1500;
					of[q] = (omt_survivors){queries + q * N,
					                        {q % 3 && w == 1 ? INFINITY : limit,
					                         skips[s], excluded[q], q % 4},
					                        best + q * (ROWS + 1),
					                        99};
				}
				cr_assert_eq(omt_survivors_find(&pool, of, ASKED, wants[w], &err),
				             OMT_OK, "%s", err.text);
				for (size_t q = 0; q < ASKED; q++)
					expect(&of[q], wants[w], round % 2, what);
			}
	}
	omt_searcher_free(pool.searcher);
}
