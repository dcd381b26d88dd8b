#include "tests/op/norm_i8.h"

static void check_rmsnorm_i8(op_bench *bench)
{
	check_norm_i8(bench, OMT_OP_rmsnorm_i8, OMT_OP_rmsnorm);
}

OP_TESTS(rmsnorm_i8)
