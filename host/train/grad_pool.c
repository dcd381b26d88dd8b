/* mean: every row of the sequence gets dout / length; last, first: that row gets dout. */
#include "train/grad.h"

void grad_pool(const int32_t *cu_seqlens, const float *dout, float *dx, int32_t sequences,
               int32_t cols, int32_t ldx, int32_t ldo, int32_t mode)
{
	for (int32_t s = 0; s < sequences; s++, dout += ldo) {
		int32_t begin = cu_seqlens[s], end = cu_seqlens[s + 1];
		if (mode == OMT_POOL_LAST)
			begin = end - 1;
		else if (mode == OMT_POOL_CLS)
			end = begin + 1;
		for (int32_t row = begin; row < end; row++) {
			float *to = dx + (size_t)row * (size_t)ldx;
			for (int32_t i = 0; i < cols; i++)
				to[i] += dout[i] / (float)(end - begin);
		}
	}
}
