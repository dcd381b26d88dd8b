/* The gemms of hls/ with other parameters: the same bits whatever tiles, panels and shares are, and
 * the counts that the formulas have for those parameters. What they compute is checked by
 * check_gemm*.c. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "exec/hls_cost.h"
#include "exec/ref.h"
#include "exec/storage.h"
#include "tests/op/harness.h"

typedef enum kind { GEMM, GEMM_I8, GEMM_BF16, KINDS } kind;

/* The library's and those of hls/hls.mk. */
#define BUILD(LIST, op, suffix)                \
	void hls_##op##suffix(HLS_ARGS(LIST)); \
	extern const int32_t hls_params_##op##suffix[HLS_PARAMS];
#define BUILDS(LIST, op)        \
	BUILD(LIST, op, )       \
	BUILD(LIST, op, _edges) \
	BUILD(LIST, op, _odd)
BUILDS(OMT_GEMM, gemm)
BUILDS(OMT_GEMM_I8, gemm_i8)
BUILDS(OMT_GEMM_BF16, gemm_bf16)

typedef void run_gemm(HLS_ARGS(OMT_GEMM));
typedef void run_gemm_i8(HLS_ARGS(OMT_GEMM_I8));
typedef void run_gemm_bf16(HLS_ARGS(OMT_GEMM_BF16));

typedef struct gemm_build {
	run_gemm *gemm;
	run_gemm_i8 *gemm_i8;
	run_gemm_bf16 *gemm_bf16;
	const int32_t *params[KINDS];
} gemm_build;
static const gemm_build builds[] = {
	{hls_gemm,
         hls_gemm_i8,
         hls_gemm_bf16,
         {hls_params_gemm, hls_params_gemm_i8, hls_params_gemm_bf16}},
	{hls_gemm_edges,
         hls_gemm_i8_edges,
         hls_gemm_bf16_edges,
         {hls_params_gemm_edges, hls_params_gemm_i8_edges, hls_params_gemm_bf16_edges}},
	{hls_gemm_odd,
         hls_gemm_i8_odd,
         hls_gemm_bf16_odd,
         {hls_params_gemm_odd, hls_params_gemm_i8_odd, hls_params_gemm_bf16_odd}},
};

/* A launch: its arrays have no byte more than the op may touch. */
typedef struct launch {
	kind kind;
	int32_t m, n, k, w_dtype, act, flags, n_first;
	uint8_t *a, *rows; /* rows: W before it is packed */
	float *a_scale, *scale, *bias, *residual, *c;
	size_t c_count;
} launch;

static void *filled(size_t count, bool bytes)
{
	static uint64_t state = 1;
	uint8_t *made = calloc(count + !count, bytes ? 1 : 4);
	cr_assert_not_null(made);
	for (size_t i = 0; i < count; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		const float number = (float)(state >> 40) / 8388608.0f - 1.0f;
		if (bytes)
			made[i] = (uint8_t)(state >> 56);
		else
			memcpy(made + 4 * i, &number, 4);
	}
	return made;
}

/* Random elements of a storage type. */
static uint8_t *filled_as(size_t count, int32_t dtype)
{
	uint8_t *made = filled(count, omt_dtype_bytes(dtype) == 1);
	for (size_t i = 0; omt_dtype_bytes(dtype) == 2 && i < count; i++) {
		float number;
		memcpy(&number, made + 4 * i, 4);
		/* An f16 of these bits is a finite number, too. */
		const uint16_t half = omt_bf16_from_f32(number);
		memcpy(made + 2 * i, &half, 2);
	}
	return made;
}

static void make(launch *run)
{
	const size_t m = (size_t)run->m, n = (size_t)run->n, k = (size_t)run->k;
	const int32_t stored = run->kind == GEMM_I8     ? OMT_I8
	                       : run->kind == GEMM_BF16 ? OMT_BF16
	                                                : run->w_dtype;
	run->a = filled(m * ((k + 3) / 4 * 4), run->kind == GEMM_I8);
	run->rows = filled_as(n * k, stored);
	run->a_scale = filled(m, false);
	run->scale = filled(n + (size_t)run->n_first, false);
	run->bias = filled(n + (size_t)run->n_first, false);
	run->residual = filled(m * (n + (size_t)run->n_first), false);
	run->c_count = m * (n + (size_t)run->n_first);
	run->c = filled(run->c_count, false);
}

