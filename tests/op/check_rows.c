#include "tests/op/harness.h"

static void check_rows(op_bench *bench)
{
	static const int32_t from[] = {4, 0, 4, 2, 9}, to[] = {1, 7, 0, 3, 5};
	static const int32_t dtypes[] = {OMT_F32, OMT_BF16, OMT_F16};
	for (size_t d = 0; d < 3; d++)
		for (int32_t cols = 1; cols < 130; cols += 43) {
			omt_rows_args args = {.count = 5,
			                      .cols = cols,
			                      .lds = cols + 2,
			                      .ldd = cols + 1,
			                      .src_dtype = dtypes[d],
			                      .src_first = cols > 1 ? 0 : 2,
			                      .src_rows = cols > 100 ? 4 : 10};
			size_t bytes = 10 * (size_t)args.lds * (dtypes[d] == OMT_F32 ? 4 : 2);
			uint8_t *src = op_bytes(bench, "src", bytes);
			for (size_t i = 0; i < bytes; i++)
				src[i] = (uint8_t)(i % 60); /* no NaN in any format */
			op_ints(bench, "src_index", from, 5);
			op_ints(bench, "dst_index", to, 5);
			op_floats(bench, "dst", 8 * (size_t)args.ldd);
			op_run(bench, OMT_OP_rows, &args, 1, 0);
		}
}

OP_TESTS(rows)
