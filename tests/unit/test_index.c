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

static const char *storage;

static omt_index *build_and_open(void)
{
	omt_index *index;
	omt_error err;
	cr_assert_eq(omt_index_build(scratch_path("v.npy"),
	                             &(omt_index_options){.model = "a model", .storage = storage},
	                             scratch_path("v.idx"), &err),
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
	cr_expect_eq(hits[0].row, 1);
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
		{"{\"id\":\"a\"}\n", "v.ids.jsonl: only 1 ids for 2 vectors"},
		{"", "v.ids.jsonl: only 0 ids for 2 vectors"},
		{"{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n",
	         "more than 2 ids for 2 vectors"},
		{"{\"id\":\"a\"}\n{\"id\":\"a\"}\n", "v.npy: id \"a\" for the second time"},
		{"{\"id\":\"a\"}\n{}\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\"}\n7\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\"}\n{\"id\":\"\"}\n", "v.ids.jsonl:2: no id"},
		{"{\"id\":\"a\\u0000b\"}\n{}\n", "v.ids.jsonl:1: no id"},
		{"{\"id\":\"a\"}\n\n", "v.ids.jsonl:2:1:"},
	};
	omt_error err;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		scratch_text("v.ids.jsonl", cases[i].ids);
		cr_expect_neq(
			omt_index_build(scratch_path("v.npy"), NULL, scratch_path("v.idx"), &err),
			OMT_OK, "%s", cases[i].ids);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].ids,
		                   err.text);
	}
	cr_expect_eq(scratch_files(false), 2);
	cr_expect_eq(omt_index_build(scratch_path("no.npy"), NULL, scratch_path("v.idx"), &err),
	             OMT_IO);
	scratch_text("v.npy", "text");
	cr_expect_eq(omt_index_build(scratch_path("v.npy"), NULL, scratch_path("v.idx"), &err),
	             OMT_BAD_FORMAT);
}

static size_t read_index(char **file)
{
	size_t bytes;
	omt_error err;
	cr_assert_eq(omt_file_read(scratch_path("v.idx"), 1 << 20, file, &bytes, &err), OMT_OK,
	             "%s", err.text);
	return bytes;
}

/* Opens a file and reads all of it. */
static omt_status read_all(const char *path, omt_error *err)
{
	omt_index *index;
	omt_status status = omt_index_open(path, &index, err);
	if (status == OMT_OK)
		status = omt_index_verify(index, err);
	omt_index_close(index);
	return status;
}

/* No byte of the file can change, and no end be missing, without being seen. */
Test(index, refuses_damage)
{
	static const char *const storages[] = {"f32", "int8,bf16"};
	omt_index *index;
	omt_error err;
	char *file;
	for (size_t i = 0; i < 2; i++) {
		storage = storages[i];
		write_vectors((float[]){1, 0, 0, 1}, 2, 2);
		omt_index_close(build_and_open());
		const size_t bytes = read_index(&file);
		cr_assert_eq(read_all(scratch_path("v.idx"), &err), OMT_OK, "%s", err.text);
		for (size_t at = 0; at < bytes; at++) {
			file[at] = (char)(file[at] ^ 0x20);
			const char *path = scratch_write("damaged.idx", file, bytes);
			cr_expect_neq(read_all(path, &err), OMT_OK, "byte %zu", at);
			cr_expect_not_null(strstr(err.text, "damaged.idx: "), "%s", err.text);
			file[at] = (char)(file[at] ^ 0x20);
		}
		for (size_t at = 0; at < bytes; at += 61) {
			const char *path = scratch_write("damaged.idx", file, at);
			cr_expect_eq(omt_index_open(path, &index, &err), OMT_BAD_FORMAT,
			             "cut at %zu", at);
			cr_expect_null(index);
		}
		free(file);
	}
}

/* Damage of a vector is found by the search that reads it. */
Test(index, a_search_does_not_read_damaged_vectors)
{
	omt_hit hit;
	size_t found;
	omt_error err;
	omt_index *index;
	char *file;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index_close(build_and_open());
	const size_t bytes = read_index(&file);
	file[bytes - 4096] ^= 1; /* the last page has the vectors */
	cr_assert_eq(omt_index_open(scratch_write("v.idx", file, bytes), &index, &err), OMT_OK);
	cr_expect_eq(omt_index_search(index, (float[]){1, 2}, 1, 2, 1, &hit, &found, &err),
	             OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "v.idx: damaged: block 0 of segment 0"), "%s",
	                   err.text);
	omt_index_close(index);
	free(file);
}

