/* grad: the ops of a training step of a small model on one core, forward and backward.
 *
 *     bench_grad LENGTH SEQUENCES HIDDEN HEADS KV_HEADS HEAD_DIM INTERMEDIATE CAUSAL
 *
 * A line of JSON an op of a layer: median microseconds of the forward through the backends openblas
 * and ref, and of the backward (train/grad.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/median.h"
#include "exec/exec.h"
#include "train/grad.h"

#define WARM_S  0.02
#define REPEATS 15

static omt_error err;
static omt_exec *chain;

static void check(omt_status status)
{
	if (status == OMT_OK)
		return;
	fprintf(stderr, "bench_grad: %s\n", err.text);
	exit(1);
}

/* Memory and the backends' view of it. */
typedef struct tensor {
	float *data;
	omt_buffer *buffer;
} tensor;

static tensor make(size_t floats)
{
	tensor t = {.data = aligned_alloc(64, (floats * sizeof(float) / 64 + 1) * 64)};
	if (!t.data)
		exit(1);
	for (size_t i = 0; i < floats; i++)
		t.data[i] = (float)((uint32_t)i * 2654435761u >> 20) / 2048.0f - 1.0f;
	check(omt_exec_alloc(chain, floats * sizeof(float), OMT_USAGE_WORK, t.data, &t.buffer,
	                     &err));
	return t;
}

typedef struct shape {
	int32_t length, sequences, hidden, heads, kv_heads, head_dim, intermediate, causal;
	int32_t rows, act, n, k; /* of the gemm at hand */
} shape;

typedef struct tensors {
	tensor x, w, y, dx, dw, dy, z, dz, cu;
} tensors;

static void run_gemm(const shape *s, const tensors *t)
{
	check(OMT_RUN(chain, gemm, &err, .a = t->x.buffer, .w = t->w.buffer, .scale = t->w.buffer,
	              .bias = t->w.buffer, .residual = t->w.buffer, .c = t->y.buffer, .m = s->rows,
	              .n = s->n, .k = s->k, .lda = s->k, .ldw = s->k, .ldr = s->n, .ldc = s->n,
	              .w_panel = 1, .act = s->act, .flags = OMT_GEMM_BIAS));
}
static void back_gemm(const shape *s, const tensors *t)
{
	if (s->act)
		grad_act(t->z.data, t->dy.data, s->n, t->dz.data, s->rows, s->n, s->act);
	grad_gemm(t->x.data, s->k, t->w.data, s->k, OMT_F32, s->act ? t->dz.data : t->dy.data, s->n,
	          t->dx.data, s->k, t->dw.data, s->k, t->dz.data, s->rows, s->n, s->k);
}
static double work_gemm(const shape *s)
{
	return 2.0 * s->rows * s->n * s->k;
}

static int32_t width(const shape *s)
{
	return (s->heads + 2 * s->kv_heads) * s->head_dim;
}
static void run_attention(const shape *s, const tensors *t)
{
	const int32_t k_at = s->heads * s->head_dim, v_at = k_at + s->kv_heads * s->head_dim;
	check(OMT_RUN(chain, attention, &err, .q = t->x.buffer, .k = t->x.buffer, .v = t->x.buffer,
	              .cu_seqlens = t->cu.buffer, .out = t->y.buffer, .sequences = s->sequences,
	              .max_len = s->length, .heads = s->heads, .kv_heads = s->kv_heads,
	              .head_dim = s->head_dim, .ldq = width(s), .ldkv = width(s), .ldo = k_at,
	              .k_at = k_at, .v_at = v_at, .causal = s->causal, .scale = 0.2f));
}
static void back_attention(const shape *s, const tensors *t)
{
	const int32_t k_at = s->heads * s->head_dim, v_at = k_at + s->kv_heads * s->head_dim;
	const int32_t *cu = (const int32_t *)(const void *)t->cu.data;
	grad_attention(t->x.data, t->x.data, t->x.data, cu, t->dy.data, t->dx.data, t->dx.data,
	               t->dx.data, s->sequences, s->length, s->heads, s->kv_heads, s->head_dim,
	               width(s), width(s), k_at, k_at, v_at, s->causal, 0.2f);
}
static double work_attention(const shape *s)
{
	return 4.0 * s->rows * s->length * s->heads * s->head_dim / (s->causal ? 2 : 1);
}

static void run_rmsnorm(const shape *s, const tensors *t)
{
	check(OMT_RUN(chain, rmsnorm, &err, .x = t->x.buffer, .weight = t->w.buffer,
	              .out = t->y.buffer, .rows = s->rows, .cols = s->hidden, .ldx = s->hidden,
	              .ldo = s->hidden, .eps = 1e-6f));
}
static void back_rmsnorm(const shape *s, const tensors *t)
{
	grad_rmsnorm(t->x.data, t->w.data, t->dy.data, t->dx.data, t->dw.data, s->rows, s->hidden,
	             s->hidden, s->hidden, 1e-6f);
}
static void run_layernorm(const shape *s, const tensors *t)
{
	check(OMT_RUN(chain, layernorm, &err, .x = t->x.buffer, .weight = t->w.buffer,
	              .bias = t->w.buffer, .out = t->y.buffer, .rows = s->rows, .cols = s->hidden,
	              .ldx = s->hidden, .ldo = s->hidden, .eps = 1e-5f));
}
static void back_layernorm(const shape *s, const tensors *t)
{
	grad_layernorm(t->x.data, t->w.data, t->dy.data, t->dx.data, t->dw.data, t->dz.data,
	               s->rows, s->hidden, s->hidden, s->hidden, 1e-5f);
}
static double work_row(const shape *s)
{
	return (double)s->rows * s->hidden;
}

