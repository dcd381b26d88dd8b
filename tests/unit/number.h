/* number.h - a number of a JSON object, which a test needs to be there. */
#ifndef OMT_TESTS_UNIT_NUMBER_H
#define OMT_TESTS_UNIT_NUMBER_H

#include <criterion/criterion.h>
#include <jansson.h>

static inline double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	cr_assert(json_is_number(value), "\"%s\" is no number", key);
	return json_number_value(value);
}

#endif
