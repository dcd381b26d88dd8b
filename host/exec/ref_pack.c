#include <string.h>

#include "exec/ref.h"
#include "exec/storage.h"

void ref_pack(OMT_REF_ARGS(OMT_PACK))
{
	size_t bytes = omt_dtype_bytes(dtype);
	int32_t rows = (n + panel - 1) / panel * panel;
	for (int32_t row = 0; row < rows; row++)
		for (int32_t i = 0; i < k; i++) {
			size_t to = (size_t)(row / panel) * (size_t)k * (size_t)panel +
			            (size_t)i * (size_t)panel + (size_t)(row % panel);
			if (row < n)
				memcpy(dst + to * bytes,
				       src + ((size_t)row * (size_t)lds + (size_t)i) * bytes,
				       bytes);
			else
				memset(dst + to * bytes, 0, bytes);
		}
}
