#include "tests/op/harness.h"

enum { SEQUENCES = 4 };

static void check_unfold(op_bench *bench)
{
	static const int32_t cu_in[] = {0, 1, 8, 208, 210};
	static const int32_t windows[][3] = {{3, 1, 1}, {3, 2, 1}, {1, 2, 0}, {4, 3, 2}, {2, 5, 1}};
	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
		for (int32_t channels = 1; channels < 130; channels += 64) {
			omt_unfold_args args = {.sequences = SEQUENCES,
			                        .channels = channels,
			                        .taps = windows[i][0],
			                        .stride = windows[i][1],
			                        .pad = windows[i][2],
			                        .ldx = channels + 1,
			                        .ldo = windows[i][0] * channels + 2};
			int32_t cu_out[SEQUENCES + 1] = {0};
			for (int32_t s = 0; s < SEQUENCES; s++) {
				const int32_t last =
					cu_in[s + 1] - cu_in[s] + 2 * args.pad - args.taps;
				cu_out[s + 1] = cu_out[s] + last / args.stride + 1;
			}
			args.out_rows = cu_out[SEQUENCES];
			op_floats(bench, "x", 210 * (size_t)args.ldx);
			op_ints(bench, "cu_in", cu_in, SEQUENCES + 1);
			op_ints(bench, "cu_out", cu_out, SEQUENCES + 1);
			op_floats(bench, "out", (size_t)args.out_rows * (size_t)args.ldo);
			op_run(bench, OMT_OP_unfold, &args, 1, 0);
		}
}

OP_TESTS(unfold)
