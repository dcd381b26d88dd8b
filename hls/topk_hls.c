/* topk_hls.c - the k best columns of each row of scores.
 *
 * HLS_WIDTH lanes of HLS_DEPTH cells. A lane is a systolic chain: each cell keeps the better of
 * what it has and what the cell before hands on, and hands on the other one in the next cycle, so
 * that a score goes in every cycle and no wire goes further than to the next cell. DEPTH cycles
 * after the last score the chain is in order, and is shifted out.
 *
 * - Rows side by side (ldx 1): a lane a row; a step takes a score of each, 4 x WIDTH bytes that lie
 *   together (16 lanes fill a port of 512 bits).
 * - Columns side by side (stride 1): lanes take the columns of one row in turn; then the best of
 *   the others go through the first lane, one a cycle.
 * - Neither: the first lane alone, a score a cycle.
 *
 * A score and its column are one integer, greater for what goes first; zeros lose their sign. k of
 * more than DEPTH takes P = ceil(k / DEPTH) passes over the scores, each of which takes what goes
 * after the last of the pass before.
 *   II 1; with G groups of WIDTH rows side by side, or of one row, and S = cols steps, or of
 *   columns side by side ceil(cols / WIDTH): rows + G x P x S (load) + G x P x DEPTH, of columns
 *   side by side G x ((WIDTH - 1) x k + P x DEPTH) more (compute) + rows x k (store) cycles;
 *   registers: WIDTH x DEPTH x 128 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_DEPTH
#define HLS_DEPTH 64
#endif
#include "portable.h"

#define LEAST 0x007fffffu            /* the key of -inf */
#define TOP   0xffffffffu            /* above all keys */
#define EMPTY ((hls_u64)LEAST << 32) /* of column -1: worse than all that counts */
#define BEST  ((hls_u64)TOP << 32)   /* better than all */

/* Floats as integers of the same order; NaN is as the caller says. */
static inline hls_u32 topk_key(float score, hls_u32 nan)
{
	HLS_INLINE
	const hls_u32 given = hls_float_bits(score), bits = given == 0x80000000u ? 0 : given;
	if ((bits & 0x7fffffffu) > 0x7f800000u)
		return nan;
	return bits >> 31 ? ~bits : bits | 0x80000000u;
}

/* A score with its column, turned round, in the lower half; EMPTY: it is not above the bar. */
static inline hls_u64 topk_entry(float score, int column, hls_u32 bar)
{
	HLS_INLINE
	const hls_u32 key = topk_key(score, LEAST);
	return key > bar ? (hls_u64)key << 32 | ~(hls_u32)column : EMPTY;
}
static inline float topk_score(hls_u64 entry)
{
	HLS_INLINE
	const hls_u32 key = (hls_u32)(entry >> 32);
	return hls_bits_float(key >> 31 ? key & 0x7fffffffu : ~key);
}
static inline int topk_column(hls_u64 entry)
{
	HLS_INLINE
	return (int)~(hls_u32)entry;
}

/* A cycle of a lane, into which an entry goes; `fresh`: everything in it is empty before. */
static inline void topk_insert(hls_u64 cell[HLS_DEPTH], hls_u64 passed[HLS_DEPTH], int fresh,
                               hls_u64 entry)
{
	HLS_INLINE
	/* From the last cell on: what a cell passed in the cycle before is read before it is set.
	 */
	HLS_UNROLL
	for (int i = HLS_DEPTH - 1; i >= 0; i--) {
		const hls_u64 had = fresh ? EMPTY : cell[i];
		const hls_u64 comes = i == 0 ? entry : fresh ? EMPTY : passed[i > 0 ? i - 1 : 0];
		cell[i] = HLS_MAX(comes, had);
		passed[i] = HLS_MIN(comes, had);
	}
}

/* Shifts the best entry out of one of the lanes. */
static inline hls_u64 topk_shift(hls_u64 cell[HLS_WIDTH][HLS_DEPTH], int lane)
{
	HLS_INLINE
	hls_u64 best = EMPTY;
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++) {
		if (w == lane) {
			best = cell[w][0];
			HLS_UNROLL
			for (int i = 0; i < HLS_DEPTH; i++)
				cell[w][i] = i + 1 < HLS_DEPTH ? cell[w][i + 1] : EMPTY;
		}
	}
	return best;
}

/* The rows of a pass: of `count` rows from `row` on the results `done` to `done` + `take` - 1. */
typedef struct topk_pass {
	int abreast, packed; /* rows, columns side by side */
	int row, count, done, take;
} topk_pass;

/* What goes into the lanes in a step: what is above the row's bar and after the last of the pass
 * before. */