static void run_rotary(const shape *s, const tensors *t)
{
	check(OMT_RUN(chain, rotary, &err, .x = t->y.buffer, .cosines = t->z.buffer,
	              .sines = t->w.buffer, .rows = s->rows, .heads = s->heads + s->kv_heads,
	              .head_dim = s->head_dim, .ldx = width(s)));
}
static void back_rotary(const shape *s, const tensors *t)
{
	grad_rotary(t->dx.data, t->z.data, t->w.data, s->rows, s->heads + s->kv_heads, s->head_dim,
	            width(s));
}

static double time_us(void (*run)(const shape *, const tensors *), const shape *s, const tensors *t)
{
	double seconds[REPEATS];
	for (const double start = omt_now_s(); omt_now_s() - start < WARM_S;)
		run(s, t);
	for (int i = 0; i < REPEATS; i++) {
		const double begin = omt_now_s();
		run(s, t);
		seconds[i] = omt_now_s() - begin;
	}
	return 1e6 * omt_median(seconds, REPEATS);
}

typedef struct op {
	const char *name;
	void (*run)(const shape *, const tensors *), (*back)(const shape *, const tensors *);
	double (*work)(const shape *); /* of the forward, multiply-adds twice */
} op;
static const op gemm = {"gemm", run_gemm, back_gemm, work_gemm};

/* The gradients grow from run to run: they are cleared before each op. */
static void measure(const op *o, const char *name, const shape *s, const tensors *t, size_t floats)
{
	for (size_t i = 0; i < floats; i++)
		t->dx.data[i] = t->dw.data[i] = 0;
	const double run = time_us(o->run, s, t), back = time_us(o->back, s, t);
	const double work = o->work(s);
	printf("{\"op\":\"%s\",\"of\":\"%s\",\"rows\":%d,\"forward_us\":%.1f,\"backward_us\":%.1f,"
	       "\"forward_gflops\":%.1f}\n",
	       o->name, name, s->rows, run, back, 1e-3 * work / run);
}

static void measure_gemm(const char *name, shape s, int32_t n, int32_t k, int32_t act,
                         const tensors *t, size_t floats)
{
	s.n = n;
	s.k = k;
	s.act = act;
	measure(&gemm, name, &s, t, floats);
}

int main(int argc, char **argv)
{
	static const op others[] = {{"attention", run_attention, back_attention, work_attention},
	                            {"rmsnorm", run_rmsnorm, back_rmsnorm, work_row},
	                            {"layernorm", run_layernorm, back_layernorm, work_row},
	                            {"rotary", run_rotary, back_rotary, work_row}};
	int32_t n[8];
	if (argc != 9)
		return fprintf(stderr, "bench_grad LENGTH SEQUENCES HIDDEN HEADS KV_HEADS HEAD_DIM "
		                       "INTERMEDIATE CAUSAL\n"),
		       2;
	for (int i = 0; i < 8; i++)
		if ((n[i] = atoi(argv[i + 1])) < (i < 7))
			return 2;
	shape s = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[0] * n[1], 0, 0, 0};
	const int32_t wide = width(&s);
	int32_t widest = s.intermediate > wide ? s.intermediate : wide;
	widest = s.hidden > widest ? s.hidden : widest;
	const int32_t longest = s.rows > widest ? s.rows : widest;
	const size_t floats = (size_t)longest * (size_t)widest;
	check(omt_exec_open("openblas,ref", &(omt_backend_options){.threads = 1}, &chain, &err));
	tensors t;
	for (tensor *each = &t.x; each <= &t.cu; each++)
		*each = make(floats);
	for (int32_t i = 0; i <= s.sequences; i++)
		((int32_t *)(void *)t.cu.data)[i] = i * s.length;
	measure_gemm("qkv", s, wide, s.hidden, OMT_ACT_NONE, &t, floats);
	measure_gemm("o", s, s.hidden, s.heads * s.head_dim, OMT_ACT_NONE, &t, floats);
	measure_gemm("gate, silu", s, s.intermediate, s.hidden, OMT_ACT_SILU, &t, floats);
	measure_gemm("up", s, s.intermediate, s.hidden, OMT_ACT_NONE, &t, floats);
	measure_gemm("fc1, gelu", s, s.intermediate, s.hidden, OMT_ACT_GELU, &t, floats);
	measure_gemm("down", s, s.hidden, s.intermediate, OMT_ACT_NONE, &t, floats);
	for (size_t i = 0; i < floats; i++) { /* rotary's angles */
		t.z.data[i] = 0.6f;
		t.w.data[i] = 0.8f;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		measure(others + i, "layer", &s, &t, floats);
	for (tensor *each = &t.x; each <= &t.cu; each++) {
		omt_exec_free(chain, each->buffer);
		free(each->data);
	}
	omt_exec_close(chain);
	return 0;
}
