/* gemm_hls.c - C = act(A W^T * scale + bias) + residual: gemm, gemm_i8, gemm_bf16 (-DHLS_OP_<op>).
 *
 * De Fine Licht, Kwasniewski and Hoefler's scheme (FPGA'20): a tile of ROWS x COLS of C stays on
 * the chip while all of K passes by; for each k the outer product of a column of A and a row of W^T
 * is added. That reads m k ceil(n / COLS) elements of A and n k ceil(m / ROWS) of W. PE processing
 * elements form a chain: a vector of WIDTH elements of W goes from one to the next (HLS_REGISTER);
 * the p-th holds the tile's rows i with i % PE == p, their part of A and their sums. A sum is one
 * chain of additions from 0 up over k: its bits depend on no parameter, nor on m or n.
 *
 * Feed, compute and drain run at the same time. Feed: DEPTH of k at a time, WIDTH elements of a row
 * of A a cycle, transposed on the way into the memories of the chain, beside it panels (or rows) of
 * W; these memories are doubled. Compute: below. Drain: sums are doubled, too; one tile is finished
 * and written, LANES columns a cycle, while the next is computed. In Vitis: nested dataflow
 * regions; for Intel (HLS_CHANNELS): kernels <op>_feed, <op>, <op>_drain joined by channels.
 *
 * Every loop has II 1 but that of bias and scale, which come through one port: 2. Cycles, for a
 * tile of rows x cols (at the edges what is there), d <= DEPTH:
 *
 * - compute: d max(ceil(rows / PE) ceil(cols / WIDTH), LATENCY), cycles between additions to one
 * - feed of A: rows ceil(d / WIDTH). Of W: from rows cols ceil(d / WIDTH); from panels that divide
 *   COLS and that WIDTH divides (bf16, f16: half a panel) WIDTH words a cycle: an element of f32,
 *   two of bf16 and f16, four of gemm_i8, a byte of int8 in gemm; else an element a cycle
 * - drain: ceil(cols / LANES) (2 + rows), bias and scale first; gemm_i8: + rows
 * - a tile: feed of its first block + sum over blocks of max(compute, feed of the next), or the
 *   drain of the one before if that is longer; at the end the last drain
 *
 * On-chip memory in bits: sums 2 ROWS COLS 32; A and W 2 DEPTH (ROWS + COLS) 32, 16 (gemm_bf16) or
 * 8 (gemm_i8); bias and scale 2 COLS 32, of gemm_i8's rows ROWS 32 more. PE x WIDTH multiply-adds.
 * host/exec/hls_cost_gemm.c has bytes, too. gemm_bf16 multiplies f32 with empty lower halves. */
#ifndef HLS_PE
#define HLS_PE 8
#endif
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_ROWS
#define HLS_ROWS 64
#endif
#ifndef HLS_COLS
#define HLS_COLS 64
#endif
#ifndef HLS_DEPTH
#define HLS_DEPTH 64
#endif
#include "portable.h"

/* ---- what the three ops do differently ---- */

