/* json.h - typed access to JSON (jansson) with errors that name file and key.
 *
 * A reader walks an object that came from a file. Every getter takes the key, and leaves *value as
 * it was when the key is absent or null: set the default first. A value of another type or out of
 * the range is OMT_BAD_FORMAT naming file and key. */
#ifndef OMT_BASE_JSON_H
#define OMT_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

typedef struct omt_json {
	const char *place;    /* file, or "file:line"; borrowed */
	const json_t *object; /* borrowed */
} omt_json;

/* Parses text; `place` goes into the error. Nesting is bounded by jansson. Given, json_decref(). */
omt_status omt_json_parse(const char *place, const char *text, size_t bytes, json_t **value,
                          omt_error *err);
/* The same for a file of at most `limit` bytes. */
omt_status omt_json_load(const char *path, size_t limit, json_t **value, omt_error *err);

omt_status omt_json_int(omt_json in, const char *key, int64_t low, int64_t high, int32_t *value,
                        omt_error *err);
omt_status omt_json_int64(omt_json in, const char *key, int64_t low, int64_t high, int64_t *value,
                          omt_error *err);
omt_status omt_json_real(omt_json in, const char *key, double low, double high, double *value,
                         omt_error *err);
omt_status omt_json_bool(omt_json in, const char *key, bool *value, omt_error *err);
/* The string stays the object's. */
omt_status omt_json_string(omt_json in, const char *key, const char **value, omt_error *err);
/* The member object, or NULL in `object` when absent. */
omt_status omt_json_member(omt_json in, const char *key, omt_json *member, omt_error *err);
/* The member array of at most `limit` entries, or NULL in *list when absent. */
omt_status omt_json_list(omt_json in, const char *key, size_t limit, const json_t **list,
                         omt_error *err);
/* An array of integers into values[limit]; *count stays as it was when absent. */
omt_status omt_json_ints(omt_json in, const char *key, int64_t low, int64_t high, int32_t *values,
                         size_t limit, size_t *count, omt_error *err);
omt_status omt_json_reals(omt_json in, const char *key, double *values, size_t limit, size_t *count,
                          omt_error *err);
/* A string value also where the text is not UTF-8 (names of files need not be, errors may be cut):
 * then every byte that is not ASCII becomes '?'. Given; NULL: no memory. */
json_t *omt_json_text(const char *text);
/* Fails with the first key of the object that is not in the NULL-terminated list. */
omt_status omt_json_only(omt_json in, const char *const *keys, omt_error *err);

#endif
