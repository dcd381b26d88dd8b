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

static omt_status read_field(omt_json in, const omt_field *f, void *base, omt_error *err)
{
	void *to = (char *)base + f->at;
	omt_json section;
	const json_t *list;
	switch (f->type) {
	case OMT_FIELD_LIST:
		return omt_json_list(in, f->key, SIZE_MAX, &list, err);
	case OMT_FIELD_TEXT:
		return read_text(in, f, to, err);
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
		char full[256], place[512];
		const omt_field *f = fields;
		snprintf(full, sizeof full, "%s%s%s", section, *section ? "." : "", key);
		snprintf(place, sizeof place, "%s:%d", yaml->path, omt_yaml_line(yaml, full));
		while (f->key && strcmp(f->key, key))
			f++;
		if (!f->key)
			return OMT_FAIL(err, BAD_FORMAT, "%s: unknown key \"%s\"", place, full);
		OMT_TRY(read_field((omt_json){place, object}, f, base, err));
	}
	return OMT_OK;
}
