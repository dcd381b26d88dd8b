/* out[t] = (x[2t] + x[2t + 1]) / 2:    both get half of dout[t]. */
#include "train/grad.h"

void grad_pairs(const int32_t *cu_in, const int32_t *cu_out, const float *dout, float *dx,
                int32_t sequences, int32_t out_rows, int32_t cols, int32_t ldx, int32_t ldo)
{
	(void)out_rows;
	for (int32_t s = 0; s < sequences; s++)
		for (int32_t row = cu_out[s]; row < cu_out[s + 1]; row++) {
			const float *from = dout + (size_t)row * (size_t)ldo;
			float *a = dx + (size_t)(cu_in[s] + 2 * (row - cu_out[s])) * (size_t)ldx;
			float *b = a + ldx;
			for (int32_t i = 0; i < cols; i++) {
				a[i] += 0.5f * from[i];
				b[i] += 0.5f * from[i];
			}
		}
}
