#include <string.h>

#include "tests/op/harness.h"

static void check_l2norm(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {5, 64}, {3, 131}, {2, 2048}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		omt_l2norm_args args = {.rows = sizes[i][0], .cols = sizes[i][1], .eps = 1e-12f};
		args.ldx = args.cols + 1;
		args.ldo = args.cols + 2;
		float *x = op_floats(bench, "x", (size_t)args.rows * (size_t)args.ldx);
		if (args.rows > 1) /* a row of zeros stays zeros */
			memset(x, 0, (size_t)args.cols * sizeof *x);
		op_floats(bench, "out", (size_t)args.rows * (size_t)args.ldo);
		op_run(bench, OMT_OP_l2norm, &args, 0.01, 1e-5);
	}
}

OP_TESTS(l2norm)
