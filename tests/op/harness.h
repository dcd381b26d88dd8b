/* harness.h - an op on a backend against the reference.
 *
 * A check fills host arrays, runs the op on `ref` and on the backend, and compares: outputs within
 * a tolerance that the check states, everything between rows (strides are wider than rows) and
 * every input bit for bit. */
#ifndef TESTS_OP_HARNESS_H
#define TESTS_OP_HARNESS_H

#include <criterion/criterion.h>

#include "exec/exec.h"

/* Test(gemm, opencl) { check_gemm("opencl"); } and so on. */
#define OP_TEST(op, backend)                    \
	Test(op, backend, .timeout = 300)       \
	{                                       \
		op_check(#backend, check_##op); \
	}
#define OP_TESTS(op)          \
	OP_TEST(op, ref)      \
	OP_TEST(op, openblas) \
	OP_TEST(op, hls)      \
	OP_TEST(op, opencl)

typedef struct op_bench op_bench;
void op_check(const char *backend, void (*check)(op_bench *bench));

/* An array of `count` elements at the op's buffer `name`: random floats in [-1, 1), or the given
 * ones. Freed by op_run(). */
float *op_floats(op_bench *bench, const char *name, size_t count);
int32_t *op_ints(op_bench *bench, const char *name, const int32_t *values, size_t count);
uint8_t *op_bytes(op_bench *bench, const char *name, size_t count);
/* The buffer `name` is the same one as `other` (residual and c). */
void op_alias(op_bench *bench, const char *name, const char *other);

/* Runs the op with these scalars (an omt_<op>_args without buffers) on both and compares.
 * tolerance: allowed difference relative to max(|reference|, magnitude). */
void op_run(op_bench *bench, omt_op op, const void *args, double magnitude, double tolerance);

/* The same on the backend alone: outputs are left in the arrays, which stay until op_clear(). */
void op_run_alone(op_bench *bench, omt_op op, const void *args);
void op_clear(op_bench *bench);

float op_random(op_bench *bench);

#endif
