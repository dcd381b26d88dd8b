#include "index/manifest.h"
#include "index/vectors.h"
#include "tests/unit/scratch.h"

TestSuite(vectors, .init = scratch_make, .fini = scratch_drop);

/* A vector file of rows [first, first + 1], the second one failed. */
static void write_file(const char *path, const char *model, int first)
{
	omt_writer *writer;
	omt_error err;
	cr_assert_eq(omt_writer_open(path, model, 2, &writer, &err), OMT_OK, "%s", err.text);
	for (int i = first; i < first + 2; i++) {
		char id[32];
		float vector[2] = {(float)i, 0.5f};
		snprintf(id, sizeof id, "item %d", i);
		omt_result result = {.id = id, .dimension = 2, .vector = vector};
		if (i > first) {
			result.vector = NULL;
			result.line = (uint64_t)i + 1;
			result.failed = (omt_error){OMT_IO, "a.png: No such file"};
		}
		cr_assert_eq(omt_writer_put(writer, &result, &err), OMT_OK, "%s", err.text);
	}
	cr_assert_eq(omt_writer_close(writer, true, &err), OMT_OK, "%s", err.text);
}

static omt_vectors *open_set(const char *path)
{
	omt_vectors *vectors;
	omt_error err;
	cr_assert_eq(omt_vectors_open(path, &vectors, &err), OMT_OK, "%s", err.text);
	return vectors;
}

static void expect_rows(omt_vectors *vectors, int count)
{
	const omt_vector *row;
	omt_error err;
	for (int i = 0; i < count; i++) {
		char id[32];
		snprintf(id, sizeof id, "item %d", i);
		cr_assert_eq(omt_vectors_next(vectors, &row, &err), OMT_OK, "%s", err.text);
		cr_assert_not_null(row);
		cr_expect_str_eq(row->id, id);
		cr_expect_eq(row->vector != NULL, i % 2 == 0);
		if (row->vector) {
			cr_expect_eq(row->vector[0], (float)i);
			cr_expect_null(row->error);
		} else {
			cr_expect_str_eq(row->error, "a.png: No such file");
			cr_expect_eq(row->line, i + 1);
		}
	}
	cr_assert_eq(omt_vectors_next(vectors, &row, &err), OMT_OK, "%s", err.text);
	cr_expect_null(row);
}

static void expect_refused(const char *path, const char *reason)
{
	omt_vectors *vectors;
	omt_error err;
	cr_expect_neq(omt_vectors_open(path, &vectors, &err), OMT_OK, "%s", reason);
	cr_expect_not_null(strstr(err.text, reason), "%s: %s", reason, err.text);
	cr_expect_null(vectors);
}

/* The first error of reading all rows. */
static const char *read_error(const char *path)
{
	static omt_error err;
	const omt_vector *row;
	omt_vectors *vectors = open_set(path);
	omt_status status;
	while ((status = omt_vectors_next(vectors, &row, &err)) == OMT_OK && row)
		continue;
	cr_expect_neq(status, OMT_OK);
	omt_vectors_close(vectors);
	return err.text;
}

Test(vectors, one_file)
{
	write_file(scratch_path("v.npy"), "the model", 0);
	cr_expect_eq(scratch_files(false), 3);
	omt_vectors *vectors = open_set(scratch_path("v.npy"));
	cr_expect_eq(omt_vectors_rows(vectors), 2);
	cr_expect_eq(omt_vectors_dimension(vectors), 2);
	cr_expect_str_eq(omt_vectors_model(vectors), "the model");
	expect_rows(vectors, 2);
	omt_vectors_rewind(vectors);
	expect_rows(vectors, 2);
	omt_vectors_close(vectors);
	unlink(scratch_path("v.meta.json"));
	vectors = open_set(scratch_path("v.npy"));
	cr_expect_null(omt_vectors_model(vectors));
	omt_vectors_close(vectors);
}

static const char manifest_text[] =
	"{\"layout\":1,\"shard_lines\":10,\"dimension\":2,\"model\":\"m\","
	"\"list\":{\"lines\":21},\"settings\":{\"role\":\"query\"}}";

