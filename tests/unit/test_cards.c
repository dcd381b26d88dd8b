/* The OpenCL backend with a program from bitstreams/manifest.yaml: PoCL as a card. */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "tests/unit/card.h"
#include "tests/unit/scratch.h"

enum { ROWS = 24, COLS = 512, FLOATS = ROWS * COLS, BYTES = 4 * FLOATS };

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

static omt_buffer *buffer(omt_exec *exec, omt_usage usage, size_t bytes, const void *content)
{
	omt_buffer *made;
	cr_assert_eq(omt_exec_alloc(exec, bytes, usage, content, &made, &err), OMT_OK, "%s",
	             err.text);
	return made;
}

/* ---- results ---- */

enum { ROUNDS = 40 };

typedef struct rounds {
	omt_exec *exec;
	omt_buffer *in[2], *out[2], *work, *cosines, *sines;
	float sent[ROUNDS][FLOATS], received[ROUNDS][FLOATS];
} rounds;

/* Norm, two rotations in place: what a round reads another one writes a moment later. */
static void enqueue(rounds *r, int round, uint64_t *mark)
{
	omt_exec *exec = r->exec;
	cr_assert_eq(omt_exec_write(exec, r->in[round % 2], 0, r->sent[round], BYTES, NULL, &err),
	             OMT_OK);
	cr_assert_eq(OMT_RUN(exec, l2norm, &err, .x = r->in[round % 2], .out = r->work,
	                     .rows = ROWS, .cols = COLS, .ldx = COLS, .ldo = COLS, .eps = 1e-12f),
	             OMT_OK, "%s", err.text);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(OMT_RUN(exec, rotary, &err, .x = r->work, .cosines = r->cosines,
		                     .sines = r->sines, .rows = ROWS, .heads = 4,
		                     .head_dim = COLS / 4, .ldx = COLS),
		             OMT_OK, "%s", err.text);
	cr_assert_eq(OMT_RUN(exec, l2norm, &err, .x = r->work, .out = r->out[round % 2],
	                     .rows = ROWS, .cols = COLS, .ldx = COLS, .ldo = COLS, .eps = 1e-12f),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(
		omt_exec_read(exec, r->out[round % 2], 0, r->received[round], BYTES, mark, &err),
		OMT_OK, "%s", err.text);
}

static void run_rounds(rounds *r, omt_exec *exec)
{
	uint64_t mark = 0;
	float angles[2][ROWS * COLS / 8];
	r->exec = exec;
	for (int i = 0; i < ROWS * COLS / 8; i++) {
		angles[0][i] = cosf((float)i);
		angles[1][i] = sinf((float)i);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < FLOATS; i++)
			r->sent[round][i] = (float)((round * 7919 + i) % 1000) - 300;
	for (int i = 0; i < 2; i++) {
		r->in[i] = buffer(exec, OMT_USAGE_SLOT, BYTES, NULL);
		r->out[i] = buffer(exec, OMT_USAGE_SLOT, BYTES, NULL);
	}
	r->work = buffer(exec, OMT_USAGE_WORK, BYTES, NULL);
	r->cosines = buffer(exec, OMT_USAGE_WEIGHT, sizeof angles[0], angles[0]);
	r->sines = buffer(exec, OMT_USAGE_WEIGHT, sizeof angles[1], angles[1]);
	for (int round = 0; round < ROUNDS; round++)
		enqueue(r, round, &mark);
	cr_assert_eq(omt_exec_wait(exec, mark, &err), OMT_OK, "%s", err.text);
	omt_buffer *all[] = {r->in[0], r->in[1], r->out[0], r->out[1],
	                     r->work,  r->sines, r->cosines};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		omt_exec_free(exec, all[i]);
	omt_exec_close(exec);
}

static void compare_rounds(const rounds *got, const rounds *wanted)
{
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < FLOATS; i++)
			cr_assert_float_eq(got->received[round][i], wanted->received[round][i],
			                   1e-6, "round %d, element %d: %g, not %g", round, i,
			                   (double)got->received[round][i],
			                   (double)wanted->received[round][i]);
}

static omt_exec *open_ref(void)
{
	omt_exec *exec;
	cr_assert_eq(omt_exec_open("ref", &(omt_backend_options){0}, &exec, &err), OMT_OK);
	return exec;
}

/* Rounds through two pairs of slots without a wait: queues in any order, hazards alone keep what
 * belongs together. */
Test(cards, computes)
{
	rounds *wanted = calloc(1, sizeof *wanted), *got = calloc(1, sizeof *got);
	make(KERNELS, NULL, NULL);
	run_rounds(wanted, open_ref());
	omt_exec *exec = open_card();
	cr_assert_eq(omt_exec_fallbacks(exec), 0u);
	run_rounds(got, exec);
	compare_rounds(got, wanted);
	free(wanted);
	free(got);
}

/* What the binary does not have goes to the next backend. */
Test(cards, leaves_other_ops)
{
	rounds *wanted = calloc(1, sizeof *wanted), *got = calloc(1, sizeof *got);
	make("      l2norm: {}\n", NULL, NULL);
	run_rounds(wanted, open_ref());
	run_rounds(got, open_card());
	compare_rounds(got, wanted);
	free(wanted);
	free(got);
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
