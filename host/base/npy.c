#include "base/npy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define MAGIC        "\x93NUMPY"
#define HEADER_BYTES 128 /* of what is written here; a multiple of 64 as the format asks */

/* The value after 'key': in the header's Python dictionary, NULL if there is none. */
static const char *value_of(const char *header, const char *key)
{
	const char *at = strstr(header, key);
	if (!at)
		return NULL;
	at += strlen(key);
	return at + strspn(at, " :");
}

static omt_status parse_type(const char *path, const char *descr, omt_npy *npy, size_t *bytes,
                             omt_error *err)
{
	static const struct {
		const char *descr;
		char type;
		size_t bytes;
	} types[] = {{"'<f4'", 'f', 4}, {"'<f2'", 'h', 2}, {"'<f8'", 'd', 8},
	             {"'<i4'", 'i', 4}, {"'<i8'", 'l', 8}, {"'|u1'", 'u', 1}};
	for (size_t i = 0; descr && i < sizeof types / sizeof *types; i++)
		if (!strncmp(descr, types[i].descr, strlen(types[i].descr))) {
			npy->type = types[i].type;
			*bytes = types[i].bytes;
			return OMT_OK;
		}
	return OMT_FAIL(err, UNSUPPORTED,
	                "%s: type %.*s, expected '<f2', '<f4', '<f8', '<i4', '<i8' or '|u1'", path,
	                descr ? (int)strcspn(descr, ",}") : 7, descr ? descr : "missing");
}

static omt_status parse_shape(const char *path, const char *shape, omt_npy *npy, omt_error *err)
{
	size_t count = 1;
	if (!shape || *shape++ != '(')
		return OMT_FAIL(err, BAD_FORMAT, "%s: no shape in the header", path);
	while (*shape != ')') {
		char *end;
		errno = 0;
		long long size = strtoll(shape, &end, 10);
		if (end == shape || size < 0 || errno || npy->dims == OMT_NPY_DIMS ||
		    !omt_mul_size(count, (size_t)size, &count) || count > INT64_MAX)
			return OMT_FAIL(err, BAD_FORMAT, "%s: bad shape", path);
		npy->shape[npy->dims++] = size;
		shape = end + strspn(end, " ,");
	}
	npy->count = (int64_t)count;
	return OMT_OK;
}

static omt_status parse(const char *path, omt_npy *npy, omt_error *err)
{
	const uint8_t *data = npy->map.data;
	size_t length, at, item = 0, needed;
	char header[4096];
	if (npy->map.bytes < 12 || memcmp(data, MAGIC, 6))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not a .npy file", path);
	bool first = data[6] == 1;
	length = (size_t)data[8] | (size_t)data[9] << 8;
	if (!first)
		length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
	at = first ? 10 : 12;
	if (data[6] < 1 || data[6] > 3 || length >= sizeof header || length > npy->map.bytes - at)
		return OMT_FAIL(err, BAD_FORMAT, "%s: version %d with a header of %zu bytes", path,
		                data[6], length);
	memcpy(header, data + at, length);
	header[length] = '\0';
	OMT_TRY(parse_type(path, value_of(header, "'descr'"), npy, &item, err));
	OMT_TRY(parse_shape(path, value_of(header, "'shape'"), npy, err));
	const char *order = value_of(header, "'fortran_order'");
	if (!order || strncmp(order, "False", 5))
		return OMT_FAIL(err, UNSUPPORTED, "%s: not in C order", path);
	if (!omt_mul_size((size_t)npy->count, item, &needed) ||
	    needed != npy->map.bytes - at - length)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %lld elements announced, %zu bytes present",
		                path, (long long)npy->count, npy->map.bytes - at - length);
	npy->data = data + at + length;
	if ((uintptr_t)npy->data % item)
		return OMT_FAIL(err, UNSUPPORTED, "%s: elements are not aligned", path);
	return OMT_OK;
}

omt_status omt_npy_open(const char *path, omt_npy *npy, omt_error *err)
{
	*npy = (omt_npy){0};
	OMT_TRY(omt_map_open(path, &npy->map, err));
	omt_status status = parse(path, npy, err);
	if (status != OMT_OK)
		omt_npy_close(npy);
	return status;
}

void omt_npy_close(omt_npy *npy)
{
	omt_map_close(&npy->map);
	*npy = (omt_npy){0};
}

omt_status omt_npy_write_header(FILE *stream, const char *path, int64_t rows, int64_t cols,
                                omt_error *err)
{
	char header[HEADER_BYTES + 1];
	memset(header, ' ', sizeof header);
	memcpy(header, MAGIC "\x01\x00", 8);
	header[8] = (char)(HEADER_BYTES - 10);
	header[9] = 0;
	int length = snprintf(header + 10, HEADER_BYTES - 10,
	                      "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
	                      (long long)rows, (long long)cols);
	header[10 + length] = ' ';
	header[HEADER_BYTES - 1] = '\n';
	if (fseek(stream, 0, SEEK_SET) != 0 || fwrite(header, HEADER_BYTES, 1, stream) != 1)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	return OMT_OK;
}
