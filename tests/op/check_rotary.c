#include <math.h>

#include "tests/op/harness.h"

static void check_rotary(op_bench *bench)
{
	static const int32_t sizes[][3] = {{1, 1, 2}, {5, 4, 16}, {33, 2, 80}, {7, 3, 128}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		omt_rotary_args args = {
			.rows = sizes[i][0], .heads = sizes[i][1], .head_dim = sizes[i][2]};
		size_t half = (size_t)args.rows * (size_t)args.head_dim / 2;
		args.ldx = args.heads * args.head_dim + 3;
		op_floats(bench, "x", (size_t)args.rows * (size_t)args.ldx);
		float *cosines = op_floats(bench, "cosines", half);
		float *sines = op_floats(bench, "sines", half);
		for (size_t j = 0; j < half; j++) {
			cosines[j] = cosf((float)j);
			sines[j] = sinf((float)j);
		}
		op_run(bench, OMT_OP_rotary, &args, 1, 1e-6);
	}
}

OP_TESTS(rotary)
