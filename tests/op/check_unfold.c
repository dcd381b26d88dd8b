#include "tests/op/harness.h"

static void check_unfold(op_bench *bench)
{
	static const int32_t cu_in[] = {0, 1, 8, 208, 210}, cu_half[] = {0, 1, 5, 105, 106};
	for (int32_t stride = 1; stride < 3; stride++)
		for (int32_t channels = 1; channels < 130; channels += 64) {
			const int32_t *cu_out = stride == 1 ? cu_in : cu_half;
			omt_unfold_args args = {.sequences = 4,
			                        .out_rows = cu_out[4],
			                        .channels = channels,
			                        .taps = 3,
			                        .stride = stride,
			                        .pad = 1,
			                        .ldx = channels + 1,
			                        .ldo = 3 * channels + 2};
			op_floats(bench, "x", 210 * (size_t)args.ldx);
			op_ints(bench, "cu_in", cu_in, 5);
			op_ints(bench, "cu_out", cu_out, 5);
			op_floats(bench, "out", (size_t)args.out_rows * (size_t)args.ldo);
			op_run(bench, OMT_OP_unfold, &args, 1, 0);
		}
}

OP_TESTS(unfold)
