/* pack.cl - row-major weights to panels. Global ids: (column, panel). */
#include "contract.h"

__kernel void pack(OMT_ARGS(OMT_PACK))
{
	const int column = get_global_id(0), first = get_global_id(1) * panel;
	const int group = OMT_WORD_GROUP(dtype), depth = (k + group - 1) / group * group;
	if (column >= k || first >= n)
		return;
	/* The last column of all also fills its group. */
	const int end = column == k - 1 ? depth : column + 1;
	for (int i = 0; i < panel; i++)
		for (int j = column; j < end; j++) {
			const size_t from = (size_t)(first + i) * lds + j;
			const int place = group > 1 ? i * group + j % group
			                            : OMT_PANEL_PLACE(i, panel, dtype);
			const size_t to =
				(size_t)first * depth + (size_t)(j / group) * group * panel + place;
			const bool inside = first + i < n && j < k;
			if (dtype == OMT_F32)
				((__global uint *)dst)[to] =
					inside ? ((__global const uint *)src)[from] : 0;
			else if (dtype == OMT_I8)
				dst[to] = inside ? src[from] : 0;
			else if (dtype == OMT_I8X4)
				dst[to] = inside ? src[from] ^ 0x80 : 0x80;
			else
				((__global ushort *)dst)[to] =
					inside ? ((__global const ushort *)src)[from] : 0;
		}
}
