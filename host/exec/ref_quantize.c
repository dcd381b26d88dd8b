#include <math.h>

#include "exec/ref.h"

void ref_quantize(OMT_REF_ARGS(OMT_QUANTIZE))
{
	for (int32_t row = 0; row < rows; row++) {
		const float *from = x + (size_t)row * (size_t)ldx;
		uint8_t *to = out + (size_t)row * (size_t)ldo;
		float most = 0;
		for (int32_t i = 0; i < cols; i++)
			most = fmaxf(most, fabsf(from[i]));
		const float inverse = most > 0 ? 127.0f / most : 0;
		for (int32_t i = 0; i < ldo; i++)
			to[i] = i < cols ? (uint8_t)(int8_t)rintf(from[i] * inverse) : 0;
		scale[row] = most / 127.0f;
	}
}
