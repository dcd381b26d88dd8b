#include "tests/op/norm_i8.h"

static void check_layernorm_i8(op_bench *bench)
{
	check_norm_i8(bench, OMT_OP_layernorm_i8, OMT_OP_layernorm);
}

OP_TESTS(layernorm_i8)
