/* What a device can do, and ops beside it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "bench/probes/roofline.h"
#include "exec/exec.h"
#include "exec/roofline.h"
#include "tests/unit/number.h"

static omt_error err;

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	cr_assert_not_null(value, "%s", text);
	return value;
}

static json_t *quick(const char *backend, const char *device)
{
	char *text;
	const omt_roofline_options options = {.backend = backend, .device = device, .quick = true};
	cr_assert_eq(omt_roofline(&options, &text, &err), OMT_OK, "%s", err.text);
	json_t *roofline = parse(text);
	omt_free(text);
	return roofline;
}

/* ---- measuring ---- */

/* A rig of a known speed: 2e9 FLOPs and 1e9 bytes a second, every third try half as fast. */
typedef struct clockwork {
	int calls;
	size_t largest;
	bool fails;
} clockwork;

static omt_status run_clockwork(void *self, const omt_roofline_work *work, size_t set,
                                int32_t steps, omt_roofline_done *done, omt_error *failed)
{
	clockwork *c = self;
	const double a_step = work->kind < OMT_ROOF_READ ? 1000 : (double)set;
	if (c->fails)
		return OMT_FAIL(failed, DEVICE, "the spring broke");
	c->largest = set > c->largest ? set : c->largest;
	done->amount = a_step * steps;
	done->seconds = done->amount / (work->kind < OMT_ROOF_READ ? 2e9 : 1e9);
	if (++c->calls % 3 == 0)
		done->seconds *= 2;
	return OMT_OK;
}

Test(roofline, takes_the_best_of_long_tries)
{
	static const omt_roofline_work works[] = {
		{OMT_ROOF_F32, NULL}, {OMT_ROOF_READ, NULL}, {OMT_ROOF_COPY, NULL}};
	static const omt_roofline_effort effort = {
		.rounds = 2, .tries = 3, .try_s = 0.004, .largest_bytes = (size_t)64 << 20};
	clockwork c = {0};
	const omt_rig rig = {works, 3, (size_t)20 << 20, &c, run_clockwork};
	omt_roofs roofs;
	cr_assert_eq(omt_rig_measure(&rig, &effort, &roofs, &err), OMT_OK);
	cr_assert_float_eq(roofs.peak[OMT_ROOF_F32], 2, 1e-9);
	cr_assert_eq(roofs.peak[OMT_ROOF_INT8], 0);
	cr_assert_eq(roofs.tries, 6);
	cr_assert_geq(roofs.set_count, 2);
	cr_assert_leq(c.largest, rig.most_bytes);
	for (int32_t i = 0; i < roofs.set_count; i++) {
		cr_assert_float_eq(roofs.sets[i].read_gbs, 1, 1e-9);
		cr_assert_float_eq(roofs.sets[i].copy_gbs, 1, 1e-9);
		cr_assert(i == 0 || roofs.sets[i].bytes > roofs.sets[i - 1].bytes);
	}
	c.fails = true;
	cr_assert_eq(omt_rig_measure(&rig, &effort, &roofs, &err), OMT_DEVICE);
}

Test(roofline, every_backend_measures)
{
	static const char *const backends[] = {"opencl", "openblas", "ref"};
	for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
		json_t *roofline = quick(backends[i], NULL);
		const char *type;
		json_t *peak, *peaks = json_object_get(roofline, "gflops");
		cr_assert_str_eq(json_string_value(json_object_get(roofline, "backend")),
		                 backends[i]);
		cr_assert_geq(json_object_size(peaks), i == 0 ? 3 : 1);
		json_object_foreach(peaks, type, peak)
			cr_assert_gt(json_number_value(peak), 0.1, "%s", type);
		cr_assert_gt(number(roofline, "gbytes_per_s"), 0.1);
		cr_assert_gt(number(roofline, "gbytes_per_s_copy"), 0.1);
		json_decref(roofline);
	}
}

Test(roofline, a_model_tells_its_file)
{
	json_t *roofline = quick("model", "configs/devices/example-accelerator.yaml");
	cr_assert_float_eq(number(json_object_get(roofline, "gflops"), "f32"), 1000, 1e-6);
	cr_assert_float_eq(number(roofline, "gbytes_per_s"), 77, 1e-6);
	json_decref(roofline);
}

Test(roofline, questions_that_have_no_answer)
{
	char *text;
	const omt_roofline_options none = {.backend = "none"}, twice = {.backend = "ref,ref"},
				   file = {.backend = "model", .device = "no-such.yaml"};
	cr_assert_eq(omt_roofline(&none, &text, &err), OMT_BAD_ARGUMENT);
	cr_assert_null(text);
	cr_assert_eq(omt_roofline(&twice, &text, &err), OMT_BAD_ARGUMENT);
	cr_assert_neq(omt_roofline(&file, &text, &err), OMT_OK);
}

/* ---- ops ---- */

static const char peaks[] =
	"{\"gflops\": {\"f32\": 100, \"int8\": 400}, \"gbytes_per_s\": 10, \"sets\": ["
	"{\"bytes\": 1000000, \"gbytes_per_s\": 50}, "
	"{\"bytes\": 500000000, \"gbytes_per_s\": 10}]}";

/* What becomes of one op; the list that was given stays as it is. */
static json_t *judge(const char *text)
{
	json_t *roofline = parse(peaks), *op = parse(text), *ops = json_pack("[O]", op);
	json_t *judged = omt_bench_ops(roofline, ops);
	json_t *one = json_incref(json_array_get(judged, 0)), *same = parse(text);
	cr_assert(json_equal(op, same));
	json_decref(roofline);
	json_decref(op);
	json_decref(ops);
	json_decref(judged);
	json_decref(same);
	return one;
}

