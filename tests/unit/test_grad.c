/* Every backward of train/grad.h against differences of the reference's forward in f64, and in f32
 * against itself in f64. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/storage.h"
#include "tests/unit/grad_calls.h"
#include "train/grad.h"

#define STEP 1e-3
/* Of the largest gradient of a tensor: the differences' error, f32's. */
#define TOLERANCE     1e-9
#define TOLERANCE_F32 1e-5

/* A case's tensors in f64, whose values are f32's; what is not of the op is NaN. */
typedef struct state {
	const grad_case *c;
	double *in[GRAD_TENSORS], *base[GRAD_TENSORS], *gradients[GRAD_TENSORS];
	double *out, *dout;
} state;

static uint32_t seed;

static double draw(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (double)(float)((int32_t)seed / 2147483648.0);
}

static const grad_call *find(const grad_call *calls, const char *op)
{
	while (strcmp(calls->op, op))
		calls++;
	return calls;
}

static bool is_in(const grad_view *view, int32_t i)
{
	const int32_t at = i - view->at;
	return at >= 0 && view->rows && at / view->ld < view->rows && at % view->ld < view->cols;
}

static bool is_of_op(const grad_case *c, int32_t tensor, int32_t i)
{
	return is_in(&c->views[tensor][0], i) || is_in(&c->views[tensor][1], i) ||
	       is_in(&c->views[tensor][2], i);
}

static void *zeroed(int32_t count, size_t bytes)
{
	void *memory = calloc((size_t)count, bytes);
	cr_assert_not_null(memory);
	return memory;
}

static void begin(state *s, const grad_case *c)
{
	*s = (state){.c = c};
	seed = 7;
	for (int32_t t = 0; t < c->tensors; t++) {
		s->in[t] = zeroed(c->sizes[t], sizeof(double));
		s->base[t] = zeroed(c->sizes[t], sizeof(double));
		s->gradients[t] = zeroed(c->sizes[t], sizeof(double));
		for (int32_t i = 0; i < c->sizes[t]; i++) {
			s->in[t][i] = is_of_op(c, t, i) ? 1.5 * draw() : NAN;
			s->base[t][i] = draw();
		}
	}
	s->out = zeroed(c->out_size, sizeof(double));
	s->dout = zeroed(c->out_size, sizeof(double));
	for (int32_t i = 0; i < c->out_size; i++)
		s->dout[i] = is_in(&c->out, i) ? draw() : NAN;
}

static void end(state *s)
{
	for (int32_t t = 0; t < s->c->tensors; t++) {
		free(s->in[t]);
		free(s->base[t]);
		free(s->gradients[t]);
	}
	free(s->out);
	free(s->dout);
}

/* The loss: the sum of out * dout. */
static double loss(state *s)
{
	double sum = 0;
	find(grad_calls_f64, s->c->op)->forward(s->c, (void *const *)s->in, s->out);
	for (int32_t i = 0; i < s->c->out_size; i++)
		if (is_in(&s->c->out, i))
			sum += s->out[i] * s->dout[i];
	return sum;
}

/* Five points: the error is of the order of STEP^4. */
static double difference(state *s, double *at)
{
	static const double weights[] = {1, -8, 8, -1}, steps[] = {-2, -1, 1, 2};
	const double here = *at;
	double sum = 0;
	for (int i = 0; i < 4; i++) {
		*at = here + steps[i] * STEP;
		sum += weights[i] * loss(s);
	}
	*at = here;
	return sum / (12 * STEP);
}

static double largest(const state *s, int32_t tensor)
{
	double most = 0;
	for (int32_t i = 0; i < s->c->sizes[tensor]; i++)
		most = fmax(most, fabs(s->gradients[tensor][i] - s->base[tensor][i]));
	return most;
}

static void go_back(state *s, int32_t without)
{
	void *gradients[GRAD_TENSORS] = {0};
	for (int32_t t = 0; t < s->c->tensors; t++) {
		memcpy(s->gradients[t], s->base[t], (size_t)s->c->sizes[t] * sizeof(double));
		gradients[t] = t == without ? NULL : s->gradients[t];
	}
	find(grad_calls_f64, s->c->op)->backward(s->c, (void *const *)s->in, s->dout, gradients);
}

static void check_differences(state *s, const char *name)
{
	const grad_case *c = s->c;
	for (int32_t t = 0; t < c->tensors; t++) {
		const int32_t size = c->sizes[t], probes = c->probes ? c->probes : 200;
		const int32_t step = size > probes ? size / probes | 1 : 1;
		const double scale = largest(s, t);
		for (int32_t i = 0; i < size; i++) {
			const double gradient = s->gradients[t][i] - s->base[t][i];
			if (!is_of_op(c, t, i)) {
				cr_assert_eq(gradient, 0, "%s: tensor %d, element %d", name, t, i);
			} else if (i % step == 0 || i >= size - 4) {
				const double expected = difference(s, s->in[t] + i);
				cr_assert(fabs(gradient - expected) <= TOLERANCE * scale,
				          "%s: tensor %d, element %d: %.12g, not %.12g", name, t, i,
				          gradient, expected);
			}
		}
	}
}

