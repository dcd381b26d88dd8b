/* Products that have nothing to do with each other, queued without a wait between: a device may run
 * them at once, and gives what it gives for one after the other. Where kernels of a card make one
 * together, each has to take the launches in the same order. */
#include <stdlib.h>
#include <string.h>

#include "tests/op/harness.h"

enum { COUNT = 24, MOST = 96 };

typedef struct products {
	omt_exec *exec;
	omt_buffer *in, *out[COUNT];
} products;

static omt_error err;

static void must(omt_status status)
{
	cr_assert_eq(status, OMT_OK, "%s", err.text);
}

static omt_gemm_args product(const products *p, int32_t i)
{
	const int32_t m = 1 + i * 37 % MOST, n = 1 + i * 53 % MOST, k = 1 + i * 71 % MOST;
	return (omt_gemm_args){.a = p->in,
	                       .w = p->in,
	                       .scale = p->in,
	                       .bias = p->in,
	                       .residual = p->in,
	                       .c = p->out[i],
	                       .m = m,
	                       .n = n,
	                       .k = k,
	                       .lda = MOST,
	                       .ldw = MOST,
	                       .ldr = MOST,
	                       .ldc = MOST,
	                       .w_dtype = OMT_F32,
	                       .w_panel = 1};
}

/* results[COUNT * MOST * MOST] */
static void multiply(const char *backend, const float *in, float *results)
{
	const size_t bytes = sizeof(float) * MOST * MOST;
	const omt_backend_options options = {0};
	products p;
	must(omt_exec_open(backend, &options, &p.exec, &err));
	must(omt_exec_alloc(p.exec, bytes, OMT_USAGE_WEIGHT, in, &p.in, &err));
	for (int32_t i = 0; i < COUNT; i++) {
		float *zeros = results + (size_t)i * MOST * MOST;
		must(omt_exec_alloc(p.exec, bytes, OMT_USAGE_WORK, NULL, &p.out[i], &err));
		must(omt_exec_write(p.exec, p.out[i], 0, zeros, bytes, NULL, &err));
	}
	must(omt_exec_wait(p.exec, 0, &err));
	for (int32_t i = 0; i < COUNT; i++) {
		const omt_gemm_args args = product(&p, i);
		must(omt_exec_run(p.exec, OMT_OP_gemm, &args, NULL, &err));
	}
	for (int32_t i = 0; i < COUNT; i++)
		must(omt_exec_read(p.exec, p.out[i], 0, results + (size_t)i * MOST * MOST, bytes,
		                   NULL, &err));
	must(omt_exec_wait(p.exec, 0, &err));
	for (int32_t i = 0; i < COUNT; i++)
		omt_exec_free(p.exec, p.out[i]);
	omt_exec_free(p.exec, p.in);
	omt_exec_close(p.exec);
}

Test(overlap, opencl, .timeout = 300)
{
	static float in[MOST * MOST], wanted[COUNT * MOST * MOST], got[COUNT * MOST * MOST];
	const char *only = getenv("OMT_TEST_BACKENDS");
	if (only && *only && strcmp(only, "opencl"))
		cr_skip_test("OMT_TEST_BACKENDS=%s", only);
	/* Small whole numbers: sums are exact in any order. */
	for (int32_t i = 0; i < MOST * MOST; i++)
		in[i] = (float)(i * 7919 % 17 - 8);
	multiply("ref", in, wanted);
	for (int round = 0; round < 4; round++) {
		memset(got, 0, sizeof got);
		multiply("opencl", in, got);
		cr_assert(!memcmp(got, wanted, sizeof got), "round %d", round);
	}
}
