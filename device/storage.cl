/* storage.cl - one element of a weight or table, as its dtype says. First among the kernels'
 * files. */
#include "contract.h"

/* For all that follows: a multiplication and an addition are fused where fma() is written. */
#pragma OPENCL FP_CONTRACT OFF

static inline float storage_element(__global const uchar *array, size_t at, int dtype)
{
	switch (dtype) {
	case OMT_F32:
		return ((__global const float *)array)[at];
	case OMT_BF16:
		return as_float((uint)((__global const ushort *)array)[at] << 16);
	case OMT_F16:
		return vload_half(at, (__global const half *)array);
	default:
		return (float)((__global const char *)array)[at];
	}
}
