#include "exec/storage.h"
#include "tests/op/harness.h"

static uint8_t *fill(op_bench *bench, const char *name, size_t count)
{
	uint8_t *bytes = op_bytes(bench, name, count);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(int8_t)(127.4f * op_random(bench));
	return bytes;
}

static void one(op_bench *bench, omt_gemm_i8_args args)
{
	const size_t rows = (size_t)(args.n + 31) / 32 * 32;
	const size_t depth = (size_t)(args.k + 3) / 4 * 4;
	args.lda = (int32_t)depth + 4;
	args.ldc = args.n + 7;
	args.ldr = args.n + 5;
	args.n_first = args.m % 3;
	args.w_panel = 32;
	args.flags |= OMT_GEMM_SCALE;
	fill(bench, "a", (size_t)args.m * (size_t)args.lda);
	uint8_t *w = fill(bench, "w", rows * depth);
	/* Packed weights are zero beyond k; what A has there does not matter. */
	for (int32_t row = 0; row < (int32_t)rows; row++)
		for (int32_t i = args.k; i < (int32_t)depth; i++)
			w[omt_packed_at(row, i, args.k, 32, OMT_I8X4)] = 0x80;
	float *a_scale = op_floats(bench, "a_scale", (size_t)args.m);
	const size_t columns = (size_t)(args.n + args.n_first);
	float *scale = op_floats(bench, "scale", columns);
	for (int32_t i = 0; i < args.m; i++)
		a_scale[i] *= 1e-2f;
	for (size_t i = 0; i < columns; i++)
		scale[i] *= 1e-2f;
	op_floats(bench, "bias", columns);
	op_floats(bench, "residual", (size_t)args.m * (size_t)args.ldr);
	op_floats(bench, "c", (size_t)args.m * (size_t)args.ldc);
	op_run(bench, OMT_OP_gemm_i8, &args, 1, 4e-6); /* sums are exact: the epilogue alone */
}

static void check_gemm_i8(op_bench *bench)
{
	static const int32_t sizes[][3] = {{1, 1, 1},     {1, 17, 33},    {7, 16, 16},
	                                   {23, 129, 40}, {24, 128, 260}, {25, 130, 131},
	                                   {65, 31, 257}, {3, 300, 64},   {140, 40, 1030}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int32_t variant = 0; variant < 4; variant++) {
			omt_gemm_i8_args args = {.m = sizes[i][0],
			                         .n = sizes[i][1],
			                         .k = sizes[i][2],
			                         .act = (int32_t)(i + (size_t)variant) % 3,
			                         .flags = (int32_t[]){0, 1, 3, 9}[variant]};
			one(bench, args);
		}
}

OP_TESTS(gemm_i8)
