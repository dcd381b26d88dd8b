/* glu.cl - silu(gate) * up. Global ids: (column, row). */
#include "contract.h"

__kernel void glu(OMT_ARGS(OMT_GLU))
{
	const int i = get_global_id(0), row = get_global_id(1);
	if (i >= cols || row >= rows)
		return;
	const float g = gate[(size_t)row * ldg + i];
	out[(size_t)row * ldo + i] = g / (1.0f + exp(-g)) * up[(size_t)row * ldu + i];
}
