/* y = x r w, r = 1 / sqrt(mean(x^2) + eps); with g = w dy:
 * dx = r (g - x r^2 mean(g x)),    dw += dy x r */
#include <math.h>

#include "train/grad.h"
#include "train/grad_lanes.h"

OMT_HOT void rmsnorm_row(const float *x, const float *weight, const float *dout, float *dx,
                         float *dweight, int32_t cols, float eps)
{
	float squares[GRAD_LANES] = {0}, along[GRAD_LANES] = {0};
	for (int32_t at = 0; at < cols; at += GRAD_LANES) {
		OMT_VECTOR_LOOP
		for (int32_t i = 0; i < grad_lanes(at, cols); i++) {
			squares[i] += x[at + i] * x[at + i];
			along[i] += weight[at + i] * dout[at + i] * x[at + i];
		}
	}
	const float n = (float)cols;
	const float r = 1.0f / sqrtf(grad_lanes_sum(squares) / n + eps);
	const float pull = r * r * (grad_lanes_sum(along) / n);
	OMT_VECTOR_LOOP
	for (int32_t i = 0; dx && i < cols; i++)
		dx[i] += r * (weight[i] * dout[i] - x[i] * pull);
	OMT_VECTOR_LOOP
	for (int32_t i = 0; dweight && i < cols; i++)
		dweight[i] += dout[i] * (x[i] * r);
}

OMT_HOT void rmsnorm_body(const float *x, const float *weight, const float *dout, float *dx,
                          float *dweight, int32_t rows, int32_t cols, int32_t ldx, int32_t ldo,
                          float eps)
{
	for (int32_t row = 0; row < rows; row++)
		rmsnorm_row(x + (size_t)row * (size_t)ldx, weight, dout + (size_t)row * (size_t)ldo,
		            dx ? dx + (size_t)row * (size_t)ldx : NULL, dweight, cols, eps);
}
OMT_PATHS(rmsnorm,
          (const float *x, const float *weight, const float *dout, float *dx, float *dweight,
           int32_t rows, int32_t cols, int32_t ldx, int32_t ldo, float eps),
          (x, weight, dout, dx, dweight, rows, cols, ldx, ldo, eps))

void grad_rmsnorm(const float *x, const float *weight, const float *dout, float *dx, float *dweight,
                  int32_t rows, int32_t cols, int32_t ldx, int32_t ldo, float eps)
{
	rmsnorm(x, weight, dout, dx, dweight, rows, cols, ldx, ldo, eps);
}
