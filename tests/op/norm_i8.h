/* norm_i8.h - what the checks of rmsnorm_i8 and layernorm_i8 share. */
#ifndef TESTS_OP_NORM_I8_H
#define TESTS_OP_NORM_I8_H

#include "tests/op/harness.h"

/* `fused` against the reference, and against `norm` and `quantize` on the same backend, bit by bit.
 * All three have the scalars rows, cols, ldx, ldo and, but for quantize, eps. */
void check_norm_i8(op_bench *bench, omt_op fused, omt_op norm);

#endif
