#include "tests/op/harness.h"

static void check_glu(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {3, 63}, {5, 64}, {9, 176}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int in_place = 0; in_place < 2; in_place++) {
			omt_glu_args args = {.rows = sizes[i][0], .cols = sizes[i][1]};
			args.ldg = args.cols + 1;
			args.ldu = args.cols + 2;
			args.ldo = in_place ? args.ldg : args.cols + 3;
			op_floats(bench, "up", (size_t)args.rows * (size_t)args.ldu);
			op_floats(bench, "out", (size_t)args.rows * (size_t)args.ldo);
			if (in_place)
				op_alias(bench, "gate", "out");
			else
				op_floats(bench, "gate", (size_t)args.rows * (size_t)args.ldg);
			op_run(bench, OMT_OP_glu, &args, 1, 2e-6);
		}
}

OP_TESTS(glu)
