#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/number.h"
#include "index/nearest.h"
#include "tests/unit/card.h"
#include "tests/unit/scratch.h"

enum { ROWS = 700, QUERIES = 37, N = 83, STRIDE = 84 };

static const struct {
	const char *name;
	omt_cut cut;
} backends[] = {{NULL, OMT_CUT_AUTO},      {"ref", OMT_CUT_NEVER},     {"ref", OMT_CUT_ALWAYS},
                {"hls", OMT_CUT_ALWAYS},   {"openblas", OMT_CUT_AUTO}, {"opencl", OMT_CUT_NEVER},
                {"opencl", OMT_CUT_ALWAYS}};
enum { BACKENDS = sizeof backends / sizeof *backends };

static float rows[ROWS * N], queries[QUERIES * N];
static uint16_t halves[ROWS * N];

static void fill(float *values, size_t count, uint32_t seed)
{
	for (size_t i = 0; i < count; i++) {
		seed = seed * 1664525u + 1013904223u;
		values[i] = (float)(int32_t)seed / 2147483648.0f;
	}
}

/* Random vectors, every seventh a copy of an earlier one, so that there are ties. */
static void make_vectors(void)
{
	fill(rows, ROWS * N, 1);
	fill(queries, QUERIES * N, 2);
	for (int i = 7; i < ROWS; i += 7)
		memcpy(rows + i * N, rows + i / 2 * N, N * sizeof *rows);
	for (int i = 0; i < ROWS * N; i++)
		halves[i] = omt_bf16_from_f32(rows[i]);
}

static int8_t row_codes[ROWS * STRIDE];
static float scales[ROWS];

static void make_codes(void)
{
	for (int row = 0; row < ROWS; row++) {
		float most = 0;
		for (int i = 0; i < N; i++)
			most = fmaxf(most, fabsf(rows[row * N + i]));
		scales[row] = most / 127;
		for (int i = 0; i < N; i++)
			row_codes[row * STRIDE + i] =
				(int8_t)rintf(rows[row * N + i] / scales[row]);
	}
}

static omt_searcher *searcher(const char *backend, omt_cut cut)
{
	omt_searcher *made;
	omt_error err;
	cr_assert_eq(omt_searcher_new(
			     &(omt_searcher_options){.backend = backend, .threads = 2, .cut = cut},
			     &made, &err),
	             OMT_OK, "%s", err.text);
	return made;
}

static void find(omt_searcher *with, const omt_vector_sets *sets, const float *query, size_t count,
                 size_t k, omt_neighbor *hits, size_t *found)
{
	omt_error err;
	cr_assert_eq(omt_searcher_find(with, sets, query, count, k, hits, found, &err), OMT_OK,
	             "%s", err.text);
}

/* The plain loop in double that says what is right; a row of `skip` is left out. */
static void expect(const float *query, const float *vectors, int32_t count, const uint8_t *skip,
                   size_t k, const omt_neighbor *hits, size_t found, const char *what)
{
	static double scores[ROWS];
	size_t there = 0;
	for (int32_t row = 0; row < count; row++) {
		scores[row] = 0;
		for (int32_t i = 0; i < N; i++)
			scores[row] += (double)query[i] * (double)vectors[row * N + i];
		if (skip && skip[row / 8] >> (row % 8) & 1)
			scores[row] = -INFINITY;
		else
			there++;
	}
	cr_assert_eq(found, k < there ? k : there, "%s: %zu found", what, found);
	for (size_t i = 0; i < found; i++) {
		int32_t best = 0;
		for (int32_t row = 1; row < count; row++)
			if ((float)scores[row] > (float)scores[best])
				best = row;
		cr_assert_eq(hits[i].row, best, "%s: hit %zu is %d, expected %d", what, i,
		             (int)hits[i].row, best);
		cr_assert_float_eq(hits[i].score, scores[best], 1e-6, "%s", what);
		scores[best] = -INFINITY;
	}
}

Test(search, every_backend_finds_what_a_double_loop_finds)
{
	static const size_t ks[] = {1, 10, 100, ROWS, ROWS + 5};
	static omt_neighbor hits[QUERIES * (ROWS + 5)], first[QUERIES * (ROWS + 5)];
	size_t found[QUERIES];
	make_vectors();
	const omt_vector_set set = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		for (size_t j = 0; j < sizeof ks / sizeof *ks; j++) {
			const size_t k = ks[j], bytes = QUERIES * k * sizeof *hits;
			memset(hits, 0, bytes);
			find(with, &sets, queries, QUERIES, k, hits, found);
			for (size_t q = 0; q < QUERIES; q++)
				expect(queries + q * N, rows, ROWS, NULL, k, hits + q * k, found[q],
				       backends[b].name);
		}
		/* The last k's, whole: the same bits on every backend. */
		if (b == 0)
			memcpy(first, hits, sizeof hits);
		else
			cr_expect_eq(memcmp(first, hits, sizeof hits), 0, "%s", backends[b].name);
		omt_searcher_free(with);
	}
}

