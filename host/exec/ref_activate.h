/* ref_activate.h - gemm's activations in plain C. */
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

#endif
