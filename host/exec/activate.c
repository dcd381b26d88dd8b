#include "exec/activate.h"

#include <string.h>

#include "base/exponential.h"
#include "device/contract.h"

OMT_HOT void silu_body(const float *z, float *out, size_t n)
{
	OMT_VECTOR_LOOP
	for (size_t i = 0; i < n; i++)
		out[i] = z[i] / (1.0f + omt_exp(-z[i]));
}
OMT_PATHS(silu, (const float *z, float *out, size_t n), (z, out, n))

OMT_HOT void gelu_body(const float *z, float *out, size_t n)
{
	OMT_VECTOR_LOOP
	for (size_t i = 0; i < n; i++)
		out[i] = 0.5f * z[i] * (1.0f + omt_erf(z[i] * 0.70710678f));
}
OMT_PATHS(gelu, (const float *z, float *out, size_t n), (z, out, n))

void omt_activate(const float *z, float *out, size_t n, int32_t act)
{
	if (act == OMT_ACT_SILU)
		silu(z, out, n);
	else if (act == OMT_ACT_GELU)
		gelu(z, out, n);
	else if (out != z)
		memcpy(out, z, n * sizeof *out);
}