/* bf16 vectors are what they stand for. */
Test(search, bf16_vectors)
{
	static float wide[ROWS * N];
	omt_neighbor hits[QUERIES * 20];
	size_t found[QUERIES];
	make_vectors();
	for (int i = 0; i < ROWS * N; i++)
		wide[i] = omt_f32_from_bf16(halves[i]);
	const omt_vector_set set = {.data = halves, .count = ROWS, .dtype = OMT_BF16};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		find(with, &sets, queries, QUERIES, 20, hits, found);
		for (size_t q = 0; q < QUERIES; q++)
			expect(queries + q * N, wide, ROWS, NULL, 20, hits + q * 20, found[q],
			       backends[b].name);
		omt_searcher_free(with);
	}
}

/* With codes the candidates are int8's, the scores and their order exact: of this few vectors all
 * hits are among 2 k + 100 candidates. */
Test(search, int8_candidates)
{
	omt_neighbor hits[QUERIES * 20];
	size_t found[QUERIES];
	make_vectors();
	make_codes();
	const omt_vector_set set = {.data = rows,
	                            .count = ROWS,
	                            .dtype = OMT_F32,
	                            .codes = row_codes,
	                            .scales = scales};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		find(with, &sets, queries, QUERIES, 20, hits, found);
		for (size_t q = 0; q < QUERIES; q++)
			expect(queries + q * N, rows, ROWS, NULL, 20, hits + q * 20, found[q],
			       backends[b].name);
		omt_searcher_free(with);
	}
}

/* A query's hits are the same bits alone and in a batch, and whichever sets the vectors are in. */
Test(search, alone_in_a_batch_and_in_several_sets)
{
	static omt_neighbor hits[QUERIES * 50], one[50];
	size_t found[QUERIES], found_one;
	make_vectors();
	const omt_vector_set whole = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	const omt_vector_set parts[] = {
		{.data = rows, .count = 1, .dtype = OMT_F32},
		{.data = rows + N, .count = 0, .dtype = OMT_F32},
		{.data = rows + N, .count = 500, .dtype = OMT_F32},
		{.data = rows + 501 * N, .count = ROWS - 501, .dtype = OMT_F32},
	};
	const omt_vector_sets together = {.set = &whole, .count = 1, .dimension = N};
	const omt_vector_sets apart = {.set = parts, .count = 4, .dimension = N};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		find(with, &together, queries, QUERIES, 50, hits, found);
		for (size_t q = 0; q < QUERIES; q++) {
			find(with, &apart, queries + q * N, 1, 50, one, &found_one);
			cr_assert_eq(found_one, found[q]);
			for (size_t i = 0; i < found_one; i++) {
				cr_assert_eq(one[i].row, hits[q * 50 + i].row);
				cr_assert_eq(one[i].score, hits[q * 50 + i].score);
			}
		}
		omt_searcher_free(with);
	}
}

/* More equal vectors than there is room for candidates: the first ones win, in order. */
Test(search, all_vectors_equal)
{
	omt_neighbor hits[5 * 30];
	size_t found[5];
	make_vectors();
	for (int i = 1; i < ROWS; i++)
		memcpy(rows + i * N, rows, N * sizeof *rows);
	const omt_vector_set set = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		find(with, &sets, queries, 5, 30, hits, found);
		for (int i = 0; i < 5 * 30; i++) {
			cr_expect_eq(hits[i].row, i % 30);
			cr_expect_eq(hits[i].score, hits[i / 30 * 30].score);
		}
		omt_searcher_free(with);
	}
}

Test(search, what_is_left_out)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	uint8_t skip[ROWS / 8 + 1] = {0}, none[ROWS / 8 + 1] = {0};
	static omt_neighbor hits[QUERIES * ROWS];
	size_t found[QUERIES];
	make_vectors();
	for (int row = 0; row < ROWS; row += 5) {
		skip[row / 8] |= (uint8_t)(1 << row % 8);
		if (row % 2)
			none[row / 8] |= (uint8_t)(1 << row % 8);
		else
			rows[row * N + row % N] = bad[row % 3];
	}
	const omt_vector_set set = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N, .left_out = none};
	for (int b = 0; b < BACKENDS; b++) {
		omt_searcher *with = searcher(backends[b].name, backends[b].cut);
		find(with, &sets, queries, QUERIES, ROWS, hits, found);
		for (size_t q = 0; q < QUERIES; q++)
			expect(queries + q * N, rows, ROWS, skip, ROWS, hits + q * ROWS, found[q],
			       backends[b].name);
		omt_searcher_free(with);
	}
}