static void check_op(const char *text, const char *bound, double roof, double share)
{
	json_t *op = judge(text);
	cr_assert_str_eq(json_string_value(json_object_get(op, "bound")), bound, "%s", text);
	cr_assert_float_eq(number(op, "roof_share"), share, 1e-9, "%s", text);
	if (roof > 0)
		cr_assert_float_eq(number(op, "roof_gflops"), roof, 1e-9, "%s", text);
	else
		cr_assert(json_is_null(json_object_get(op, "roof_gflops")));
	json_decref(op);
}

Test(roofline, ops_below_their_roof)
{
	/* 100 FLOPs a byte, beyond the ridge at 10. */
	check_op("{\"op\":\"gemm\",\"launches\":1,\"seconds\":2,\"flops\":1e11,\"bytes\":1e9}",
	         "compute", 100, 0.5);
	/* int8 has its own peak, bf16 has none here. */
	check_op("{\"op\":\"gemm_i8\",\"launches\":1,\"seconds\":1,\"flops\":1e11,\"bytes\":1e9}",
	         "compute", 400, 0.25);
	check_op("{\"op\":\"gemm_bf16\",\"launches\":1,\"seconds\":2,\"flops\":1e11,\"bytes\":1e9}",
	         "compute", 100, 0.5);
	/* Half a FLOP a byte: 10 GB/s allow 5 GFLOP/s. */
	check_op("{\"op\":\"rmsnorm\",\"launches\":1,\"seconds\":1,\"flops\":2.5e9,\"bytes\":5e9}",
	         "memory", 5, 0.5);
	/* The same in launches of 1 MB: a cache holds that. */
	check_op("{\"op\":\"rmsnorm\",\"launches\":5000,\"seconds\":1,"
	         "\"flops\":2.5e9,\"bytes\":5e9}",
	         "memory", 25, 0.1);
	check_op("{\"op\":\"rows\",\"launches\":1,\"seconds\":1,\"flops\":0,\"bytes\":1e9}",
	         "memory", 0, 0.1);
}

Test(roofline, ops_that_say_too_little_stay)
{
	static const char *const texts[] = {
		"{\"op\":\"gemm\",\"launches\":0,\"seconds\":0,\"flops\":0,\"bytes\":0}",
		"{\"op\":\"gemm\",\"launches\":1,\"seconds\":1,\"flops\":1}",
		"{\"seconds\":1,\"flops\":1,\"bytes\":1}"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *op = judge(texts[i]), *same = parse(texts[i]);
		cr_assert(json_equal(op, same));
		json_decref(op);
		json_decref(same);
	}
}

#define SIDE 768
#define RUNS 5

/* What a square gemm took, as omt_engine_describe() tells it. */
static json_t *time_gemm(void)
{
	omt_exec *exec;
	omt_buffer *buffers[3]; /* a, w, c */
	omt_op_times times = {0};
	const size_t bytes = (size_t)SIDE * SIDE * sizeof(float);
	float *zeros = calloc(1, bytes);
	cr_assert_eq(omt_exec_open("openblas", &(omt_backend_options){0}, &exec, &err), OMT_OK);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(omt_exec_alloc(exec, bytes, OMT_USAGE_WORK, NULL, &buffers[i], &err),
		             OMT_OK);
		omt_exec_write(exec, buffers[i], 0, zeros, bytes, NULL, &err);
	}
	const omt_gemm_args args = {.a = buffers[0],
	                            .w = buffers[1],
	                            .scale = buffers[0],
	                            .bias = buffers[0],
	                            .residual = buffers[0],
	                            .c = buffers[2],
	                            .m = SIDE,
	                            .n = SIDE,
	                            .k = SIDE,
	                            .lda = SIDE,
	                            .ldw = SIDE,
	                            .ldr = SIDE,
	                            .ldc = SIDE,
	                            .w_panel = 1,
	                            .w_dtype = OMT_F32};
	omt_exec_run(exec, OMT_OP_gemm, &args, NULL, &err); /* OpenBLAS starts its threads */
	omt_exec_time_ops(exec, &times);
	for (int i = 0; i < RUNS; i++)
		cr_assert_eq(omt_exec_run(exec, OMT_OP_gemm, &args, NULL, &err), OMT_OK);
	for (size_t i = 0; i < 3; i++)
		omt_exec_free(exec, buffers[i]);
	omt_exec_close(exec);
	free(zeros);
	int row = 0;
	while (row < OMT_OP_ROWS && times.rows[row].launches != RUNS)
		row++;
	cr_assert_lt(row, OMT_OP_ROWS);
	return json_pack("[{ss si sf sf sf}]", "op", "gemm", "launches", RUNS, "seconds",
	                 times.rows[row].seconds, "flops", times.rows[row].cost.flops, "bytes",
	                 times.rows[row].cost.bytes);
}

/* It lies below its roof. Other work on the machine may take from the roof while it is measured,
 * not every time. */
Test(roofline, a_known_op_lies_below_its_roof)
{
	json_t *ops = time_gemm();
	double share = 2;
	for (int tries = 0; tries < 20 && share > 1.1; tries++) {
		json_t *roofline = quick("openblas", NULL), *judged = omt_bench_ops(roofline, ops);
		const json_t *gemm = json_array_get(judged, 0);
		cr_assert_str_eq(json_string_value(json_object_get(gemm, "bound")), "compute");
		share = number(gemm, "roof_share");
		json_decref(roofline);
		json_decref(judged);
	}
	json_decref(ops);
	cr_assert_gt(share, 0);
	cr_assert_leq(share, 1.1);
}
