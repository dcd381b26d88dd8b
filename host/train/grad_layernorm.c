/* y = h w + b, h = (x - mean(x)) r, r = 1 / sqrt(var(x) + eps); with g = w dy:
 * dx = r (g - mean(g) - h mean(g h)),    dw += dy h,    db += dy */
#include <math.h>

#include "train/grad.h"
#include "train/grad_lanes.h"

/* Means of x and g; then those of (x - mean)^2 and g (x - mean). */
typedef struct layernorm_means {
	float x, g, squares, along;
} layernorm_means;

OMT_HOT layernorm_means measure_row(const float *x, const float *weight, const float *dout,
                                    int32_t cols)
{
	const float n = (float)cols;
	float first[GRAD_LANES] = {0}, second[GRAD_LANES] = {0};
	float squares[GRAD_LANES] = {0}, along[GRAD_LANES] = {0};
	for (int32_t at = 0; at < cols; at += GRAD_LANES) {
		OMT_VECTOR_LOOP
		for (int32_t i = 0; i < grad_lanes(at, cols); i++) {
			first[i] += x[at + i];
			second[i] += weight[at + i] * dout[at + i];
		}
	}
	const float mean = grad_lanes_sum(first) / n;
	for (int32_t at = 0; at < cols; at += GRAD_LANES) {
		OMT_VECTOR_LOOP
		for (int32_t i = 0; i < grad_lanes(at, cols); i++) {
			const float off = x[at + i] - mean;
			squares[i] += off * off;
			along[i] += weight[at + i] * dout[at + i] * off;
		}
	}
	return (layernorm_means){mean, grad_lanes_sum(second) / n, grad_lanes_sum(squares) / n,
	                         grad_lanes_sum(along) / n};
}

OMT_HOT void layernorm_row(const float *x, const float *weight, const float *dout, float *dx,
                           float *dweight, float *dbias, int32_t cols, float eps)
{
	const layernorm_means mean = measure_row(x, weight, dout, cols);
	const float r = 1.0f / sqrtf(mean.squares + eps), pull = r * r * mean.along;
	OMT_VECTOR_LOOP
	for (int32_t i = 0; dx && i < cols; i++)
		dx[i] += r * (weight[i] * dout[i] - mean.g - (x[i] - mean.x) * pull);
	OMT_VECTOR_LOOP
	for (int32_t i = 0; dweight && i < cols; i++)
		dweight[i] += dout[i] * ((x[i] - mean.x) * r);
	OMT_VECTOR_LOOP
	for (int32_t i = 0; dbias && i < cols; i++)
		dbias[i] += dout[i];
}

OMT_HOT void layernorm_body(const float *x, const float *weight, const float *dout, float *dx,
                            float *dweight, float *dbias, int32_t rows, int32_t cols, int32_t ldx,
                            int32_t ldo, float eps)
{
	for (int32_t row = 0; row < rows; row++)
		layernorm_row(
			x + (size_t)row * (size_t)ldx, weight, dout + (size_t)row * (size_t)ldo,
			dx ? dx + (size_t)row * (size_t)ldx : NULL, dweight, dbias, cols, eps);
}
OMT_PATHS(layernorm,
          (const float *x, const float *weight, const float *dout, float *dx, float *dweight,
           float *dbias, int32_t rows, int32_t cols, int32_t ldx, int32_t ldo, float eps),
          (x, weight, dout, dx, dweight, dbias, rows, cols, ldx, ldo, eps))

void grad_layernorm(const float *x, const float *weight, const float *dout, float *dx,
                    float *dweight, float *dbias, int32_t rows, int32_t cols, int32_t ldx,
                    int32_t ldo, float eps)
{
	layernorm(x, weight, dout, dx, dweight, dbias, rows, cols, ldx, ldo, eps);
}