#if defined(HLS_OP_gemm_i8)
#define GEMM_OP      gemm_i8
#define GEMM_LIST    OMT_GEMM_I8
#define GEMM_LATENCY HLS_LATENCY_I32
#define GEMM_GROUP   4       /* elements of k in a word of W */
#define GEMM_LINE    4       /* of k that a word of the chip's memory of W has */
typedef hls_u8 gemm_a;       /* A in memory */
typedef hls_i8 gemm_stored;  /* operands on the chip */
typedef hls_i16 gemm_factor; /* operands at the multipliers */
typedef int gemm_sum;
#define GEMM_KEEP(x)    ((hls_i8)(x))
#define GEMM_EXPAND(x)  (x)
#define GEMM_SCALE_ARGS HLS_GLOBAL const float *a_scale, HLS_GLOBAL const float *scale,
#define GEMM_SCALES     a_scale, scale,
#define GEMM_SCALED     1
#define GEMM_FACTOR     (row_factor[i] * factor[step][l])
#else
#define GEMM_LATENCY HLS_PARTIALS
#define GEMM_FACTOR  factor[step][l]
typedef float gemm_a;
typedef float gemm_factor;
typedef float gemm_sum;
#if defined(HLS_OP_gemm_bf16)
#define GEMM_OP        gemm_bf16
#define GEMM_LIST      OMT_GEMM_BF16
#define GEMM_GROUP     2
#define GEMM_LINE      2
typedef hls_u16 gemm_stored;
#define GEMM_KEEP(x)   hls_to_bf16(x)
#define GEMM_EXPAND(x) hls_bits_float((hls_u32)(x) << 16)
#define GEMM_SCALE_ARGS
#define GEMM_SCALES
#define GEMM_SCALED 0
#define scale       bias /* is not read */
#else
#define GEMM_F32        1
#define GEMM_OP         gemm
#define GEMM_LIST       OMT_GEMM
#define GEMM_GROUP      1
#define GEMM_LINE       HLS_WIDTH /* rows of W come in vectors along k */
typedef float gemm_stored;
#define GEMM_KEEP(x)    (x)
#define GEMM_EXPAND(x)  (x)
#define GEMM_SCALE_ARGS HLS_GLOBAL const float *scale,
#define GEMM_SCALES     scale,
#define GEMM_SCALED     ((flags & OMT_GEMM_SCALE) != 0)
#endif
#endif

/* gemm alone has a type of W. In memory: what an element, what a word of a panel takes; a word of
 * two elements has columns half a panel apart. */
#ifdef GEMM_F32
#define GEMM_TYPE_ARG   int w_dtype,
#define GEMM_TYPE       w_dtype,
#define GEMM_W_ARGS     int ldw, int w_dtype,
#define GEMM_W          ldw, w_dtype,
#define GEMM_PAIRS      (w_dtype == OMT_BF16 || w_dtype == OMT_F16)
#define GEMM_BYTES      HLS_BYTES_OF(w_dtype)
#define GEMM_WORD_BYTES (w_dtype == OMT_I8 ? 1 : 4)
#else
#define GEMM_TYPE_ARG
#define GEMM_TYPE
#define GEMM_W_ARGS
#define GEMM_W
#define GEMM_PAIRS      0
#define GEMM_BYTES      (4 / GEMM_GROUP)
#define GEMM_WORD_BYTES 4
#endif

/* ---- sizes ---- */
#define GEMM_ROW_STEPS (HLS_ROWS / HLS_PE)
#define GEMM_COL_STEPS (HLS_COLS / HLS_WIDTH)
/* Columns that are finished in a cycle: an exponential and two divisions each. */
#define GEMM_LANES (HLS_WIDTH % 4 == 0 ? 4 : HLS_WIDTH % 2 == 0 ? 2 : 1)

#if HLS_ROWS % HLS_PE || HLS_COLS % HLS_WIDTH || HLS_DEPTH % HLS_WIDTH || HLS_DEPTH % GEMM_LINE
#error "gemm: ROWS is a multiple of PE, COLS of WIDTH, DEPTH of WIDTH (and of 4 for gemm_i8)"
#endif
#if HLS_ROWS / HLS_PE * (HLS_COLS / HLS_WIDTH) < GEMM_LATENCY
#error "gemm: ROWS x COLS / (PE x WIDTH) must cover the adder's latency"
#endif

/* DEPTH of k of a tile's rows of A and columns of W, and its sums. */
typedef gemm_stored gemm_a_block[HLS_DEPTH / HLS_WIDTH * GEMM_ROW_STEPS][HLS_WIDTH][HLS_PE];
typedef gemm_stored gemm_w_block[HLS_DEPTH / GEMM_LINE * GEMM_COL_STEPS][GEMM_LINE][HLS_WIDTH];
#define GEMM_A_AT(kk, step, p) \
	a_block[(kk) / HLS_WIDTH * GEMM_ROW_STEPS + (step)][(kk) % HLS_WIDTH][p]
