#include "base/fields.h"

#include <stdio.h>
#include <string.h>

static omt_status read_text(omt_json in, const omt_field *f, char *to, omt_error *err)
{
	const char *text = NULL;
	OMT_TRY(omt_json_string(in, f->key, &text, err));
	if (text && strlen(text) >= f->size)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is longer than %zu bytes", in.place,
		                f->key, f->size - 1);
	if (text)
		snprintf(to, f->size, "%s", text);
	return OMT_OK;
}

static omt_status read_word(omt_json in, const omt_field *f, int *to, omt_error *err)
{
	const char *word = NULL;
	char expected[128] = "";
	OMT_TRY(omt_json_string(in, f->key, &word, err));
	if (!word)
		return OMT_OK;
	for (int i = 0; f->words[i]; i++) {
		const size_t used = strlen(expected);
		if (!strcmp(word, f->words[i])) {
			*to = i;
			return OMT_OK;
		}
		snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "",
		         f->words[i]);
	}
	return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is \"%.80s\", expected one of %s", in.place,
	                f->key, word, expected);
}

static omt_status read_field(omt_json in, const omt_field *f, void *base, omt_error *err)
{
	void *to = (char *)base + f->at;
	omt_json section;
	const json_t *list;
	switch (f->type) {
	case OMT_FIELD_LIST:
		return omt_json_list(in, f->key, SIZE_MAX, &list, err);
	case OMT_FIELD_OTHER:
		return OMT_OK;
	case OMT_FIELD_TEXT:
		return read_text(in, f, to, err);
	case OMT_FIELD_BOOL:
		return omt_json_bool(in, f->key, to, err);
	case OMT_FIELD_WORD:
		return read_word(in, f, to, err);
	case OMT_FIELD_INT:
		return omt_json_int(in, f->key, (int64_t)f->low, (int64_t)f->high, to, err);
	case OMT_FIELD_INT64:
		return omt_json_int64(in, f->key, (int64_t)f->low, (int64_t)f->high, to, err);
	case OMT_FIELD_REAL:
		return omt_json_real(in, f->key, f->low, f->high, to, err);
	default:
		return omt_json_member(in, f->key, &section, err);
	}
}

omt_status omt_fields_read(const omt_yaml *yaml, const char *section, const omt_field *fields,
                           void *base, omt_error *err)
{
	const json_t *object = omt_yaml_at(yaml, section).object;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		char full[256], place[OMT_YAML_PLACE];
		const omt_field *f = fields;
		snprintf(full, sizeof full, "%s%s%s", section, *section ? "." : "", key);
		omt_yaml_place(yaml, full, place);
		while (f->key && strcmp(f->key, key))
			f++;
		if (!f->key)
			return OMT_FAIL(err, BAD_FORMAT, "%s: unknown key \"%s\"", place, full);
		OMT_TRY(read_field((omt_json){place, object}, f, base, err));
	}
	return OMT_OK;
}

static json_t *value_of(const omt_field *f, const void *from)
{
	switch (f->type) {
	case OMT_FIELD_TEXT:
		return *(const char *)from ? omt_json_text(from) : json_null();
	case OMT_FIELD_BOOL:
		return json_boolean(*(const bool *)from);
	case OMT_FIELD_WORD:
		return json_string(f->words[*(const int *)from]);
	case OMT_FIELD_INT:
		return json_integer(*(const int32_t *)from);
	case OMT_FIELD_INT64:
		return json_integer(*(const int64_t *)from);
	default:
		return json_real(*(const double *)from);
	}
}

json_t *omt_fields_values(const omt_field *fields, const void *base)
{
	json_t *values = json_object();
	for (const omt_field *f = fields; f->key; f++) {
		if (f->type == OMT_FIELD_SECTION || f->type == OMT_FIELD_LIST ||
		    f->type == OMT_FIELD_OTHER)
			continue;
		if (json_object_set_new(values, f->key, value_of(f, (const char *)base + f->at))) {
			json_decref(values);
			return NULL;
		}
	}
	return values;
}
