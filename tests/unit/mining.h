/* mining.h - the golden lists of hard negatives for their tests. */
#ifndef OMT_TESTS_UNIT_MINING_H
#define OMT_TESTS_UNIT_MINING_H

#include <criterion/criterion.h>
#include <math.h>

#include "base/json.h"
#include "base/npy.h"

#define MINING "tests/golden/data/mining/"

/* ---- the golden lists --------------------------------------------------------------------------
 */

enum { QUERIES = 50, PASSAGES = 400, K = 4 };

static const struct {
	const char *key, *method;
	double threshold;
	int64_t skip;
	bool first;
} mining_cases[] = {
	{"topk", "topk", NAN, -1, false},
	{"topk_shifted_10", "topk_shifted", NAN, -1, false},
	{"topk_shifted_30", "topk_shifted", NAN, 30, false},
	{"topk_abs_0.5", "topk_abs", 0.5, -1, false},
	{"topk_marginpos_0.05", "topk_marginpos", NAN, -1, false},
	{"topk_percpos_0.95", NULL, NAN, -1, false},
	{"topk_percpos_0.95_firstpos", "topk_percpos", 0.95, -1, true},
};
enum { CASES = sizeof mining_cases / sizeof *mining_cases };

typedef struct mining_golden {
	omt_npy scores;
	json_t *positives, *expected;
} mining_golden;

static inline mining_golden mining_load(void)
{
	mining_golden g;
	omt_error err;
	cr_assert_eq(omt_npy_open(MINING "scores.npy", &g.scores, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(g.scores.shape[0], QUERIES);
	cr_assert_eq(g.scores.shape[1], PASSAGES);
	cr_assert_eq(omt_json_load(MINING "positives.json", 1 << 20, &g.positives, &err), OMT_OK);
	cr_assert_eq(omt_json_load(MINING "expected.json", 1 << 20, &g.expected, &err), OMT_OK);
	cr_assert_eq(json_integer_value(json_object_get(g.expected, "k")), K);
	/* Every method of the file is tried here. */
	cr_assert_eq(json_object_size(json_object_get(g.expected, "methods")), CASES);
	return g;
}

static inline void mining_drop(mining_golden *g)
{
	omt_npy_close(&g->scores);
	json_decref(g->positives);
	json_decref(g->expected);
}

static inline const json_t *mining_list(const mining_golden *g, const char *key, size_t query)
{
	return json_array_get(json_object_get(json_object_get(g->expected, "methods"), key), query);
}

#endif
