#include "hls/device_model/xml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void omt_xml_start(omt_xml *xml, const char *place, const char *text, size_t bytes)
{
	*xml = (omt_xml){.place = place, .at = text, .bytes = bytes, .line = 1};
}

static omt_status bad(const omt_xml *xml, const char *what, omt_error *err)
{
	return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: %s", xml->place, xml->line, what);
}

static void skip(omt_xml *xml, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		xml->line += xml->at[i] == '\n';
	xml->at += bytes;
	xml->bytes -= bytes;
}

static bool starts(const omt_xml *xml, const char *text)
{
	size_t bytes = strlen(text);
	return xml->bytes >= bytes && !memcmp(xml->at, text, bytes);
}

/* Past the next `mark`. */
static omt_status skip_past(omt_xml *xml, const char *mark, omt_error *err)
{
	const char *found = memmem(xml->at, xml->bytes, mark, strlen(mark));
	if (!found)
		return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: no %s before the end", xml->place,
		                xml->line, mark);
	skip(xml, (size_t)(found - xml->at) + strlen(mark));
	return OMT_OK;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
	return c && !is_space(c) && !strchr("<>/=\"'&", c);
}

static bool same(omt_xml_slice a, omt_xml_slice b)
{
	return a.bytes == b.bytes && !memcmp(a.text, b.text, a.bytes);
}

static omt_xml_slice take_name(omt_xml *xml)
{
	omt_xml_slice name = {xml->at, 0};
	while (name.bytes < xml->bytes && is_name(xml->at[name.bytes]))
		name.bytes++;
	skip(xml, name.bytes);
	return name;
}

/* name = "value" pairs up to > or />; both are left. */
static omt_status take_attributes(omt_xml *xml, omt_error *err)
{
	const char *first = xml->at;
	for (;;) {
		while (xml->bytes && is_space(*xml->at))
			skip(xml, 1);
		if (!xml->bytes)
			return bad(xml, "the file ends within a tag", err);
		if (*xml->at == '>' || *xml->at == '/')
			break;
		if (!take_name(xml).bytes)
			return bad(xml, "the name of an attribute was expected", err);
		while (xml->bytes && is_space(*xml->at))
			skip(xml, 1);
		if (!starts(xml, "="))
			return bad(xml, "= was expected after the name of an attribute", err);
		skip(xml, 1);
		while (xml->bytes && is_space(*xml->at))
			skip(xml, 1);
		if (!starts(xml, "\"") && !starts(xml, "'"))
			return bad(xml, "the value of an attribute has no quotes", err);
		char quote[] = {*xml->at, 0};
		skip(xml, 1);
		OMT_TRY(skip_past(xml, quote, err));
	}
	xml->attributes = (omt_xml_slice){first, (size_t)(xml->at - first)};
	return OMT_OK;
}

static omt_status take_open(omt_xml *xml, omt_error *err)
{
	skip(xml, 1);
	xml->name = take_name(xml);
	if (!xml->name.bytes)
		return bad(xml, "a name was expected after <", err);
	OMT_TRY(take_attributes(xml, err));
	xml->empty = *xml->at == '/';
	if (xml->empty)
		skip(xml, 1);
	if (!starts(xml, ">"))
		return bad(xml, "> was expected", err);
	skip(xml, 1);
	if (xml->depth == OMT_XML_DEPTH)
		return bad(xml, "elements are nested too deep", err);
	xml->open[xml->depth++] = xml->name;
	return OMT_OK;
}

static omt_status take_close(omt_xml *xml, omt_error *err)
{
	skip(xml, 2);
	xml->name = take_name(xml);
	xml->attributes.bytes = 0;
	if (!xml->depth || !same(xml->name, xml->open[xml->depth - 1]))
		return bad(xml, "an element is closed that is not the last one open", err);
	xml->depth--;
	return skip_past(xml, ">", err);
}

