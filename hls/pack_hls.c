/* pack_hls.c - row-major weights to panels of `panel` rows, elements of a panel's rows beside each
 * other.
 *
 * HLS_DEPTH columns of a panel at a time go through a tile on the chip: read row by row, written
 * column by column, HLS_WIDTH elements a cycle both times. So that neither has two elements in one
 * memory, element (place, group of k) lies in memory (place + k) % HLS_WIDTH: a vector is turned on
 * its way in and back on its way out. HLS_WIDTH is a power of two, HLS_DEPTH a multiple of it and
 * of 4; panels of HLS_ROWS rows at most.
 *   II 1; with G elements in a group and K = k rounded up to G, a panel takes panel x ceil(K /
 *   WIDTH) (load; blocks of DEPTH) + K / G x ceil(panel x G / WIDTH) (store) cycles; memory: DEPTH
 *   x ROWS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_ROWS
#define HLS_ROWS 128
#endif
#ifndef HLS_DEPTH
#define HLS_DEPTH 64
#endif
#include "portable.h"

#define WORDS (HLS_DEPTH * HLS_DIVIDED(HLS_ROWS, HLS_WIDTH))

/* Row `row` of the panel, columns [0, count) of a block of which the matrix has `left`, to places
 * from `place` on. bits: log2 of a group's elements; stride: words of a group. */
static inline void take_row(HLS_GLOBAL const hls_u8 *src, hls_at at, int size, int count, int left,
                            int place, int bits, int stride, hls_u32 tile[HLS_WIDTH][WORDS])
{
	for (int i = 0; i < count; i += HLS_WIDTH) {
		HLS_PIPELINE
		HLS_TRIP(HLS_LOAD);
		HLS_READ(size * HLS_MIN(HLS_WIDTH, HLS_MAX(left - i, 0)));
		hls_u32 vector[HLS_WIDTH];
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			vector[w] = i + w < left ? hls_bits(src, size, at + i + w) : 0;
		HLS_UNROLL
		for (int b = 0; b < HLS_WIDTH; b++) {
			const int w = (b - place) & (HLS_WIDTH - 1), k = i + w;
			const int q = place + (k & ((1 << bits) - 1));
			if (k < count)
				tile[b][(k >> bits) * stride + q / HLS_WIDTH] = vector[w];
		}
	}
}

/* Groups [0, groups) of the block: `width` elements of each, the sign of int8 turned by `turn`. */
static inline void put_groups(hls_u32 tile[HLS_WIDTH][WORDS], int groups, int bits, int stride,
                              int width, hls_u32 turn, HLS_GLOBAL hls_u8 *dst, hls_at at, int size)
{
	int group = 0, v = 0;
	for (int step = 0; step < groups * stride; step++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_STORE);
		HLS_WRITE(size * HLS_MIN(HLS_WIDTH, width - v * HLS_WIDTH));
		hls_u32 vector[HLS_WIDTH];
		HLS_UNROLL
		for (int b = 0; b < HLS_WIDTH; b++)
			vector[b] = tile[b][step] ^ turn;
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			if (v * HLS_WIDTH + w < width)
				hls_put(vector[(w + (group << bits)) & (HLS_WIDTH - 1)], dst, size,
				        at + (hls_at)group * width + v * HLS_WIDTH + w);
		v++;
		if (v == stride) {
			v = 0;
			group++;
		}
	}
}

HLS_KERNEL(pack, OMT_PACK)
{
	HLS_PORTS(OMT_PACK)
	hls_u32 tile[HLS_WIDTH][WORDS];
	HLS_PARTITION(tile, 1)
	const int group = OMT_WORD_GROUP(dtype), bits = group == 4 ? 2 : group == 2 ? 1 : 0;
	const int size = HLS_BYTES_OF(dtype), width = panel * group;
	const int depth = HLS_DIVIDED(k, group) * group, stride = HLS_DIVIDED(width, HLS_WIDTH);
	const int paired = dtype == OMT_BF16 || dtype == OMT_F16, half_panel = panel / 2;
	for (int first = 0; first < n; first += panel)
		for (int k0 = 0; k0 < depth; k0 += HLS_DEPTH) {
			const int count = HLS_MIN(HLS_DEPTH, depth - k0);
			for (int row = 0; row < panel; row++) {
				/* OMT_PANEL_PLACE without a division, times the group. */
				const int pair =
					row < half_panel ? 2 * row : 2 * (row - half_panel) + 1;
				take_row(src, (hls_at)(first + row) * lds + k0, size, count,
				         first + row < n ? k - k0 : 0, paired ? pair : row * group,
				         bits, stride, tile);
			}
			put_groups(tile, count >> bits, bits, stride, width,
			           dtype == OMT_I8X4 ? 0x80 : 0, dst,
			           (hls_at)first * depth + (hls_at)k0 * panel, size);
		}
}
