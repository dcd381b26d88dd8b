/* The op rotates (a, b) by the row's angle; a rotation's gradient is rotated back:
 * da = da' cos + db' sin,    db = db' cos - da' sin */
#include "train/grad.h"

void grad_rotary(float *dx, const float *cosines, const float *sines, int32_t rows, int32_t heads,
                 int32_t head_dim, int32_t ldx)
{
	const int32_t half = head_dim / 2;
	for (int32_t row = 0; row < rows; row++, cosines += half, sines += half, dx += ldx)
		for (int32_t head = 0; head < heads; head++) {
			float *lower = dx + head * head_dim, *upper = lower + half;
			for (int32_t i = 0; i < half; i++) {
				const float a = lower[i], b = upper[i];
				lower[i] = a * cosines[i] + b * sines[i];
				upper[i] = b * cosines[i] - a * sines[i];
			}
		}
}