/* `rows` as five sets. */
static omt_vector_sets five_sets(omt_vector_set set[5], bool with_codes)
{
	for (int i = 0; i < 5; i++) {
		const int row = i * ROWS / 5;
		set[i] = (omt_vector_set){
			.data = rows + row * N, .count = ROWS / 5, .dtype = OMT_F32};
		if (with_codes) {
			set[i].codes = row_codes + row * STRIDE;
			set[i].scales = scales + row;
		}
	}
	return (omt_vector_sets){.set = set, .count = 5, .dimension = N};
}

/* Sets are blocks, which are cut from the third on: then it is known what scores have to beat.
 * `whole` of them are read all the same. Hits are those of all scores, bit for bit. */
static void expect_blocks(const char *backend, const omt_vector_sets *sets, size_t k,
                          uint64_t whole)
{
	static omt_neighbor wanted[QUERIES * 20], hits[QUERIES * 20];
	size_t found[2][QUERIES];
	omt_searcher *with = searcher(backend, OMT_CUT_NEVER);
	find(with, sets, queries, QUERIES, k, wanted, found[0]);
	cr_expect_eq(omt_searcher_blocks(with).cut, 0);
	omt_searcher_free(with);
	with = searcher(backend, OMT_CUT_ALWAYS);
	find(with, sets, queries, QUERIES, k, hits, found[1]);
	const omt_search_blocks blocks = omt_searcher_blocks(with);
	omt_searcher_free(with);
	cr_expect_eq(blocks.cut, 3, "%s: %llu", backend, (unsigned long long)blocks.cut);
	cr_expect_eq(blocks.whole, whole, "%s: %llu", backend, (unsigned long long)blocks.whole);
	cr_expect_eq(memcmp(found[0], found[1], sizeof found[0]), 0, "%s", backend);
	cr_expect_eq(memcmp(wanted, hits, QUERIES * k * sizeof *hits), 0, "%s", backend);
}

/* The first `count` vectors of the fourth set are the best for the first query, and left out. */
static void leave_out_best(int count, uint8_t *left_out)
{
	for (int row = 3 * ROWS / 5; row < 3 * ROWS / 5 + count; row++) {
		memcpy(rows + row * N, queries, N * sizeof *rows);
		left_out[row / 8] |= (uint8_t)(1 << row % 8);
	}
}

/* The best scores prove nothing where many lie as close together as sums of floats err, or where
 * the best are left out. */
Test(search, scores_that_a_device_cuts)
{
	static const char *const names[] = {"ref", "hls", "opencl"};
	omt_vector_set set[5];
	uint8_t left_out[ROWS / 8 + 1] = {0};
	omt_vector_sets sets = five_sets(set, false);
	for (size_t b = 0; b < 3; b++) {
		make_vectors();
		expect_blocks(names[b], &sets, 20, 0);
		leave_out_best(60, left_out);
		sets.left_out = left_out;
		expect_blocks(names[b], &sets, 20, 1);
		sets.left_out = NULL;
		for (int row = 0; row < ROWS; row++)
			for (int i = 0; i < N; i++)
				rows[row * N + i] = rows[i] * (1 + 1e-7f * (float)(row * 7 % 5));
		expect_blocks(names[b], &sets, 20, 3);
	}
}

/* Scores are not copied to the host to be cut there. */
Test(search, a_device_that_has_no_topk)
{
	omt_vector_set set[5];
	const omt_vector_sets sets = five_sets(set, false);
	omt_neighbor hits[QUERIES];
	size_t found[QUERIES];
	make_vectors();
	setenv("OMT_DISABLE_OPS", "topk", 1);
	omt_searcher *with = searcher("opencl", OMT_CUT_ALWAYS);
	find(with, &sets, queries, QUERIES, 1, hits, found);
	cr_expect_eq(omt_searcher_blocks(with).cut, 0);
	omt_searcher_free(with);
	unsetenv("OMT_DISABLE_OPS");
}

