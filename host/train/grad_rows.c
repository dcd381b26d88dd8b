/* dst[d] = src[s]:    dsrc[s] += ddst[d], and what dst[d] held before counts no more. A source row
 * may be copied several times: its shares are added in the order of the entries. */
#include "train/grad.h"

void grad_rows(float *dsrc, const int32_t *src_index, const int32_t *dst_index, float *ddst,
               int32_t count, int32_t cols, int32_t lds, int32_t ldd, int32_t src_first,
               int32_t src_rows)
{
	for (int32_t i = 0; i < count; i++) {
		if (src_index[i] < src_first || src_index[i] - src_first >= src_rows)
			continue;
		float *from = ddst + (size_t)dst_index[i] * (size_t)ldd;
		if (dsrc) {
			float *to = dsrc + (size_t)(src_index[i] - src_first) * (size_t)lds;
			for (int32_t col = 0; col < cols; col++)
				to[col] += from[col];
		}
		for (int32_t col = 0; col < cols; col++)
			from[col] = 0;
	}
}
