#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "index/vectors.h"

struct omt_writer {
	int32_t dimension;
	int64_t rows;
	bool lines; /* JSON lines to standard output */
	omt_output vectors, ids;
	float *nan;
};

char *omt_vectors_ids_path(const char *path)
{
	size_t length = strlen(path);
	char *ids = NULL;
	if (length > 4 && !strcmp(path + length - 4, ".npy"))
		length -= 4;
	return asprintf(&ids, "%.*s.ids.jsonl", (int)length, path) < 0 ? NULL : ids;
}

omt_status omt_writer_open(const char *path, int32_t dimension, omt_writer **given, omt_error *err)
{
	*given = NULL;
	if (dimension < 1)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: vectors of %d values", path, dimension);
	omt_status status = OMT_OK;
	char *ids = omt_vectors_ids_path(path);
	omt_writer *writer = calloc(1, sizeof *writer);
	if (!writer || !ids || !(writer->nan = malloc((size_t)dimension * sizeof(float)))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	writer->dimension = dimension;
	writer->lines = !strcmp(path, "-");
	for (int32_t i = 0; i < dimension; i++)
		writer->nan[i] = NAN;
	if (!writer->lines) {
		OMT_GOTO(omt_output_open(path, &writer->vectors, err));
		OMT_GOTO(omt_output_open(ids, &writer->ids, err));
		OMT_GOTO(omt_npy_write_header(writer->vectors.stream, path, 0, dimension, err));
	}
	*given = writer;
	writer = NULL;
done:
	free(ids);
	if (writer)
		omt_writer_close(writer, false, NULL);
	return status;
}

/* {"id":...} with "error" where there is no vector, and "embedding" where it is asked for. Floats
 * are written with nine digits: they read back to the same bits. */
static omt_status write_line(FILE *stream, const omt_result *result, bool vector, omt_error *err)
{
	bool failed = result->failed.status != OMT_OK;
	json_t *object = json_pack("{so}", "id", omt_json_text(result->id));
	if (object && failed)
		json_object_set_new(object, "error", omt_json_text(result->failed.text));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "item %llu", (unsigned long long)result->index);
	if (failed || !vector) {
		fprintf(stream, "%s\n", text);
	} else {
		fprintf(stream, "%.*s,\"embedding\":[", (int)strlen(text) - 1, text);
		for (int32_t i = 0; i < result->dimension; i++)
			fprintf(stream, "%s%.9g", i ? "," : "", (double)result->vector[i]);
		fprintf(stream, "]}\n");
	}
	free(text);
	return OMT_OK;
}

omt_status omt_writer_put(omt_writer *writer, const omt_result *result, omt_error *err)
{
	bool failed = result->failed.status != OMT_OK;
	if (!failed && result->dimension != writer->dimension)
		return OMT_FAIL(err, BAD_ARGUMENT, "item %llu has %d values, expected %d",
		                (unsigned long long)result->index, result->dimension,
		                writer->dimension);
	if (writer->lines) {
		OMT_TRY(write_line(stdout, result, true, err));
		if (fflush(stdout) != 0 || ferror(stdout))
			return OMT_FAIL(err, IO, "standard output: %s", strerror(errno));
		return OMT_OK;
	}
	OMT_TRY(write_line(writer->ids.stream, result, false, err));
	if (fwrite(failed ? writer->nan : result->vector, sizeof(float), (size_t)writer->dimension,
	           writer->vectors.stream) != (size_t)writer->dimension)
		return OMT_FAIL(err, IO, "%s: %s", writer->vectors.path, strerror(errno));
	writer->rows++;
	return OMT_OK;
}

omt_status omt_writer_close(omt_writer *writer, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	if (!writer)
		return OMT_OK;
	if (writer->vectors.stream && commit)
		status = omt_npy_write_header(writer->vectors.stream, writer->vectors.path,
		                              writer->rows, writer->dimension, err);
	commit = commit && status == OMT_OK;
	/* The ids first: vectors without ids would be of no use. */
	omt_status ids = omt_output_close(&writer->ids, commit, err);
	status = status == OMT_OK ? ids : status;
	omt_status vectors = omt_output_close(&writer->vectors, commit && ids == OMT_OK, err);
	status = status == OMT_OK ? vectors : status;
	free(writer->nan);
	free(writer);
	return status;
}
