/* grad.h - the backward of the ops of device/contract.h, on host memory. One op a file,
 * grad_<op>.c, beside its forward's definition exec/ref_<op>.c.
 *
 * All add to the gradients of inputs (dx += ...), so that a tensor that is read twice gets both
 * shares; a NULL gradient of an input is not wanted and costs nothing. Gradients of outputs are
 * read only. Shapes, leading dimensions and cu_seqlens are the forward's. Sums over rows have a
 * fixed order. tests/unit/test_grad.c compares each with differences of the reference in f64:
 * these files compile with `float` being double, as exec/ref_*.c do. */
#ifndef OMT_TRAIN_GRAD_H
#define OMT_TRAIN_GRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/contract.h"

/* z[rows, n] (dense) before the activation, dz = dc * act'(z); act NONE: a copy. */
void grad_act(const float *z, const float *dc, int32_t lddc, float *dz, int32_t rows, int32_t n,
              int32_t act);
/* out = act(z), dense: what the tape computes where the op's own output does not tell z. */
void grad_act_forward(const float *z, float *out, int32_t rows, int32_t n, int32_t act);

/* C[M,N] = A[M,K] W[N,K]^T + bias, from dz[M,N] (lddz). W as w_dtype says, row-major, f32, bf16 or
 * f16, and frozen (dw NULL) where it is not f32. da += dz W; dw += dz^T a; dbias += sums of dz's
 * columns. BLAS where that is compiled in f32. */
void grad_gemm(const float *a, int32_t lda, const void *w, int32_t ldw, int32_t w_dtype,
               const float *dz, int32_t lddz, float *da, int32_t ldda, float *dw, int32_t lddw,
               float *dbias, int32_t m, int32_t n, int32_t k);

/* Arguments as the op's, gradients after each buffer that has one. */
void grad_attention(const float *q, const float *k, const float *v, const int32_t *cu_seqlens,
                    const float *dout, float *dq, float *dk, float *dv, int32_t sequences,
                    int32_t max_len, int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t ldq,
                    int32_t ldkv, int32_t ldo, int32_t k_at, int32_t v_at, int32_t causal,
                    float scale); /* dq, dk, dv are laid out as q, k, v: k_at, v_at hold for both */
void grad_rmsnorm(const float *x, const float *weight, const float *dout, float *dx, float *dweight,
                  int32_t rows, int32_t cols, int32_t ldx, int32_t ldo, float eps);
void grad_layernorm(const float *x, const float *weight, const float *dout, float *dx,
                    float *dweight, float *dbias, int32_t rows, int32_t cols, int32_t ldx,
                    int32_t ldo, float eps);
/* In place, as the op: dx of the rotated becomes dx of what was there (the inverse rotation). */
void grad_rotary(float *dx, const float *cosines, const float *sines, int32_t rows, int32_t heads,
                 int32_t head_dim, int32_t ldx);
/* dsrc[src_index[i]] += ddst[dst_index[i]], which becomes zero: the op overwrote that row. src f32;
 * entries outside src_first .. src_first + src_rows are left alone. */
void grad_rows(float *dsrc, const int32_t *src_index, const int32_t *dst_index, float *ddst,
               int32_t count, int32_t cols, int32_t lds, int32_t ldd, int32_t src_first,
               int32_t src_rows);
void grad_unfold(const int32_t *cu_in, const int32_t *cu_out, const float *dout, float *dx,
                 int32_t sequences, int32_t out_rows, int32_t channels, int32_t taps,
                 int32_t stride, int32_t pad, int32_t ldx, int32_t ldo);
void grad_pairs(const int32_t *cu_in, const int32_t *cu_out, const float *dout, float *dx,
                int32_t sequences, int32_t out_rows, int32_t cols, int32_t ldx, int32_t ldo);
void grad_pool(const int32_t *cu_seqlens, const float *dout, float *dx, int32_t sequences,
               int32_t cols, int32_t ldx, int32_t ldo, int32_t mode);
void grad_l2norm(const float *x, const float *dout, float *dx, int32_t rows, int32_t cols,
                 int32_t ldx, int32_t ldo, float eps);

#endif