#define GEMM_W_AT(kk, step, l) \
	w_block[(kk) / GEMM_LINE * GEMM_COL_STEPS + (step)][(kk) % GEMM_LINE][l]
typedef gemm_sum gemm_tile[GEMM_ROW_STEPS * GEMM_COL_STEPS][HLS_PE][HLS_WIDTH];
#define GEMM_BANKS(array) HLS_PARTITION(array, 2) HLS_PARTITION(array, 3)

/* A loop in a loop as one: the inner index goes on, the outer one when it has come round. */
#define GEMM_NEXT(inner, count, outer) \
	((outer) += (inner) + 1 == (count), (inner) = (inner) + 1 == (count) ? 0 : (inner) + 1)

/* ---- tiles: those of the launch's share, row tile after row tile ---- */
#define GEMM_PARTS(flags) HLS_MAX(1, OMT_GEMM_PARTS(flags))
#define GEMM_PART(flags)  (OMT_GEMM_PARTS(flags) > 1 ? OMT_GEMM_PART(flags) : 0)

static int gemm_tiles(int m, int n, int flags)
{
	const int down = HLS_DIVIDED(m, HLS_ROWS), left = HLS_MAX(0, down - GEMM_PART(flags));
	return HLS_DIVIDED(left, GEMM_PARTS(flags)) * HLS_DIVIDED(n, HLS_COLS);
}

static int gemm_row(int tile, int n, int flags)
{
	const int down = tile / HLS_DIVIDED(n, HLS_COLS);
	return (down * GEMM_PARTS(flags) + GEMM_PART(flags)) * HLS_ROWS;
}

/* Where a tile lies and how much of it is there. */
#define GEMM_DOWN(tile) const int row = gemm_row(tile, n, flags), rows = HLS_MIN(HLS_ROWS, m - row);
#define GEMM_ACROSS(tile)                                              \
	const int column = tile % HLS_DIVIDED(n, HLS_COLS) * HLS_COLS; \
	const int cols = HLS_MIN(HLS_COLS, n - column);
#define GEMM_PLACE(tile) GEMM_DOWN(tile) GEMM_ACROSS(tile)

/* Blocks of k, and how deep the one from k0 on is. A k of 0 has one of a zero. */
#define GEMM_K_BLOCKS(k) HLS_DIVIDED(HLS_MAX(1, k), HLS_DEPTH)
static int gemm_depth(int k, int k0)
{
	return HLS_MAX(1, HLS_MIN(HLS_DEPTH, k - k0));
}

/* ---- feed ---- */

/* A block of A; zeros beyond k. */
static void gemm_feed_a(HLS_GLOBAL const gemm_a *a, int tile, int block, int m, int n, int k,
                        int lda, int flags, gemm_a_block a_block)
{
	GEMM_DOWN(tile)
	const int k0 = block * HLS_DEPTH, steps = HLS_DIVIDED(gemm_depth(k, k0), HLS_WIDTH);
	int i = 0, step = 0;
	for (int trip = 0; trip < rows * steps; trip++) {
		HLS_PIPELINE
		const int left = k - k0 - step * HLS_WIDTH;
		const hls_at at = (hls_at)(row + i) * lda + k0 + step * HLS_WIDTH;
		HLS_TRIP(HLS_LOAD);
		HLS_READ((int)sizeof(gemm_a) * HLS_MAX(0, HLS_MIN(left, HLS_WIDTH)));
		HLS_UNROLL
		for (int l = 0; l < HLS_WIDTH; l++) {
			const gemm_a x = l < left ? a[at + l] : 0;
			a_block[step * GEMM_ROW_STEPS + i / HLS_PE][l][i % HLS_PE] = GEMM_KEEP(x);
		}
		GEMM_NEXT(step, steps, i);
	}
}

