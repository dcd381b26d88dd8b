#include "exec/tune_work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

#define TIMED_FLOPS 5e9  /* of a measurement at least */
#define TOLERANCE   1e-5 /* of attention's results, which lie in [-1, 1] */

/* The model's sizes: text 2048, keys and values 256, MLP 11008; vision 1280 and 3420; audio 1280
 * and 5120. gemm: m, n, k; attention: sequences, their length, heads, kv heads, head size. The
 * first of a class is what --quick takes, the one with an odd n or length is only checked. */
typedef struct shape {
	omt_cl_class class;
	int32_t size[5];
	bool checked_only;
} shape;

#define LONG(class)                                                                    \
	{class, {128, 1280, 1280}, false}, {class, {512, 2048, 2048}, false},          \
		{class, {512, 256, 2048}, false}, {class, {512, 11008, 2048}, false},  \
		{class, {512, 2048, 11008}, false}, {class, {512, 3420, 1280}, false}, \
		{class, {1024, 1280, 1280}, false}, {class, {512, 1280, 5120}, false}, \
	{                                                                              \
		class, {131, 71, 300}, true                                            \
	}
static const shape shapes[] = {
	{OMT_CL_CLASS_gemm_few, {1, 2048, 2048}, false},
	{OMT_CL_CLASS_gemm_few, {1, 11008, 2048}, false},
	{OMT_CL_CLASS_gemm_few, {1, 2048, 11008}, false},
	{OMT_CL_CLASS_gemm_few, {3, 71, 100}, true},
	{OMT_CL_CLASS_gemm_short, {16, 2048, 2048}, false},
	{OMT_CL_CLASS_gemm_short, {16, 11008, 2048}, false},
	{OMT_CL_CLASS_gemm_short, {32, 2048, 11008}, false},
	{OMT_CL_CLASS_gemm_short, {64, 1280, 1280}, false},
	{OMT_CL_CLASS_gemm_short, {37, 71, 300}, true},
	LONG(OMT_CL_CLASS_gemm),
	{OMT_CL_CLASS_gemm_i8_short, {1, 2048, 2048}, false},
	{OMT_CL_CLASS_gemm_i8_short, {1, 11008, 2048}, false},
	{OMT_CL_CLASS_gemm_i8_short, {16, 2048, 11008}, false},
	{OMT_CL_CLASS_gemm_i8_short, {64, 1280, 1280}, false},
	{OMT_CL_CLASS_gemm_i8_short, {37, 71, 300}, true},
	{OMT_CL_CLASS_gemm_bf16_short, {1, 2048, 2048}, false},
	{OMT_CL_CLASS_gemm_bf16_short, {1, 11008, 2048}, false},
	{OMT_CL_CLASS_gemm_bf16_short, {16, 2048, 11008}, false},
	{OMT_CL_CLASS_gemm_bf16_short, {64, 1280, 1280}, false},
	{OMT_CL_CLASS_gemm_bf16_short, {37, 71, 300}, true},
	LONG(OMT_CL_CLASS_gemm_i8),
	LONG(OMT_CL_CLASS_gemm_bf16),
	{OMT_CL_CLASS_attention_64, {4, 100, 20, 20, 64}, false},
	{OMT_CL_CLASS_attention_64, {15, 100, 20, 20, 64}, false},
	{OMT_CL_CLASS_attention_64, {2, 37, 4, 2, 64}, true},
	{OMT_CL_CLASS_attention_80, {16, 64, 16, 16, 80}, false},
	{OMT_CL_CLASS_attention_80, {1, 1024, 16, 16, 80}, false},
	{OMT_CL_CLASS_attention_80, {2, 37, 4, 2, 80}, true},
	{OMT_CL_CLASS_attention_128, {1, 256, 16, 2, 128}, false},
	{OMT_CL_CLASS_attention_128, {1, 1024, 16, 2, 128}, false},
	{OMT_CL_CLASS_attention_128, {8, 64, 16, 2, 128}, false},
	{OMT_CL_CLASS_attention_128, {2, 131, 8, 2, 128}, true},
};

/* ---- buffers ---- */

