#include "tests/op/harness.h"

/* ref rounds x * (127 / max); a backend whose division differs in the last bit may round a value
 * between two numbers the other way, which random values do not meet. */
static void check_quantize(op_bench *bench)
{
	static const int32_t sizes[][2] = {{1, 1}, {3, 15}, {2, 16}, {5, 33}, {4, 100}, {2, 2048}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int zero = 0; zero < 2; zero++) {
			omt_quantize_args args = {.rows = sizes[i][0], .cols = sizes[i][1]};
			args.ldx = args.cols + 3;
			args.ldo = (args.cols + 3) / 4 * 4 + 4;
			float *x = op_floats(bench, "x", (size_t)args.rows * (size_t)args.ldx);
			for (int32_t j = 0; zero && j < args.cols; j++)
				x[j] = 0;
			op_bytes(bench, "out", (size_t)args.rows * (size_t)args.ldo);
			op_floats(bench, "scale", (size_t)args.rows);
			op_run(bench, OMT_OP_quantize, &args, 1e-3, 1e-6);
		}
}

OP_TESTS(quantize)
