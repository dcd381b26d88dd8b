#include "base/npy.h"
#include "tests/unit/scratch.h"

#define FLOATS "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"

TestSuite(npy, .init = scratch_make, .fini = scratch_drop);

/* A file of the version, with the header as given and data_bytes of zeros. */
static const char *make_file(int version, const char *header, size_t data_bytes)
{
	uint8_t file[1024] = "\x93NUMPY";
	size_t length = strlen(header), at = version == 1 ? 10 : 12;
	size_t total = (at + length + 63) / 64 * 64;
	file[6] = (uint8_t)version;
	file[8] = (uint8_t)(total - at);
	file[9] = (uint8_t)((total - at) >> 8);
	memset(file + at, ' ', total - at);
	memcpy(file + at, header, length);
	file[total - 1] = '\n';
	return scratch_write("a.npy", file, total + data_bytes);
}

Test(npy, writes_what_it_reads)
{
	float values[6] = {1, -2, 3.5f, 4, 5, 6};
	const char *path = scratch_path("a.npy");
	omt_npy npy;
	omt_error err;
	FILE *file = fopen(path, "wb");
	cr_assert_eq(omt_npy_write_header(file, path, 0, 3, &err), OMT_OK);
	cr_assert_eq(ftell(file), 128);
	fwrite(values, sizeof values, 1, file);
	cr_assert_eq(omt_npy_write_header(file, path, 2, 3, &err), OMT_OK);
	fclose(file);
	cr_assert_eq(omt_npy_open(path, &npy, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(npy.type, 'f');
	cr_expect_eq(npy.dims, 2);
	cr_expect_eq(npy.shape[0], 2);
	cr_expect_eq(npy.shape[1], 3);
	cr_expect_eq(npy.count, 6);
	cr_expect_arr_eq(npy.data, values, sizeof values);
	omt_npy_close(&npy);
	cr_expect_null(npy.data);
}

Test(npy, versions_types_and_shapes)
{
	static const struct {
		int version;
		const char *header;
		size_t bytes;
		char type;
		int dims;
		long long count;
	} cases[] = {
		{1, FLOATS, 24, 'f', 2, 6},
		{2, FLOATS, 24, 'f', 2, 6},
		{3, FLOATS, 24, 'f', 2, 6},
		{1, "{'descr': '<i4', 'fortran_order': False, 'shape': (5,), }", 20, 'i', 1, 5},
		{1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", 16, 'l', 1, 2},
		{1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,2,3), }", 6, 'u', 3, 6},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, 'f', 0, 1},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9), }", 0, 'f', 2, 0},
		{1, "{'shape': (1,), 'descr': '<f4', 'fortran_order': False}", 4, 'f', 1, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_npy npy;
		omt_error err = {0};
		const char *path = make_file(cases[i].version, cases[i].header, cases[i].bytes);
		cr_assert_eq(omt_npy_open(path, &npy, &err), OMT_OK, "%zu: %s", i, err.text);
		cr_expect_eq(npy.type, cases[i].type, "%zu", i);
		cr_expect_eq(npy.dims, cases[i].dims, "%zu", i);
		cr_expect_eq(npy.count, cases[i].count, "%zu", i);
		omt_npy_close(&npy);
	}
}

Test(npy, refuses)
{
	static const struct {
		int version;
		const char *header;
		size_t bytes;
		const char *error;
	} cases[] = {
		{1, FLOATS, 23, "6 elements announced, 23 bytes present"},
		{1, FLOATS, 25, "6 elements announced, 25 bytes present"},
		{4, FLOATS, 24, "version 4"},
		{1, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", 4, "type '>f4'"},
		{1, "{'fortran_order': False, 'shape': (1,)}", 4, "type missing"},
		{1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", 4, "C order"},
		{1, "{'descr': '<f4', 'shape': (1,)}", 4, "C order"},
		{1, "{'descr': '<f4', 'fortran_order': False}", 4, "no shape"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "bad shape"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4, "bad shape"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (x)}", 4, "bad shape"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4,
	         "bad shape"},
		{1,
	         "{'descr': '<f4', 'fortran_order': False, 'shape': "
	         "(4294967296, 4294967296)}",
	         4, "bad shape"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", 0,
	         "announced"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_npy npy;
		omt_error err = {0};
		const char *path = make_file(cases[i].version, cases[i].header, cases[i].bytes);
		cr_expect_neq(omt_npy_open(path, &npy, &err), OMT_OK, "%zu", i);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%zu: %s", i, err.text);
		cr_expect_not_null(strstr(err.text, "a.npy: "), "%zu: %s", i, err.text);
	}
}

Test(npy, refuses_every_truncation)
{
	uint8_t file[152];
	omt_npy npy;
	omt_error err;
	const char *path = make_file(1, FLOATS, 24);
	FILE *whole = fopen(path, "rb");
	size_t bytes = fread(file, 1, sizeof file, whole);
	fclose(whole);
	cr_assert_eq(bytes, sizeof file);
	for (size_t cut = 0; cut < bytes; cut++) {
		path = scratch_write("cut.npy", file, cut);
		cr_expect_eq(omt_npy_open(path, &npy, &err), OMT_BAD_FORMAT, "%zu bytes", cut);
	}
	cr_expect_eq(omt_npy_open(scratch_path("none.npy"), &npy, &err), OMT_IO);
	cr_expect_eq(omt_npy_open(scratch_folder, &npy, &err), OMT_IO);
}
