#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/npy.h"
#include "tests/unit/scratch.h"

TestSuite(writer, .init = scratch_make, .fini = scratch_drop);

static const float sample[3] = {0.1f, -1.0f / 3, 3.402823466e38f};

static omt_status put(omt_writer *writer, const char *id, const char *error, omt_error *err)
{
	omt_result result = {.id = id, .dimension = 3, .vector = error ? NULL : sample};
	if (error) {
		result.failed.status = OMT_IO;
		snprintf(result.failed.text, sizeof result.failed.text, "%s", error);
	}
	return omt_writer_put(writer, &result, err);
}

static void write_three(const char *path)
{
	omt_writer *writer;
	omt_error err;
	cr_assert_eq(omt_writer_open(path, NULL, 3, &writer, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(put(writer, "a \"b\"", NULL, &err), OMT_OK);
	cr_assert_eq(put(writer, "bad", "x.png: a\xff\xe2", &err), OMT_OK);
	cr_assert_eq(put(writer, "\xe2\x82\xac", NULL, &err), OMT_OK);
	cr_assert_eq(omt_writer_close(writer, true, &err), OMT_OK, "%s", err.text);
}

static const char *text_of(const char *path)
{
	static char text[4096];
	FILE *file = fopen(path, "rb");
	cr_assert_not_null(file, "%s", path);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

Test(writer, vectors_and_ids)
{
	omt_npy npy;
	omt_error err;
	write_three(scratch_path("v.npy"));
	cr_expect_eq(scratch_files(false), 2);
	cr_assert_eq(omt_npy_open(scratch_path("v.npy"), &npy, &err), OMT_OK, "%s", err.text);
	const float *rows = npy.data;
	cr_expect_eq(npy.type, 'f');
	cr_expect_eq(npy.shape[0], 3);
	cr_expect_eq(npy.shape[1], 3);
	cr_expect_arr_eq(rows, sample, sizeof sample);
	cr_expect(isnan(rows[3]) && isnan(rows[4]) && isnan(rows[5]));
	cr_expect_arr_eq(rows + 6, sample, sizeof sample);
	omt_npy_close(&npy);
	cr_expect_str_eq(text_of(scratch_path("v.ids.jsonl")),
	                 "{\"id\":\"a \\\"b\\\"\"}\n{\"id\":\"bad\",\"error\":\"x.png: a??\"}\n"
	                 "{\"id\":\"\xe2\x82\xac\"}\n");
}

Test(writer, the_name_need_not_end_in_npy)
{
	write_three(scratch_path("vectors"));
	cr_expect_eq(access(scratch_path("vectors"), R_OK), 0);
	cr_expect_eq(access(scratch_path("vectors.ids.jsonl"), R_OK), 0);
}

Test(writer, without_commit_the_old_files_stay)
{
	omt_writer *writer;
	omt_error err;
	scratch_text("v.npy", "old");
	cr_assert_eq(omt_writer_open(scratch_path("v.npy"), NULL, 3, &writer, &err), OMT_OK);
	cr_assert_eq(put(writer, "a", NULL, &err), OMT_OK);
	cr_expect_str_eq(text_of(scratch_path("v.npy")), "old");
	cr_expect_eq(omt_writer_close(writer, false, &err), OMT_OK);
	cr_expect_str_eq(text_of(scratch_path("v.npy")), "old");
	cr_expect_eq(scratch_files(false), 1);
}

/* As a kill between two renames would: ids of this writing never lie beside vectors of another. */
Test(writer, vectors_last)
{
	omt_writer *writer;
	omt_error err;
	scratch_text("v.npy", "old");
	scratch_text("v.ids.jsonl", "old");
	cr_assert_eq(omt_writer_open(scratch_path("v.npy"), "m", 3, &writer, &err), OMT_OK);
	cr_assert_eq(put(writer, "a", NULL, &err), OMT_OK);
	cr_assert_eq(mkdir(scratch_path("v.meta.json"), 0700), 0);
	cr_expect_eq(omt_writer_close(writer, true, &err), OMT_IO);
	cr_expect_str_eq(text_of(scratch_path("v.ids.jsonl")), "{\"id\":\"a\"}\n");
	cr_expect_neq(access(scratch_path("v.npy"), F_OK), 0);
	cr_assert_eq(rmdir(scratch_path("v.meta.json")), 0);
}

Test(writer, another_model_or_none)
{
	omt_writer *writer;
	omt_error err;
	scratch_text("v.meta.json", "{\"model\":\"old\"}");
	cr_assert_eq(omt_writer_open(scratch_path("v.npy"), "new", 3, &writer, &err), OMT_OK);
	cr_assert_eq(omt_writer_close(writer, true, &err), OMT_OK);
	cr_expect_not_null(strstr(text_of(scratch_path("v.meta.json")), "\"new\""));
	write_three(scratch_path("v.npy"));
	cr_expect_neq(access(scratch_path("v.meta.json"), F_OK), 0);
}

Test(writer, no_items_is_an_empty_array)
{
	omt_writer *writer;
	omt_npy npy;
	omt_error err;
	cr_assert_eq(omt_writer_open(scratch_path("v.npy"), NULL, 3, &writer, &err), OMT_OK);
	cr_assert_eq(omt_writer_close(writer, true, &err), OMT_OK);
	cr_assert_eq(omt_npy_open(scratch_path("v.npy"), &npy, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(npy.shape[0], 0);
	cr_expect_eq(npy.shape[1], 3);
	omt_npy_close(&npy);
}

Test(writer, refuses)
{
	omt_writer *writer;
	omt_error err;
	cr_expect_eq(omt_writer_open(scratch_path("no/v.npy"), NULL, 3, &writer, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "no/v.npy"), "%s", err.text);
	cr_expect_null(writer);
	cr_expect_eq(omt_writer_open(scratch_path("v.npy"), NULL, 0, &writer, &err),
	             OMT_BAD_ARGUMENT);
	cr_assert_eq(omt_writer_open(scratch_path("v.npy"), NULL, 4, &writer, &err), OMT_OK);
	cr_expect_eq(put(writer, "a", NULL, &err), OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "item 0 has 3 values, expected 4");
	cr_expect_eq(omt_writer_close(writer, false, &err), OMT_OK);
	cr_expect_eq(scratch_files(false), 0);
}

/* A full disk must not pass for success. */
Test(writer, reports_what_could_not_be_written)
{
	omt_writer *writer;
	omt_error err;
	int full = open("/dev/full", O_WRONLY);
	cr_assert_geq(full, 0);
	fflush(stdout);
	cr_assert_geq(dup2(full, STDOUT_FILENO), 0);
	cr_assert_eq(omt_writer_open("-", NULL, 3, &writer, &err), OMT_OK);
	cr_expect_eq(put(writer, "a", NULL, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "standard output: "), "%s", err.text);
	omt_writer_close(writer, false, &err);
}

Test(writer, lines_read_back_to_the_same_bits)
{
	char *line, *rest;
	int number = 0;
	fflush(stdout);
	int out = open(scratch_path("out"), O_RDWR | O_CREAT, 0600);
	cr_assert_geq(dup2(out, STDOUT_FILENO), 0);
	write_three("-");
	char *text = strdup(text_of(scratch_path("out")));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *object;
		omt_error err;
		cr_assert_eq(omt_json_parse("out", line, strlen(line), &object, &err), OMT_OK, "%s",
		             err.text);
		const json_t *values = json_object_get(object, "embedding");
		cr_expect_eq(json_array_size(values), number == 1 ? 0 : 3);
		cr_expect_eq(json_object_get(object, "error") != NULL, number == 1);
		for (size_t i = 0; i < json_array_size(values); i++)
			cr_expect_eq((float)json_number_value(json_array_get(values, i)),
			             sample[i]);
		json_decref(object);
		number++;
	}
	cr_expect_eq(number, 3);
	free(text);
}