omt_status omt_xml_next(omt_xml *xml, omt_xml_kind *kind, omt_error *err)
{
	static const struct {
		const char *begin, *end;
	} passed_over[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};
	if (xml->empty) {
		xml->empty = false;
		xml->depth--;
		*kind = OMT_XML_CLOSE;
		return OMT_OK;
	}
	for (;;) {
		const char *next = memchr(xml->at, '<', xml->bytes);
		size_t way = 0;
		skip(xml, next ? (size_t)(next - xml->at) : xml->bytes);
		if (!next)
			break;
		while (way < 3 && !starts(xml, passed_over[way].begin))
			way++;
		if (way < 3) {
			OMT_TRY(skip_past(xml, passed_over[way].end, err));
			continue;
		}
		if (starts(xml, "<!"))
			return bad(xml, "a document type, which is not read", err);
		*kind = starts(xml, "</") ? OMT_XML_CLOSE : OMT_XML_OPEN;
		return *kind == OMT_XML_CLOSE ? take_close(xml, err) : take_open(xml, err);
	}
	*kind = OMT_XML_END;
	return xml->depth ? bad(xml, "the file ends with elements open", err) : OMT_OK;
}

bool omt_xml_is(const omt_xml *xml, const char *name)
{
	return same(xml->name, (omt_xml_slice){name, strlen(name)});
}

/* The raw value between its quotes. take_attributes has checked the form. */
static bool find(const omt_xml *xml, const char *name, omt_xml_slice *value)
{
	omt_xml walk = {.at = xml->attributes.text, .bytes = xml->attributes.bytes};
	while (walk.bytes) {
		while (walk.bytes && (is_space(*walk.at) || *walk.at == '='))
			skip(&walk, 1);
		omt_xml_slice at_hand = take_name(&walk);
		while (walk.bytes && *walk.at != '"' && *walk.at != '\'')
			skip(&walk, 1);
		if (!walk.bytes)
			return false;
		char quote = *walk.at;
		skip(&walk, 1);
		*value = (omt_xml_slice){walk.at, 0};
		while (value->bytes < walk.bytes && walk.at[value->bytes] != quote)
			value->bytes++;
		skip(&walk, value->bytes + 1);
		if (same(at_hand, (omt_xml_slice){name, strlen(name)}))
			return true;
	}
	return false;
}

/* The character that an entity at text (after &) stands for; 0: none that is read here. */
static char entity(const char *text, size_t bytes, size_t *length)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		*length = strlen(names[i].name);
		if (bytes >= *length && !memcmp(text, names[i].name, *length))
			return names[i].c;
	}
	const char *end = memchr(text, ';', bytes < 8 ? bytes : 8);
	if (!end || *text != '#')
		return 0;
	char digits[8] = "";
	bool hex = text[1] == 'x';
	const char *first = text + 1 + hex;
	memcpy(digits, first, end > first ? (size_t)(end - first) : 0);
	char *rest;
	unsigned long code = strtoul(digits, &rest, hex ? 16 : 10);
	*length = (size_t)(end - text) + 1;
	return *rest || code > 126 ? 0 : (char)code;
}

omt_status omt_xml_text(const omt_xml *xml, const char *name, char *value, size_t limit,
                        bool *found, omt_error *err)
{
	omt_xml_slice raw;
	size_t out = 0;
	*value = 0;
	*found = find(xml, name, &raw);
	for (size_t i = 0; *found && i < raw.bytes; i++) {
		char c = raw.text[i];
		if (c == '&') {
			size_t length = 0;
			c = entity(raw.text + i + 1, raw.bytes - i - 1, &length);
			i += length;
		}
		if (!c || out + 1 == limit)
			return OMT_FAIL(err, BAD_FORMAT, "%s:%zu: %s of %.*s is %s", xml->place,
			                xml->line, name, (int)xml->name.bytes, xml->name.text,
			                c ? "too long" : "not text that is read here");
		value[out++] = c;
	}
	value[out] = 0;
	return OMT_OK;
}

omt_status omt_xml_number(const omt_xml *xml, const char *name, uint64_t high, uint64_t *value,
                          omt_error *err)
{
	char text[32], *rest;
	bool found;
	OMT_TRY(omt_xml_text(xml, name, text, sizeof text, &found, err));
	if (!*text)
		return OMT_OK;
	errno = 0;
	unsigned long long number = strtoull(text, &rest, 0);
	if (*rest || rest == text || strchr("-+ ", *text) || errno || number > high)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s:%zu: %s=\"%s\" of %.*s is no number up to %llu", xml->place,
		                xml->line, name, text, (int)xml->name.bytes, xml->name.text,
		                (unsigned long long)high);
	*value = number;
	return OMT_OK;
}
