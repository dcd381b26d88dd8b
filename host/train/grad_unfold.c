/* out[t, c * taps + j] = x[t * stride + j - pad, c]: each value's shares come from every window
 * that it stands in; padding has none. */
#include "train/grad.h"

void grad_unfold(const int32_t *cu_in, const int32_t *cu_out, const float *dout, float *dx,
                 int32_t sequences, int32_t out_rows, int32_t channels, int32_t taps,
                 int32_t stride, int32_t pad, int32_t ldx, int32_t ldo)
{
	(void)out_rows;
	for (int32_t s = 0; s < sequences; s++)
		for (int32_t row = cu_out[s]; row < cu_out[s + 1]; row++) {
			const float *from = dout + (size_t)row * (size_t)ldo;
			const int32_t first = cu_in[s] + (row - cu_out[s]) * stride - pad;
			for (int32_t tap = 0; tap < taps; tap++) {
				const int32_t at = first + tap;
				if (at < cu_in[s] || at >= cu_in[s + 1])
					continue;
				float *to = dx + (size_t)at * (size_t)ldx;
				for (int32_t c = 0; c < channels; c++)
					to[c] += from[c * taps + tap];
			}
		}
}
