/* pack.cl - row-major weights to panels. Global ids: (column, panel). */
#include "contract.h"

__kernel void pack(OMT_ARGS(OMT_PACK))
{
	const int column = get_global_id(0), first = get_global_id(1) * panel;
	const int depth = dtype == OMT_I8X4 ? (k + 3) / 4 * 4 : k; /* columns of dst */
	if (column >= k || first >= n)
		return;
	for (int i = 0; i < panel; i++) {
		const size_t from = (size_t)(first + i) * lds + column;
		const size_t to = (size_t)first * depth + (size_t)column * panel + i;
		const bool inside = first + i < n;
		switch (dtype) {
		case OMT_F32:
			((__global uint *)dst)[to] =
				inside ? ((__global const uint *)src)[from] : 0;
			break;
		case OMT_I8:
			dst[to] = inside ? src[from] : 0;
			break;
		case OMT_I8X4:
			/* The last column of all also fills its group of four. */
			for (int j = column; j == column || (column == k - 1 && j < depth); j++)
				dst[(size_t)first * depth + (size_t)(j / 4 * panel + i) * 4 +
			            j % 4] = inside && j < k ? src[from] : 0;
			break;
		default:
			((__global ushort *)dst)[to] =
				inside ? ((__global const ushort *)src)[from] : 0;
		}
	}
}