/* The head of version 1, and of versions to come. */
Test(index, refuses_other_versions)
{
	omt_index *index;
	omt_error err;
	char *file;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index_close(build_and_open());
	const size_t bytes = read_index(&file);
	file[8] = 1;
	cr_expect_eq(omt_index_open(scratch_write("v.idx", file, bytes), &index, &err),
	             OMT_UNSUPPORTED);
	cr_expect_not_null(strstr(err.text, "v.idx: index version 1, expected 2"), "%s", err.text);
	file[8] = file[4096 + 8] = 3;
	cr_expect_eq(omt_index_open(scratch_write("v.idx", file, bytes), &index, &err),
	             OMT_UNSUPPORTED);
	cr_expect_eq(omt_index_open(scratch_write("v.idx", "OMTINDEX\1", 9), &index, &err),
	             OMT_BAD_FORMAT);
	cr_expect_eq(omt_index_open(scratch_text("v.idx", "a text of some length"), &index, &err),
	             OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "not an index file"), "%s", err.text);
	free(file);
}

/* ---- changes ---- */

static void write_more(const char *const *ids, const float *values, int64_t rows, int32_t dimension)
{
	write_vectors(values, rows, dimension);
	FILE *file = fopen(scratch_path("v.ids.jsonl"), "w");
	for (int64_t row = 0; row < rows; row++)
		fprintf(file, "{\"id\":\"%s\"}\n", ids[row]);
	fclose(file);
}

/* "folder/v.idx", for good. */
static const char *index_path(void)
{
	static char path[512];
	return strcpy(path, scratch_path("v.idx"));
}

/* Ids of the hits of (1, 0.5), joined. */
static const char *hits_of(const char *path)
{
	static char joined[256];
	omt_index *index;
	omt_hit hits[16];
	size_t found;
	omt_error err;
	joined[0] = '\0';
	if (omt_index_open(path, &index, &err) != OMT_OK)
		return strcpy(joined, err.text);
	cr_assert_eq(omt_index_search(index, (float[]){1, 0.5f}, 1, 2, 16, hits, &found, &err),
	             OMT_OK, "%s", err.text);
	for (size_t i = 0; i < found; i++)
		sprintf(joined + strlen(joined), "%s ", hits[i].id);
	omt_index_close(index);
	return joined;
}

static void append(const char *const *ids, const float *values, int64_t rows)
{
	omt_error err;
	write_more(ids, values, rows, 2);
	cr_assert_eq(omt_index_append(scratch_path("v.idx"), scratch_path("v.npy"), NULL, &err),
	             OMT_OK, "%s", err.text);
}

Test(index, append_delete_and_compact)
{
	static const char *const storages[] = {"f32", "bf16", "int8", "int8,bf16"};
	uint64_t deleted;
	omt_error err;
	for (size_t i = 0; i < 4; i++) {
		storage = storages[i];
		write_vectors((float[]){1, 0, 0, 1, 1, 1}, 3, 2);
		omt_index_close(build_and_open());
		const char *path = index_path();
		append((const char *[]){"x", "y"}, (float[]){2, 0, 0, 1}, 2);
		cr_expect_str_eq(hits_of(path), "x r2 r0 r1 y ");
		cr_assert_eq(omt_index_delete(path, (const char *[]){"r2", "y", "r2"}, 3, false,
		                              &deleted, &err),
		             OMT_OK, "%s", err.text);
		cr_expect_eq(deleted, 2);
		cr_expect_str_eq(hits_of(path), "x r0 r1 ");
		append((const char *[]){"r2", "z"}, (float[]){3, 0, NAN, 0}, 2);
		cr_expect_str_eq(hits_of(path), "r2 x r0 r1 ");
		cr_expect_eq(read_all(path, &err), OMT_OK, "%s", err.text);
		cr_assert_eq(omt_index_compact(path, NULL, &err), OMT_OK, "%s", err.text);
		cr_expect_str_eq(hits_of(path), "r2 x r0 r1 ");
		cr_expect_eq(read_all(path, &err), OMT_OK, "%s", err.text);
	}
}

