/* grad_calls.h - each op of train/grad.h and its forward behind one signature, for test_grad.c.
 * Compiled twice, in f32 and with `float` being double (grad_f64.c). */
#ifndef OMT_TESTS_UNIT_GRAD_CALLS_H
#define OMT_TESTS_UNIT_GRAD_CALLS_H

#include <stddef.h>
#include <stdint.h>

#define GRAD_TENSORS 3

/* Columns of rows of a buffer; everything else in it is not of the op. */
typedef struct grad_view {
	int32_t at, rows, cols, ld;
} grad_view;

/* One case of an op. What an op does not have stays 0. */
typedef struct grad_case {
	const char *op;
	int32_t rows, cols, depth; /* gemm: M, N, K; unfold: cols are channels, depth taps */
	int32_t heads, kv_heads, head_dim, max_len;
	int32_t stride, pad;
	int32_t mode; /* activation, causal, mode of pool */
	int32_t ldx, ldw, ldo;
	int32_t k_at, v_at;
	double number; /* eps, scale */
	int32_t sequences;
	int32_t cu_in[8], cu_out[8];          /* cumulative lengths; rows: indices of src, dst */
	int32_t src_first, src_rows;          /* rows */
	int32_t tensors, sizes[GRAD_TENSORS]; /* inputs with a gradient, elements of each */
	grad_view views[GRAD_TENSORS][3];     /* what is of the op */
	int32_t out_size;
	grad_view out;
	int32_t probes; /* elements of a tensor that are moved; 0: 200 */
} grad_case;

/* Tensors are float or double, as the table says. gradients[i] may be NULL. */
typedef struct grad_call {
	const char *op;
	void (*forward)(const grad_case *c, void *const *in, void *out);
	void (*backward)(const grad_case *c, void *const *in, const void *dout,
	                 void *const *gradients);
} grad_call;

extern const grad_call grad_calls_f32[], grad_calls_f64[]; /* ended by op NULL */

#endif
