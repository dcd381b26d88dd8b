#include <math.h>
#include <string.h>

#include "base/number.h"
#include "tests/op/harness.h"

static const int32_t dtypes[] = {OMT_F32, OMT_BF16, OMT_F16, OMT_I8};

/* Random weights of a dtype, `count` elements. */
static void fill_weights(op_bench *bench, int32_t dtype, size_t count)
{
	size_t size = dtype == OMT_F32 ? 4 : dtype == OMT_I8 ? 1 : 2;
	uint8_t *w = op_bytes(bench, "w", count * size);
	for (size_t i = 0; i < count; i++) {
		float value = op_random(bench);
		uint16_t half = omt_bf16_from_f32(value);
		if (dtype == OMT_F32)
			memcpy(w + 4 * i, &value, 4);
		else if (dtype == OMT_I8)
			w[i] = (uint8_t)(int8_t)(127 * value);
		else if (dtype == OMT_BF16)
			memcpy(w + 2 * i, &half, 2);
		else {
			half = (uint16_t)((half & 0x8000u) | 0x3000u | ((i * 37) & 0x3ffu));
			memcpy(w + 2 * i, &half, 2);
		}
	}
}

static void one(op_bench *bench, omt_gemm_args args, int32_t panel, bool in_place)
{
	size_t rows = (size_t)(args.n + panel - 1) / (size_t)panel * (size_t)panel;
	args.lda = args.k + 3;
	args.ldw = args.k + 5;
	args.ldc = args.n + 7;
	args.ldr = in_place ? args.ldc : args.n + 5;
	args.w_panel = panel;
	args.n_first = args.m % 3;
	op_floats(bench, "a", (size_t)args.m * (size_t)args.lda);
	fill_weights(bench, args.w_dtype,
	             panel > 1 ? rows * (size_t)args.k : (size_t)args.n * (size_t)args.ldw);
	op_floats(bench, "scale", (size_t)(args.n + args.n_first));
	op_floats(bench, "bias", (size_t)(args.n + args.n_first));
	op_floats(bench, "c", (size_t)args.m * (size_t)args.ldc);
	if (in_place)
		op_alias(bench, "residual", "c");
	else
		op_floats(bench, "residual", (size_t)args.m * (size_t)args.ldr);
	double size = args.w_dtype == OMT_I8 ? 127.0 : 1.0;
	op_run(bench, OMT_OP_gemm, &args, size * sqrt(args.k), 2e-6 * sqrt(args.k));
}

static void rows_are_independent(op_bench *bench)
{
	enum { K = 150, N = 70, M = 131 };
	omt_gemm_args args = {.n = N, .k = K, .lda = K, .ldw = K, .ldr = N, .ldc = N, .w_panel = 1};
	float together[M * N], a[M * K], w[N * K];
	args.m = M;
	memcpy(a, op_floats(bench, "a", M * K), sizeof a);
	float *w_made = op_floats(bench, "w", N * K);
	memcpy(w, w_made, sizeof w);
	float *c = op_floats(bench, "c", M * N);
	op_run_alone(bench, OMT_OP_gemm, &args);
	memcpy(together, c, sizeof together);
	op_clear(bench);
	/* Every row again, at other places of batches of other sizes. */
	for (int32_t row = 0; row < M; row++) {
		args.m = 1 + row * 29 % 71;
		args.m = row + args.m > M ? M - row : args.m;
		memcpy(op_floats(bench, "a", (size_t)args.m * K), a + row * K,
		       (size_t)args.m * K * sizeof *a);
		memcpy(op_floats(bench, "w", N * K), w, sizeof w);
		c = op_floats(bench, "c", (size_t)args.m * N);
		op_run_alone(bench, OMT_OP_gemm, &args);
		for (int32_t i = 0; i < args.m; i++)
			cr_assert(!memcmp(c + i * N, together + (row + i) * N, N * sizeof *c),
			          "row %d has other bits as row %d of %d", row + i, i, args.m);
		op_clear(bench);
	}
}

static void check_gemm(op_bench *bench)
{
	static const int32_t sizes[][3] = {{1, 1, 1},     {1, 17, 33},    {7, 16, 16},
	                                   {23, 129, 40}, {24, 128, 128}, {25, 130, 131},
	                                   {65, 31, 257}, {3, 300, 64}};
	for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			omt_gemm_args args = {.m = sizes[i][0],
			                      .n = sizes[i][1],
			                      .k = sizes[i][2],
			                      .w_dtype = dtypes[d],
			                      .act = (int32_t)(i % 3),
			                      .flags = (int32_t)((i + d * 5) % 16)};
			one(bench, args, 1, false);
			one(bench, args, 32, true);
		}
	rows_are_independent(bench);
}

OP_TESTS(gemm)
