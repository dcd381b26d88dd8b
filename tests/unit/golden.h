/* golden.h - the golden cases and arrays for the tests of media and preparation. */
#ifndef OMT_TESTS_UNIT_GOLDEN_H
#define OMT_TESTS_UNIT_GOLDEN_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/npy.h"

#define DATA     "tests/golden/data/"
#define EXPECTED DATA "expected/"

typedef void golden_check(const char *place, const json_t *line);

/* Calls `check` for each line of a JSON-lines file; returns how many there were. */
static inline int golden_lines(const char *path, golden_check *check)
{
	omt_error err;
	char *text, *rest, place[160];
	int seen = 0;
	cr_assert_eq(omt_file_read(path, 1 << 24, &text, NULL, &err), OMT_OK, "%s", err.text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *value;
		snprintf(place, sizeof place, "%s:%d", path, ++seen);
		cr_assert_eq(omt_json_parse(place, line, strlen(line), &value, &err), OMT_OK, "%s",
		             err.text);
		check(place, value);
		json_decref(value);
	}
	free(text);
	return seen;
}

static inline const char *golden_text(const json_t *in, const char *key)
{
	return json_string_value(json_object_get(in, key));
}

static inline int golden_int(const json_t *in, const char *key)
{
	return (int)json_integer_value(json_object_get(in, key));
}

/* Where a case's first file lies. */
static inline const char *golden_file(const json_t *line)
{
	static _Thread_local char path[256];
	snprintf(path, sizeof path, DATA "%s",
	         json_string_value(json_array_get(json_object_get(line, "files"), 0)));
	return path;
}

/* Opens EXPECTED name; false when the case has no such array or it is not kept here. */
static inline bool golden_array(const char *name, omt_npy *array)
{
	char path[256];
	omt_error err;
	if (!name)
		return false;
	snprintf(path, sizeof path, EXPECTED "%s", name);
	if (!omt_file_exists(path))
		return false;
	cr_assert_eq(omt_npy_open(path, array, &err), OMT_OK, "%s", err.text);
	return true;
}

static inline void golden_open(const char *path, omt_npy *array)
{
	omt_error err;
	cr_assert_eq(omt_npy_open(path, array, &err), OMT_OK, "%s", err.text);
}

#endif
