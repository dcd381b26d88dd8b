#include <math.h>
#include <string.h>

#include "tests/op/harness.h"

/* Kinds of scores. */
typedef enum scores {
	RANDOM,
	EQUAL, /* all the same */
	FEW,   /* four values, both zeros among them */
	LEAST, /* -inf but for a few */
	RISING,
	NANS, /* every third */
	SCORES_COUNT
} scores;

static void fill(float *x, size_t count, scores kind)
{
	static const float few[] = {0.0f, -0.0f, 1.0f, -1.0f};
	for (size_t i = 0; i < count; i++) {
		if (kind == EQUAL)
			x[i] = 0.25f;
		else if (kind == FEW)
			x[i] = few[(unsigned)(x[i] * 8 + 8) % 4];
		else if (kind == LEAST && i % 11)
			x[i] = -INFINITY;
		else if (kind == RISING)
			x[i] = (float)i;
		else if (kind == NANS && i % 3 == 0)
			x[i] = NAN;
	}
}

/* Rows with elements side by side and columns with elements side by side; the reference must be met
 * bit for bit, and what lies between the rows of the results must stay. */
static void check_shape(op_bench *bench, int32_t rows, int32_t cols, int32_t k, bool columns)
{
	for (scores kind = RANDOM; kind < SCORES_COUNT; kind++) {
		omt_topk_args args = {.rows = rows, .cols = cols, .k = k, .ldo = k + 3};
		args.ldx = columns ? 1 : cols * 2 + 1;
		args.stride = columns ? rows + 2 : kind % 2 ? 2 : 1;
		args.first = kind == EQUAL ? 1000000 : 0;
		const size_t count = columns ? (size_t)cols * (size_t)args.stride
		                             : (size_t)rows * (size_t)args.ldx;
		fill(op_floats(bench, "x", count), count, kind);
		args.bounded = kind != RANDOM;
		fill(op_floats(bench, "bound", (size_t)rows), (size_t)rows,
		     kind == EQUAL ? FEW : LEAST);
		op_floats(bench, "values", (size_t)rows * (size_t)args.ldo);
		op_bytes(bench, "index", (size_t)rows * (size_t)args.ldo * sizeof(int32_t));
		op_run(bench, OMT_OP_topk, &args, 0, 0);
	}
}

/* What the contract says, spelt out; with a bound, only what is greater. */
static void check_words(op_bench *bench)
{
	static const float row[] = {1, 3, NAN, 3, -INFINITY, 2}, best[] = {3, 3, 2, 1};
	static const int32_t number[] = {11, 13, 15, 10};
	for (int bounded = 0; bounded < 2; bounded++) {
		const omt_topk_args args = {.rows = 1,
		                            .cols = 6,
		                            .ldx = 6,
		                            .stride = 1,
		                            .k = 7,
		                            .ldo = 8,
		                            .first = 10,
		                            .bounded = bounded};
		float *x = op_floats(bench, "x", 6), *bound = op_floats(bench, "bound", 1);
		float *values = op_floats(bench, "values", 8);
		int32_t *index = (int32_t *)(void *)op_bytes(bench, "index", 8 * sizeof *index);
		memcpy(x, row, sizeof row);
		bound[0] = 2;
		values[7] = 7;
		op_run_alone(bench, OMT_OP_topk, &args);
		for (int i = 0; i < 7; i++) {
			const bool there = i < (bounded ? 2 : 4);
			cr_expect_eq(values[i], there ? best[i] : -INFINITY, "%d: %g", i,
			             (double)values[i]);
			cr_expect_eq(index[i], there ? number[i] : -1, "%d: %d", i, index[i]);
		}
		cr_expect_eq(values[7], 7);
		cr_expect_eq(index[7], 0);
		op_clear(bench);
	}
}

static void check_topk(op_bench *bench)
{
	static const int32_t shapes[][3] = {{1, 1, 1},    {1, 1, 4},     {3, 40, 1},
	                                    {5, 37, 37},  {2, 17, 100},  {16, 200, 10},
	                                    {33, 65, 16}, {19, 300, 64}, {2, 2000, OMT_TOPK_MAX}};
	check_words(bench);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (int columns = 0; columns < 2; columns++)
			check_shape(bench, shapes[i][0], shapes[i][1], shapes[i][2], columns);
}

OP_TESTS(topk)
