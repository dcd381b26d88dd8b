/* Writing into a manifest that people edit: the text around a value stays as it is. Where a value
 * stands is guessed from its line, and a guess counts when the changed text, read again, differs in
 * that value and nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "exec/bitstream.h"

typedef struct edit {
	const char *path;
	char *text; /* owned */
	omt_yaml yaml;
} edit;

/* The begin of line `line`, from 1. */
static char *line_at(char *text, int line)
{
	while (--line > 0 && (text = strchr(text, '\n')))
		text++;
	return text;
}

/* Where the value begins and ends whose key ends at `from`; false: there is none on this line. */
static bool value_after(const char *from, const char **begin, const char **end)
{
	from += *from == '"' || *from == '\'';
	from += strspn(from, " \t");
	if (*from++ != ':')
		return false;
	from += strspn(from, " \t");
	*begin = from;
	if (*from == '"' || *from == '\'') {
		*end = strchr(from + 1, *from);
		*end = *end ? *end + 1 : from;
	} else {
		*end = from + strcspn(from, " \t\r\n,}#");
	}
	return true;
}

/* Takes `text` when it says `wanted`. */
static bool accept(edit *in, char *text, const json_t *wanted)
{
	omt_yaml yaml;
	if (!text || omt_yaml_parse(in->path, text, strlen(text), &yaml, NULL) != OMT_OK) {
		free(text);
		return false;
	}
	if (!json_equal(yaml.root, wanted)) {
		omt_yaml_free(&yaml);
		free(text);
		return false;
	}
	omt_yaml_free(&in->yaml);
	free(in->text);
	in->text = text;
	in->yaml = yaml;
	return true;
}

/* The text with `value` in place of what is between begin and end. */
static char *spliced(const edit *in, const char *begin, const char *end, const char *value)
{
	char *text = NULL;
	const int before = (int)(begin - in->text);
	const char *blank = begin > in->text && begin[-1] == ':' ? " " : "";
	const char *after = *end == '#' ? " " : "";
	const int made =
		asprintf(&text, "%.*s%s%s%s%s", before, in->text, blank, value, after, end);
	return made < 0 ? NULL : text;
}

/* Tries each value of the key on the line: `value` in its place, or behind it. */
static bool splice_line(edit *in, int line, const char *key, const char *value, bool behind,
                        const json_t *wanted)
{
	const char *from = line_at(in->text, line), *begin, *end;
	const char *limit = from ? from + strcspn(from, "\n") : NULL;
	while (from && (from = strstr(from, key)) && from < limit) {
		from += strlen(key);
		if (value_after(from, &begin, &end) &&
		    accept(in, spliced(in, behind ? end : begin, end, value), wanted))
			return true;
	}
	return false;
}

/* Behind the entry's file, which every entry has: a line of its own, or within the braces. */
static bool insert(edit *in, int line, const char *key, const char *value, const json_t *wanted)
{
	const char *at = line_at(in->text, line);
	char *added = NULL, *within = NULL;
	bool done = false;
	if (!at)
		return false;
	const char *next = at + strcspn(at, "\n");
	next += *next == '\n';
	const int indent = (int)strspn(at, " -");
	if (asprintf(&added, "%s%*s%s: %s\n", next[-1] == '\n' ? "" : "\n", indent, "", key,
	             value) < 0)
		added = NULL;
	if (asprintf(&within, ", %s: %s", key, value) < 0)
		within = NULL;
	if (added && within)
		done = accept(in, spliced(in, next, next, added), wanted) ||
		       splice_line(in, line, "file", within, true, wanted);
	free(added);
	free(within);
	return done;
}

/* Gives entry `number` the value, which `quoted` is in YAML; taken. */
static omt_status set(edit *in, size_t number, const char *key, json_t *value, const char *quoted,
                      omt_error *err)
{
	char section[48], full[64], file[64];
	json_t *wanted = json_deep_copy(in->yaml.root);
	json_t *entry = json_array_get(json_object_get(wanted, "bitstreams"), number);
	omt_status status = OMT_OK;
	snprintf(section, sizeof section, "bitstreams[%zu]", number);
	snprintf(full, sizeof full, "%s.%s", section, key);
	snprintf(file, sizeof file, "%s.file", section);
	const int line = omt_yaml_line(&in->yaml, full);
	if (!value || json_object_set(entry, key, value) != 0)
		status = OMT_FAIL(err, NO_MEMORY, "%s", in->path);
	else if (!(line ? splice_line(in, line, key, quoted, false, wanted)
	                : insert(in, omt_yaml_line(&in->yaml, file), key, quoted, wanted)))
		status = OMT_FAIL(err, UNSUPPORTED,
		                  "%s:%d: \"%s\" cannot be changed here: write it as %s: %s",
		                  in->path, line ? line : omt_yaml_line(&in->yaml, section), key,
		                  key, quoted);
	json_decref(value);
	json_decref(wanted);
	return status;
}

static omt_status write_text(const edit *in, omt_error *err)
{
	omt_output out;
	OMT_TRY(omt_output_open(in->path, &out, err));
	fputs(in->text, out.stream);
	return omt_output_close(&out, true, err);
}

static omt_status change(edit *in, const char *name, const char *digest, omt_error *err)
{
	omt_bitstreams all;
	const omt_bitstream *entry;
	char quoted[OMT_DIGEST_TEXT + 2], version[16];
	OMT_TRY(omt_bitstreams_parse(in->path, in->text, strlen(in->text), &all, err));
	omt_status status = omt_bitstreams_find(&all, name, NULL, NULL, &entry, err);
	const size_t number = status == OMT_OK ? (size_t)(entry - all.entries) : 0;
	omt_bitstreams_free(&all);
	OMT_TRY(status);
	snprintf(quoted, sizeof quoted, "\"%s\"", digest);
	snprintf(version, sizeof version, "%d", OMT_CONTRACT_VERSION);
	OMT_TRY(set(in, number, "contract", json_integer(OMT_CONTRACT_VERSION), version, err));
	OMT_TRY(set(in, number, "digest", json_string(digest), quoted, err));
	return write_text(in, err);
}

omt_status omt_bitstreams_set_digest(const char *path, const char *name, const char *digest,
                                     omt_error *err)
{
	edit in = {.path = path};
	size_t bytes;
	omt_status status;
	OMT_TRY(omt_file_read(path, 1 << 20, &in.text, &bytes, err));
	OMT_GOTO(omt_yaml_parse(path, in.text, bytes, &in.yaml, err));
	if (strlen(in.text) != bytes) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: a NUL byte", path);
		goto done;
	}
	status = change(&in, name, digest, err);
done:
	omt_yaml_free(&in.yaml);
	free(in.text);
	return status;
}
