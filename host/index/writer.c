#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"
#include "base/numeric.h"
#include "index/vectors.h"

struct omt_writer {
	int32_t dimension;
	int64_t rows;
	char *model;
	FILE *lines; /* JSON lines: standard output, or vectors.stream; NULL: a vector file */
	omt_output vectors, ids, meta;
	float *nan;
};

/* Files beside a vector file. */
static omt_status open_beside(omt_writer *writer, const char *path, omt_error *err)
{
	omt_status status = OMT_OK;
	char *ids = omt_vectors_ids_path(path), *meta = omt_vectors_meta_path(path);
	if (!ids || !meta)
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
	if (status == OMT_OK)
		status = omt_output_open(ids, &writer->ids, err);
	if (status == OMT_OK && writer->model)
		status = omt_output_open(meta, &writer->meta, err);
	free(ids);
	free(meta);
	return status;
}

omt_status omt_writer_open(const char *path, const char *model, int32_t dimension,
                           omt_writer **given, omt_error *err)
{
	*given = NULL;
	if (dimension < 1)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: vectors of %d values", path, dimension);
	omt_status status = OMT_OK;
	omt_writer *writer = calloc(1, sizeof *writer);
	if (!writer || !(writer->nan = malloc((size_t)dimension * sizeof(float))) ||
	    (model && !(writer->model = strdup(model)))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	writer->dimension = dimension;
	for (int32_t i = 0; i < dimension; i++)
		writer->nan[i] = NAN;
	if (!strcmp(path, "-")) {
		writer->lines = stdout;
	} else {
		OMT_GOTO(omt_output_open(path, &writer->vectors, err));
		if (omt_path_ends(path, ".jsonl")) {
			writer->lines = writer->vectors.stream;
		} else {
			OMT_GOTO(open_beside(writer, path, err));
			OMT_GOTO(omt_npy_write_header(writer->vectors.stream, path, 0, dimension,
			                              err));
		}
	}
	*given = writer;
	writer = NULL;
done:
	if (writer)
		omt_writer_close(writer, false, NULL);
	return status;
}

/* {"id":...} with "error" and "line" where there is no vector, and "embedding" where it is asked
 * for. Floats are written with nine digits: they read back to the same bits. */
static omt_status write_line(FILE *stream, const omt_result *result, bool vector, omt_error *err)
{
	bool failed = result->failed.status != OMT_OK;
	json_t *object = json_pack("{so}", "id", omt_json_text(result->id));
	if (object && failed)
		json_object_set_new(object, "error", omt_json_text(result->failed.text));
	if (object && failed && result->line)
		json_object_set_new(object, "line", json_integer((json_int_t)result->line));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "item %llu", (unsigned long long)result->index);
	if (failed || !vector) {
		fprintf(stream, "%s\n", text);
	} else {
		const locale_t before = omt_numeric_begin();
		fprintf(stream, "%.*s,\"embedding\":[", (int)strlen(text) - 1, text);
		for (int32_t i = 0; i < result->dimension; i++)
			fprintf(stream, "%s%.9g", i ? "," : "", (double)result->vector[i]);
		fprintf(stream, "]}\n");
		omt_numeric_end(before);
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
		OMT_TRY(write_line(writer->lines, result, true, err));
		if (writer->lines == stdout && (fflush(stdout) != 0 || ferror(stdout)))
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

/* Rows are known now: the header anew, and {"omnitile", "model", "dimension", "items"}. */
static omt_status finish(omt_writer *writer, omt_error *err)
{
	OMT_TRY(omt_npy_write_header(writer->vectors.stream, writer->vectors.path, writer->rows,
	                             writer->dimension, err));
	if (!writer->model)
		return omt_vectors_forget_model(writer->vectors.path, err);
	json_t *all = json_pack("{ss so si sI}", "omnitile", omt_version(), "model",
	                        omt_json_text(writer->model), "dimension", writer->dimension,
	                        "items", (json_int_t)writer->rows);
	bool whole = all && json_dumpf(all, writer->meta.stream, JSON_COMPACT) == 0 &&
	             fputc('\n', writer->meta.stream) != EOF;
	json_decref(all);
	return whole ? OMT_OK : OMT_FAIL(err, IO, "%s: not written", writer->meta.path);
}

omt_status omt_writer_close(omt_writer *writer, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	if (!writer)
		return OMT_OK;
	if (writer->vectors.stream && !writer->lines && commit)
		status = finish(writer, err);
	/* The vectors last: without what lies beside they would be of no use, and where they are
	 * all is there. */
	omt_output *const outputs[] = {&writer->ids, &writer->meta, &writer->vectors};
	const omt_status closed = omt_outputs_close(outputs, sizeof outputs / sizeof *outputs,
	                                            commit && status == OMT_OK, err);
	status = status == OMT_OK ? closed : status;
	free(writer->model);
	free(writer->nan);
	free(writer);
	return status;
}