Test(vectors, a_folder_of_shards)
{
	scratch_text("manifest.json", manifest_text);
	write_file(scratch_path("vectors-00000.npy"), NULL, 0);
	write_file(scratch_path("vectors-00002.npy"), NULL, 4);
	expect_refused(scratch_folder, "1 of 3 shards are missing, the first is 00001");
	write_file(scratch_path("vectors-00001.npy"), NULL, 2);
	omt_vectors *vectors = open_set(scratch_folder);
	cr_expect_eq(omt_vectors_rows(vectors), 6);
	cr_expect_str_eq(omt_vectors_model(vectors), "m");
	expect_rows(vectors, 6);
	omt_vectors_rewind(vectors);
	expect_rows(vectors, 6);
	omt_vectors_close(vectors);
}

Test(vectors, refuses)
{
	expect_refused(scratch_path("no.npy"), "no.npy: No such file");
	expect_refused(scratch_folder, "manifest.json: No such file");
	expect_refused(scratch_text("v.npy", "text"), "v.npy: not a .npy file");
	write_file(scratch_path("v.npy"), "m", 0);
	scratch_text("v.meta.json", "[]");
	expect_refused(scratch_path("v.npy"), "v.meta.json: not an object");
	unlink(scratch_path("v.meta.json"));
	scratch_text("v.ids.jsonl", "{\"id\":\"a\"}\n");
	cr_expect_not_null(strstr(read_error(scratch_path("v.npy")), "1 ids for 2 vectors"));
	scratch_text("v.ids.jsonl", "{\"id\":\"a\"}\n{\"id\":\"a\"}\n{\"id\":\"a\"}\n");
	cr_expect_not_null(strstr(read_error(scratch_path("v.npy")), "more than 2 ids"));
	scratch_text("v.ids.jsonl", "{\"id\":\"a\"}\n{\"id\":\"\"}\n");
	cr_expect_not_null(strstr(read_error(scratch_path("v.npy")), "v.ids.jsonl:2: no id"));
}

Test(vectors, bad_manifests)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"{", "not JSON"},
		{"[]", "not an object"},
		{"{}", "layout, shard_lines, dimension or list.lines is missing"},
		{"{\"layout\":2}", "\"layout\" is 2"},
		{"{\"layout\":1,\"dimension\":2,\"shard_lines\":0,\"list\":{\"lines\":1}}",
	         "\"shard_lines\" is 0"},
		{"{\"layout\":1,\"dimension\":2,\"shard_lines\":1,\"list\":{\"lines\":10000001}}",
	         "10000001 shards, at most"},
		{"{\"layout\":1,\"dimension\":2,\"shard_lines\":1,\"list\":[]}", "\"list\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		scratch_text("manifest.json", cases[i].text);
		expect_refused(scratch_folder, cases[i].error);
	}
}

Test(vectors, manifests_compare)
{
	omt_manifest there, wanted;
	omt_error err;
	json_t *all = json_loads(manifest_text, 0, NULL);
	json_t *other = json_deep_copy(all);
	cr_assert_eq(omt_manifest_parse("m", all, &there, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_manifest_parse("m", other, &wanted, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(omt_manifest_compare("m", &there, &wanted, &err), OMT_OK);
	json_object_set_new(json_object_get(other, "settings"), "role", json_string("passage"));
	cr_expect_eq(omt_manifest_compare("m", &there, &wanted, &err), OMT_MISMATCH);
	cr_expect_str_eq(err.text, "m: settings.role was \"query\", now it is \"passage\"");
	json_object_del(json_object_get(other, "settings"), "role");
	cr_expect_eq(omt_manifest_compare("m", &there, &wanted, &err), OMT_MISMATCH);
	cr_expect_str_eq(err.text, "m: settings.role was \"query\", now it is not there");
	cr_expect_eq(omt_manifest_compare("m", &wanted, &there, &err), OMT_MISMATCH);
	cr_expect_str_eq(err.text, "m: settings.role was not there, now it is \"query\"");
	cr_assert_eq(omt_manifest_create(&there, scratch_path("manifest.json"), &err), OMT_OK);
	json_object_set_new(there.all, "model", json_string("another"));
	cr_assert_eq(omt_manifest_create(&there, scratch_path("manifest.json"), &err), OMT_OK);
	cr_expect_eq(scratch_files(false), 1);
	json_object_set_new(there.all, "model", json_string("m"));
	omt_manifest_free(&wanted);
	cr_assert_eq(omt_manifest_load(scratch_path("manifest.json"), &wanted, &err), OMT_OK);
	cr_expect_eq(omt_manifest_compare("m", &there, &wanted, &err), OMT_OK);
	cr_expect_eq(wanted.shards, 3);
	omt_manifest_free(&there);
	omt_manifest_free(&wanted);
}
