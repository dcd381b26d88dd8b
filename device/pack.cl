/* pack.cl - row-major weights to panels. Global ids: (element of a panel's rows and depth,
 * panel). */
#include "contract.h"

__kernel void pack(OMT_ARGS(OMT_PACK))
{
	const int inner = get_global_id(0), p = get_global_id(1);
	if (inner >= k * panel || p * panel >= n)
		return;
	const int row = p * panel + inner % panel;
	const size_t from = (size_t)row * lds + inner / panel;
	const size_t to = (size_t)p * k * panel + inner;
	const bool inside = row < n;
	switch (dtype) {
	case OMT_F32:
		((__global uint *)dst)[to] = inside ? ((__global const uint *)src)[from] : 0;
		break;
	case OMT_I8:
		dst[to] = inside ? src[from] : 0;
		break;
	default:
		((__global ushort *)dst)[to] = inside ? ((__global const ushort *)src)[from] : 0;
	}
}
