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
		OMT_FIELD_TEXT,
		OMT_FIELD_INT, /* int32_t */
		OMT_FIELD_INT64,
		OMT_FIELD_REAL /* double */
	} type;
	size_t at, size;  /* offset in what the mapping is read into; size: of a text's array */
	double low, high; /* of numbers */
} omt_field;

/* The rest of an entry of a table whose mapping is read into a struct `type`:
 *     {"name", OMT_FIELD_OF(TEXT, card, name)}, {"count", OMT_FIELD_OF(INT, card, count), 1, 64} */
#define OMT_FIELD_OF(kind, type, member) \
	OMT_FIELD_##kind, offsetof(type, member), sizeof(((type *)0)->member)

/* Reads the mapping at `section` ("" is the top; one that is absent has no keys) into *base. */
omt_status omt_fields_read(const omt_yaml *yaml, const char *section, const omt_field *fields,
                           void *base, omt_error *err);

#endif
