#include "tests/op/harness.h"

static void check_pack(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {31, 9}, {32, 16}, {33, 33}, {100, 7}};
	static const int32_t dtypes[] = {OMT_F32, OMT_BF16, OMT_F16, OMT_I8, OMT_I8X4, OMT_BF16X2},
			     bytes[] = {4, 2, 2, 1, 1, 2};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t d = 0; d < 6; d++) {
			omt_pack_args args = {.n = sizes[i][0],
			                      .k = sizes[i][1],
			                      .lds = sizes[i][1] + 3,
			                      .dtype = dtypes[d],
			                      .panel = 32};
			size_t size = (size_t)bytes[d], rows = (size_t)(args.n + 31) / 32 * 32;
			size_t count = (size_t)args.n * (size_t)args.lds * size;
			uint8_t *src = op_bytes(bench, "src", count);
			for (size_t j = 0; j < count; j++)
				src[j] = (uint8_t)(j * 31 + 1);
			const size_t group = (size_t)OMT_WORD_GROUP(args.dtype);
			const size_t depth = ((size_t)args.k + group - 1) / group * group;
			op_bytes(bench, "dst", rows * depth * size);
			op_run(bench, OMT_OP_pack, &args, 1, 0);
		}
}

OP_TESTS(pack)