/* A card has its own memory: PoCL with the kernels of hls/ cuts unasked. */
Test(search, on_a_card)
{
	static const card_kernel kernels[] = {{OMT_OP_pack, "hls/pack_hls.c", 1},
	                                      {OMT_OP_gemm_bf16, "hls/gemm_hls.c", 1},
	                                      {OMT_OP_topk, "hls/topk_hls.c", 1}};
	omt_vector_set set[5];
	const omt_vector_sets sets = five_sets(set, false);
	static omt_neighbor wanted[QUERIES * 20], hits[QUERIES * 20];
	size_t found[QUERIES];
	make_vectors();
	omt_searcher *with = searcher("ref", OMT_CUT_NEVER);
	find(with, &sets, queries, QUERIES, 20, wanted, found);
	omt_searcher_free(with);
	scratch_make();
	card_build(kernels, 3, scratch_path("pocl.bin"));
	card_manifest(scratch_folder, "pocl.bin",
	              "      pack: {}\n      gemm_bf16: {}\n      topk: {}\n", NULL, NULL);
	setenv("OMT_BITSTREAM", "pocl", 1);
	with = searcher("opencl", OMT_CUT_AUTO);
	find(with, &sets, queries, QUERIES, 20, hits, found);
	cr_expect_eq(omt_searcher_blocks(with).cut, 3);
	cr_expect_eq(omt_searcher_blocks(with).whole, 0);
	cr_expect_eq(memcmp(wanted, hits, sizeof hits), 0);
	omt_searcher_free(with);
	unsetenv("OMT_BITSTREAM");
	unsetenv("OMT_BITSTREAMS");
	scratch_drop();
}

/* Of codes the best candidates are known without a margin, of equal ones the first: only those that
 * are left out are a reason to read on. 102 candidates, 118 scores of a block of 140. */
Test(search, codes_that_a_device_cuts)
{
	omt_vector_set set[5];
	uint8_t left_out[ROWS / 8 + 1] = {0};
	omt_vector_sets sets = five_sets(set, true);
	make_vectors();
	make_codes();
	expect_blocks("opencl", &sets, 1, 0);
	expect_blocks("hls", &sets, 1, 0);
	leave_out_best(115, left_out);
	make_codes();
	sets.left_out = left_out;
	expect_blocks("opencl", &sets, 1, 1);
	expect_blocks("hls", &sets, 1, 1);
	sets.left_out = NULL;
	for (int row = 1; row < ROWS; row++)
		memcpy(rows + row * N, rows, N * sizeof *rows);
	make_codes();
	expect_blocks("opencl", &sets, 1, 0);
}

/* Every code path of the CPU gives the same bits. */
Test(search, cpu_paths)
{
	static omt_neighbor hits[OMT_CPU_PATHS][3 * 100];
	size_t found[3];
	const omt_cpu before = omt_cpu_path();
	make_vectors();
	memset(hits, 0, sizeof hits);
	const omt_vector_set set = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	const omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	omt_searcher *with = searcher(NULL, OMT_CUT_AUTO);
	for (int path = 0; path < OMT_CPU_PATHS; path++) {
		if (!omt_cpu_take((omt_cpu)path))
			continue;
		find(with, &sets, queries, 3, 100, hits[path], found);
		cr_expect_eq(memcmp(hits[0], hits[path], sizeof *hits), 0, "path %d", path);
	}
	omt_cpu_take(before);
	omt_searcher_free(with);
}

static omt_status refuse(void *user, size_t set, bool codes, int64_t first, int64_t count,
                         omt_error *err)
{
	(void)set, (void)codes;
	return first + count > *(const int64_t *)user
	               ? OMT_FAIL(err, BAD_FORMAT, "row %lld is damaged", (long long)first)
	               : OMT_OK;
}

Test(search, refuses)
{
	omt_neighbor hits[2 * 3];
	size_t found[2];
	omt_error err;
	make_vectors();
	const omt_vector_set set = {.data = rows, .count = ROWS, .dtype = OMT_F32};
	omt_vector_sets sets = {.set = &set, .count = 1, .dimension = N};
	omt_searcher *with = searcher("ref", OMT_CUT_AUTO);
	queries[N] = NAN;
	cr_expect_eq(omt_searcher_find(with, &sets, queries, 2, 3, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "query 1 is not finite");
	queries[N] = 3e38f;
	cr_expect_eq(omt_searcher_find(with, &sets, queries, 2, 3, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "query 1 is so long that its scores overflow");
	cr_expect_eq(omt_searcher_find(with, &sets, queries, 1, 0, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	sets.check = refuse;
	sets.user = &(int64_t){ROWS - 1};
	cr_expect_eq(omt_searcher_find(with, &sets, queries, 1, 3, hits, found, &err),
	             OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "is damaged"), "%s", err.text);
	omt_searcher_free(with);
	with = searcher("model", OMT_CUT_AUTO);
	cr_expect_neq(omt_searcher_find(with, &sets, queries, 1, 3, hits, found, &err), OMT_OK);
	omt_searcher_free(with);
}