#ifdef GEMM_F32
/* Rows of W as rows of A. */
static void gemm_feed_rows(HLS_GLOBAL const hls_u8 *w, int column, int cols, int k, int k0, int ldw,
                           int w_dtype, gemm_w_block w_block)
{
	const int steps = HLS_DIVIDED(gemm_depth(k, k0), HLS_WIDTH);
	int j = 0, step = 0;
	for (int trip = 0; trip < cols * steps; trip++) {
		HLS_PIPELINE
		const int left = k - k0 - step * HLS_WIDTH;
		const hls_at at = (hls_at)(column + j) * ldw + k0 + step * HLS_WIDTH;
		HLS_TRIP(HLS_LOAD);
		HLS_READ(GEMM_BYTES * HLS_MAX(0, HLS_MIN(left, HLS_WIDTH)));
		HLS_UNROLL
		for (int l = 0; l < HLS_WIDTH; l++)
			w_block[step * GEMM_COL_STEPS + j / HLS_WIDTH][l][j % HLS_WIDTH] =
				l < left ? hls_number(w, w_dtype, at + l) : 0;
		GEMM_NEXT(step, steps, j);
	}
}
#else
/* Element g of word `at` of W. */
static gemm_stored gemm_element(HLS_GLOBAL const hls_u8 *w, hls_at at, int g)
{
#ifdef HLS_OP_gemm_i8
	return (hls_i8)((int)w[4 * at + g] - 128);
#else
	return (hls_u16)hls_take2(w, 2 * at + g);
#endif
}
#endif

/* Whole panels, WIDTH words a time: memory as it lies. */
static void gemm_feed_panels(HLS_GLOBAL const hls_u8 *w, int column, int cols, int k, int k0,
                             GEMM_TYPE_ARG int w_panel, gemm_w_block w_block)
{
	const int vectors = (GEMM_PAIRS ? w_panel / 2 : w_panel) / HLS_WIDTH;
	const int lines = HLS_DIVIDED(gemm_depth(k, k0), GEMM_GROUP), first = column / w_panel;
	const int trips = HLS_DIVIDED(cols, w_panel) * lines * vectors;
	int vector = 0, line = 0, panel = 0;
	for (int trip = 0; trip < trips; trip++) {
		HLS_PIPELINE
		const hls_at before = (hls_at)(first + panel) * HLS_DIVIDED(k, GEMM_GROUP);
		const hls_at at =
			((before + k0 / GEMM_GROUP + line) * vectors + vector) * HLS_WIDTH;
		const int slot = line * GEMM_GROUP / GEMM_LINE * GEMM_COL_STEPS +
		                 panel * (w_panel / HLS_WIDTH) + vector;
		HLS_TRIP(HLS_LOAD);
		HLS_READ(GEMM_WORD_BYTES * HLS_WIDTH);
		HLS_UNROLL
		for (int l = 0; l < HLS_WIDTH; l++) {
#ifdef GEMM_F32
			const hls_at lower = GEMM_PAIRS ? 2 * (at + l) : at + l;
			w_block[slot][line % HLS_WIDTH][l] = hls_number(w, w_dtype, lower);
			if (GEMM_PAIRS)
				w_block[slot + vectors][line % HLS_WIDTH][l] =
					hls_number(w, w_dtype, lower + 1);
#else
			HLS_UNROLL
			for (int g = 0; g < GEMM_GROUP; g++)
				w_block[slot][g][l] = gemm_element(w, at + l, g);
#endif
		}
		GEMM_NEXT(vector, vectors, line);
		panel += line == lines;
		line = line == lines ? 0 : line;
	}
}

