#include "exec/ref.h"

void ref_pairs(OMT_REF_ARGS(OMT_PAIRS))
{
	(void)out_rows;
	for (int32_t s = 0; s < sequences; s++)
		for (int32_t row = cu_out[s]; row < cu_out[s + 1]; row++) {
			int32_t first = cu_in[s] + 2 * (row - cu_out[s]);
			const float *a = x + (size_t)first * (size_t)ldx, *b = a + ldx;
			float *to = out + (size_t)row * (size_t)ldo;
			for (int32_t i = 0; i < cols; i++)
				to[i] = 0.5f * (a[i] + b[i]);
		}
}
