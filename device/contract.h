/* contract.h - the ops of omnitile: one list of names, buffers and scalars.
 *
 * From these lists come the host's argument structs (host/exec/op.h), the reference's prototypes
 * (host/exec/ref.h), the signatures of the OpenCL kernels (this file is included by device/ *.cl),
 * the check of a built program against clGetKernelArgInfo, and the loops of the op tests. An
 * argument list is never written twice.
 *
 * Rules
 *  - Buffers come first, then 32-bit scalars, at most twelve of them.
 *  - Matrices are row-major; every leading dimension is an argument, counted in elements; a kernel
 *    touches no element beyond a row's columns and owns its edges: no caller pads.
 *  - Sums are accumulated in f32. Their order over K is fixed by the tile configuration and never
 *    depends on M, on the row's place or on what else is in the batch.
 *  - Sequences of a batch are packed: cu_seqlens[sequences + 1] are cumulative lengths in rows.
 *  - A buffer is one tensor and is used from its start, but where the op has an element offset for
 *    it (`k_at`): columns of one tensor can be bound as several operands. A buffer that an op does
 *    not need (its flag is off) is still bound: any buffer will do.
 *  - No output may alias an input but where the op says so.
 *
 * B(access, type, name) is a buffer: access IN, OUT or INOUT; type f32, i32 or u8 (raw bytes whose
 * format a scalar says). S(type, name) is a scalar: i32 or f32. `_` separates. */
#ifndef OMT_CONTRACT_H
#define OMT_CONTRACT_H

#define OMT_CONTRACT_VERSION 4

/* Storage of weights and tables. */
#define OMT_F32 0
#define OMT_BF16 1 /* upper half of an f32 */
#define OMT_F16 2  /* IEEE 754 binary16 */
#define OMT_I8 3   /* times a scale per output row */
#define OMT_U8 6   /* pixels: numbers of a table's entries */
/* Packed weights alone, 32-bit words of what lies together along k: */
#define OMT_I8X4 4   /* of gemm_i8: four int8, each plus 128 as an unsigned byte */
#define OMT_BF16X2 5 /* of gemm_bf16: two bf16 */

/* Packed weights lie in panels of P rows (w_panel, even), zero rows filling up the last one:
 * element (n, k) of N rows of K at (n / P) * K * P + k * P + OMT_PANEL_PLACE(n % P, P, dtype), in
 * elements. Rows of bf16 and f16 lie in pairs i and i + P / 2, so that a 32-bit lane holds an
 * element of the lower half of a panel and one of the upper half. In words: G = 4 or 2 elements of
 * k lie together, K is K rounded up to G, with zeros: element (n, k) at
 * (n / P) * K * P + (k / G) * G * P + (n % P) * G + k % G. */
#define OMT_PANEL_PLACE(row, panel, dtype)                       \
	((dtype) == OMT_BF16 || (dtype) == OMT_F16               \
	         ? (row) % ((panel) / 2) * 2 + (row) / ((panel) / 2) \
	         : (row))
#define OMT_WORD_GROUP(dtype) ((dtype) == OMT_I8X4 ? 4 : (dtype) == OMT_BF16X2 ? 2 : 1)

/* gemm: activation */
#define OMT_ACT_NONE 0
#define OMT_ACT_SILU 1 /* x / (1 + exp(-x)) */
#define OMT_ACT_GELU 2 /* x * (1 + erf(x / sqrt(2))) / 2 */

/* gemm: which of the optional buffers are in use */
#define OMT_GEMM_BIAS 1
#define OMT_GEMM_RESIDUAL 2
#define OMT_GEMM_SCALE 4
#define OMT_GEMM_PRODUCT 8 /* times the residual instead of plus: silu(gate) * up */

/* In the gemms' flags, too: a share of C for one of several compute units of an FPGA, each with a
 * kernel of its own. A kernel of hls/ whose flags have 2 or more parts makes only the row tiles t
 * (of its HLS_ROWS rows) with t % parts == part; parts 0 or 1: all of C. The host adds a share
 * where a bitstream has several units of the op: callers of run() leave it 0, and the kernels of
 * device/ and the backends on the host never get one. */
#define OMT_GEMM_SHARE(part, parts) ((part) << 8 | (parts) << 16)
#define OMT_GEMM_PART(flags)        ((flags) >> 8 & 255)
#define OMT_GEMM_PARTS(flags)       ((flags) >> 16 & 255)