typedef enum fill { FLOATS, BF16, BYTES } fill;

static void fill_random(uint8_t *data, size_t count, fill how)
{
	uint32_t state = 1;
	for (size_t i = 0; i < count; i++) {
		state = state * 1664525u + 1013904223u;
		const float value = (float)(int32_t)state / 2147483648.0f;
		const uint16_t half = omt_bf16_from_f32(value);
		if (how == FLOATS)
			memcpy(data + 4 * i, &value, 4);
		else if (how == BF16)
			memcpy(data + 2 * i, &half, 2);
		else
			data[i] = (uint8_t)(state >> 24);
	}
}

/* A buffer of random numbers, the call's. */
static omt_status make(omt_backend *backend, omt_work_call *call, size_t count, fill how,
                       omt_buffer **made, omt_error *err)
{
	const size_t bytes = count * (how == FLOATS ? 4 : how == BF16 ? 2 : 1);
	omt_buffer **place = call->buffers;
	while (*place)
		place++;
	OMT_TRY(backend->class->alloc(backend, bytes, OMT_USAGE_WORK, NULL, place, err));
	*made = *place;
	uint8_t *data = malloc(bytes);
	if (!data)
		return OMT_FAIL(err, NO_MEMORY, "%zu bytes to tune with", bytes);
	fill_random(data, count, how);
	omt_status status = backend->class->write(backend, *made, 0, data, bytes, NULL, err);
	if (status == OMT_OK)
		status = backend->class->wait(backend, 0, err);
	free(data);
	return status;
}

/* The op's result, `count` floats. The scalars of call->args are set. */
static omt_status make_output(omt_backend *backend, omt_work_call *call, omt_op op, size_t count,
                              omt_buffer **made, omt_error *err)
{
	OMT_TRY(make(backend, call, count, FLOATS, made, err));
	call->out = *made;
	call->count = count;
	call->flops = omt_op_cost_of(op, &call->args).flops;
	return OMT_OK;
}

static omt_status make_gemm(omt_backend *backend, const int32_t *size, omt_work_call *call,
                            omt_error *err)
{
	const int32_t m = size[0], n = size[1], k = size[2];
	const size_t rows = (size_t)((n + OMT_CL_PANEL - 1) / OMT_CL_PANEL * OMT_CL_PANEL);
	omt_gemm_args *g = &call->args.gemm;
	*g = (omt_gemm_args){.m = m, .n = n, .k = k, .lda = k, .ldw = k, .ldr = n, .ldc = n};
	g->w_dtype = OMT_BF16;
	g->w_panel = OMT_CL_PANEL;
	OMT_TRY(make(backend, call, (size_t)m * (size_t)k, FLOATS, &g->a, err));
	OMT_TRY(make(backend, call, rows * (size_t)k, BF16, &g->w, err));
	OMT_TRY(make(backend, call, rows, FLOATS, &g->scale, err));
	OMT_TRY(make_output(backend, call, OMT_OP_gemm, (size_t)m * (size_t)n, &g->c, err));
	g->bias = g->residual = g->scale;
	if (!call->timed) {
		OMT_TRY(make(backend, call, (size_t)m * (size_t)n, FLOATS, &g->residual, err));
		g->act = OMT_ACT_SILU;
		g->flags = OMT_GEMM_SCALE | OMT_GEMM_BIAS | OMT_GEMM_PRODUCT;
	}
	return OMT_OK;
}

static omt_status make_gemm_i8(omt_backend *backend, const int32_t *size, omt_work_call *call,
                               omt_error *err)
{
	const int32_t m = size[0], n = size[1], k = (size[2] + 3) / 4 * 4;
	const size_t rows = (size_t)((n + OMT_CL_PANEL - 1) / OMT_CL_PANEL * OMT_CL_PANEL);
	omt_gemm_i8_args *g = &call->args.gemm_i8;
	*g = (omt_gemm_i8_args){.m = m, .n = n, .k = k, .lda = k, .ldr = n, .ldc = n};
	g->w_panel = OMT_CL_PANEL;
	OMT_TRY(make(backend, call, (size_t)m * (size_t)k + 4, BYTES, &g->a, err));
	OMT_TRY(make(backend, call, (size_t)m, FLOATS, &g->a_scale, err));
	OMT_TRY(make(backend, call, rows * (size_t)k, BYTES, &g->w, err));
	OMT_TRY(make(backend, call, rows, FLOATS, &g->scale, err));
	OMT_TRY(make_output(backend, call, OMT_OP_gemm_i8, (size_t)m * (size_t)n, &g->c, err));
	g->bias = g->residual = g->scale;
	g->flags = call->timed ? 0 : OMT_GEMM_BIAS;
	return OMT_OK;
}

