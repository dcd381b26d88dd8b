/* y = x r w, r = 1 / sqrt(mean(x^2) + eps); with g = w dy:
 * dx = r (g - x r^2 mean(g x)),    dw += dy x r */
#include "exec/ref_norm.h"
#include "train/grad.h"

void grad_rmsnorm(const float *x, const float *weight, const float *dout, float *dx, float *dweight,
                  int32_t rows, int32_t cols, int32_t ldx, int32_t ldo, float eps)
{
	for (int32_t row = 0; row < rows; row++, x += ldx, dout += ldo) {
		const float r = ref_inverse(x, 0, cols, eps);
		if (dx) {
			float sum = 0;
			for (int32_t i = 0; i < cols; i++)
				sum += weight[i] * dout[i] * x[i];
			const float pull = r * r * (sum / (float)cols);
			float *to = dx + (size_t)row * (size_t)ldx;
			for (int32_t i = 0; i < cols; i++)
				to[i] += r * (weight[i] * dout[i] - x[i] * pull);
		}
		for (int32_t i = 0; dweight && i < cols; i++)
			dweight[i] += dout[i] * (x[i] * r);
	}
}
