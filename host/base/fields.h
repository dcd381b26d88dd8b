/* fields.h - a mapping of a YAML file as a table: which keys it may have and where their values go.
 *
 * Unknown keys, wrong types and values out of range are errors with file and line. What is not
 * there, or null, leaves the value as it was. */
#ifndef OMT_BASE_FIELDS_H
#define OMT_BASE_FIELDS_H

#include <stddef.h>

#include "base/yaml.h"

typedef struct omt_field {
	const char *key; /* NULL ends a table */
	enum {
		OMT_FIELD_SECTION, /* a mapping, read by a table of its own */
		OMT_FIELD_LIST,    /* of what the caller reads */
		OMT_FIELD_OTHER,   /* of any type, which the caller reads */
		OMT_FIELD_TEXT,
		OMT_FIELD_BOOL,
		OMT_FIELD_WORD, /* of `words`: its place among them, an int or an enum */
		OMT_FIELD_INT,  /* int32_t */
		OMT_FIELD_INT64,
		OMT_FIELD_REAL /* double */
	} type;
	size_t at, size; /* offset in what the mapping is read into; size: of a text's array */
	const char *const *words; /* NULL at the end */
	double low, high;         /* of numbers */
} omt_field;

/* The rest of an entry of a table whose mapping is read into a struct `type`:
 *     {"name", OMT_FIELD_OF(TEXT, card, name)}, {"count", OMT_FIELD_OF(INT, card, count), 1, 64} */
#define OMT_FIELD_OF(kind, type, member) \
	OMT_FIELD_##kind, offsetof(type, member), sizeof(((type *)0)->member), NULL

/* All of it for a word and for a value that is not a number: {"method", OMT_FIELD_WORD_OF(settings,
 * method, methods)}, {"symmetric", OMT_FIELD_BOOL_OF(settings, symmetric)}. */
#define OMT_FIELD_WORD_OF(type, member, names) \
	OMT_FIELD_WORD, offsetof(type, member), sizeof(((type *)0)->member), names, 0, 0
#define OMT_FIELD_BOOL_OF(type, member) OMT_FIELD_OF(BOOL, type, member), 0, 0
#define OMT_FIELD_TEXT_OF(type, member) OMT_FIELD_OF(TEXT, type, member), 0, 0
/* A mapping, a list or something else that is read by other means. */
#define OMT_FIELD_PART(kind) OMT_FIELD_##kind, 0, 0, NULL, 0, 0

/* Reads the mapping at `section` ("" is the top; one that is absent has no keys) into *base. */
omt_status omt_fields_read(const omt_yaml *yaml, const char *section, const omt_field *fields,
                           void *base, omt_error *err);
/* What *base holds at the table's keys, sections and lists left out, in the words of the file; a
 * text that is empty is null. Given; NULL: no memory. */
json_t *omt_fields_values(const omt_field *fields, const void *base);

#endif
