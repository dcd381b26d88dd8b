/* y = h w + b, h = (x - mean(x)) r, r = 1 / sqrt(var(x) + eps); with g = w dy:
 * dx = r (g - mean(g) - h mean(g h)),    dw += dy h,    db += dy */
#include "exec/ref_norm.h"
#include "train/grad.h"

void grad_layernorm(const float *x, const float *weight, const float *dout, float *dx,
                    float *dweight, float *dbias, int32_t rows, int32_t cols, int32_t ldx,
                    int32_t ldo, float eps)
{
	for (int32_t row = 0; row < rows; row++, x += ldx, dout += ldo) {
		const float mean = ref_mean(x, cols), r = ref_inverse(x, mean, cols, eps);
		if (dx) {
			float sum = 0, along = 0;
			for (int32_t i = 0; i < cols; i++) {
				const float g = weight[i] * dout[i];
				sum += g;
				along += g * ((x[i] - mean) * r);
			}
			float *to = dx + (size_t)row * (size_t)ldx;
			sum /= (float)cols;
			along /= (float)cols;
			for (int32_t i = 0; i < cols; i++)
				to[i] +=
					r * (weight[i] * dout[i] - sum - (x[i] - mean) * r * along);
		}
		for (int32_t i = 0; dweight && i < cols; i++)
			dweight[i] += dout[i] * ((x[i] - mean) * r);
		for (int32_t i = 0; dbias && i < cols; i++)
			dbias[i] += dout[i];
	}
}