/* Panels that are no multiple of WIDTH or do not fill a tile: an element after the other. */
static void gemm_feed_elements(HLS_GLOBAL const hls_u8 *w, int column, int cols, int k, int k0,
                               GEMM_TYPE_ARG int w_panel, gemm_w_block w_block)
{
	const int depth = gemm_depth(k, k0);
	int j = 0, kk = 0;
	for (int trip = 0; trip < cols * depth; trip++) {
		HLS_PIPELINE
		const int in = (column + j) % w_panel, line = (k0 + kk) / GEMM_GROUP;
		const hls_at panel = (hls_at)((column + j) / w_panel) * HLS_DIVIDED(k, GEMM_GROUP);
		const hls_at at = (panel + line) * w_panel;
		gemm_stored x = 0;
		HLS_TRIP(HLS_LOAD);
		if (k0 + kk < k) {
			HLS_READ(GEMM_BYTES);
#ifdef GEMM_F32
			x = hls_number(w, w_dtype, at + OMT_PANEL_PLACE(in, w_panel, w_dtype));
#else
			x = gemm_element(w, at + in, kk % GEMM_GROUP);
#endif
		}
		GEMM_W_AT(kk, j / HLS_WIDTH, j % HLS_WIDTH) = x;
		GEMM_NEXT(kk, depth, j);
	}
}

/* A block of W; zeros beyond k. */
static void gemm_feed_w(HLS_GLOBAL const hls_u8 *w, int tile, int block, int n, int k,
                        GEMM_W_ARGS int w_panel, gemm_w_block w_block)
{
	GEMM_ACROSS(tile)
	const int k0 = block * HLS_DEPTH, words = GEMM_PAIRS ? w_panel / 2 : w_panel;
	if (k > 0 && w_panel > 1 && HLS_COLS % w_panel == 0 && words % HLS_WIDTH == 0)
		gemm_feed_panels(w, column, cols, k, k0, GEMM_TYPE w_panel, w_block);
#ifdef GEMM_F32
	else if (w_panel <= 1)
		gemm_feed_rows(w, column, cols, k, k0, ldw, w_dtype, w_block);
#endif
	else
		gemm_feed_elements(w, column, cols, k, k0, GEMM_TYPE w_panel, w_block);
}

/* ---- between the stages ---- */

/* The names of what is beside the op's kernel. */
#define GEMM_NAME(part)       HLS_JOIN(GEMM_OP, part)
#define GEMM_KERNEL(op, LIST) HLS_KERNEL(op, LIST)

