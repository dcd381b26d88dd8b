/* silu(z) = z s, s = 1 / (1 + exp(-z)):      silu'(z) = s (1 + z (1 - s))
 * gelu(z) = z F, F = (1 + erf(c z)) / 2:     gelu'(z) = F + z c / sqrt(pi) exp(-(c z)^2)
 * with c = 1 / sqrt(2) as exec/ref_activate.h has it. */
#include <string.h>

#include "base/exponential.h"
#include "exec/activate.h"
#include "train/grad.h"

#define ROOT_HALF    0.70710678f
#define INVERSE_ROOT ((float)0.56418958354775628695) /* 1 / sqrt(pi) */

OMT_HOT void silu_back_body(const float *z, const float *dc, float *dz, int32_t n)
{
	OMT_VECTOR_LOOP
	for (int32_t i = 0; i < n; i++) {
		const float s = 1.0f / (1.0f + omt_exp(-z[i]));
		dz[i] = dc[i] * (s * (1.0f + z[i] * (1.0f - s)));
	}
}
OMT_PATHS(silu_back, (const float *z, const float *dc, float *dz, int32_t n), (z, dc, dz, n))

OMT_HOT void gelu_back_body(const float *z, const float *dc, float *dz, int32_t n)
{
	OMT_VECTOR_LOOP
	for (int32_t i = 0; i < n; i++) {
		const float u = z[i] * ROOT_HALF;
		const float slope =
			0.5f * (1.0f + omt_erf(u)) + u * INVERSE_ROOT * omt_exp(-(u * u));
		dz[i] = dc[i] * slope;
	}
}
OMT_PATHS(gelu_back, (const float *z, const float *dc, float *dz, int32_t n), (z, dc, dz, n))

void grad_act(const float *z, const float *dc, int32_t lddc, float *dz, int32_t rows, int32_t n,
              int32_t act)
{
	for (int32_t row = 0; row < rows; row++, z += n, dc += lddc, dz += n)
		if (act == OMT_ACT_SILU)
			silu_back(z, dc, dz, n);
		else if (act == OMT_ACT_GELU)
			gelu_back(z, dc, dz, n);
		else
			memcpy(dz, dc, (size_t)n * sizeof *dz);
}

void grad_act_forward(const float *z, float *out, int32_t rows, int32_t n, int32_t act)
{
	omt_activate(z, out, (size_t)rows * (size_t)n, act);
}
