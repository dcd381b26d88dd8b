/* patches.cl - patches of pictures as rows. Global ids: (frame of the patch, row). */
#include "contract.h"

__kernel OMT_ALONE void patches(OMT_ARGS(OMT_PATCHES))
{
	const int t = get_global_id(0), row = get_global_id(1);
	if (t >= frames || row >= rows)
		return;
	__global const int *place = places + (size_t)order[row] * (frames + 2);
	const int at = place[t], width = place[frames], format = place[frames + 1];
	for (int c = 0; c < 3; c++) {
		__global float *to = out + (size_t)row * ldo + (c * frames + t) * side * side;
		__global const float *values = table + c * 256;
		for (int y = 0; y < side; y++, to += side) {
			const size_t from = ((size_t)at + (size_t)y * width) * 3 + c;
			if (format == OMT_U8)
				for (int x = 0; x < side; x++)
					to[x] = values[pixels[from + 3 * x]];
			else
				for (int x = 0; x < side; x++)
					to[x] = ((__global const float *)pixels)[from + 3 * x];
		}
	}
}
