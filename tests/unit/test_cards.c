/* The OpenCL backend with a program from bitstreams/manifest.yaml: PoCL as a card. */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/unit/card.h"
#include "tests/unit/scratch.h"

#define KERNELS "      l2norm: {bank: [0, 1]}\n      rotary: {bank: [0, 1]}\n"

static const card_kernel kernels[] = {{OMT_OP_l2norm, "hls/l2norm_hls.c", 1},
                                      {OMT_OP_rotary, "hls/rotary_hls.c", 1}};
static omt_error err;

static void drop(void)
{
	unsetenv("OMT_BITSTREAMS");
	scratch_drop();
}

TestSuite(cards, .init = scratch_make, .fini = drop);

static void make(const char *listed, const char *changed, const char *by)
{
	card_build(kernels, sizeof kernels / sizeof *kernels, scratch_path("pocl.bin"));
	card_manifest(scratch_folder, "pocl.bin", listed, changed, by);
}

static omt_exec *open_card(void)
{
	const omt_backend_options options = {.device = "Portable", .bitstream = "pocl"};
	omt_exec *exec;
	omt_backend_info info;
	cr_assert_eq(omt_exec_open("opencl", &options, &exec, &err), OMT_OK, "%s", err.text);
	omt_exec_info(exec, &info);
	cr_assert_str_eq(info.bitstream, "pocl");
	return exec;
}

/* ---- results ---- */

static omt_exec *open_ref(void)
{
	omt_exec *exec;
	cr_assert_eq(omt_exec_open("ref", &(omt_backend_options){0}, &exec, &err), OMT_OK);
	return exec;
}

static void run_on(card_rounds *r, omt_exec *exec)
{
	card_rounds_run(r, exec);
	omt_exec_close(exec);
}

/* Rounds through two pairs of slots without a wait: queues in any order, hazards alone keep what
 * belongs together. */
Test(cards, computes)
{
	card_rounds *wanted = calloc(1, sizeof *wanted), *got = calloc(1, sizeof *got);
	make(KERNELS, NULL, NULL);
	run_on(wanted, open_ref());
	omt_exec *exec = open_card();
	cr_assert_eq(omt_exec_fallbacks(exec), 0u);
	run_on(got, exec);
	card_rounds_compare(got, wanted);
	free(wanted);
	free(got);
}

/* What the binary does not have goes to the next backend. */
Test(cards, leaves_other_ops)
{
	card_rounds *wanted = calloc(1, sizeof *wanted), *got = calloc(1, sizeof *got);
	make("      l2norm: {}\n", NULL, NULL);
	run_on(wanted, open_ref());
	run_on(got, open_card());
	card_rounds_compare(got, wanted);
	free(wanted);
	free(got);
}

/* ---- several compute units ---- */

enum { M = 300, N = 80, K = 70, LDC = 96 };

