#include "tests/op/harness.h"

static void check_pool(op_bench *bench)
{
	static const int32_t cu[] = {0, 1, 18, 400};
	for (int32_t mode = OMT_POOL_MEAN; mode <= OMT_POOL_CLS; mode++)
		for (int32_t cols = 1; cols < 130; cols += 64) {
			omt_pool_args args = {.sequences = 3,
			                      .cols = cols,
			                      .ldx = cols + 1,
			                      .ldo = cols + 2,
			                      .mode = mode};
			op_floats(bench, "x", 400 * (size_t)args.ldx);
			op_ints(bench, "cu_seqlens", cu, 4);
			op_floats(bench, "out", 3 * (size_t)args.ldo);
			op_run(bench, OMT_OP_pool, &args, 1, 1e-6);
		}
}

OP_TESTS(pool)