/* pool */
#define OMT_POOL_MEAN 0
#define OMT_POOL_LAST 1
#define OMT_POOL_CLS 2 /* first row */

/* C[M,N] = act(A[M,K] * W[N,K]^T * scale[N] + bias[N]) + residual[M,N] (or * residual: PRODUCT).
 * W as w_dtype says. w_panel 1: rows of ldw elements. w_panel P > 1: as `pack` wrote it; ldw is
 * not used then. residual may be c. W may be a block of rows of a larger matrix: column n_first of
 * c, residual, scale and bias is its first. */
#define OMT_GEMM(B, S, _)                                                                     \
	B(IN, f32, a) _() B(IN, u8, w) _() B(IN, f32, scale) _() B(IN, f32, bias) _()         \
	B(IN, f32, residual) _() B(OUT, f32, c) _()                                           \
	S(i32, m) _() S(i32, n) _() S(i32, k) _() S(i32, lda) _() S(i32, ldw) _()             \
	S(i32, ldr) _() S(i32, ldc) _() S(i32, w_dtype) _() S(i32, w_panel) _()               \
	S(i32, act) _() S(i32, flags) _() S(i32, n_first)

/* gemm with both operands int8: C = act(sum_k a w * a_scale[M] * scale[N] + bias[N]) + residual,
 * the sum in int32, exact for k < 2^16. a: int8 rows as `quantize` wrote them, lda a multiple of 4,
 * what lies between k and the next multiple of 4 does not matter. w: as `pack` wrote OMT_I8X4.
 * flags, n_first: as gemm's, SCALE is always on. */
#define OMT_GEMM_I8(B, S, _)                                                                  \
	B(IN, u8, a) _() B(IN, f32, a_scale) _() B(IN, u8, w) _() B(IN, f32, scale) _()       \
	B(IN, f32, bias) _() B(IN, f32, residual) _() B(OUT, f32, c) _()                      \
	S(i32, m) _() S(i32, n) _() S(i32, k) _() S(i32, lda) _() S(i32, ldr) _()             \
	S(i32, ldc) _() S(i32, w_panel) _() S(i32, act) _() S(i32, flags) _() S(i32, n_first)

/* gemm with both operands bf16: A is rounded to bf16 (to nearest even), products are exact and
 * added in f32. w: as `pack` wrote OMT_BF16X2. flags, n_first: as gemm's, no SCALE. */
#define OMT_GEMM_BF16(B, S, _)                                                                \
	B(IN, f32, a) _() B(IN, u8, w) _() B(IN, f32, bias) _()                               \
	B(IN, f32, residual) _() B(OUT, f32, c) _()                                           \
	S(i32, m) _() S(i32, n) _() S(i32, k) _() S(i32, lda) _() S(i32, ldr) _()             \
	S(i32, ldc) _() S(i32, w_panel) _() S(i32, act) _() S(i32, flags) _() S(i32, n_first)

/* Rows to int8 with a scale each: scale = max|x| / 127, out = x / scale rounded to nearest even
 * (scale 0: zeros). Columns up to ldo are zero. ldo is a multiple of 4. */
#define OMT_QUANTIZE(B, S, _)                                                         \
	B(IN, f32, x) _() B(OUT, u8, out) _() B(OUT, f32, scale) _()                  \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo)

/* dst = panels of `panel` rows of the row-major src[n, k]; the last panel is filled with zeros.
 * OMT_I8X4, OMT_BF16X2: from rows of int8, of bf16. */
#define OMT_PACK(B, S, _)                                                             \
	B(IN, u8, src) _() B(OUT, u8, dst) _()                                        \
	S(i32, n) _() S(i32, k) _() S(i32, lds) _() S(i32, dtype) _() S(i32, panel)

/* out = softmax(scale * q k^T) v for each sequence and head. q, out: [tokens, heads * head_dim];
 * k, v: [tokens, kv_heads * head_dim], beginning at elements k_at and v_at of their buffers, so
 * that all three can lie in one tensor; query head h reads kv head h / (heads / kv_heads).
 * tokens = cu_seqlens[sequences]; max_len is the longest sequence. causal 1: a token sees itself
 * and those before it in its sequence. */
