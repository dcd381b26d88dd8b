#include <string.h>

#include "exec/ref.h"
#include "exec/storage.h"

void ref_pack(OMT_REF_ARGS(OMT_PACK))
{
	const int32_t rows = (n + panel - 1) / panel * panel, group = OMT_WORD_GROUP(dtype);
	const int32_t depth = (k + group - 1) / group * group;
	const size_t bytes = omt_dtype_bytes(dtype);
	for (int32_t row = 0; row < rows; row++)
		for (int32_t i = 0; i < depth; i++) {
			uint8_t *to = dst + bytes * omt_packed_at(row, i, k, panel, dtype);
			if (row < n && i < k)
				memcpy(to, src + ((size_t)row * (size_t)lds + (size_t)i) * bytes,
				       bytes);
			else
				memset(to, 0, bytes);
			if (dtype == OMT_I8X4)
				*to ^= 0x80;
		}
}