/* A gradient that is not wanted does not change the others. */
static void check_unwanted(state *s, const char *name)
{
	double *kept[GRAD_TENSORS];
	const grad_case *c = s->c;
	for (int32_t t = 0; t < c->tensors; t++) {
		kept[t] = zeroed(c->sizes[t], sizeof(double));
		memcpy(kept[t], s->gradients[t], (size_t)c->sizes[t] * sizeof(double));
	}
	for (int32_t without = 0; without < c->tensors; without++) {
		go_back(s, without);
		for (int32_t t = 0; t < c->tensors; t++)
			cr_assert_arr_eq(s->gradients[t], t == without ? s->base[t] : kept[t],
			                 (size_t)c->sizes[t] * sizeof(double),
			                 "%s: tensor %d without %d", name, t, without);
	}
	go_back(s, -1);
	for (int32_t t = 0; t < c->tensors; t++)
		free(kept[t]);
}

static float *rounded(const double *from, int32_t count)
{
	float *to = zeroed(count, sizeof *to);
	for (int32_t i = 0; i < count; i++)
		to[i] = (float)from[i];
	return to;
}

/* Twice: the same bits. */
static void check_f32(state *s, const char *name)
{
	const grad_case *c = s->c;
	void *in[GRAD_TENSORS], *gradients[GRAD_TENSORS], *again[GRAD_TENSORS];
	float *dout = rounded(s->dout, c->out_size);
	for (int32_t t = 0; t < c->tensors; t++) {
		in[t] = rounded(s->in[t], c->sizes[t]);
		gradients[t] = rounded(s->base[t], c->sizes[t]);
		again[t] = rounded(s->base[t], c->sizes[t]);
	}
	find(grad_calls_f32, c->op)->backward(c, in, dout, gradients);
	find(grad_calls_f32, c->op)->backward(c, in, dout, again);
	for (int32_t t = 0; t < c->tensors; t++) {
		const double scale = largest(s, t) + 1;
		const float *got = gradients[t];
		for (int32_t i = 0; i < c->sizes[t]; i++)
			cr_assert(fabs((double)got[i] - s->gradients[t][i]) <=
			                  (is_of_op(c, t, i) ? TOLERANCE_F32 * scale : 0),
			          "%s, f32: tensor %d, element %d: %.9g, not %.9g", name, t, i,
			          (double)got[i], s->gradients[t][i]);
		cr_assert_arr_eq(got, again[t], (size_t)c->sizes[t] * sizeof *got);
		free(in[t]);
		free(gradients[t]);
		free(again[t]);
	}
	free(dout);
}

static void check(const char *name, const grad_case *c)
{
	state s;
	begin(&s, c);
	go_back(&s, -1);
	check_differences(&s, name);
	check_unwanted(&s, name);
	check_f32(&s, name);
	end(&s);
}

Test(grad, act)
{
	static const char *const names[] = {"none", "silu", "gelu"};
	for (int32_t act = OMT_ACT_NONE; act <= OMT_ACT_GELU; act++)
		for (int32_t rows = 1; rows < 8; rows += 6)
			check(names[act], &(grad_case){.op = "act",
			                               .mode = act,
			                               .rows = rows,
			                               .cols = 37,
			                               .ldo = 41,
			                               .tensors = 1,
			                               .sizes = {rows * 37},
			                               .views = {{{0, 1, rows * 37, rows * 37}}},
			                               .out_size = rows * 41,
			                               .out = {0, rows, 37, 41}});
}

Test(grad, gemm)
{
	static const int32_t shapes[][3] = {{1, 1, 1}, {1, 9, 33}, {7, 5, 16}, {70, 3, 17}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const int32_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
		char name[64];
		snprintf(name, sizeof name, "gemm %d %d %d", m, n, k);
		check(name,
		      &(grad_case){
			      .op = "gemm",
			      .rows = m,
			      .cols = n,
			      .depth = k,
			      .ldx = k + 3,
			      .ldw = k + 2,
			      .ldo = n + 5,
			      .tensors = 3,
			      .sizes = {m * (k + 3), n * (k + 2), n},
			      .views = {{{0, m, k, k + 3}}, {{0, n, k, k + 2}}, {{0, 1, n, n}}},
			      .out_size = m * (n + 5),
			      .out = {0, m, n, n + 5}});
	}
}