#define OMT_ATTENTION(B, S, _)                                                                \
	B(IN, f32, q) _() B(IN, f32, k) _() B(IN, f32, v) _() B(IN, i32, cu_seqlens) _()      \
	B(OUT, f32, out) _()                                                                  \
	S(i32, sequences) _() S(i32, max_len) _() S(i32, heads) _() S(i32, kv_heads) _()      \
	S(i32, head_dim) _() S(i32, ldq) _() S(i32, ldkv) _() S(i32, ldo) _()                 \
	S(i32, k_at) _() S(i32, v_at) _() S(i32, causal) _() S(f32, scale)

/* out = x / sqrt(mean(x^2) + eps) * weight, row by row. out may be x. */
#define OMT_RMSNORM(B, S, _)                                                          \
	B(IN, f32, x) _() B(IN, f32, weight) _() B(OUT, f32, out) _()                 \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(f32, eps)

/* out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, row by row. out may be x. */
#define OMT_LAYERNORM(B, S, _)                                                        \
	B(IN, f32, x) _() B(IN, f32, weight) _() B(IN, f32, bias) _()                 \
	B(OUT, f32, out) _()                                                          \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(f32, eps)

/* The same with the result as `quantize` would write it: one pass instead of two, the same bits. */
#define OMT_RMSNORM_I8(B, S, _)                                                       \
	B(IN, f32, x) _() B(IN, f32, weight) _() B(OUT, u8, out) _()                  \
	B(OUT, f32, scale) _()                                                        \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(f32, eps)
#define OMT_LAYERNORM_I8(B, S, _)                                                     \
	B(IN, f32, x) _() B(IN, f32, weight) _() B(IN, f32, bias) _()                 \
	B(OUT, u8, out) _() B(OUT, f32, scale) _()                                    \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(f32, eps)

/* Rotates pairs (i, i + head_dim / 2) of every head of x[rows, heads * head_dim] by the row's
 * angles: a' = a cos - b sin, b' = b cos + a sin. cos, sin: [rows, head_dim / 2], dense. */
#define OMT_ROTARY(B, S, _)                                                           \
	B(INOUT, f32, x) _() B(IN, f32, cosines) _() B(IN, f32, sines) _()            \
	S(i32, rows) _() S(i32, heads) _() S(i32, head_dim) _() S(i32, ldx)

/* dst[dst_index[i], :] = src[src_index[i], :] for i < count. src as src_dtype says (not I8). The
 * dst rows are distinct. Rows of dst not named stay as they are. src may be a block of a larger
 * table, src_rows of its rows from src_first on: entries that name other rows do nothing. */
#define OMT_ROWS(B, S, _)                                                             \
	B(IN, u8, src) _() B(IN, i32, src_index) _() B(IN, i32, dst_index) _()        \
	B(INOUT, f32, dst) _()                                                        \
	S(i32, count) _() S(i32, cols) _() S(i32, lds) _() S(i32, ldd) _() S(i32, src_dtype) _() \
	S(i32, src_first) _() S(i32, src_rows)

/* Windows of a 1-D convolution as rows: for output row t of sequence s (at cu_out[s] + t)
 * out[., c * taps + j] = x[cu_in[s] + t * stride + j - pad, c], 0 outside the sequence, so that
 * out * W^T with W[out_channels, channels, taps] is the convolution. */
#define OMT_UNFOLD(B, S, _)                                                           \
	B(IN, f32, x) _() B(IN, i32, cu_in) _() B(IN, i32, cu_out) _()                \
	B(OUT, f32, out) _()                                                          \
	S(i32, sequences) _() S(i32, out_rows) _() S(i32, channels) _() S(i32, taps) _() \
	S(i32, stride) _() S(i32, pad) _() S(i32, ldx) _() S(i32, ldo)

/* Patches of pictures as rows for the patch embedding: for c < 3, t < frames, y < side, x < side
 * out[i, ((c * frames + t) * side + y) * side + x] = value c of pixel at[t] + y * width + x,
 * where places[order[i], frames + 2] is at[0], at[1], ..., width, format. Pixels are three values
 * and counted from the buffer's start. Format OMT_U8: value v stands for table[c * 256 + v];
 * OMT_F32: it is what it is, four bytes each. A still picture has the same at[] twice. */
