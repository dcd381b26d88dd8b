/* The table of grad_calls.h, in the type that `float` is; GRAD_TABLE is its name. */
#include <string.h>

#include "exec/ref.h"
#include "exec/ref_activate.h"
#include "tests/unit/grad_calls.h"
#include "train/grad.h"

#define FORWARD(op) static void op##_forward(const grad_case *c, void *const *in, void *out)
#define BACKWARD(op)                                                                     \
	static void op##_backward(const grad_case *c, void *const *in, const void *dout, \
	                          void *const *gradients)

static void add_view(const grad_view *view, float *to, const float *from)
{
	for (int32_t row = 0; row < view->rows; row++)
		for (int32_t i = 0; i < view->cols; i++)
			to[view->at + row * view->ld + i] += from[view->at + row * view->ld + i];
}

FORWARD(act)
{
	const float *z = in[0];
	float *to = out;
	for (int32_t i = 0; i < c->rows * c->cols; i++)
		to[i / c->cols * c->ldo + i % c->cols] = ref_activate(z[i], c->mode);
}
BACKWARD(act)
{
	float dz[4096];
	grad_act(in[0], dout, c->ldo, dz, c->rows, c->cols, c->mode);
	add_view(c->views[0], gradients[0] ? gradients[0] : dz, dz);
}

FORWARD(gemm)
{
	ref_gemm(in[0], in[1], NULL, in[2], NULL, out, c->rows, c->cols, c->depth, c->ldx, c->ldw,
	         0, c->ldo, OMT_F32, 1, OMT_ACT_NONE, OMT_GEMM_BIAS, 0);
}
BACKWARD(gemm)
{
	grad_gemm(in[0], c->ldx, in[1], c->ldw, OMT_F32, dout, c->ldo, gradients[0], c->ldx,
	          gradients[1], c->ldw, gradients[2], c->rows, c->cols, c->depth);
}

/* The queries' tensor is all three where tensors is 1. */
FORWARD(attention)
{
	const float *k = in[c->tensors > 1 ? 1 : 0], *v = in[c->tensors - 1];
	ref_attention(in[0], k, v, c->cu_in, out, c->sequences, c->max_len, c->heads, c->kv_heads,
	              c->head_dim, c->ldx, c->ldw, c->ldo, c->k_at, c->v_at, c->mode,
	              (float)c->number);
}
BACKWARD(attention)
{
	const int32_t k = c->tensors > 1 ? 1 : 0, v = c->tensors - 1;
	grad_attention(in[0], in[k], in[v], c->cu_in, dout, gradients[0], gradients[k],
	               gradients[v], c->sequences, c->max_len, c->heads, c->kv_heads, c->head_dim,
	               c->ldx, c->ldw, c->ldo, c->k_at, c->v_at, c->mode, (float)c->number);
}

FORWARD(rmsnorm)
{
	ref_rmsnorm(in[0], in[1], out, c->rows, c->cols, c->ldx, c->ldo, (float)c->number);
}
BACKWARD(rmsnorm)
{
	grad_rmsnorm(in[0], in[1], dout, gradients[0], gradients[1], c->rows, c->cols, c->ldx,
	             c->ldo, (float)c->number);
}

FORWARD(layernorm)
{
	ref_layernorm(in[0], in[1], in[2], out, c->rows, c->cols, c->ldx, c->ldo, (float)c->number);
}
BACKWARD(layernorm)
{
	grad_layernorm(in[0], in[1], dout, gradients[0], gradients[1], gradients[2], c->rows,
	               c->cols, c->ldx, c->ldo, (float)c->number);
}

FORWARD(l2norm)
{
	ref_l2norm(in[0], out, c->rows, c->cols, c->ldx, c->ldo, (float)c->number);
}
BACKWARD(l2norm)
{
	if (gradients[0])
		grad_l2norm(in[0], dout, gradients[0], c->rows, c->cols, c->ldx, c->ldo,
		            (float)c->number);
}

/* The angles: any unit vectors do. In place: the padding goes along. */
static void make_angles(const grad_case *c, float *cosines, float *sines)
{
	for (int32_t i = 0; i < c->rows * c->head_dim / 2; i++) {
		cosines[i] = (float)(0.28 + 0.32 * (i % 2)); /* 0.28, 0.96 and 0.6, 0.8 */
		sines[i] = (float)((i % 2 ? 0.8 : 0.96) * (i % 3 ? 1 : -1));
	}
}
FORWARD(rotary)
{
	float cosines[1024], sines[1024];
	make_angles(c, cosines, sines);
	memcpy(out, in[0], (size_t)c->out_size * sizeof(float));
	ref_rotary(out, cosines, sines, c->rows, c->heads, c->head_dim, c->ldx);
}
BACKWARD(rotary)
{
	float cosines[1024], sines[1024], dx[4096];
	(void)in;
	make_angles(c, cosines, sines);
	memcpy(dx, dout, (size_t)c->out_size * sizeof(float));
	grad_rotary(dx, cosines, sines, c->rows, c->heads, c->head_dim, c->ldx);
	if (gradients[0])
		add_view(c->views[0], gradients[0], dx);
}

/* in[1]: what was in dst before. */
FORWARD(rows)
{
	memcpy(out, in[1], (size_t)c->out_size * sizeof(float));
	ref_rows(in[0], c->cu_in, c->cu_out, out, c->rows, c->cols, c->ldx, c->ldo, OMT_F32,
	         c->src_first, c->src_rows);
}
BACKWARD(rows)
{
	float ddst[4096];
	(void)in;
	memcpy(ddst, dout, (size_t)c->out_size * sizeof(float));
	grad_rows(gradients[0], c->cu_in, c->cu_out, ddst, c->rows, c->cols, c->ldx, c->ldo,
	          c->src_first, c->src_rows);
	if (gradients[1])
		add_view(c->views[1], gradients[1], ddst);
}

FORWARD(unfold)
{
	ref_unfold(in[0], c->cu_in, c->cu_out, out, c->sequences, c->rows, c->cols, c->depth,
	           c->stride, c->pad, c->ldx, c->ldo);
}
BACKWARD(unfold)
{
	(void)in;
	if (gradients[0])
		grad_unfold(c->cu_in, c->cu_out, dout, gradients[0], c->sequences, c->rows, c->cols,
		            c->depth, c->stride, c->pad, c->ldx, c->ldo);
}

FORWARD(pairs)
{
	ref_pairs(in[0], c->cu_in, c->cu_out, out, c->sequences, c->rows, c->cols, c->ldx, c->ldo);
}
BACKWARD(pairs)
{
	(void)in;
	if (gradients[0])
		grad_pairs(c->cu_in, c->cu_out, dout, gradients[0], c->sequences, c->rows, c->cols,
		           c->ldx, c->ldo);
}

FORWARD(pool)
{
	ref_pool(in[0], c->cu_in, out, c->sequences, c->cols, c->ldx, c->ldo, c->mode);
}
BACKWARD(pool)
{
	(void)in;
	if (gradients[0])
		grad_pool(c->cu_in, dout, gradients[0], c->sequences, c->cols, c->ldx, c->ldo,
		          c->mode);
}

#define CALL(op)                                 \
	{                                        \
#op, op##_forward, op##_backward \
	}
const grad_call GRAD_TABLE[] = {
	CALL(act),    CALL(gemm), CALL(attention), CALL(rmsnorm), CALL(layernorm), CALL(l2norm),
	CALL(rotary), CALL(rows), CALL(unfold),    CALL(pairs),   CALL(pool),      {0},
};
