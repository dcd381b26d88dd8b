#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/npy.h"
#include "tests/unit/scratch.h"

TestSuite(index, .init = scratch_make, .fini = scratch_drop);

/* v.npy and v.ids.jsonl with ids r0, r1, ... */
static void write_vectors(const float *values, int64_t rows, int32_t dimension)
{
	const char *path = scratch_path("v.npy");
	FILE *file = fopen(path, "wb");
	cr_assert_eq(omt_npy_write_header(file, path, rows, dimension, NULL), OMT_OK);
	fwrite(values, sizeof *values, (size_t)(rows * dimension), file);
	fclose(file);
	file = fopen(scratch_path("v.ids.jsonl"), "w");
	for (int64_t row = 0; row < rows; row++)
		fprintf(file, "{\"id\":\"r%d\"}\n", (int)row);
	fclose(file);
}

static omt_index *build_and_open(void)
{
	omt_index *index;
	omt_error err;
	cr_assert_eq(omt_index_build(scratch_path("v.npy"), "a model", scratch_path("v.idx"), &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_index_open(scratch_path("v.idx"), &index, &err), OMT_OK, "%s", err.text);
	return index;
}

/* Small integers: scores are exact, and many are equal. */
static void fill(float *values, size_t count, uint32_t seed)
{
	for (size_t i = 0; i < count; i++) {
		seed = seed * 1664525u + 1013904223u;
		values[i] = (float)(seed >> 24) / 64 - 2;
		values[i] = roundf(values[i]);
	}
}

static float score_of(const float *a, const float *b, int32_t dimension)
{
	float sum = 0;
	for (int32_t i = 0; i < dimension; i++)
		sum += a[i] * b[i];
	return sum;
}

/* The best row that is not taken yet, the first of equals. */
static size_t best_row(const float *query, const float *rows, size_t count, int32_t dimension,
                       const bool *taken)
{
	size_t best = count;
	float most = -INFINITY;
	for (size_t row = 0; row < count; row++) {
		float score = score_of(query, rows + row * (size_t)dimension, dimension);
		if (!taken[row] && score > most) {
			best = row;
			most = score;
		}
	}
	return best;
}

static void expect_hits(const float *query, const float *rows, size_t count, int32_t dimension,
                        const omt_hit *hits, size_t found)
{
	bool taken[128] = {false};
	for (size_t i = 0; i < found; i++) {
		char id[32];
		size_t best = best_row(query, rows, count, dimension, taken);
		taken[best] = true;
		snprintf(id, sizeof id, "r%zu", best);
		cr_assert_eq(hits[i].row, best);
		cr_assert_str_eq(hits[i].id, id);
		cr_assert_eq(hits[i].score,
		             score_of(query, rows + best * (size_t)dimension, dimension));
	}
}

Test(index, search_is_exact)
{
	enum { ROWS = 101, QUERIES = 5 };
	static const int32_t dimensions[] = {1, 3, 8, 13};
	static const size_t ks[] = {1, 2, 7, 64, ROWS, ROWS + 10};
	static float rows[ROWS * 13], queries[QUERIES * 13];
	static omt_hit hits[QUERIES * (ROWS + 10)];
	size_t found[QUERIES];
	omt_error err;
	for (size_t d = 0; d < 4; d++) {
		int32_t n = dimensions[d];
		fill(rows, (size_t)(ROWS * n), 1 + (uint32_t)d);
		fill(queries, (size_t)(QUERIES * n), 77 + (uint32_t)d);
		write_vectors(rows, ROWS, n);
		omt_index *index = build_and_open();
		for (size_t j = 0; j < sizeof ks / sizeof *ks; j++) {
			size_t k = ks[j];
			cr_assert_eq(
				omt_index_search(index, queries, QUERIES, n, k, hits, found, &err),
				OMT_OK, "%s", err.text);
			for (size_t q = 0; q < QUERIES; q++) {
				cr_assert_eq(found[q], k < ROWS ? k : ROWS);
				expect_hits(queries + q * (size_t)n, rows, ROWS, n, hits + q * k,
				            found[q]);
			}
		}
		omt_index_close(index);
	}
}

/* Equal vectors have the same score whatever their place. */
Test(index, equal_vectors_are_ties)
{
	enum { ROWS = 70, N = 37 };
	static float rows[ROWS * N];
	omt_hit hits[ROWS];
	size_t found;
	omt_error err;
	for (size_t i = 0; i < ROWS * N; i++)
		rows[i] = 1 / (float)(i % N + 3);
	write_vectors(rows, ROWS, N);
	omt_index *index = build_and_open();
	cr_assert_eq(omt_index_search(index, rows, 1, N, ROWS, hits, &found, &err), OMT_OK);
	for (size_t i = 0; i < ROWS; i++) {
		cr_expect_eq(hits[i].row, i);
		cr_expect_eq(hits[i].score, hits[0].score);
	}
	omt_index_close(index);
}

Test(index, rows_without_a_vector_are_left_out)
{
	float rows[] = {1, 0, NAN, NAN, 0, 1, 1, INFINITY};
	omt_hit hits[4];
	size_t found;
	omt_error err;
	json_t *about;
	write_vectors(rows, 4, 2);
	omt_index *index = build_and_open();
	char *text = omt_index_describe(index);
	cr_assert_eq(omt_json_parse("about", text, strlen(text), &about, &err), OMT_OK);
	cr_expect_eq(json_integer_value(json_object_get(about, "count")), 2);
	cr_expect_eq(json_integer_value(json_object_get(about, "left_out")), 2);
	cr_expect_eq(json_integer_value(json_object_get(about, "dimension")), 2);
	cr_expect_str_eq(json_string_value(json_object_get(about, "model")), "a model");
	cr_expect_eq(strlen(json_string_value(json_object_get(about, "created"))), 20);
	json_decref(about);
	omt_free(text);
	cr_assert_eq(omt_index_search(index, (float[]){1, 2}, 1, 2, 4, hits, &found, &err), OMT_OK);
	cr_assert_eq(found, 2);
	cr_expect_str_eq(hits[0].id, "r2");
	cr_expect_eq(hits[0].row, 2);
	cr_expect_str_eq(hits[1].id, "r0");
	omt_index_close(index);
}

Test(index, an_empty_one)
{
	omt_hit hit;
	size_t found = 9;
	omt_error err;
	write_vectors((float[]){0}, 0, 2);
	omt_index *index = build_and_open();
	cr_expect_eq(omt_index_search(index, (float[]){1, 2}, 1, 2, 1, &hit, &found, &err), OMT_OK);
	cr_expect_eq(found, 0);
	omt_index_close(index);
}

Test(index, refuses_queries_that_do_not_fit)
{
	omt_hit hits[2];
	size_t found[2];
	omt_error err;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index *index = build_and_open();
	float queries[] = {1, 2, 3, NAN};
	cr_expect_eq(omt_index_search(index, queries, 1, 3, 1, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_not_null(strstr(err.text, "vectors of 2 values, the query has 3"), "%s",
	                   err.text);
	cr_expect_eq(omt_index_search(index, queries, 2, 2, 1, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "query 1 is not finite");
	cr_expect_eq(omt_index_search(index, queries, 1, 2, 0, hits, found, &err),
	             OMT_BAD_ARGUMENT);
	omt_index_close(index);
}

Test(index, refuses_vectors_and_ids_that_do_not_fit)
{
	static const struct {
		const char *ids, *error;
	} cases[] = {
		{"{\"id\":\"a\"}\n", "v.ids.jsonl: 1 ids for 2 vectors"},
		{"{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n", "3 ids for 2 vectors"},
		{"{\"id\":\"a\"}\n{}\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\"}\n7\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\"}\n{\"id\":1}\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\\u0000b\"}\n{}\n", "v.ids.jsonl:1: no id"},
		{"{\"id\":\"a\"}\n\n", "v.ids.jsonl:2:1:"},
	};
	omt_error err;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		scratch_text("v.ids.jsonl", cases[i].ids);
		cr_expect_neq(
			omt_index_build(scratch_path("v.npy"), "m", scratch_path("v.idx"), &err),
			OMT_OK, "%s", cases[i].ids);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].ids,
		                   err.text);
	}
	cr_expect_eq(scratch_files(false), 2);
	cr_expect_eq(omt_index_build(scratch_path("no.npy"), "m", scratch_path("v.idx"), &err),
	             OMT_IO);
	scratch_text("v.npy", "text");
	cr_expect_eq(omt_index_build(scratch_path("v.npy"), "m", scratch_path("v.idx"), &err),
	             OMT_BAD_FORMAT);
}

/* No byte of the file can change, and no end be missing, without being seen. */
Test(index, refuses_damage)
{
	omt_index *index;
	omt_error err;
	char *file;
	size_t bytes;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index_close(build_and_open());
	cr_assert_eq(omt_file_read(scratch_path("v.idx"), 4096, &file, &bytes, &err), OMT_OK);
	for (size_t at = 0; at < bytes; at++) {
		file[at] = (char)(file[at] ^ 0x20);
		const char *path = scratch_write("damaged.idx", file, bytes);
		cr_expect_neq(omt_index_open(path, &index, &err), OMT_OK, "byte %zu", at);
		cr_expect_null(index);
		cr_expect_not_null(strstr(err.text, "damaged.idx: "), "%s", err.text);
		file[at] = (char)(file[at] ^ 0x20);
		path = scratch_write("damaged.idx", file, at);
		cr_expect_eq(omt_index_open(path, &index, &err), OMT_BAD_FORMAT, "cut at %zu", at);
	}
	free(file);
}

/* A file whose checksum is right is not believed for that. */
Test(index, refuses_what_it_did_not_write)
{
	static const struct {
		const char *header, *ids, *error;
	} cases[] = {
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":11}", "[[\"abc\",0]]",
	         NULL},
		{"[]", "", "the header lacks model"},
		{"{\"model\":\"m\"}", "", "the header lacks dimension"},
		{"{\"model\":\"m\",\"dimension\":0}", "", "\"dimension\" is 0"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":-1}", "", "\"count\" is -1"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":9999}", "",
	         "\"id_bytes\" is 9999"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":2,\"id_bytes\":11}", "[[\"abc\",0]]",
	         "do not hold 2 vectors"},
		{"{\"model\":\"m\",\"dimension\":1048576,\"count\":1099511627776}", "",
	         "do not hold"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":11}", "[[\"abc\",0],",
	         "not JSON"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":2}", "[]",
	         "not an id for each of 1"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":7}", "[\"abc\"]",
	         "vector 0 has no id"},
		{"{\"model\":\"m\",\"dimension\":2,\"count\":1,\"id_bytes\":9}", "[[\"abc\"]]",
	         "vector 0 has no id"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t file[512] = "OMTINDEX\1";
		size_t header = strlen(cases[i].header), ids = strlen(cases[i].ids);
		size_t bytes = (24 + header + ids + 63) / 64 * 64 + 8;
		uint32_t crc = UINT32_MAX;
		omt_index *index;
		omt_error err = {0};
		file[16] = (uint8_t)header;
		memcpy(file + 24, cases[i].header, header);
		memcpy(file + 24 + header, cases[i].ids, ids);
		for (size_t at = 16; at < bytes; at++) {
			crc ^= file[at];
			for (int bit = 0; bit < 8; bit++)
				crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		}
		for (int j = 0; j < 4; j++)
			file[12 + j] = (uint8_t)(~crc >> (8 * j));
		const char *path = scratch_write("made.idx", file, bytes);
		omt_status status = omt_index_open(path, &index, &err);
		cr_expect_eq(status == OMT_OK, !cases[i].error, "%s: %s", cases[i].header,
		             err.text);
		cr_expect_not_null(strstr(err.text, cases[i].error ? cases[i].error : ""), "%s: %s",
		                   cases[i].header, err.text);
		omt_index_close(index);
	}
}