static void drop(launch *run)
{
	free(run->a);
	free(run->rows);
	free(run->a_scale);
	free(run->scale);
	free(run->bias);
	free(run->residual);
	free(run->c);
}

static int32_t packed_as(const launch *run)
{
	return run->kind == GEMM_I8 ? OMT_I8X4 : run->kind == GEMM_BF16 ? OMT_BF16X2 : run->w_dtype;
}

/* W in panels of `panel` rows, 1: as it is. */
static uint8_t *pack(const launch *run, int32_t panel)
{
	const int32_t dtype = packed_as(run), group = OMT_WORD_GROUP(dtype);
	const size_t depth = (size_t)((run->k + group - 1) / group * group);
	const size_t rows = (size_t)((run->n + panel - 1) / panel * panel);
	const size_t bytes = rows * depth * omt_dtype_bytes(dtype);
	uint8_t *w = malloc(HLS_MAX(bytes, 1));
	cr_assert_not_null(w);
	if (panel > 1)
		ref_pack(run->rows, w, run->n, run->k, run->k, dtype, panel);
	else
		memcpy(w, run->rows, bytes);
	return w;
}

/* Into c. The formulas have the counts. */
static void compute(const launch *run, const gemm_build *build, int32_t panel, int32_t flags,
                    float *c)
{
	const int32_t m = run->m, n = run->n, k = run->k, first = run->n_first, ld = n + first;
	const int32_t lda = (k + 3) / 4 * 4, act = run->act, packed = packed_as(run);
	uint8_t *w = pack(run, panel);
	omt_hls_params params;
	omt_hls_cost cost;
	memcpy(&params, build->params[run->kind], sizeof params);
	(void)omt_hls_counted();
	if (run->kind == GEMM) {
		const omt_gemm_args args = {.m = m,
		                            .n = n,
		                            .k = k,
		                            .lda = lda,
		                            .ldw = k,
		                            .ldr = ld,
		                            .ldc = ld,
		                            .w_dtype = packed,
		                            .w_panel = panel,
		                            .act = act,
		                            .flags = flags,
		                            .n_first = first};
		build->gemm((const float *)(const void *)run->a, w, run->scale, run->bias,
		            run->residual, c, m, n, k, lda, k, ld, ld, packed, panel, act, flags,
		            first);
		cost = omt_hls_cost_of(OMT_OP_gemm, &args, &params, NULL);
	} else if (run->kind == GEMM_I8) {
		const omt_gemm_i8_args args = {.m = m,
		                               .n = n,
		                               .k = k,
		                               .lda = lda,
		                               .ldr = ld,
		                               .ldc = ld,
		                               .w_panel = panel,
		                               .act = act,
		                               .flags = flags,
		                               .n_first = first};
		build->gemm_i8(run->a, run->a_scale, w, run->scale, run->bias, run->residual, c, m,
		               n, k, lda, ld, ld, panel, act, flags, first);
		cost = omt_hls_cost_of(OMT_OP_gemm_i8, &args, &params, NULL);
	} else {
		const omt_gemm_bf16_args args = {.m = m,
		                                 .n = n,
		                                 .k = k,
		                                 .lda = lda,
		                                 .ldr = ld,
		                                 .ldc = ld,
		                                 .w_panel = panel,
		                                 .act = act,
		                                 .flags = flags,
		                                 .n_first = first};
		build->gemm_bf16((const float *)(const void *)run->a, w, run->bias, run->residual,
		                 c, m, n, k, lda, ld, ld, panel, act, flags, first);
		cost = omt_hls_cost_of(OMT_OP_gemm_bf16, &args, &params, NULL);
	}
	const omt_hls_cost counted = omt_hls_counted();
	cr_assert(!memcmp(counted.trips, cost.trips, sizeof cost.trips) &&
	                  counted.read_bytes == cost.read_bytes &&
	                  counted.written_bytes == cost.written_bytes,
	          "%d x %d x %d, panel %d: the formulas do not have what was counted", m, n, k,
	          panel);
	free(w);
}