typedef struct heads_case {
	int32_t heads, kv_heads, head_dim, causal, together, lengths[5], probes;
} heads_case;

/* Several sequences, one of them of one token; grouped queries; 70 and 300 tokens are more than a
 * block of queries, of keys. */
static const heads_case heads_cases[] = {
	{1, 1, 8, 0, 0, {5}, 0},           {2, 1, 8, 1, 0, {1, 7, 1, 4}, 0},
	{4, 2, 64, 0, 1, {9, 1, 12}, 50},  {4, 2, 64, 1, 1, {9, 1, 12}, 50},
	{2, 2, 80, 0, 0, {3, 6}, 50},      {6, 2, 32, 1, 1, {70, 3}, 40},
	{1, 1, 8, 0, 1, {2, 300}, 24},     {1, 1, 8, 1, 1, {300, 2}, 24},
	{3, 1, 8, 0, 0, {64, 65, 63}, 50},
};

/* q, k and v are columns of one tensor, or three tensors with some columns before. */
static grad_case attention_case(const heads_case *h)
{
	const int32_t width = h->heads * h->head_dim, narrow = h->kv_heads * h->head_dim;
	grad_case c = {.op = "attention", .tensors = h->together ? 1 : 3, .mode = h->causal};
	while (c.sequences < 5 && h->lengths[c.sequences]) {
		const int32_t length = h->lengths[c.sequences];
		c.cu_in[c.sequences + 1] = c.cu_in[c.sequences] + length;
		c.max_len = length > c.max_len ? length : c.max_len;
		c.sequences++;
	}
	c.rows = c.cu_in[c.sequences];
	c.heads = h->heads;
	c.kv_heads = h->kv_heads;
	c.head_dim = h->head_dim;
	c.probes = h->probes;
	c.number = (double)(float)(1 / sqrt(h->head_dim));
	c.ldx = h->together ? width + 2 * narrow + 5 : width + 3;
	c.ldw = h->together ? c.ldx : narrow + 4;
	c.ldo = width + 1;
	c.k_at = h->together ? width + 2 : 2;
	c.v_at = h->together ? width + narrow + 3 : 3;
	for (int32_t t = 0; t < c.tensors; t++)
		c.sizes[t] = c.rows * (t ? c.ldw : c.ldx);
	c.views[0][0] = (grad_view){0, c.rows, width, c.ldx};
	*(h->together ? &c.views[0][1] : &c.views[1][0]) =
		(grad_view){c.k_at, c.rows, narrow, c.ldw};
	*(h->together ? &c.views[0][2] : &c.views[2][0]) =
		(grad_view){c.v_at, c.rows, narrow, c.ldw};
	c.out_size = c.rows * c.ldo;
	c.out = (grad_view){0, c.rows, width, c.ldo};
	return c;
}

Test(grad, attention)
{
	for (size_t i = 0; i < sizeof heads_cases / sizeof *heads_cases; i++) {
		const grad_case c = attention_case(heads_cases + i);
		char name[64];
		snprintf(name, sizeof name, "attention %zu", i);
		check(name, &c);
	}
}

static void check_norm(const char *op, int32_t rows, int32_t cols, double eps, int32_t tensors)
{
	check(op, &(grad_case){.op = op,
	                       .rows = rows,
	                       .cols = cols,
	                       .ldx = cols + 3,
	                       .ldo = cols + 2,
	                       .number = (double)(float)eps,
	                       .tensors = tensors,
	                       .sizes = {rows * (cols + 3), cols, cols},
	                       .views = {{{0, rows, cols, cols + 3}},
	                                 {{0, 1, cols, cols}},
	                                 {{0, 1, cols, cols}}},
	                       .out_size = rows * (cols + 2),
	                       .out = {0, rows, cols, cols + 2}});
}

Test(grad, norms)
{
	static const int32_t shapes[][2] = {{1, 5}, {3, 16}, {9, 37}, {2, 128}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const int32_t rows = shapes[i][0], cols = shapes[i][1];
		check_norm("rmsnorm", rows, cols, 1e-6, 2);
		check_norm("layernorm", rows, cols, 1e-5, 3);
		check_norm("l2norm", rows, cols, 1e-12, 1);
		check_norm("l2norm", rows, cols, 100, 1); /* eps is the divisor */
	}
}

Test(grad, rotary)
{
	static const int32_t shapes[][3] = {{1, 1, 8}, {5, 3, 64}, {3, 2, 80}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const int32_t rows = shapes[i][0], cols = shapes[i][1] * shapes[i][2];
		check("rotary", &(grad_case){.op = "rotary",
		                             .rows = rows,
		                             .heads = shapes[i][1],
		                             .head_dim = shapes[i][2],
		                             .ldx = cols + 3,
		                             .tensors = 1,
		                             .sizes = {rows * (cols + 3)},
		                             .views = {{{0, rows, cols, cols + 3}}},
		                             .out_size = rows * (cols + 3),
		                             .out = {0, rows, cols, cols + 3}});
	}
}

