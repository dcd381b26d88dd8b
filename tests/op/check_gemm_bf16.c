#include <math.h>
#include <string.h>

#include "exec/storage.h"
#include "tests/op/harness.h"

static void one(op_bench *bench, omt_gemm_bf16_args args)
{
	const size_t rows = (size_t)(args.n + 31) / 32 * 32, depth = (size_t)(args.k + 1) / 2 * 2;
	args.lda = args.k + 3;
	args.ldc = args.n + 7;
	args.ldr = args.n + 5;
	args.n_first = args.m % 3;
	args.w_panel = 32;
	op_floats(bench, "a", (size_t)args.m * (size_t)args.lda);
	uint8_t *w = op_bytes(bench, "w", 2 * rows * depth);
	for (int32_t row = 0; row < (int32_t)rows; row++)
		for (int32_t i = 0; i < (int32_t)depth; i++) {
			const uint16_t half =
				i < args.k ? omt_bf16_from_f32(op_random(bench)) : (uint16_t)0;
			memcpy(w + 2 * omt_packed_at(row, i, args.k, 32, OMT_BF16X2), &half, 2);
		}
	op_floats(bench, "bias", (size_t)(args.n + args.n_first));
	op_floats(bench, "residual", (size_t)args.m * (size_t)args.ldr);
	op_floats(bench, "c", (size_t)args.m * (size_t)args.ldc);
	op_run(bench, OMT_OP_gemm_bf16, &args, sqrt(args.k), 2e-6 * sqrt(args.k));
}

static void check_gemm_bf16(op_bench *bench)
{
	static const int32_t sizes[][3] = {{1, 1, 1},     {1, 17, 33},    {7, 16, 16},
	                                   {23, 129, 40}, {24, 128, 260}, {25, 130, 131},
	                                   {65, 31, 257}, {3, 300, 64},   {140, 40, 1030}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int32_t variant = 0; variant < 4; variant++) {
			omt_gemm_bf16_args args = {.m = sizes[i][0],
			                           .n = sizes[i][1],
			                           .k = sizes[i][2],
			                           .act = (int32_t)(i + (size_t)variant) % 3,
			                           .flags = (int32_t[]){0, 1, 3, 9}[variant]};
			one(bench, args);
		}
}

OP_TESTS(gemm_bf16)