static omt_status make_gemm_bf16(omt_backend *backend, const int32_t *size, omt_work_call *call,
                                 omt_error *err)
{
	const int32_t m = size[0], n = size[1], k = (size[2] + 1) / 2 * 2;
	const size_t rows = (size_t)((n + OMT_CL_PANEL - 1) / OMT_CL_PANEL * OMT_CL_PANEL);
	omt_gemm_bf16_args *g = &call->args.gemm_bf16;
	*g = (omt_gemm_bf16_args){.m = m, .n = n, .k = k, .lda = k, .ldr = n, .ldc = n};
	g->w_panel = OMT_CL_PANEL;
	OMT_TRY(make(backend, call, (size_t)m * (size_t)k, FLOATS, &g->a, err));
	OMT_TRY(make(backend, call, rows * (size_t)k, BF16, &g->w, err));
	OMT_TRY(make(backend, call, rows, FLOATS, &g->bias, err));
	OMT_TRY(make_output(backend, call, OMT_OP_gemm_bf16, (size_t)m * (size_t)n, &g->c, err));
	g->residual = g->bias;
	g->flags = call->timed ? 0 : OMT_GEMM_BIAS;
	return OMT_OK;
}

static omt_status make_attention(omt_backend *backend, const int32_t *size, omt_work_call *call,
                                 omt_error *err)
{
	const int32_t wide = size[2] * size[4], narrow = size[3] * size[4];
	const size_t rows = (size_t)size[0] * (size_t)size[1];
	int32_t cu[32];
	omt_attention_args *a = &call->args.attention;
	*a = (omt_attention_args){.sequences = size[0],
	                          .max_len = size[1],
	                          .heads = size[2],
	                          .kv_heads = size[3],
	                          .head_dim = size[4],
	                          .ldq = wide,
	                          .ldkv = narrow,
	                          .ldo = wide,
	                          .causal = !call->timed,
	                          .scale = 1.0f / sqrtf((float)size[4])};
	OMT_TRY(make(backend, call, rows * (size_t)wide, FLOATS, &a->q, err));
	OMT_TRY(make(backend, call, rows * (size_t)narrow, FLOATS, &a->k, err));
	OMT_TRY(make(backend, call, rows * (size_t)narrow, FLOATS, &a->v, err));
	OMT_TRY(make_output(backend, call, OMT_OP_attention, rows * (size_t)wide, &a->out, err));
	OMT_TRY(make(backend, call, sizeof cu / 4, FLOATS, &a->cu_seqlens, err));
	for (int32_t i = 0; i <= size[0]; i++)
		cu[i] = i * size[1];
	OMT_TRY(backend->class->write(backend, a->cu_seqlens, 0, cu,
	                              ((size_t)size[0] + 1) * sizeof *cu, NULL, err));
	OMT_TRY(backend->class->wait(backend, 0, err));
	return OMT_OK;
}

/* ---- running ---- */

static omt_status run(const omt_work *work, const omt_work_call *call, omt_error *err)
{
	return work->backend->class->run(work->backend, omt_cl_class_infos[work->class].op,
	                                 &call->args, NULL, err);
}

/* One run into a buffer that held no numbers before. */
static omt_status run_into(const omt_work *work, const omt_work_call *call, float *result,
                           omt_error *err)
{
	omt_backend *backend = work->backend;
	const size_t bytes = call->count * sizeof *result;
	memset(result, 0xff, bytes);
	OMT_TRY(backend->class->write(backend, call->out, 0, result, bytes, NULL, err));
	OMT_TRY(backend->class->wait(backend, 0, err));
	OMT_TRY(run(work, call, err));
	OMT_TRY(backend->class->read(backend, call->out, 0, result, bytes, NULL, err));
	return backend->class->wait(backend, 0, err);
}

