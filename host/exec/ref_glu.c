#include <math.h>

#include "exec/ref.h"

void ref_glu(OMT_REF_ARGS(OMT_GLU))
{
	for (int32_t row = 0; row < rows; row++)
		for (int32_t i = 0; i < cols; i++) {
			float g = gate[(size_t)row * (size_t)ldg + (size_t)i];
			out[(size_t)row * (size_t)ldo + (size_t)i] =
				g / (1.0f + expf(-g)) * up[(size_t)row * (size_t)ldu + (size_t)i];
		}
}