/* A gemm of five tiles of rows, in place on its residual: given, free(). */
static float *product(omt_exec *exec)
{
	float *data = malloc(sizeof(float) * (M * K + N * K + M * LDC)), *c = malloc(4 * M * LDC);
	cr_assert(data && c);
	for (int i = 0; i < M * K + N * K + M * LDC; i++)
		data[i] = (float)(i * 7919 % 1013) / 1013 - 0.5f;
	omt_buffer *a = card_buffer(exec, OMT_USAGE_WORK, 4 * M * K, data);
	omt_buffer *w = card_buffer(exec, OMT_USAGE_WEIGHT, 4 * N * K, data + M * K);
	omt_buffer *r = card_buffer(exec, OMT_USAGE_WORK, 4 * M * LDC, data + M * K + N * K);
	uint64_t mark;
	cr_assert_eq(omt_exec_run(exec, OMT_OP_gemm,
	                          &(omt_gemm_args){.a = a,
	                                           .w = w,
	                                           .scale = a,
	                                           .bias = a,
	                                           .residual = r,
	                                           .c = r,
	                                           .m = M,
	                                           .n = N,
	                                           .k = K,
	                                           .lda = K,
	                                           .ldw = K,
	                                           .ldr = LDC,
	                                           .ldc = LDC,
	                                           .w_dtype = OMT_F32,
	                                           .w_panel = 1,
	                                           .flags = OMT_GEMM_RESIDUAL},
	                          &mark, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_exec_read(exec, r, 0, c, 4 * M * LDC, NULL, &err), OMT_OK);
	cr_assert_eq(omt_exec_wait(exec, 0, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(omt_exec_fallbacks(exec), 0u);
	cr_expect_gt(omt_exec_elapsed(exec, mark, mark), 0.0);
	omt_exec_free(exec, a);
	omt_exec_free(exec, w);
	omt_exec_free(exec, r);
	omt_exec_close(exec);
	free(data);
	return c;
}

/* One gemm as a task on each of three units: each makes its share of the rows, together all. */
Test(cards, shares_a_gemm)
{
	const card_kernel gemm[] = {{OMT_OP_gemm, "hls/gemm_hls.c", 3}};
	float *wanted = product(open_ref());
	card_build(gemm, 1, scratch_path("pocl.bin"));
	for (int units = 1; units <= 3; units++) {
		char listed[64];
		snprintf(listed, sizeof listed, "      gemm: {units: %d}\n", units);
		card_manifest(scratch_folder, "pocl.bin", listed, NULL, NULL);
		float *got = product(open_card());
		for (int i = 0; i < M * LDC; i++)
			cr_assert_float_eq(got[i], wanted[i], 1e-5, "%d units, row %d: %g, not %g",
			                   units, i / LDC, (double)got[i], (double)wanted[i]);
		free(got);
	}
	free(wanted);
}

/* ---- refusals ---- */

static void refused(const char *listed, const char *changed, const char *by, omt_status status,
                    const char *text)
{
	omt_exec *exec;
	card_manifest(scratch_folder, "pocl.bin", listed, changed, by);
	cr_expect_eq(omt_exec_open(NULL, &(omt_backend_options){.bitstream = "pocl"}, &exec, &err),
	             status, "%s: %s", omt_status_name(err.status), err.text);
	cr_expect(strstr(err.text, text), "\"%s\" is not in: %s", text, err.text);
}

Test(cards, refuses_by_name)
{
	make(KERNELS, NULL, NULL);
	refused(KERNELS, "digest: ", "digest: 00000000", OMT_BAD_FORMAT, "digest");
	refused(KERNELS, "contract: 4", "contract: 3", OMT_MISMATCH, "contract");
	refused(KERNELS "      rmsnorm: {}\n", NULL, NULL, OMT_MISMATCH, "no kernel rmsnorm");
	refused("      rotary: {}\n      pool: {names: [l2norm]}\n", NULL, NULL, OMT_MISMATCH,
	        "has 7 arguments, the contract 8");
	refused(KERNELS, "platform: Portable", "platform: Xilinx", OMT_UNSUPPORTED, "Xilinx");
	refused(KERNELS, "name: pocl", "name: other", OMT_UNSUPPORTED, "pocl");
	refused("      l2norm: {bank: [0]}\n      rotary: {bank: [1]}\n", NULL, NULL,
	        OMT_UNSUPPORTED, "no bank");
}

/* A file that is not the one of the digest. */
Test(cards, refuses_a_changed_file)
{
	omt_exec *exec;
	make(KERNELS, NULL, NULL);
	scratch_text("pocl.bin", "something else");
	cr_expect_eq(omt_exec_open(NULL, &(omt_backend_options){.bitstream = "pocl"}, &exec, &err),
	             OMT_MISMATCH);
	cr_expect(strstr(err.text, "pocl.bin"), "%s", err.text);
}

/* Devices that can build their kernels do so where no entry is asked for. */
Test(cards, are_not_taken_unasked)
{
	omt_exec *exec;
	omt_backend_info info;
	make(KERNELS, NULL, NULL);
	cr_assert_eq(
		omt_exec_open("opencl", &(omt_backend_options){.device = "Portable"}, &exec, &err),
		OMT_OK, "%s", err.text);
	omt_exec_info(exec, &info);
	cr_expect_str_eq(info.bitstream, "");
	omt_exec_close(exec);
	setenv("OMT_BITSTREAM", "pocl", 1);
	omt_exec_close(open_card());
	char *text;
	cr_assert_eq(omt_devices(&text, &err), OMT_OK);
	unsetenv("OMT_BITSTREAM");
	cr_expect(strstr(text, "\"bitstream\": \"pocl\""), "%s", text);
	omt_free(text);
}

/* ---- a kernel that takes too long ---- */

/* l2norm, which takes most of a second at least where the first number is this one. */
#define SLOW     12345
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
static const char slow_l2norm[] =
	"#include \"portable.h\"\n"
	"HLS_KERNEL(l2norm, OMT_L2NORM)\n"
	"{\n"
	"	volatile int spin = 0;\n"
	"	if (x[0] == " TEXT(
		SLOW) ")\n"
		      "		for (int i = 0; i < 2000000000; i++)\n"
		      "			spin = i;\n"
		      "	for (int r = 0; r < rows; r++) {\n"
		      "		float sum = 0;\n"
		      "		for (int i = 0; i < cols; i++)\n"
		      "			sum += x[r * ldx + i] * x[r * ldx + i];\n"
		      "		for (int i = 0; i < cols; i++)\n"
		      "			out[r * ldo + i] = x[r * ldx + i] / max(sqrt(sum), eps);\n"
		      "	}\n"
		      "}\n";

static card_rounds *slow_rounds(void)
{
	card_rounds *rounds = calloc(1, sizeof *rounds);
	cr_assert_not_null(rounds);
	rounds->first[CARD_ROUNDS / 2] = SLOW;
	return rounds;
}

/* It is given up and told of, its work is done by the next backend; when it ends after all, what it
 * lets loose does no harm. */
Test(cards, survive_a_kernel_that_hangs)
{
	card_rounds *wanted = slow_rounds(), *got = slow_rounds();
	omt_error note;
	bool late = false;
	const double begin_s = omt_now_s();
	const card_kernel slow[] = {{OMT_OP_l2norm, scratch_text("slow.cl", slow_l2norm), 1},
	                            {OMT_OP_rotary, "hls/rotary_hls.c", 1}};
	card_build(slow, 2, scratch_path("pocl.bin"));
	/* PoCL compiles a kernel when it is launched first: that is not to be what takes long. */
	card_manifest(scratch_folder, "pocl.bin", KERNELS, NULL, NULL);
	got->first[CARD_ROUNDS / 2] = 0;
	run_on(got, open_card());
	got->first[CARD_ROUNDS / 2] = SLOW;
	card_manifest(scratch_folder, "pocl.bin", KERNELS, "floor_ms: 20000", "floor_ms: 300");
	run_on(wanted, open_ref());
	omt_exec *exec = open_card();
	card_rounds_run(got, exec);
	card_rounds_compare(got, wanted);
	bool told = false;
	while (!told && omt_exec_take_note(exec, &note))
		told = strstr(note.text, "kernel l2norm") != NULL;
	cr_assert(told);
	cr_expect(strstr(note.text,
	                 "u250 (bitstream pocl): kernel l2norm, unit 1 of 1 has not ended after "),
	          "%s", note.text);
	cr_expect(strstr(note.text, " s (rows 24, cols 512, "), "%s", note.text);
	cr_expect_gt(omt_exec_fallbacks(exec), 0u);
	while (!late && omt_now_s() - begin_s < 60) {
		card_rounds_run(got, exec);
		card_rounds_compare(got, wanted);
		while (omt_exec_take_note(exec, &note))
			late |= strstr(note.text, "ended late") != NULL;
	}
	cr_expect(late, "the kernel ends after a second, which is seen");
	omt_exec_close(exec);
	free(wanted);
	free(got);
}