static omt_status add_call(omt_work *work, const shape *from, omt_error *err)
{
	static omt_status (*const makers[OMT_OP_COUNT])(omt_backend *, const int32_t *,
	                                                omt_work_call *, omt_error *) = {
		[OMT_OP_gemm] = make_gemm,
		[OMT_OP_gemm_i8] = make_gemm_i8,
		[OMT_OP_gemm_bf16] = make_gemm_bf16,
		[OMT_OP_attention] = make_attention,
	};
	omt_work_call *call = &work->calls[work->count++];
	*call = (omt_work_call){.timed = !from->checked_only};
	OMT_TRY(makers[omt_cl_class_infos[work->class].op](work->backend, from->size, call, err));
	call->expected = malloc(call->count * sizeof *call->expected);
	if (!call->expected)
		return OMT_FAIL(err, NO_MEMORY, "%zu results to tune with", call->count);
	return run_into(work, call, call->expected, err);
}

omt_status omt_work_open(omt_backend *backend, omt_cl_class class, bool quick, omt_work *work,
                         omt_error *err)
{
	omt_status status = OMT_OK;
	bool first = true;
	*work = (omt_work){.backend = backend, .class = class};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes && status == OMT_OK; i++) {
		if (shapes[i].class != class || (quick && !first && !shapes[i].checked_only))
			continue;
		first = false;
		status = add_call(work, &shapes[i], err);
	}
	if (status != OMT_OK)
		omt_work_close(work);
	return status;
}

void omt_work_close(omt_work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		omt_work_call *call = &work->calls[i];
		for (size_t j = 0; j < sizeof call->buffers / sizeof *call->buffers; j++)
			work->backend->class->free(work->backend, call->buffers[j]);
		free(call->expected);
	}
	*work = (omt_work){0};
}

static omt_status compare(const omt_work *work, const omt_work_call *call, const float *result,
                          omt_error *err)
{
	const bool same_bits = omt_cl_class_infos[work->class].op != OMT_OP_attention;
	for (size_t i = 0; i < call->count; i++) {
		const float wanted = call->expected[i];
		const bool right = same_bits ? !memcmp(&result[i], &wanted, sizeof wanted)
		                             : fabsf(result[i] - wanted) <= (float)TOLERANCE;
		if (!right)
			return OMT_FAIL(err, MISMATCH, "result %zu of %zu is %.9g, expected %.9g",
			                i, call->count, (double)result[i], (double)wanted);
	}
	return OMT_OK;
}

omt_status omt_work_check(const omt_work *work, omt_error *err)
{
	omt_status status = OMT_OK;
	for (size_t i = 0; i < work->count && status == OMT_OK; i++) {
		const omt_work_call *call = &work->calls[i];
		float *result = malloc(call->count * sizeof *result);
		if (!result)
			return OMT_FAIL(err, NO_MEMORY, "%zu results", call->count);
		status = run_into(work, call, result, err);
		if (status == OMT_OK)
			status = compare(work, call, result, err);
		free(result);
	}
	return status;
}

omt_status omt_work_time(const omt_work *work, double *seconds, omt_error *err)
{
	double flops = 0;
	for (size_t i = 0; i < work->count; i++) {
		flops += work->calls[i].timed ? work->calls[i].flops : 0;
		seconds[i] = 0;
	}
	const int32_t rounds = (int32_t)fmin(TIMED_FLOPS / flops, 100) + 1;
	for (int32_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < work->count; i++) {
			if (!work->calls[i].timed)
				continue;
			const double begin = omt_now_s();
			OMT_TRY(run(work, &work->calls[i], err));
			OMT_TRY(work->backend->class->wait(work->backend, 0, err));
			seconds[i] += (omt_now_s() - begin) / rounds;
		}
	return OMT_OK;
}
