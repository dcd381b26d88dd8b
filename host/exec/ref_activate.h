/* ref_activate.h - gemm's activations and epilogue in plain C. */
#ifndef OMT_EXEC_REF_ACTIVATE_H
#define OMT_EXEC_REF_ACTIVATE_H

#include <math.h>
#include <stdint.h>

#include "device/contract.h"

static inline float ref_activate(float x, int32_t act)
{
	if (act == OMT_ACT_SILU)
		return x / (1.0f + expf(-x));
	if (act == OMT_ACT_GELU)
		return 0.5f * x * (1.0f + erff(x * 0.70710678f));
	return x;
}

/* act(sum + bias) + residual or * residual, as `flags` say; bias and residual: this element's. */
static inline float ref_finish(float sum, int32_t act, int32_t flags, const float *bias,
                               const float *residual)
{
	if (flags & OMT_GEMM_BIAS)
		sum += *bias;
	sum = ref_activate(sum, act);
	if (flags & OMT_GEMM_PRODUCT)
		sum *= *residual;
	else if (flags & OMT_GEMM_RESIDUAL)
		sum += *residual;
	return sum;
}

#endif
