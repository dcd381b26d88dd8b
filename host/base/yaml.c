#include "base/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "base/numeric.h"

#define MAX_DEPTH 32
#define MAX_KEY   512

typedef struct omt_yaml_reader {
	yaml_parser_t parser;
	const char *path;
	json_t *lines;
	char key[MAX_KEY]; /* of the value being read */
	omt_error *err;
} omt_yaml_reader;

static omt_status read_value(omt_yaml_reader *in, yaml_event_t *event, int depth, json_t **value);

static omt_status next_event(omt_yaml_reader *in, yaml_event_t *event)
{
	if (!yaml_parser_parse(&in->parser, event))
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: not YAML: %s", in->path,
		                in->parser.problem_mark.line + 1,
		                in->parser.problem ? in->parser.problem : "unreadable");
	return OMT_OK;
}

static size_t line_of(const yaml_event_t *event)
{
	return event->start_mark.line + 1;
}

/* Tags and anchors mean nothing here, and what is not understood must not be passed over. */
static omt_status refuse_marks(omt_yaml_reader *in, const yaml_event_t *event)
{
	const yaml_char_t *tag = NULL, *anchor = NULL;
	if (event->type == YAML_SCALAR_EVENT) {
		tag = event->data.scalar.tag;
		anchor = event->data.scalar.anchor;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		tag = event->data.sequence_start.tag;
		anchor = event->data.sequence_start.anchor;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		tag = event->data.mapping_start.tag;
		anchor = event->data.mapping_start.anchor;
	}
	if (tag || anchor)
		return OMT_FAIL(in->err, UNSUPPORTED, "%s:%zu: %s \"%s\"", in->path, line_of(event),
		                tag ? "tag" : "anchor", (const char *)(tag ? tag : anchor));
	return OMT_OK;
}

static bool is_word(const char *text, const char *const *words)
{
	while (*words && strcmp(*words, text))
		words++;
	return *words;
}

/* Integers of the core schema: decimal with a sign, 0o and 0x without. */
static bool read_integer(const char *text, json_int_t *integer)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	bool prefixed = text[0] == '0' && (text[1] == 'x' || text[1] == 'o');
	int base = !prefixed ? 10 : text[1] == 'x' ? 16 : 8;
	const char *from = text + (prefixed ? 2 : *text == '-' || *text == '+');
	size_t allowed = base == 16 ? sizeof digits - 1 : (size_t)base, i = 0;
	while (from[i] && memchr(digits, from[i], allowed))
		i++;
	if (!i || from[i])
		return false;
	errno = 0;
	*integer = strtoll(prefixed ? from : text, NULL, base);
	return !errno;
}

/* A plain scalar by the core schema. Infinity and NaN stay strings: JSON has no such numbers. */
static json_t *plain_value(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	json_int_t integer;
	char *end;
	if (is_word(text, nulls))
		return json_null();
	if (is_word(text, trues))
		return json_true();
	if (is_word(text, falses))
		return json_false();
	if (read_integer(text, &integer))
		return json_integer(integer);
	/* omt_numeric_read() also takes hexadecimal and "nan". */
	if (strspn(text, "0123456789+-.eE") == strlen(text)) {
		double real = omt_numeric_read(text, &end);
		if (!*end && isfinite(real))
			return json_real(real);
	}
	return json_string(text);
}

static omt_status read_scalar(omt_yaml_reader *in, const yaml_event_t *event, json_t **value)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(text) == length)
		*value = plain_value(text);
	else
		*value = json_stringn(text, length);
	if (!*value)
		return OMT_FAIL(in->err, NO_MEMORY, "%s:%zu", in->path, line_of(event));
	return OMT_OK;
}

/* The line of what stands at in->key. */
static omt_status keep_line(omt_yaml_reader *in, const yaml_event_t *event)
{
	json_t *line = json_integer((json_int_t)line_of(event));
	if (json_object_set_new(in->lines, in->key, line) != 0)
		return OMT_FAIL(in->err, NO_MEMORY, "%s:%zu", in->path, line_of(event));
	return OMT_OK;
}

/* Reads an entry of a list; "KEY[INDEX]" goes into lines. */
static omt_status read_entry(omt_yaml_reader *in, yaml_event_t *event, int depth, json_t *list)
{
	json_t *entry = NULL;
	const size_t before = strlen(in->key), room = sizeof in->key - before;
	const int length = snprintf(in->key + before, room, "[%zu]", json_array_size(list));
	omt_status status = OMT_OK;
	if (length < 0 || (size_t)length >= room)
		status = OMT_FAIL(in->err, LIMIT, "%s:%zu: a key of more than %d bytes", in->path,
		                  line_of(event), MAX_KEY);
	else
		status = keep_line(in, event);
	if (status == OMT_OK)
		status = read_value(in, event, depth + 1, &entry);
	in->key[before] = '\0';
	if (status != OMT_OK) {
		json_decref(entry);
		return status;
	}
	if (json_array_append_new(list, entry) != 0)
		return OMT_FAIL(in->err, NO_MEMORY, "%s", in->path);
	return OMT_OK;
}

