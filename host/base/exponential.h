/* exponential.h - exp and erf for loops that vectorise (base/cpu.h): no branches, no calls, the
 * same bits on every path. Over all floats exp is within 1 ulp and erf within 1.5, also where the
 * result is subnormal; NaN stays NaN (tests/unit/test_exponential.c). The polynomials are minimax
 * fits of ours. */
#ifndef OMT_BASE_EXPONENTIAL_H
#define OMT_BASE_EXPONENTIAL_H

#include "base/cpu.h"
#include "base/number.h"

/* 2^n, -126 <= n <= 127. */
OMT_HOT float omt_power_of_two(int32_t n)
{
	return omt_f32_from_bits((uint32_t)(n + 127) << 23);
}

/* exp(x) = 2^n exp(r), |r| <= log(2) / 2. Added to a number whose last bit counts ones, a float is
 * rounded to an integer. log(2) is taken off in two parts, the first so short that n times it is
 * exact; 2^n in two factors, as it may be subnormal. */
OMT_HOT float omt_exp(float x)
{
	const float ones = 12582912.0f; /* 1.5 * 2^23 */
	x = x < -104.0f ? -104.0f : x;  /* 0 from there on, */
	x = x > 89.0f ? 89.0f : x;      /* infinity */
	const float shifted = x * 1.44269504f + ones, n = shifted - ones;
	const int32_t power = (int32_t)(omt_bits_from_f32(shifted) - omt_bits_from_f32(ones));
	const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
	float p = 1.381459762e-3f;
	p = p * r + 8.368716575e-3f;
	p = p * r + 4.166838899e-2f;
	p = p * r + 1.666652113e-1f;
	p = p * r + 4.999999404e-1f;
	const int32_t half = power / 2;
	return (p * (r * r) + r + 1.0f) * omt_power_of_two(half) * omt_power_of_two(power - half);
}

/* |x| < 1: x + x P(x^2). Else 1 - exp(-x^2) Q(|x| - 1), which is 1 from 4 on. */
OMT_HOT float omt_erf(float x)
{
	float a = fabsf(x), s = x * x;
	float p = 7.853859279e-5f;
	p = p * s - 8.010193123e-4f;
	p = p * s + 5.188327748e-3f;
	p = p * s - 2.685381100e-2f;
	p = p * s + 1.128358543e-1f;
	p = p * s - 3.761262596e-1f;
	p = p * s + 0.1283791657f;
	a = a > 4.0f ? 4.0f : a;
	const float t = a - 1.0f;
	float q = -3.888829378e-4f;
	q = q * t + 3.282930003e-3f;
	q = q * t - 1.313396171e-2f;
	q = q * t + 3.560872376e-2f;
	q = q * t - 7.863512635e-2f;
	q = q * t + 1.542864740e-1f;
	q = q * t - 2.732075751e-1f;
	q = q * t + 4.275835454e-1f;
	const float far = 1.0f - omt_exp(-(x * x)) * q;
	return a < 1.0f ? x + x * p : copysignf(far, x);
}

#endif