#ifdef HLS_CHANNELS
/* Of one k: the elements of a column of A for the chain, a vector of W; a step's sums. */
#define GEMM_QUEUE(part, type, lanes, depth) \
	typedef struct gemm_##part {         \
		type lane lanes;             \
	} gemm_##part;                       \
	HLS_CHANNEL(gemm_##part, GEMM_NAME(part##_queue), depth)
GEMM_QUEUE(a_part, gemm_stored, [HLS_PE], 2 * GEMM_ROW_STEPS)
GEMM_QUEUE(w_part, gemm_stored, [HLS_WIDTH], 2 * GEMM_COL_STEPS)
GEMM_QUEUE(sums, gemm_sum, [HLS_PE][HLS_WIDTH], 16)
#define GEMM_BLOCK_ARGS
#define GEMM_BLOCKS
#define GEMM_A_LANE(p) a_now.lane[p]
#define GEMM_W_LANE(l) w_now.lane[l]
#else
#define GEMM_BLOCK_ARGS gemm_a_block a_block, gemm_w_block w_block,
#define GEMM_BLOCKS     a_block, w_block,
#define GEMM_A_LANE(p)  GEMM_A_AT(kk, r, p)
#define GEMM_W_LANE(l)  GEMM_W_AT(kk, c, l)
#endif

/* ---- compute ---- */

/* From one processing element to the next. */
static gemm_factor gemm_hop(gemm_factor x)
{
	HLS_HOP
	return HLS_REGISTER(x);
}

/* A block of k: steps of PE rows times WIDTH columns. */
static void gemm_compute(int tile, int block, int m, int n, int k, int flags,
                         GEMM_BLOCK_ARGS gemm_tile sums)
{
	GEMM_PLACE(tile)
	const int col_steps = HLS_DIVIDED(cols, HLS_WIDTH);
	const int k0 = block * HLS_DEPTH, depth = gemm_depth(k, k0);
	const int live = HLS_DIVIDED(rows, HLS_PE) * col_steps, steps = HLS_MAX(live, GEMM_LATENCY);
	int kk = 0, slot = 0, r = 0, c = 0;
#ifdef HLS_CHANNELS
	gemm_a_part a_now;
	gemm_w_part w_now, w_row[GEMM_COL_STEPS] HLS_REGISTERS;
#endif
	HLS_NO_CONFLICT_IN(sums, GEMM_LATENCY)
	for (int trip = 0; trip < depth * steps; trip++) {
		HLS_PIPELINE
		HLS_APART(sums, GEMM_LATENCY)
		const int fresh = k0 + kk == 0;
		HLS_TRIP(HLS_COMPUTE);
		if (slot < live) {
			gemm_factor y[HLS_WIDTH];
			HLS_PARTITION(y, 1)
#ifdef HLS_CHANNELS
			gemm_sums done;
			if (c == 0)
				HLS_CHANNEL_READ(GEMM_NAME(a_part_queue), a_now);
			if (r == 0) {
				HLS_CHANNEL_READ(GEMM_NAME(w_part_queue), w_now);
				w_row[c] = w_now;
			} else {
				w_now = w_row[c];
			}
#endif
			HLS_UNROLL
			for (int l = 0; l < HLS_WIDTH; l++)
				y[l] = c * HLS_WIDTH + l < cols ? GEMM_EXPAND(GEMM_W_LANE(l)) : 0;
			HLS_UNROLL
			for (int p = 0; p < HLS_PE; p++) {
				const gemm_factor x =
					r * HLS_PE + p < rows ? GEMM_EXPAND(GEMM_A_LANE(p)) : 0;
				HLS_UNROLL
				for (int l = 0; l < HLS_WIDTH; l++) {
					const gemm_sum before = fresh ? 0 : sums[slot][p][l];
					const gemm_sum sum = before + x * y[l];
					sums[slot][p][l] = sum;
					y[l] = gemm_hop(y[l]);
#ifdef HLS_CHANNELS
					done.lane[p][l] = sum;
#endif
				}
			}
#ifdef HLS_CHANNELS
			if (k0 + kk >= k - 1)
				HLS_CHANNEL_WRITE(GEMM_NAME(sums_queue), done);
#endif
		}
		GEMM_NEXT(c, col_steps, r);
		GEMM_NEXT(slot, steps, kk);
		if (slot == 0)
			r = c = 0;
	}
}

/* ---- drain ---- */

static float gemm_activate(float x, int act)
{
	const float size = x < 0 ? -x : x;
	if (act == OMT_ACT_SILU)
		return x / (1.0f + hls_expf(-x));
	if (act == OMT_ACT_GELU) {
		/* erfc(|x| / sqrt 2) by Abramowitz and Stegun 7.1.26, within 1.5e-7; what is lost
		 * is |x| / 2 of it: positive x stay whole. */
		const float t = 1.0f / (1.0f + 0.231641888f * size);
		float p = 1.061405429f;
		p = p * t - 1.453152027f;
		p = p * t + 1.421413741f;
		p = p * t - 0.284496736f;
		p = p * t + 0.254829592f;
		return HLS_MAX(x, 0.0f) - 0.5f * size * p * t * hls_expf(-0.5f * size * size);
	}
	return x;
}

/* Finishes a tile's sums and writes them. */
static void gemm_store(GEMM_SCALE_ARGS HLS_GLOBAL const float *bias,
                       HLS_GLOBAL const float *residual, HLS_GLOBAL float *c, int tile, int m,
                       int n, int ldr, int ldc, int act, int flags, int n_first, gemm_tile sums)
{
	GEMM_PLACE(tile)
	const int steps = HLS_DIVIDED(cols, GEMM_LANES), col_steps = HLS_DIVIDED(cols, HLS_WIDTH);
	const int second = (flags & (OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT)) != 0;
	const int at = n_first + column;
	/* of the tile's columns */
	float shift[HLS_COLS / GEMM_LANES][GEMM_LANES], factor[HLS_COLS / GEMM_LANES][GEMM_LANES];
	HLS_PARTITION(shift, 2)
	HLS_PARTITION(factor, 2)
#ifdef HLS_OP_gemm_i8
	float row_factor[HLS_ROWS];
	for (int i = 0; i < rows; i++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_LOAD);
		HLS_READ(4);
		row_factor[i] = a_scale[row + i];
	}
#endif
	for (int step = 0; step < steps; step++) {
		HLS_PIPELINE_EVERY(2)
		const int left = cols - step * GEMM_LANES;
		const int biased = (flags & OMT_GEMM_BIAS) != 0, scaled = GEMM_SCALED;
		HLS_TRIP(HLS_LOAD);
		HLS_READ(4 * HLS_MIN(left, GEMM_LANES) * (biased + scaled));
		HLS_UNROLL
		for (int l = 0; l < GEMM_LANES; l++) {
			shift[step][l] = biased && l < left ? bias[at + step * GEMM_LANES + l] : 0;
			factor[step][l] =
				scaled && l < left ? scale[at + step * GEMM_LANES + l] : 1;
		}
	}
	int i = 0, step = 0;
	HLS_NO_CONFLICT
	for (int trip = 0; trip < rows * steps; trip++) {
		HLS_PIPELINE
		const int left = cols - step * GEMM_LANES, first = step * GEMM_LANES % HLS_WIDTH;
		const int slot = i / HLS_PE * col_steps + step * GEMM_LANES / HLS_WIDTH;
		const hls_at from = (hls_at)(row + i) * ldr + at + step * GEMM_LANES;
		const hls_at to = (hls_at)(row + i) * ldc + at + step * GEMM_LANES;
		HLS_TRIP(HLS_STORE);
		HLS_READ(second ? 4 * HLS_MIN(left, GEMM_LANES) : 0);
		HLS_WRITE(4 * HLS_MIN(left, GEMM_LANES));
		HLS_UNROLL
		for (int l = 0; l < GEMM_LANES; l++) {
			if (l < left) {
				const float y = second ? residual[from + l] : 0;
				float x = (float)sums[slot][i % HLS_PE][first + l] * GEMM_FACTOR;
				x = gemm_activate(x + shift[step][l], act);
				c[to + l] = flags & OMT_GEMM_PRODUCT ? x * y : x + y;
			}
		}
		GEMM_NEXT(step, steps, i);
	}
}

