/* unfold.cl - windows of a 1-D convolution as rows. Global ids: (channel, output row). */
#include "contract.h"

/* The sequence that row t lies in: the last one that begins at or before it. */
static inline int unfold_sequence(__global const int *cu, int sequences, int t)
{
	int low = 0, high = sequences - 1;
	while (low < high) {
		const int middle = (low + high + 1) / 2;
		if (cu[middle] <= t)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

__kernel void unfold(OMT_ARGS(OMT_UNFOLD))
{
	const int c = get_global_id(0), row = get_global_id(1);
	if (c >= channels || row >= out_rows)
		return;
	const int s = unfold_sequence(cu_out, sequences, row);
	const int first = cu_in[s] + (row - cu_out[s]) * stride - pad;
	for (int tap = 0; tap < taps; tap++) {
		const int at = first + tap;
		const bool inside = at >= cu_in[s] && at < cu_in[s + 1];
		out[(size_t)row * ldo + c * taps + tap] = inside ? x[(size_t)at * ldx + c] : 0.0f;
	}
}
