/* exp and erf of base/exponential.h against libm in f64, and the same bits on every path. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/exponential.h"
#include "exec/activate.h"
#include "exec/ref_activate.h"

#define STRIDE 1031 /* over the bits of all floats */
#define VALUES 4096

/* Of the float nearest to `value`. */
static double last_place(double value)
{
	int exponent;
	frexp(value, &exponent);
	return ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

static void check(double most, float x, float got, double right)
{
	if ((float)right == INFINITY)
		cr_assert(got > 3.4e38f, "%.9g: %.9g", (double)x, (double)got);
	else
		cr_assert(fabs((double)got - right) <= most * last_place(right),
		          "%.9g: %.9g, not %.9g", (double)x, (double)got, right);
}

Test(exponential, all_floats)
{
	for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
		const float x = omt_f32_from_bits((uint32_t)bits);
		if (isnan(x))
			continue;
		check(1.0, x, omt_exp(x), exp((double)x));
		check(1.5, x, omt_erf(x), erf((double)x));
	}
	cr_expect(isnan(omt_exp(NAN)));
	cr_expect(isnan(omt_erf(NAN)));
	cr_expect_eq(omt_exp(0), 1);
	cr_expect_eq(omt_exp(INFINITY), INFINITY);
	cr_expect_eq(omt_exp(-INFINITY), 0);
	cr_expect_eq(omt_erf(-INFINITY), -1);
}

/* The range where they are neither 0 nor infinite. */
Test(exponential, near_values)
{
	for (float x = -105; x < 90; x += 1.0f / 8192) {
		check(1.0, x, omt_exp(x), exp((double)x));
		check(1.5, x / 16, omt_erf(x / 16), erf((double)x / 16));
	}
}

OMT_HOT void both_body(const float *x, float *e, float *f, int32_t n)
{
	OMT_VECTOR_LOOP
	for (int32_t i = 0; i < n; i++) {
		e[i] = omt_exp(x[i]);
		f[i] = omt_erf(x[i]);
	}
}
OMT_PATHS(both, (const float *x, float *e, float *f, int32_t n), (x, e, f, n))

Test(exponential, paths)
{
	static float x[VALUES], e[2][VALUES], f[2][VALUES];
	uint32_t state = 1;
	for (int32_t i = 0; i < VALUES; i++) {
		state = state * 1664525u + 1013904223u;
		x[i] = (float)(int32_t)state / 2e7f;
	}
	omt_cpu_take(OMT_CPU_GENERIC);
	both(x, e[0], f[0], VALUES);
	for (int path = OMT_CPU_AVX2; path < OMT_CPU_PATHS; path++)
		if (omt_cpu_take((omt_cpu)path)) {
			both(x, e[1], f[1], VALUES);
			cr_expect_arr_eq(e[0], e[1], sizeof e[0]);
			cr_expect_arr_eq(f[0], f[1], sizeof f[0]);
		}
}

Test(exponential, activate)
{
	for (int32_t act = OMT_ACT_NONE; act <= OMT_ACT_GELU; act++)
		for (float z = -120; z < 120; z += 1.0f / 64) {
			float got[3] = {z, z, 7};
			omt_activate(got, got, 2, act);
			cr_assert_float_eq(got[0], ref_activate(z, act), 4e-7f * fabsf(z),
			                   "activation %d of %g: %.9g", act, (double)z,
			                   (double)got[0]);
			cr_assert_eq(got[1], got[0]);
			cr_assert_eq(got[2], 7);
		}
}
