/* pairs.cl - means of two rows. Global ids: (column, output row). Uses unfold.cl's search. */
#include "contract.h"

__kernel void pairs(OMT_ARGS(OMT_PAIRS))
{
	const int i = get_global_id(0), row = get_global_id(1);
	if (i >= cols || row >= out_rows)
		return;
	const int s = unfold_sequence(cu_out, sequences, row);
	const size_t first = cu_in[s] + 2 * (row - cu_out[s]);
	out[(size_t)row * ldo + i] = 0.5f * (x[first * ldx + i] + x[(first + 1) * ldx + i]);
}
