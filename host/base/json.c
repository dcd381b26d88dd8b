#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {"an object", "an array", "a string", "an integer",
	                                    "a number",  "true",     "false",    "null"};
	return names[json_typeof(value)];
}

static omt_status wrong(omt_json in, const char *key, const json_t *value, const char *wanted,
                        omt_error *err)
{
	return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is %s, expected %s", in.place, key,
	                type_name(value), wanted);
}

static const json_t *find(omt_json in, const char *key)
{
	const json_t *value = json_object_get(in.object, key);
	return value && json_is_null(value) ? NULL : value;
}

omt_status omt_json_parse(const char *place, const char *text, size_t bytes, json_t **value,
                          omt_error *err)
{
	json_error_t error;
	*value = json_loadb(text, bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!*value)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d:%d: not JSON: %s", place, error.line,
		                error.column, error.text);
	return OMT_OK;
}

omt_status omt_json_load(const char *path, size_t limit, json_t **value, omt_error *err)
{
	char *text;
	size_t bytes;
	*value = NULL;
	OMT_TRY(omt_file_read(path, limit, &text, &bytes, err));
	omt_status status = omt_json_parse(path, text, bytes, value, err);
	free(text);
	return status;
}

omt_status omt_json_int64(omt_json in, const char *key, int64_t low, int64_t high, int64_t *value,
                          omt_error *err)
{
	const json_t *found = find(in, key);
	if (!found)
		return OMT_OK;
	if (!json_is_integer(found))
		return wrong(in, key, found, "an integer", err);
	int64_t number = json_integer_value(found);
	if (number < low || number > high)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is %lld, expected %lld to %lld",
		                in.place, key, (long long)number, (long long)low, (long long)high);
	*value = number;
	return OMT_OK;
}

omt_status omt_json_int(omt_json in, const char *key, int64_t low, int64_t high, int32_t *value,
                        omt_error *err)
{
	int64_t wide = *value;
	OMT_TRY(omt_json_int64(in, key, low < INT32_MIN ? INT32_MIN : low,
	                       high > INT32_MAX ? INT32_MAX : high, &wide, err));
	*value = (int32_t)wide;
	return OMT_OK;
}

omt_status omt_json_real(omt_json in, const char *key, double low, double high, double *value,
                         omt_error *err)
{
	const json_t *found = find(in, key);
	if (!found)
		return OMT_OK;
	if (!json_is_number(found))
		return wrong(in, key, found, "a number", err);
	double number = json_number_value(found);
	if (!(number >= low && number <= high))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is %g, expected %g to %g", in.place,
		                key, number, low, high);
	*value = number;
	return OMT_OK;
}

omt_status omt_json_bool(omt_json in, const char *key, bool *value, omt_error *err)
{
	const json_t *found = find(in, key);
	if (!found)
		return OMT_OK;
	if (!json_is_boolean(found))
		return wrong(in, key, found, "true or false", err);
	*value = json_is_true(found);
	return OMT_OK;
}

omt_status omt_json_string(omt_json in, const char *key, const char **value, omt_error *err)
{
	const json_t *found = find(in, key);
	if (!found)
		return OMT_OK;
	if (!json_is_string(found))
		return wrong(in, key, found, "a string", err);
	*value = json_string_value(found);
	return OMT_OK;
}

omt_status omt_json_member(omt_json in, const char *key, omt_json *member, omt_error *err)
{
	const json_t *found = find(in, key);
	*member = (omt_json){in.place, NULL};
	if (!found)
		return OMT_OK;
	if (!json_is_object(found))
		return wrong(in, key, found, "an object", err);
	member->object = found;
	return OMT_OK;
}

omt_status omt_json_list(omt_json in, const char *key, size_t limit, const json_t **array,
                         omt_error *err)
{
	*array = find(in, key);
	if (!*array)
		return OMT_OK;
	if (!json_is_array(*array))
		return wrong(in, key, *array, "an array", err);
	if (json_array_size(*array) > limit)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: \"%s\" has %zu entries, at most %zu are allowed", in.place,
		                key, json_array_size(*array), limit);
	return OMT_OK;
}

omt_status omt_json_ints(omt_json in, const char *key, int64_t low, int64_t high, int32_t *values,
                         size_t limit, size_t *count, omt_error *err)
{
	const json_t *array;
	OMT_TRY(omt_json_list(in, key, limit, &array, err));
	if (!array)
		return OMT_OK;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *entry = json_array_get(array, i);
		if (!json_is_integer(entry) || json_integer_value(entry) < low ||
		    json_integer_value(entry) > high)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: \"%s\"[%zu] is not an integer of %lld to %lld",
			                in.place, key, i, (long long)low, (long long)high);
		values[i] = (int32_t)json_integer_value(entry);
	}
	*count = json_array_size(array);
	return OMT_OK;
}

omt_status omt_json_reals(omt_json in, const char *key, double *values, size_t limit, size_t *count,
                          omt_error *err)
{
	const json_t *array;
	OMT_TRY(omt_json_list(in, key, limit, &array, err));
	if (!array)
		return OMT_OK;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *entry = json_array_get(array, i);
		if (!json_is_number(entry) || !isfinite(json_number_value(entry)))
			return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\"[%zu] is not a finite number",
			                in.place, key, i);
		values[i] = json_number_value(entry);
	}
	*count = json_array_size(array);
	return OMT_OK;
}

omt_status omt_json_only(omt_json in, const char *const *keys, omt_error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)in.object, key, value)
	{
		size_t i = 0;
		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return OMT_FAIL(err, BAD_FORMAT, "%s: unknown key \"%s\"", in.place, key);
	}
	return OMT_OK;
}

json_t *omt_json_text(const char *text)
{
	json_t *value = json_string(text);
	char *ascii = value ? NULL : strdup(text);
	if (!ascii)
		return value;
	for (char *at = ascii; *at; at++)
		*at = (unsigned char)*at < 0x80 ? *at : '?';
	value = json_string(ascii);
	free(ascii);
	return value;
}
