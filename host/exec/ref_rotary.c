#include "exec/ref.h"

void ref_rotary(OMT_REF_ARGS(OMT_ROTARY))
{
	int32_t half = head_dim / 2;
	for (int32_t row = 0; row < rows; row++) {
		const float *cosine = cosines + (size_t)row * (size_t)half;
		const float *sine = sines + (size_t)row * (size_t)half;
		for (int32_t head = 0; head < heads; head++) {
			float *lower = x + (size_t)row * (size_t)ldx + (size_t)(head * head_dim);
			float *upper = lower + half;
			for (int32_t i = 0; i < half; i++) {
				float a = lower[i], b = upper[i];
				lower[i] = a * cosine[i] - b * sine[i];
				upper[i] = b * cosine[i] + a * sine[i];
			}
		}
	}
}
