/* silu(z) = z s, s = 1 / (1 + exp(-z)):      silu'(z) = s (1 + z (1 - s))
 * gelu(z) = z F, F = (1 + erf(c z)) / 2:     gelu'(z) = F + z c / sqrt(pi) exp(-(c z)^2)
 * with c = 1 / sqrt(2) as exec/ref_activate.h has it. */
#include <math.h>
#include <string.h>

#include "train/grad.h"

#define ROOT_HALF    0.70710678f
#define INVERSE_ROOT ((float)0.56418958354775628695) /* 1 / sqrt(pi) */

static float silu_slope(float z)
{
	const float s = 1.0f / (1.0f + expf(-z));
	return s * (1.0f + z * (1.0f - s));
}

static float gelu_slope(float z)
{
	const float u = z * ROOT_HALF;
	return 0.5f * (1.0f + erff(u)) + u * INVERSE_ROOT * expf(-u * u);
}

void grad_act(const float *z, const float *dc, int32_t lddc, float *dz, int32_t rows, int32_t n,
              int32_t act)
{
	for (int32_t row = 0; row < rows; row++, z += n, dc += lddc, dz += n)
		if (act == OMT_ACT_SILU)
			for (int32_t i = 0; i < n; i++)
				dz[i] = dc[i] * silu_slope(z[i]);
		else if (act == OMT_ACT_GELU)
			for (int32_t i = 0; i < n; i++)
				dz[i] = dc[i] * gelu_slope(z[i]);
		else
			memcpy(dz, dc, (size_t)n * sizeof *dz);
}

void grad_act_forward(const float *z, float *out, int32_t rows, int32_t n, int32_t act)
{
	const size_t count = (size_t)rows * (size_t)n;
	if (act == OMT_ACT_SILU)
		for (size_t i = 0; i < count; i++)
			out[i] = z[i] / (1.0f + expf(-z[i]));
	else if (act == OMT_ACT_GELU)
		for (size_t i = 0; i < count; i++)
			out[i] = 0.5f * z[i] * (1.0f + erff(z[i] * ROOT_HALF));
	else
		memcpy(out, z, count * sizeof *out);
}