static bool in_part(const launch *run, const gemm_build *build, size_t at, int32_t part,
                    int32_t parts)
{
	const int32_t row = (int32_t)(at / (size_t)(run->n + run->n_first));
	return row / build->params[run->kind][2] % parts == part;
}

/* Each part writes its row tiles alone; all of them make the whole. */
static void check_shares(const launch *run, const gemm_build *build, int32_t panel,
                         const float *whole)
{
	enum { PARTS = 3 };
	const size_t bytes = run->c_count * sizeof(float);
	float *c = malloc(HLS_MAX(bytes, 1)), *before = malloc(HLS_MAX(bytes, 1));
	memcpy(c, run->c, bytes);
	for (int32_t part = 0; part < PARTS; part++) {
		memcpy(before, c, bytes);
		compute(run, build, panel, run->flags | OMT_GEMM_SHARE(part, PARTS), c);
		for (size_t i = 0; i < run->c_count; i++)
			cr_assert(!memcmp(&c[i],
			                  in_part(run, build, i, part, PARTS) ? &whole[i]
			                                                      : &before[i],
			                  sizeof *c),
			          "part %d of %d: row %zu", part, PARTS,
			          i / (size_t)(run->n + run->n_first));
	}
	cr_assert(!memcmp(c, whole, bytes));
	free(before);
	free(c);
}

static void check_launch(launch *run)
{
	static const int32_t panels[] = {1, 32, 2, 6, 48};
	make(run);
	const size_t bytes = run->c_count * sizeof(float);
	float *wanted = malloc(HLS_MAX(bytes, 1)), *c = malloc(HLS_MAX(bytes, 1));
	memcpy(wanted, run->c, bytes);
	compute(run, &builds[0], run->kind == GEMM ? 1 : 32, run->flags, wanted);
	for (size_t b = 0; b < sizeof builds / sizeof *builds; b++)
		for (size_t p = run->kind == GEMM ? 0 : 1; p < sizeof panels / sizeof *panels;
		     p++) {
			memcpy(c, run->c, bytes);
			compute(run, &builds[b], panels[p], run->flags, c);
			cr_assert(!memcmp(c, wanted, bytes),
			          "%d x %d x %d, build %zu, panel %d: other bits", run->m, run->n,
			          run->k, b, panels[p]);
			if (p == 1)
				check_shares(run, &builds[b], panels[p], wanted);
		}
	free(c);
	free(wanted);
	drop(run);
}

static void check_gemm_tiles(op_bench *bench)
{
	static const int32_t sizes[][3] = {{1, 1, 1},     {5, 130, 67}, {40, 33, 128},
	                                   {131, 70, 30}, {64, 64, 64}, {200, 18, 13},
	                                   {3, 5, 0},     {0, 5, 3},    {4, 0, 3}};
	(void)bench;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int32_t variant = 0; variant < 6; variant++) {
			static const int32_t dtypes[] = {OMT_F32, OMT_BF16, OMT_F16, OMT_I8};
			launch run = {.kind = variant < 4    ? GEMM
			                      : variant == 4 ? GEMM_I8
			                                     : GEMM_BF16,
			              .m = sizes[i][0],
			              .n = sizes[i][1],
			              .k = sizes[i][2],
			              .w_dtype = dtypes[variant % 4],
			              .act = ((int32_t)i + variant) % 3,
			              .flags = ((int32_t)i * 5 + variant) % 16,
			              .n_first = variant % 3};
			check_launch(&run);
		}
}

OP_TEST(gemm_tiles, hls)
