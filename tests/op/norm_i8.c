#include "tests/op/norm_i8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scalars {
	int32_t rows, cols, ldx, ldo;
	float eps;
} scalars;

/* An argument struct of any of the three ops; layernorm's is the largest. */
static const void *args_of(omt_op op, const scalars *s, omt_layernorm_i8_args *room)
{
	memcpy((void *)(uintptr_t)omt_op_scalars(op, room), s,
	       4 * (size_t)omt_op_infos[op].scalars);
	return room;
}

/* The same values each time; the first row of x is zeros. */
static void inputs(op_bench *bench, const scalars *s)
{
	static const char *const names[] = {"x", "weight", "bias"};
	for (size_t i = 0; i < 3; i++) {
		size_t count = i ? (size_t)s->cols : (size_t)s->rows * (size_t)s->ldx;
		float *to = op_floats(bench, names[i], count);
		for (size_t j = 0; j < count; j++)
			to[j] = i || j >= (size_t)s->cols ? sinf((float)(j * j + 7 * i)) : 0;
	}
}

static void one(op_bench *bench, omt_op fused, omt_op norm, const scalars *s)
{
	omt_layernorm_i8_args room;
	const size_t rows = (size_t)s->rows, values = rows * (size_t)s->cols;
	const size_t bytes = rows * (size_t)s->ldo;
	float *normed = malloc(values * sizeof *normed), *scales = malloc(rows * sizeof *scales);
	uint8_t *quantized = malloc(bytes);
	scalars dense = *s, last = *s;
	dense.ldo = last.ldx = s->cols;

	inputs(bench, s);
	float *between = op_floats(bench, "out", values);
	op_run_alone(bench, norm, args_of(norm, &dense, &room));
	memcpy(normed, between, values * sizeof *normed);
	op_clear(bench);

	memcpy(op_floats(bench, "x", values), normed, values * sizeof *normed);
	uint8_t *out = op_bytes(bench, "out", bytes);
	float *scale = op_floats(bench, "scale", rows);
	op_run_alone(bench, OMT_OP_quantize, args_of(OMT_OP_quantize, &last, &room));
	memcpy(quantized, out, bytes);
	memcpy(scales, scale, rows * sizeof *scales);
	op_clear(bench);

	inputs(bench, s);
	out = op_bytes(bench, "out", bytes);
	scale = op_floats(bench, "scale", rows);
	op_run_alone(bench, fused, args_of(fused, s, &room));
	cr_assert(!memcmp(out, quantized, bytes), "other bytes than in two ops");
	cr_assert(!memcmp(scale, scales, rows * sizeof *scales), "other scales than in two ops");
	op_run(bench, fused, args_of(fused, s, &room), 1e-3, 1e-5);
	free(normed);
	free(scales);
	free(quantized);
}

void check_norm_i8(op_bench *bench, omt_op fused, omt_op norm)
{
	static const int32_t sizes[][2] = {{1, 1}, {3, 7}, {65, 8}, {17, 131}, {4, 1280}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		scalars s = {.rows = sizes[i][0], .cols = sizes[i][1], .eps = 1e-6f};
		s.ldx = s.cols + 3;
		s.ldo = (s.cols + 3) / 4 * 4 + 4;
		one(bench, fused, norm, &s);
	}
}