/* Source rows 1 and 3 are copied twice, 9 and 0 are of other blocks; dst keeps rows 0 and 6. */
Test(grad, rows)
{
	check("rows", &(grad_case){.op = "rows",
	                           .rows = 7,
	                           .cols = 5,
	                           .ldx = 7,
	                           .ldo = 6,
	                           .cu_in = {3, 1, 9, 3, 2, 1, 0},
	                           .cu_out = {4, 2, 0, 1, 3, 5, 6},
	                           .src_first = 1,
	                           .src_rows = 4,
	                           .tensors = 2,
	                           .sizes = {4 * 7, 7 * 6},
	                           .views = {{{0, 4, 5, 7}}, {{0, 7, 5, 6}}},
	                           .out_size = 7 * 6,
	                           .out = {0, 7, 5, 6}});
}

Test(grad, unfold)
{
	for (int32_t stride = 1; stride <= 2; stride++)
		check("unfold",
		      &(grad_case){.op = "unfold",
		                   .sequences = 3,
		                   .cu_in = {0, 7, 8, 14},
		                   .cu_out = {0, 7 / stride + stride / 2, 8 / stride + stride / 2,
		                              14 / stride + stride / 2},
		                   .rows = 14 / stride + stride / 2,
		                   .cols = 5,
		                   .depth = 3,
		                   .stride = stride,
		                   .pad = 1,
		                   .ldx = 8,
		                   .ldo = 17,
		                   .tensors = 1,
		                   .sizes = {14 * 8},
		                   .views = {{{0, 14, 5, 8}}},
		                   .out_size = 14 * 17,
		                   .out = {0, 14 / stride + stride / 2, 15, 17}});
}

Test(grad, pairs)
{
	check("pairs", &(grad_case){.op = "pairs",
	                            .sequences = 3,
	                            .cu_in = {0, 5, 7, 8},
	                            .cu_out = {0, 2, 3, 3}, /* a last odd row is not of it */
	                            .rows = 3,
	                            .cols = 6,
	                            .ldx = 8,
	                            .ldo = 7,
	                            .tensors = 1,
	                            .sizes = {8 * 8},
	                            .views = {{{0, 8, 6, 8}}},
	                            .out_size = 3 * 7,
	                            .out = {0, 3, 6, 7}});
}

Test(grad, pool)
{
	for (int32_t mode = OMT_POOL_MEAN; mode <= OMT_POOL_CLS; mode++)
		check("pool", &(grad_case){.op = "pool",
		                           .mode = mode,
		                           .sequences = 4,
		                           .cu_in = {0, 1, 6, 7, 15},
		                           .cols = 9,
		                           .ldx = 11,
		                           .ldo = 10,
		                           .tensors = 1,
		                           .sizes = {15 * 11},
		                           .views = {{{0, 15, 9, 11}}},
		                           .out_size = 4 * 10,
		                           .out = {0, 4, 9, 10}});
}

/* Frozen weights of two bytes, several blocks of them, against the same weights in f32. */
Test(grad, frozen)
{
	enum { M = 5, N = 130, K = 700, LDW = K + 3, LDA = K + 2 };
	static float dz[M * N], wide[N * LDW], expected[M * LDA], got[M * LDA];
	static uint16_t narrow[N * LDW];
	for (size_t i = 0; i < M * N; i++)
		dz[i] = (float)draw();
	for (int32_t dtype = OMT_BF16; dtype <= OMT_F16; dtype++) {
		for (size_t i = 0; i < N * LDW; i++) {
			narrow[i] = (uint16_t)((dtype == OMT_BF16 ? 0x3f00 : 0x3800) + i % 97);
			wide[i] = omt_dtype_load((const uint8_t *)narrow, dtype, i);
		}
		for (size_t i = 0; i < M * LDA; i++)
			expected[i] = got[i] = (float)i;
		grad_gemm(NULL, LDA, wide, LDW, OMT_F32, dz, N, expected, LDA, NULL, 0, NULL, M, N,
		          K);
		grad_gemm(NULL, LDA, narrow, LDW, dtype, dz, N, got, LDA, NULL, 0, NULL, M, N, K);
		for (size_t i = 0; i < M * LDA; i++)
			cr_assert_float_eq(got[i], expected[i],
			                   i % LDA < K ? 1e-6f * ((float)i + N) : 0,
			                   "dtype %d, element %zu: %g, not %g", dtype, i,
			                   (double)got[i], (double)expected[i]);
	}
}
