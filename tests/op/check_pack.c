#include "exec/storage.h"
#include "tests/op/harness.h"

static void one(op_bench *bench, int32_t n, int32_t k, int32_t dtype, int32_t panel)
{
	omt_pack_args args = {.n = n, .k = k, .lds = k + 3, .dtype = dtype, .panel = panel};
	const size_t size = omt_dtype_bytes(dtype), group = (size_t)OMT_WORD_GROUP(dtype);
	const size_t rows = (size_t)((n + panel - 1) / panel * panel);
	const size_t depth = ((size_t)k + group - 1) / group * group;
	const size_t count = (size_t)n * (size_t)args.lds * size;
	uint8_t *src = op_bytes(bench, "src", count);
	for (size_t j = 0; j < count; j++)
		src[j] = (uint8_t)(j * 31 + 1);
	op_bytes(bench, "dst", rows * depth * size);
	op_run(bench, OMT_OP_pack, &args, 1, 0);
}

static void check_pack(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {31, 9}, {32, 16}, {33, 133}, {100, 7}};
	static const int32_t panels[] = {32, 2, 6};
	static const int32_t dtypes[] = {OMT_F32, OMT_BF16, OMT_F16, OMT_I8, OMT_I8X4, OMT_BF16X2};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
			for (size_t p = 0; p < sizeof panels / sizeof *panels; p++)
				one(bench, sizes[i][0], sizes[i][1], dtypes[d], panels[p]);
}

OP_TESTS(pack)
