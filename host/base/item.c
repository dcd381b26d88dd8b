#include "base/item.h"

#include <stdlib.h>
#include <string.h>

static const char *bytes_of(const omt_part *part, size_t *length)
{
	*length = part->kind == OMT_TEXT ? part->text_bytes : strlen(part->path);
	return part->kind == OMT_TEXT ? part->text : part->path;
}

/* Bytes that put_name() takes. */
static size_t name_bytes(const char *name)
{
	return name ? strlen(name) + 1 : 0;
}

/* Appends a string and its NUL at *to. */
static const char *put(char **to, const char *text, size_t length)
{
	char *at = *to;
	if (length)
		memcpy(at, text, length);
	at[length] = '\0';
	*to += length + 1;
	return at;
}

static const char *put_name(char **to, const char *name)
{
	return name ? put(to, name, strlen(name)) : NULL;
}

omt_item *omt_item_copy(const omt_item *item)
{
	const char *id = item->id ? item->id : "";
	size_t bytes = sizeof(omt_item) + item->part_count * sizeof(omt_part) + strlen(id) + 1;
	size_t length;
	for (size_t i = 0; i < item->part_count; i++) {
		bytes_of(&item->parts[i], &length);
		bytes += length + 1 + name_bytes(item->parts[i].transcript) +
		         name_bytes(item->parts[i].limits.subtitle_language);
	}
	omt_item *copy = malloc(bytes);
	if (!copy)
		return NULL;
	omt_part *parts = (omt_part *)(copy + 1);
	char *to = (char *)(parts + item->part_count);
	*copy = *item;
	copy->parts = parts;
	copy->id = put(&to, id, strlen(id));
	for (size_t i = 0; i < item->part_count; i++) {
		parts[i] = item->parts[i];
		const char *text = bytes_of(&item->parts[i], &length);
		text = put(&to, text, length);
		if (parts[i].kind == OMT_TEXT)
			parts[i].text = text;
		else
			parts[i].path = text;
		parts[i].transcript = put_name(&to, parts[i].transcript);
		parts[i].limits.subtitle_language =
			put_name(&to, parts[i].limits.subtitle_language);
	}
	return copy;
}
