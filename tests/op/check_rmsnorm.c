#include "tests/op/harness.h"

static void check_rmsnorm(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {3, 7}, {65, 8}, {17, 131}, {4, 1280}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		omt_rmsnorm_args args = {.rows = sizes[i][0], .cols = sizes[i][1], .eps = 1e-6f};
		args.ldx = args.cols + 3;
		args.ldo = args.cols + 1;
		op_floats(bench, "x", (size_t)args.rows * (size_t)args.ldx);
		op_floats(bench, "weight", (size_t)args.cols);

		op_floats(bench, "out", (size_t)args.rows * (size_t)args.ldo);
		op_run(bench, OMT_OP_rmsnorm, &args, 1, 2e-5);
	}
}

OP_TESTS(rmsnorm)
