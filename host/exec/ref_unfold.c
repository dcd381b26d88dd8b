#include <stdbool.h>

#include "exec/ref.h"

void ref_unfold(OMT_REF_ARGS(OMT_UNFOLD))
{
	(void)out_rows;
	for (int32_t s = 0; s < sequences; s++)
		for (int32_t row = cu_out[s]; row < cu_out[s + 1]; row++) {
			float *to = out + (size_t)row * (size_t)ldo;
			int32_t first = cu_in[s] + (row - cu_out[s]) * stride - pad;
			for (int32_t c = 0; c < channels; c++)
				for (int32_t tap = 0; tap < taps; tap++) {
					int32_t at = first + tap;
					bool inside = at >= cu_in[s] && at < cu_in[s + 1];
					to[c * taps + tap] =
						inside ? x[(size_t)at * (size_t)ldx + (size_t)c]
						       : 0;
				}
		}
}
