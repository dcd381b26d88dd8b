/* y = x / n, n = max(|x|, eps): dx = (dy - y (y . dy)) / n; where eps is greater, dx = dy / eps. */
#include <math.h>

#include "train/grad.h"

void grad_l2norm(const float *x, const float *dout, float *dx, int32_t rows, int32_t cols,
                 int32_t ldx, int32_t ldo, float eps)
{
	for (int32_t row = 0; row < rows; row++, x += ldx, dx += ldx, dout += ldo) {
		float squares = 0, along = 0;
		for (int32_t i = 0; i < cols; i++) {
			squares += x[i] * x[i];
			along += x[i] * dout[i];
		}
		const float length = sqrtf(squares);
		/* (y . dy) / n: what x is multiplied by, but for another n. */
		const float pull = length > eps ? along / length / length : 0;
		const float divisor = fmaxf(length, eps);
		for (int32_t i = 0; i < cols; i++)
			dx[i] += (dout[i] - x[i] * pull) / divisor;
	}
}
