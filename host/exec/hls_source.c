#include "exec/hls_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MAX_SOURCE (1 << 20)
#define MAX_DEPTH  8 /* of includes */

static char *source_path(const char *folder, const char *name, size_t length)
{
	char file[96];
	snprintf(file, sizeof file, "%.*s_hls.c", (int)length, name);
	return omt_path_join(folder, file);
}

omt_status omt_hls_source_find(const char *folder, omt_op op, char **path, omt_error *err)
{
	const char *name = omt_op_infos[op].name;
	size_t length = strlen(name);
	while (length) {
		*path = source_path(folder, name, length);
		if (!*path)
			return OMT_FAIL(err, NO_MEMORY, "%s", folder);
		if (omt_file_exists(*path))
			return OMT_OK;
		free(*path);
		do
			length--;
		while (length && name[length] != '_');
	}
	*path = NULL;
	return OMT_FAIL(err, UNSUPPORTED, "%s: no source for op %s (%s_hls.c)", folder, name, name);
}

/* The name in a line `#include "name"`; its length, 0: the line is none. */
static size_t included(const char *line, const char **name)
{
	line += strspn(line, " \t");
	if (*line++ != '#')
		return 0;
	line += strspn(line, " \t");
	if (strncmp(line, "include", 7))
		return 0;
	line += 7 + strspn(line + 7, " \t");
	if (*line != '"')
		return 0;
	*name = line + 1;
	const size_t length = strcspn(*name, "\"\n");
	return (*name)[length] == '"' ? length : 0;
}

static omt_status flatten(const char *path, int depth, FILE *to, omt_error *err);

static omt_status flatten_included(const char *folder, const char *name, size_t length, int depth,
                                   FILE *to, omt_error *err)
{
	char *file = strndup(name, length);
	char *path = file ? omt_path_join(folder, file) : NULL;
	omt_status status =
		path ? flatten(path, depth + 1, to, err) : OMT_FAIL(err, NO_MEMORY, "%s", folder);
	free(path);
	free(file);
	return status;
}

static omt_status flatten(const char *path, int depth, FILE *to, omt_error *err)
{
	char *text = NULL, *folder = NULL;
	omt_status status = OMT_OK;
	int line = 1;
	if (depth > MAX_DEPTH)
		return OMT_FAIL(err, BAD_FORMAT, "%s: included %d deep", path, depth);
	OMT_GOTO(omt_file_read(path, MAX_SOURCE, &text, NULL, err));
	folder = omt_path_folder(path);
	if (!folder)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", path));
	fprintf(to, "#line 1 \"%s\"\n", path);
	for (const char *at = text, *name; *at; line++) {
		const size_t length = strcspn(at, "\n"), name_length = included(at, &name);
		if (name_length) {
			OMT_GOTO(flatten_included(folder, name, name_length, depth, to, err));
			fprintf(to, "#line %d \"%s\"\n", line + 1, path);
		} else {
			fprintf(to, "%.*s\n", (int)length, at);
		}
		at += length + (at[length] == '\n');
	}
done:
	free(folder);
	free(text);
	return status;
}

omt_status omt_hls_source_flatten(const char *path, FILE *to, omt_error *err)
{
	return flatten(path, 0, to, err);
}

void omt_hls_defines(FILE *to, omt_op op, const omt_hls_params *params, const char *before,
                     const char *between, const char *after)
{
	fprintf(to, "%sHLS_OP_%s%s1%s", before, omt_op_infos[op].name, between, after);
#define DEFINE(name, macro) \
	if (params->name)   \
		fprintf(to, "%s" #macro "%s%d%s", before, between, params->name, after);
	OMT_HLS_PARAM_LIST(DEFINE)
#undef DEFINE
}
