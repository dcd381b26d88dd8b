/* pack.cl - row-major weights to panels. Global ids: (column, panel). */
#include "contract.h"

__kernel void pack(OMT_ARGS(OMT_PACK))
{
	const int column = get_global_id(0), first = get_global_id(1) * panel;
	if (column >= k || first >= n)
		return;
	for (int i = 0; i < panel; i++) {
		const size_t from = (size_t)(first + i) * lds + column;
		const size_t to = (size_t)first * k + (size_t)column * panel + i;
		const bool inside = first + i < n;
		switch (dtype) {
		case OMT_F32:
			((__global uint *)dst)[to] =
				inside ? ((__global const uint *)src)[from] : 0;
			break;
		case OMT_I8:
			dst[to] = inside ? src[from] : 0;
			break;
		default:
			((__global ushort *)dst)[to] =
				inside ? ((__global const ushort *)src)[from] : 0;
		}
	}
}