static omt_status read_sequence(omt_yaml_reader *in, int depth, json_t **value)
{
	*value = json_array();
	for (;;) {
		yaml_event_t event;
		OMT_TRY(next_event(in, &event));
		const bool end = event.type == YAML_SEQUENCE_END_EVENT;
		omt_status status = end ? OMT_OK : read_entry(in, &event, depth, *value);
		yaml_event_delete(&event);
		if (status != OMT_OK || end)
			return status;
	}
}

/* Reads `key: value` into the object; the key's full name goes into lines. */
static omt_status read_pair(omt_yaml_reader *in, const yaml_event_t *key, int depth, json_t *object)
{
	yaml_event_t event;
	json_t *value = NULL;
	size_t before = strlen(in->key);
	if (key->type != YAML_SCALAR_EVENT)
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: a key that is not a scalar", in->path,
		                line_of(key));
	OMT_TRY(refuse_marks(in, key));
	const char *name = (const char *)key->data.scalar.value;
	if (strlen(name) != key->data.scalar.length)
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: a key with a NUL byte", in->path,
		                line_of(key));
	if (json_object_get(object, name))
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: \"%s\" for the second time", in->path,
		                line_of(key), name);
	if (before + strlen(name) + 2 > sizeof in->key)
		return OMT_FAIL(in->err, LIMIT, "%s:%zu: a key of more than %d bytes", in->path,
		                line_of(key), MAX_KEY);
	if (before)
		strcat(in->key, ".");
	strcat(in->key, name);
	OMT_TRY(keep_line(in, key));
	OMT_TRY(next_event(in, &event));
	omt_status status = read_value(in, &event, depth + 1, &value);
	if (status != OMT_OK)
		json_decref(value);
	else if (json_object_set_new(object, name, value) != 0)
		status = OMT_FAIL(in->err, NO_MEMORY, "%s:%zu", in->path, line_of(key));
	yaml_event_delete(&event);
	in->key[before] = '\0';
	return status;
}

static omt_status read_mapping(omt_yaml_reader *in, int depth, json_t **value)
{
	*value = json_object();
	for (;;) {
		yaml_event_t event;
		OMT_TRY(next_event(in, &event));
		bool end = event.type == YAML_MAPPING_END_EVENT;
		omt_status status = end ? OMT_OK : read_pair(in, &event, depth, *value);
		yaml_event_delete(&event);
		if (status != OMT_OK || end)
			return status;
	}
}

/* On failure *value may hold a part of the tree, for the caller to release. */
static omt_status read_value(omt_yaml_reader *in, yaml_event_t *event, int depth, json_t **value)
{
	if (depth > MAX_DEPTH)
		return OMT_FAIL(in->err, LIMIT, "%s:%zu: nested deeper than %d", in->path,
		                line_of(event), MAX_DEPTH);
	OMT_TRY(refuse_marks(in, event));
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(in, event, value);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(in, depth, value);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(in, depth, value);
	default:
		return OMT_FAIL(in->err, UNSUPPORTED, "%s:%zu: an alias", in->path, line_of(event));
	}
}

/* Takes one event of the type that must come next. */
static omt_status expect(omt_yaml_reader *in, yaml_event_type_t type)
{
	yaml_event_t event;
	OMT_TRY(next_event(in, &event));
	omt_status status = OMT_OK;
	if (event.type != type)
		status = OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: expected one document", in->path,
		                  line_of(&event));
	yaml_event_delete(&event);
	return status;
}

static omt_status read_document(omt_yaml_reader *in, json_t **root)
{
	yaml_event_t event;
	OMT_TRY(expect(in, YAML_STREAM_START_EVENT));
	OMT_TRY(expect(in, YAML_DOCUMENT_START_EVENT));
	OMT_TRY(next_event(in, &event));
	omt_status status = read_value(in, &event, 0, root);
	yaml_event_delete(&event);
	OMT_TRY(status);
	OMT_TRY(expect(in, YAML_DOCUMENT_END_EVENT));
	OMT_TRY(expect(in, YAML_STREAM_END_EVENT));
	if (!json_is_object(*root))
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:1: the top is not a mapping", in->path);
	return OMT_OK;
}

