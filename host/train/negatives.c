#include "train/negatives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "index/lines.h"

#define MAX_LINE ((size_t)16 << 20)

typedef struct omt_negatives_reader {
	const char *path;
	omt_names lines; /* so far: pair and query */
	omt_negative_found found;
	void *user;
} omt_negatives_reader;

static omt_status read_list(omt_negatives_reader *reader, omt_json in, const char *query,
                            omt_error *err)
{
	const json_t *list = NULL;
	size_t i;
	json_t *entry;
	OMT_TRY(omt_json_list(in, "negatives", SIZE_MAX, &list, err));
	if (!list)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no \"negatives\"", in.place);
	json_array_foreach(list, i, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "id"));
		if (!id)
			return OMT_FAIL(err, BAD_FORMAT, "%s: negatives[%zu] has no id", in.place,
			                i);
		OMT_TRY(reader->found(reader->user, query, id, (uint32_t)i, err));
	}
	return OMT_OK;
}

/* A query has a line for each pair of kinds that was mined. */
static omt_status add_line(omt_negatives_reader *reader, const char *place, const char *pair,
                           const char *query, omt_error *err)
{
	uint32_t number, before = reader->lines.count;
	char *name;
	const int bytes = asprintf(&name, "%s\n%s", pair, query);
	const bool added =
		bytes >= 0 && omt_names_add(&reader->lines, name, (size_t)bytes, &number);
	if (bytes >= 0)
		free(name);
	if (!added)
		return OMT_FAIL(err, NO_MEMORY, "%s: %u queries", place, before);
	if (number == before)
		return OMT_OK;
	return OMT_FAIL(err, BAD_FORMAT, "%s: query \"%.80s\"%s%.80s for the second time", place,
	                query, *pair ? " of pair " : "", pair);
}

static omt_status read_line(omt_negatives_reader *reader, const char *place, const json_t *object,
                            omt_error *err)
{
	const omt_json in = {place, object};
	const char *query = NULL, *pair = "";
	if (!json_is_object(object))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an object", place);
	OMT_TRY(omt_json_string(in, "query", &query, err));
	if (!query)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no \"query\"", place);
	OMT_TRY(omt_json_string(in, "pair", &pair, err));
	OMT_TRY(add_line(reader, place, pair, query, err));
	return read_list(reader, in, query, err);
}

static omt_status read_lines(omt_negatives_reader *reader, omt_lines *lines, omt_error *err)
{
	char place[600];
	omt_status status = OMT_OK;
	while (status == OMT_OK && omt_lines_next(lines)) {
		json_t *object = NULL;
		snprintf(place, sizeof place, "%.500s:%llu", reader->path,
		         (unsigned long long)lines->number);
		if (!lines->whole || lines->bytes > MAX_LINE)
			status = OMT_FAIL(err, LIMIT, "%s: a line of more than %zu MB", place,
			                  MAX_LINE >> 20);
		else
			status = omt_json_parse(place, lines->text, lines->bytes, &object, err);
		if (status == OMT_OK)
			status = read_line(reader, place, object, err);
		json_decref(object);
	}
	if (status == OMT_OK && ferror(lines->file))
		status = OMT_FAIL(err, IO, "%s: %s", reader->path, strerror(errno));
	return status;
}

omt_status omt_negatives_read(const char *path, omt_negative_found found, void *user,
                              omt_error *err)
{
	omt_negatives_reader reader = {.path = path, .found = found, .user = user};
	omt_lines lines;
	omt_status status = omt_lines_open(path, &lines, err);
	if (status == OMT_OK)
		status = read_lines(&reader, &lines, err);
	omt_names_free(&reader.lines);
	omt_lines_close(&lines);
	return status;
}
