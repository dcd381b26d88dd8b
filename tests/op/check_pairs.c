#include "tests/op/harness.h"

static void check_pairs(op_bench *bench)
{
	static const int32_t cu_in[] = {0, 2, 7, 107}, cu_out[] = {0, 1, 3, 53};
	for (int32_t cols = 1; cols < 130; cols += 64) {
		omt_pairs_args args = {.sequences = 3,
		                       .out_rows = 53,
		                       .cols = cols,
		                       .ldx = cols + 1,
		                       .ldo = cols + 2};
		op_floats(bench, "x", 107 * (size_t)args.ldx);
		op_ints(bench, "cu_in", cu_in, 4);
		op_ints(bench, "cu_out", cu_out, 4);
		op_floats(bench, "out", 53 * (size_t)args.ldo);
		op_run(bench, OMT_OP_pairs, &args, 1, 1e-7);
	}
}

OP_TESTS(pairs)
