#include "exec/ref.h"
#include "exec/storage.h"

void ref_rows(OMT_REF_ARGS(OMT_ROWS))
{
	for (int32_t i = 0; i < count; i++) {
		if (src_index[i] < src_first || src_index[i] - src_first >= src_rows)
			continue;
		size_t from = (size_t)(src_index[i] - src_first) * (size_t)lds;
		float *to = dst + (size_t)dst_index[i] * (size_t)ldd;
		for (int32_t col = 0; col < cols; col++)
			to[col] = omt_dtype_load(src, src_dtype, from + (size_t)col);
	}
}