Test(index, refuses_changes_that_do_not_fit)
{
	uint64_t deleted;
	omt_error err;
	storage = NULL;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index_close(build_and_open());
	const char *path = index_path();
	cr_expect_eq(omt_index_delete(path, (const char *[]){"r0", "no"}, 2, false, &deleted, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_not_null(strstr(err.text, "v.idx: no id \"no\""), "%s", err.text);
	cr_expect_str_eq(hits_of(path), "r0 r1 ");
	cr_expect_eq(omt_index_delete(path, (const char *[]){"r0", "no"}, 2, true, &deleted, &err),
	             OMT_OK);
	cr_expect_eq(deleted, 1);
	write_more((const char *[]){"r1"}, (float[]){1, 1}, 1, 2);
	cr_expect_eq(omt_index_append(path, scratch_path("v.npy"), NULL, &err), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "id \"r1\" is in the index already"), "%s", err.text);
	write_more((const char *[]){"a"}, (float[]){1, 1, 1}, 1, 3);
	cr_expect_eq(omt_index_append(path, scratch_path("v.npy"), NULL, &err), OMT_BAD_ARGUMENT);
	cr_expect_not_null(strstr(err.text, "vectors of 3 values, those of"), "%s", err.text);
	write_more((const char *[]){"a"}, (float[]){1, 1}, 1, 2);
	scratch_text("v.meta.json", "{\"model\":\"another\"}");
	cr_expect_eq(omt_index_append(path, scratch_path("v.npy"), NULL, &err), OMT_MISMATCH);
	cr_expect_not_null(strstr(err.text, "vectors of model another, expected a model"), "%s",
	                   err.text);
	cr_expect_str_eq(hits_of(path), "r1 ");
	cr_expect_eq(omt_index_append(path, scratch_path("v.npy"),
	                              &(omt_index_options){.force = true}, &err),
	             OMT_OK);
	cr_expect_str_eq(hits_of(path), "a r1 ");
}

Test(index, queries_of_another_model)
{
	omt_error err;
	storage = NULL;
	write_vectors((float[]){1, 0}, 1, 2);
	omt_index *index = build_and_open();
	cr_expect_eq(omt_index_expect_model(index, "a model", &err), OMT_OK);
	cr_expect_eq(omt_index_expect_model(index, NULL, &err), OMT_OK);
	cr_expect_eq(omt_index_expect_model(index, "b", &err), OMT_MISMATCH);
	cr_expect_not_null(strstr(err.text, "an index of model a model, the query is of b"));
	omt_index_close(index);
}

/* Whatever a killed append left: the index before or after it, never another one. */
Test(index, a_change_that_was_killed)
{
	char *before, *after;
	omt_error err;
	storage = NULL;
	write_vectors((float[]){1, 0, 0, 1}, 2, 2);
	omt_index_close(build_and_open());
	const size_t old = read_index(&before);
	append((const char *[]){"x"}, (float[]){2, 0}, 1);
	const size_t bytes = read_index(&after);
	char *file = malloc(bytes);
	/* The segment, then the first copy of the head, then the second, each up to some byte. */
	for (size_t cut = 0; cut <= bytes - old + 8192; cut += cut % 4096 < 200 ? 3 : 251) {
		const size_t tail = cut < bytes - old ? cut : bytes - old, heads = cut - tail;
		memcpy(file, after, heads);
		memcpy(file + heads, before + heads, old - heads);
		memcpy(file + old, after + old, tail);
		scratch_write("v.idx", file, old + tail);
		const char *path = index_path();
		const char *found = hits_of(path);
		const bool done = !strcmp(found, "x r0 r1 ");
		if (!done)
			cr_assert_str_eq(found, "r0 r1 ", "cut at %zu", cut);
		cr_assert(done || heads < 4096, "cut at %zu: %s", cut, found);
		cr_assert(!done || heads > 0, "cut at %zu: %s", cut, found);
		if (cut % 7)
			continue;
		append((const char *[]){"after"}, (float[]){5, 0}, 1);
		cr_assert_str_eq(hits_of(path), done ? "after x r0 r1 " : "after r0 r1 ", "%zu",
		                 cut);
		cr_assert_eq(read_all(path, &err), OMT_OK, "%s", err.text);
	}
	free(file);
	free(before);
	free(after);
}

/* ---- in and out ---- */

Test(index, export_and_import)
{
	static const char *const names[] = {"e.npy", "e.fbin", "e.jsonl"};
	uint64_t deleted;
	omt_error err;
	omt_index *index;
	storage = NULL;
	write_vectors((float[]){1, 0, 0, 1, 1, 1, 0.1f, 0.3f}, 4, 2);
	omt_index_close(build_and_open());
	cr_assert_eq(omt_index_delete(scratch_path("v.idx"), (const char *[]){"r1"}, 1, false,
	                              &deleted, &err),
	             OMT_OK);
	for (size_t i = 0; i < 3; i++) {
		omt_loaded *loaded;
		cr_assert_eq(omt_index_open(scratch_path("v.idx"), &index, &err), OMT_OK);
		cr_assert_eq(omt_index_export(index, scratch_path(names[i]), &err), OMT_OK, "%s",
		             err.text);
		omt_index_close(index);
		cr_assert_eq(omt_vectors_load(scratch_path(names[i]), &loaded, &err), OMT_OK, "%s",
		             err.text);
		cr_assert_eq(loaded->count, 3);
		cr_expect_eq(loaded->dimension, 2);
		cr_expect_str_eq(loaded->ids[1], "r2");
		cr_expect_arr_eq(loaded->values, ((float[]){1, 0, 1, 1, 0.1f, 0.3f}),
		                 6 * sizeof(float));
		if (i < 2)
			cr_expect_str_eq(loaded->model, "a model");
		omt_vectors_unload(loaded);
		cr_assert_eq(
			omt_index_build(scratch_path(names[i]), NULL, scratch_path("w.idx"), &err),
			OMT_OK, "%s", err.text);
		cr_expect_str_eq(hits_of(scratch_path("w.idx")), "r2 r0 r3 ");
	}
	cr_assert_eq(omt_index_open(scratch_path("v.idx"), &index, &err), OMT_OK);
	cr_expect_eq(omt_index_export(index, scratch_path("e.txt"), &err), OMT_BAD_ARGUMENT);
	omt_index_close(index);
}

/* f16 and f64, and rows without ids, which are numbered. */
Test(index, imports_other_arrays)
{
	static const uint16_t halves[] = {0x3c00, 0, 0, 0x3c00, 0x4000, 0x7e00};
	static const double doubles[] = {1, 0, 0, 1, 2, NAN};
	const struct {
		const char *descr;
		const void *data;
		size_t bytes;
	} kinds[] = {{"<f2", halves, sizeof halves}, {"<f8", doubles, sizeof doubles}};
	for (size_t i = 0; i < 2; i++) {
		char file[256] = "\x93NUMPY\x01\x00\x76\x00";
		omt_error err;
		omt_loaded *loaded;
		memset(file + 10, ' ', 117);
		file[127] = '\n';
		const int length = sprintf(
			file + 10, "{'descr': '%s', 'fortran_order': False, 'shape': (3, 2), }",
			kinds[i].descr);
		file[10 + length] = ' ';
		memcpy(file + 128, kinds[i].data, kinds[i].bytes);
		const char *path = scratch_write("a.npy", file, 128 + kinds[i].bytes);
		cr_assert_eq(omt_vectors_load(path, &loaded, &err), OMT_OK, "%s", err.text);
		cr_assert_eq(loaded->count, 2);
		cr_expect_eq(loaded->left_out, 1);
		cr_expect_arr_eq(loaded->values, ((float[]){1, 0, 0, 1}), 4 * sizeof(float));
		cr_expect_str_eq(loaded->ids[1], "1");
		cr_expect_null(loaded->model);
		omt_vectors_unload(loaded);
	}
}

Test(index, refuses_imports)
{
	static const struct {
		const char *name, *content, *error;
		size_t bytes;
	} cases[] = {
		{"a.fbin", "\1\0\0", "a.fbin: no .fbin file", 3},
		{"a.fbin", "\1\0\0\0\2\0\0\0abcdabc", "15 bytes do not hold 1 vectors of 2", 15},
		{"a.fbin", "\1\0\0\0\0\0\0\0", "do not hold 1 vectors of 0", 8},
		{"a.jsonl", "{\"id\":\"a\",\"embedding\":[1,2]}\n{\"id\":\"b\",\"embedding\":[1]}",
	         "a.jsonl:2: \"embedding\" is no array of 2 numbers", 0},
		{"a.jsonl", "{\"id\":\"a\",\"embedding\":[1,\"2\"]}",
	         "embedding[1] is not a number", 0},
		{"a.jsonl", "{\"id\":\"a\"}", "is no array of 1 to", 0},
		{"a.jsonl", "{\"id\":\"a\",\"error\":\"x\"}", "no vector, hence no dimension", 0},
		{"a.jsonl", "", "no vector, hence no dimension", 0},
		{"a.jsonl", "{", "a.jsonl:1:", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_error err;
		scratch_write(cases[i].name, cases[i].content,
		              cases[i].bytes ? cases[i].bytes : strlen(cases[i].content));
		cr_expect_neq(omt_index_build(scratch_path(cases[i].name), NULL,
		                              scratch_path("v.idx"), &err),
		              OMT_OK);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%zu: %s", i, err.text);
	}
}
