/* Files of records: appended whole, mended after a kill, read by key. */
#include "bench/results.h"
#include "tests/unit/scratch.h"

#include <sys/stat.h>

TestSuite(bench_results, .init = scratch_make, .fini = scratch_drop);

static char notes[1000];

static void keep_note(void *user, const char *text)
{
	(void)user;
	strncat(notes, text, sizeof notes - strlen(notes) - 1);
}

static const omt_progress progress = {.note = keep_note};

static long size_of(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 ? (long)info.st_size : -1;
}

#define LINE1 "{\"record\":2,\"key\":\"k1\",\"x\":1}\n"
#define LINE2 "{\"record\":2,\"key\":\"k2\",\"x\":2}\n"

Test(bench_results, appends_and_finds_keys)
{
	omt_bench_results results;
	omt_error err;
	const char *path = scratch_path("r.jsonl");
	cr_assert_eq(omt_bench_results_open(path, true, &progress, &results, &err), OMT_OK);
	json_t *record = json_pack("{si ss}", "record", 2, "key", "k1");
	cr_assert_eq(omt_bench_results_append(&results, record, &err), OMT_OK);
	cr_expect(omt_bench_results_have(&results, "k1"));
	cr_expect_not(omt_bench_results_have(&results, "k2"));
	omt_bench_results other;
	cr_expect_eq(omt_bench_results_open(path, true, &progress, &other, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "another run writes it"), "%s", err.text);
	omt_bench_results_close(&results);
	cr_assert_eq(omt_bench_results_open(path, true, &progress, &results, &err), OMT_OK);
	cr_expect(omt_bench_results_have(&results, "k1"));
	omt_bench_results_close(&results);
	json_decref(record);
}

/* A killed run tears a line at any byte: what is whole stays, the rest goes. */
Test(bench_results, mends_a_torn_end)
{
	const size_t first = strlen(LINE1);
	for (size_t cut = 1; cut < strlen(LINE2); cut++) {
		omt_bench_results results;
		omt_error err;
		const char *path = scratch_write("t.jsonl", LINE1 LINE2, first + cut);
		const bool whole = cut == strlen(LINE2) - 1;
		notes[0] = '\0';
		cr_assert_eq(omt_bench_results_open(path, false, &progress, &results, &err),
		             OMT_OK);
		omt_bench_results_close(&results);
		cr_assert_eq(size_of(path), (long)(first + cut), "only looked at");
		cr_assert_eq(omt_bench_results_open(path, true, &progress, &results, &err), OMT_OK,
		             "%zu: %s", cut, err.text);
		cr_expect(omt_bench_results_have(&results, "k1"));
		cr_expect_eq(omt_bench_results_have(&results, "k2"), whole);
		cr_expect_eq(size_of(path), (long)(whole ? first + cut + 1 : first));
		cr_expect_eq(notes[0] != '\0', !whole);
		omt_bench_results_close(&results);
		unlink(path);
	}
}

Test(bench_results, leaves_other_files_alone)
{
	static const char *const others[] = {"a line of text\nand its end",
	                                     LINE1 "not a record\n" LINE2, "[1]\n", "3"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		omt_bench_results results;
		omt_error err;
		const char *path = scratch_text("o.jsonl", others[i]);
		cr_expect_eq(omt_bench_results_open(path, true, &progress, &results, &err),
		             OMT_BAD_FORMAT, "%s", others[i]);
		cr_expect_eq(size_of(path), (long)strlen(others[i]), "%s", others[i]);
		unlink(path);
	}
}

Test(bench_results, a_later_record_of_a_point_counts)
{
	json_t *records;
	omt_error err;
	const char *path = scratch_text("l.jsonl", LINE1 LINE2
	                                "{\"record\":2,\"key\":\"k1\",\"x\":3}\n{\"rec");
	cr_assert_eq(omt_bench_records_load(path, &records, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(json_array_size(records), 2);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(records, 0), "x")), 3);
	json_decref(records);
	path = scratch_text("n.jsonl", "\n");
	cr_expect_eq(omt_bench_records_load(path, &records, &err), OMT_BAD_FORMAT);
}