omt_status omt_yaml_parse(const char *path, const char *text, size_t bytes, omt_yaml *yaml,
                          omt_error *err)
{
	omt_yaml_reader in = {.path = path, .err = err, .lines = json_object()};
	*yaml = (omt_yaml){.path = strdup(path), .lines = in.lines};
	if (!yaml->path || !in.lines || !yaml_parser_initialize(&in.parser)) {
		omt_yaml_free(yaml);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	yaml_parser_set_input_string(&in.parser, (const unsigned char *)text, bytes);
	omt_status status = read_document(&in, &yaml->root);
	yaml_parser_delete(&in.parser);
	if (status != OMT_OK)
		omt_yaml_free(yaml);
	return status;
}

omt_status omt_yaml_load(const char *path, omt_yaml *yaml, omt_error *err)
{
	char *text;
	size_t bytes;
	*yaml = (omt_yaml){0};
	OMT_TRY(omt_file_read(path, 1 << 20, &text, &bytes, err));
	omt_status status = omt_yaml_parse(path, text, bytes, yaml, err);
	free(text);
	return status;
}

void omt_yaml_free(omt_yaml *yaml)
{
	free(yaml->path);
	json_decref(yaml->root);
	json_decref(yaml->lines);
	*yaml = (omt_yaml){0};
}

omt_json omt_yaml_at(const omt_yaml *yaml, const char *key)
{
	const json_t *at = yaml->root;
	while (at && *key) {
		char *end;
		size_t length = strcspn(key, ".[");
		at = json_object_getn(at, key, length);
		for (key += length; *key == '['; key = end + (*end == ']'))
			at = json_array_get(at, strtoul(key + 1, &end, 10));
		key += *key == '.';
	}
	return (omt_json){yaml->path, json_is_object(at) ? at : NULL};
}

int omt_yaml_line(const omt_yaml *yaml, const char *key)
{
	return (int)json_integer_value(json_object_get(yaml->lines, key));
}

void omt_yaml_place(const omt_yaml *yaml, const char *key, char place[OMT_YAML_PLACE])
{
	const int line = omt_yaml_line(yaml, key);
	snprintf(place, OMT_YAML_PLACE, line ? "%.500s:%d" : "%.500s", yaml->path, line);
}

/* What stands at the first part of a key ("data[0]" of "data[0].weight"); *rest is what follows. A
 * mapping that is not there is made. NULL: nothing can stand there. */
static json_t *step_into(json_t *at, const char *key, const char **rest)
{
	char *end;
	const size_t length = strcspn(key, ".[");
	*rest = key + length + (key[length] == '.');
	if (key[length] == '.' && json_is_object(at) && !json_object_getn(at, key, length))
		json_object_setn_new(at, key, length, json_object());
	at = json_object_getn(at, key, length);
	for (key += length; *key == '['; key = end + 1) {
		at = json_array_get(at, strtoul(key + 1, &end, 10));
		if (*end != ']')
			return NULL;
		*rest = end + 1 + (end[1] == '.');
	}
	return at;
}

omt_status omt_yaml_set(omt_yaml *yaml, const char *assignment, omt_error *err)
{
	const char *equals = strchr(assignment, '='), *key, *rest;
	char *text = NULL, *name = NULL;
	omt_yaml value = {0};
	omt_status status = OMT_OK;
	if (!equals || equals == assignment)
		return OMT_FAIL(err, BAD_ARGUMENT, "\"%.200s\", expected key=value", assignment);
	name = strndup(assignment, (size_t)(equals - assignment));
	if (!name || asprintf(&text, "value: %s\n", equals + 1) < 0) {
		status = OMT_FAIL(err, NO_MEMORY, "%.200s", assignment);
		goto done;
	}
	OMT_GOTO(omt_yaml_parse(name, text, strlen(text), &value, err));
	json_t *at = yaml->root;
	for (key = name; at && strchr(key, '.'); key = rest)
		at = step_into(at, key, &rest);
	if (!json_is_object(at) || !*key || strchr(key, '['))
		status = OMT_FAIL(err, BAD_FORMAT, "%s: nothing to set at \"%.200s\"", yaml->path,
		                  name);
	else if (json_object_set(at, key, json_object_get(value.root, "value")) != 0 ||
	         json_object_set_new(yaml->lines, name, json_integer(0)) != 0)
		status = OMT_FAIL(err, NO_MEMORY, "%s", name);
done:
	omt_yaml_free(&value);
	free(text);
	free(name);
	return status;
}

omt_status omt_yaml_only(const omt_yaml *yaml, const char *at, const char *const *keys,
                         omt_error *err)
{
	const char *key;
	json_t *value;
	char full[MAX_KEY];
	json_object_foreach((json_t *)(uintptr_t)omt_yaml_at(yaml, at).object, key, value)
	{
		size_t i = 0;
		while (keys[i] && strcmp(keys[i], key))
			i++;
		if (keys[i])
			continue;
		snprintf(full, sizeof full, "%s%s%s", at, *at ? "." : "", key);
		return OMT_FAIL(err, BAD_FORMAT, "%s:%d: unknown key \"%s\"", yaml->path,
		                omt_yaml_line(yaml, full), full);
	}
	return OMT_OK;
}