static inline void topk_load(HLS_GLOBAL const float *x, int cols, int ldx, int stride,
                             topk_pass pass, int step, const hls_u32 bar[HLS_WIDTH],
                             const hls_u64 last[HLS_WIDTH], hls_u64 entry[HLS_WIDTH])
{
	HLS_INLINE
	const int column = pass.packed ? step * HLS_WIDTH : step;
	const int left = pass.abreast ? pass.count : pass.packed ? cols - column : 1;
	float score[HLS_WIDTH];
	hls_load(x, (hls_at)pass.row * ldx + (hls_at)column * stride, left, score);
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++) {
		const int of = pass.abreast ? w : 0;
		const hls_u64 comes = topk_entry(score[w], column + (pass.packed ? w : 0), bar[of]);
		entry[w] = w < left && comes < last[of] ? comes : EMPTY;
	}
}

/* All scores of the rows go through the lanes. */
static inline void topk_take(HLS_GLOBAL const float *x, int cols, int ldx, int stride,
                             topk_pass pass, const hls_u32 bar[HLS_WIDTH],
                             const hls_u64 last[HLS_WIDTH], hls_u64 cell[HLS_WIDTH][HLS_DEPTH],
                             hls_u64 passed[HLS_WIDTH][HLS_DEPTH])
{
	HLS_INLINE
	const int steps = pass.packed ? HLS_DIVIDED(cols, HLS_WIDTH) : cols;
	const int others = pass.packed ? (HLS_WIDTH - 1) * pass.take + HLS_DEPTH : 0;
	int lane = 1, i = 0; /* counted, not divided */
	for (int step = 0; step < steps + HLS_DEPTH + others; step++) {
		HLS_PIPELINE
		hls_u64 entry[HLS_WIDTH];
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			entry[w] = EMPTY;
		if (step < steps) {
			HLS_TRIP(HLS_LOAD);
			topk_load(x, cols, ldx, stride, pass, step, bar, last, entry);
		} else {
			HLS_TRIP(HLS_COMPUTE);
			if (step >= steps + HLS_DEPTH && lane < HLS_WIDTH) {
				entry[0] = topk_shift(cell, lane);
				i++;
				if (i == pass.take) {
					i = 0;
					lane++;
				}
			}
		}
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			topk_insert(cell[w], passed[w], step == 0, entry[w]);
	}
}

/* The lanes' best are written, a lane a row; `last` is kept for the next pass. */
static inline void topk_give(HLS_GLOBAL float *values, HLS_GLOBAL int *index, int ldo, int first,
                             topk_pass pass, hls_u64 last[HLS_WIDTH],
                             hls_u64 cell[HLS_WIDTH][HLS_DEPTH])
{
	HLS_INLINE
	int lane = 0, i = 0;
	for (int step = 0; step < pass.count * pass.take; step++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_STORE);
		HLS_WRITE(8);
		const hls_u64 best = topk_shift(cell, lane);
		const hls_at at = (hls_at)(pass.row + lane) * ldo + pass.done + i;
		const int column = topk_column(best);
		values[at] = topk_score(best);
		index[at] = column < 0 ? -1 : first + column;
		last[lane] = best;
		i++;
		if (i == pass.take) {
			i = 0;
			lane++;
		}
	}
}

HLS_KERNEL(topk, OMT_TOPK)
{
	HLS_PORTS(OMT_TOPK)
	hls_u64 cell[HLS_WIDTH][HLS_DEPTH], passed[HLS_WIDTH][HLS_DEPTH], last[HLS_WIDTH];
	hls_u32 bar[HLS_WIDTH];
	HLS_PARTITION(cell, 0)
	HLS_PARTITION(passed, 0)
	HLS_PARTITION(last, 0)
	HLS_PARTITION(bar, 0)
	topk_pass pass;
	pass.abreast = ldx == 1;
	pass.packed = ldx != 1 && stride == 1;
	for (pass.row = 0; pass.row < rows; pass.row += pass.count) {
		pass.count = pass.abreast ? HLS_MIN(HLS_WIDTH, rows - pass.row) : 1;
		for (int i = 0; i < pass.count; i++) {
			HLS_PIPELINE
			HLS_TRIP(HLS_LOAD);
			HLS_READ(bounded ? 4 : 0);
			bar[i] = bounded ? topk_key(bound[pass.row + i], TOP) : LEAST;
			last[i] = BEST;
		}
		for (pass.done = 0; pass.done < k; pass.done += pass.take) {
			pass.take = HLS_MIN(HLS_DEPTH, k - pass.done);
			topk_take(x, cols, ldx, stride, pass, bar, last, cell, passed);
			topk_give(values, index, ldo, first, pass, last, cell);
		}
	}
}
