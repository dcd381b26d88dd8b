#include <string.h>

#include "exec/ref.h"

void ref_patches(OMT_REF_ARGS(OMT_PATCHES))
{
	for (int32_t row = 0; row < rows; row++) {
		const int32_t *place = places + (size_t)order[row] * ((size_t)frames + 2);
		const int32_t width = place[frames], format = place[frames + 1];
		float *to = out + (size_t)row * (size_t)ldo;
		for (int32_t c = 0; c < 3; c++)
			for (int32_t t = 0; t < frames; t++)
				for (int32_t y = 0; y < side; y++)
					for (int32_t x = 0; x < side; x++, to++) {
						const size_t pixel = (size_t)place[t] +
						                     (size_t)y * (size_t)width +
						                     (size_t)x;
						const size_t at = 3 * pixel + (size_t)c;
						if (format == OMT_U8)
							*to = table[c * 256 + pixels[at]];
						else
							memcpy(to, pixels + 4 * at, sizeof *to);
					}
	}
}
