/* rows_hls.c - dst[dst_index[i], :] = src[src_index[i], :] as f32, for rows that the block of the
 * table has.
 *
 * A row is read, expanded and written in one pass, HLS_WIDTH elements a cycle.
 *   II 1; ceil(cols / WIDTH) cycles (load and store at once) for a row that the block has, one for
 *   an entry's numbers; no memory. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#include "portable.h"

HLS_KERNEL(rows, OMT_ROWS)
{
	HLS_PORTS(OMT_ROWS)
	for (int entry = 0; entry < count; entry++) {
		HLS_TRIP(HLS_LOAD);
		HLS_READ(8);
		const int row = src_index[entry] - src_first;
		const hls_at from = (hls_at)row * lds, to = (hls_at)dst_index[entry] * ldd;
		const int used = row >= 0 && row < src_rows ? cols : 0;
		HLS_NO_CONFLICT
		for (int at = 0; at < used; at += HLS_WIDTH) {
			HLS_PIPELINE
			HLS_TRIP(HLS_STORE);
			HLS_READ(HLS_BYTES_OF(src_dtype) * HLS_MIN(HLS_WIDTH, cols - at));
			float vector[HLS_WIDTH];
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++)
				vector[w] = at + w < cols
				                    ? hls_number(src, src_dtype, from + at + w)
				                    : 0;
			hls_store(vector, dst, to + at, cols - at);
		}
	}
}