/* The sums of a tile. */
static void gemm_product(HLS_GLOBAL const gemm_a *a, HLS_GLOBAL const hls_u8 *w, int tile,
                         int blocks, int m, int n, int k, int lda, GEMM_W_ARGS int w_panel,
                         int flags, gemm_tile sums)
{
	for (int block = 0; block < blocks; block++) {
		HLS_DATAFLOW
#ifndef HLS_CHANNELS
		gemm_a_block a_block;
		gemm_w_block w_block;
		GEMM_BANKS(a_block)
		GEMM_BANKS(w_block)
		gemm_feed_a(a, tile, block, m, n, k, lda, flags, a_block);
		gemm_feed_w(w, tile, block, n, k, GEMM_W w_panel, w_block);
#endif
		gemm_compute(tile, block, m, n, k, flags, GEMM_BLOCKS sums);
	}
}

#ifndef HLS_CHANNELS

static void gemm_all(int tiles, int blocks, HLS_ARGS(GEMM_LIST))
{
	for (int tile = 0; tile < tiles; tile++) {
		HLS_DATAFLOW
		gemm_tile sums;
		GEMM_BANKS(sums)
		gemm_product(a, w, tile, blocks, m, n, k, lda, GEMM_W w_panel, flags, sums);
		gemm_store(GEMM_SCALES bias, residual, c, tile, m, n, ldr, ldc, act, flags, n_first,
		           sums);
	}
}