#define OMT_PATCHES(B, S, _)                                                          \
	B(IN, u8, pixels) _() B(IN, i32, order) _() B(IN, i32, places) _()            \
	B(IN, f32, table) _() B(OUT, f32, out) _()                                    \
	S(i32, rows) _() S(i32, frames) _() S(i32, side) _() S(i32, ldo)

/* Row t of output sequence s is the mean of rows 2t and 2t + 1 of input sequence s. */
#define OMT_PAIRS(B, S, _)                                                            \
	B(IN, f32, x) _() B(IN, i32, cu_in) _() B(IN, i32, cu_out) _()                \
	B(OUT, f32, out) _()                                                          \
	S(i32, sequences) _() S(i32, out_rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo)

/* One row for each sequence: mean of its rows, its last or its first row. */
#define OMT_POOL(B, S, _)                                                             \
	B(IN, f32, x) _() B(IN, i32, cu_seqlens) _() B(OUT, f32, out) _()             \
	S(i32, sequences) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(i32, mode)

/* out = x / max(|x|, eps), row by row (torch.nn.functional.normalize). out may be x. */
#define OMT_L2NORM(B, S, _)                                                           \
	B(IN, f32, x) _() B(OUT, f32, out) _()                                        \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, ldo) _() S(f32, eps)

/* The k best columns of each row of scores, best first: greater ones before smaller ones, equal
 * ones by ascending column. Element (r, c) of x is at r * ldx + c * stride, so that a matrix can
 * also be searched along its columns (ldx 1, stride its leading dimension). values[r * ldo + i] is
 * the score (a zero may lose its sign), index[r * ldo + i] its column plus `first`, which tells
 * blocks of columns apart. Only scores greater than bound[r] count (bounded 1; 0: than -inf), so
 * NaN never does; where there are fewer than k, the rest of values is -inf, of index -1. k is 1 to
 * OMT_TOPK_MAX. */
#define OMT_TOPK_MAX 1024
#define OMT_TOPK(B, S, _)                                                             \
	B(IN, f32, x) _() B(IN, f32, bound) _() B(OUT, f32, values) _()               \
	B(OUT, i32, index) _()                                                        \
	S(i32, rows) _() S(i32, cols) _() S(i32, ldx) _() S(i32, stride) _()          \
	S(i32, k) _() S(i32, ldo) _() S(i32, first) _() S(i32, bounded)

/* X(LIST, name): every op. */
#define OMT_OP_LIST(X)            \
	X(OMT_PACK, pack)         \
	X(OMT_GEMM, gemm)         \
	X(OMT_GEMM_I8, gemm_i8)   \
	X(OMT_GEMM_BF16, gemm_bf16) \
	X(OMT_QUANTIZE, quantize) \
	X(OMT_ATTENTION, attention) \
	X(OMT_RMSNORM, rmsnorm)   \
	X(OMT_LAYERNORM, layernorm) \
	X(OMT_RMSNORM_I8, rmsnorm_i8) \
	X(OMT_LAYERNORM_I8, layernorm_i8) \
	X(OMT_ROTARY, rotary)     \
	X(OMT_ROWS, rows)         \
	X(OMT_UNFOLD, unfold)     \
	X(OMT_PATCHES, patches)   \
	X(OMT_PAIRS, pairs)       \
	X(OMT_POOL, pool)         \
	X(OMT_L2NORM, l2norm)     \
	X(OMT_TOPK, topk)

#define OMT_COMMA() ,
#define OMT_NOTHING()

#ifdef __OPENCL_VERSION__
/* __kernel void gemm(OMT_ARGS(OMT_GEMM)) */
#define OMT_CL_f32 float
#define OMT_CL_i32 int
#define OMT_CL_u8 uchar
#define OMT_CL_IN const
#define OMT_CL_OUT
#define OMT_CL_INOUT
#define OMT_CL_BUFFER(access, type, name) __global OMT_CL_##access OMT_CL_##type *name
#define OMT_CL_SCALAR(type, name) const OMT_CL_##type name
#define OMT_ARGS(LIST) LIST(OMT_CL_BUFFER, OMT_CL_SCALAR, OMT_COMMA)
/* __kernel OMT_ALONE void gemm(...): a work-item is a group and has its own vectors, so that a
 * compiler need not try to lay work-items side by side in lanes. */
#define OMT_ALONE __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

#endif
