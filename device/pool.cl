/* pool.cl - one row of each sequence. Global ids: (column, sequence). */
#include "contract.h"

__kernel void pool(OMT_ARGS(OMT_POOL))
{
	const int i = get_global_id(0), s = get_global_id(1);
	if (i >= cols || s >= sequences)
		return;
	int begin = cu_seqlens[s], end = cu_seqlens[s + 1];
	if (mode == OMT_POOL_LAST)
		begin = end - 1;
	else if (mode == OMT_POOL_CLS)
		end = begin + 1;
	float sum = 0.0f;
	for (int row = begin; row < end; row++)
		sum += x[(size_t)row * ldx + i];
	out[(size_t)s * ldo + i] = sum / (float)(end - begin);
}