GEMM_KERNEL(GEMM_OP, GEMM_LIST)
{
	HLS_PORTS(GEMM_LIST)
	gemm_all(gemm_tiles(m, n, flags), GEMM_K_BLOCKS(k), HLS_PASS(GEMM_LIST));
}

#else

/* A block as the chain takes it: for each k a column of A and a row of W. */
static void gemm_send(int tile, int block, int m, int n, int k, int flags, gemm_a_block a_block,
                      gemm_w_block w_block)
{
	GEMM_PLACE(tile)
	const int row_steps = HLS_DIVIDED(rows, HLS_PE), col_steps = HLS_DIVIDED(cols, HLS_WIDTH);
	const int steps = HLS_MAX(row_steps, col_steps), depth = gemm_depth(k, block * HLS_DEPTH);
	int kk = 0, i = 0;
	for (int trip = 0; trip < depth * steps; trip++) {
		gemm_a_part a_now;
		gemm_w_part w_now;
		if (i < row_steps) {
			HLS_UNROLL
			for (int p = 0; p < HLS_PE; p++)
				a_now.lane[p] = GEMM_A_AT(kk, i, p);
			HLS_CHANNEL_WRITE(GEMM_NAME(a_part_queue), a_now);
		}
		if (i < col_steps) {
			HLS_UNROLL
			for (int l = 0; l < HLS_WIDTH; l++)
				w_now.lane[l] = GEMM_W_AT(kk, i, l);
			HLS_CHANNEL_WRITE(GEMM_NAME(w_part_queue), w_now);
		}
		GEMM_NEXT(i, steps, kk);
	}
}

GEMM_KERNEL(GEMM_NAME(feed), GEMM_LIST)
{
	for (int tile = 0; tile < gemm_tiles(m, n, flags); tile++) {
		for (int block = 0; block < GEMM_K_BLOCKS(k); block++) {
			/* Declared here, so that one is filled while another is sent. */
			gemm_a_block a_block;
			gemm_w_block w_block;
			gemm_feed_a(a, tile, block, m, n, k, lda, flags, a_block);
			gemm_feed_w(w, tile, block, n, k, GEMM_W w_panel, w_block);
			gemm_send(tile, block, m, n, k, flags, a_block, w_block);
		}
	}
}

GEMM_KERNEL(GEMM_OP, GEMM_LIST)
{
	gemm_tile sums;
	for (int tile = 0; tile < gemm_tiles(m, n, flags); tile++)
		gemm_product(a, w, tile, GEMM_K_BLOCKS(k), m, n, k, lda, GEMM_W w_panel, flags,
		             sums);
}

GEMM_KERNEL(GEMM_NAME(drain), GEMM_LIST)
{
	for (int tile = 0; tile < gemm_tiles(m, n, flags); tile++) {
		gemm_tile sums;
		GEMM_PLACE(tile)
		const int slots = HLS_DIVIDED(rows, HLS_PE) * HLS_DIVIDED(cols, HLS_WIDTH);
		for (int slot = 0; slot < slots; slot++) {
			gemm_sums done;
			HLS_CHANNEL_READ(GEMM_NAME(sums_queue), done);
			HLS_UNROLL
			for (int p = 0; p < HLS_PE; p++) {
				HLS_UNROLL
				for (int l = 0; l < HLS_WIDTH; l++)
					sums[slot][p][l] = done.lane[p][l];
			}
		}
		gemm_store(GEMM_SCALES bias, residual, c, tile, m, n, ldr, ldc, act, flags, n_first,
		           sums);
	}
}
#endif
