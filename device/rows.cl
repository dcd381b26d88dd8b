/* rows.cl - gathers and scatters rows. Global ids: (column, entry of the index). */
#include "contract.h"

__kernel void rows(OMT_ARGS(OMT_ROWS))
{
	const int col = get_global_id(0), i = get_global_id(1);
	if (col >= cols || i >= count)
		return;
	const int row = src_index[i] - src_first;
	if (row < 0 || row >= src_rows)
		return;
	dst[(size_t)dst_index[i] * ldd + col] =
		storage_element(src, (size_t)row * lds + col, src_dtype);
}
