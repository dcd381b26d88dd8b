#include "index/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

omt_status omt_lines_open(const char *path, omt_lines *lines, omt_error *err)
{
	struct stat info;
	*lines = (omt_lines){.standard = !strcmp(path, "-")};
	lines->file = lines->standard ? stdin : fopen(path, "rbe");
	if (!lines->file)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (fstat(fileno(lines->file), &info) == 0 && S_ISDIR(info.st_mode))
		return OMT_FAIL(err, IO, "%s: a folder, expected a list", path);
	return OMT_OK;
}

void omt_lines_close(omt_lines *lines)
{
	if (lines->file && !lines->standard)
		fclose(lines->file);
	free(lines->line);
	*lines = (omt_lines){0};
}

static bool make_room(omt_lines *lines)
{
	if (lines->used < lines->room)
		return true;
	size_t room = lines->room ? 2 * lines->room : 4096;
	char *larger = room <= OMT_MAX_LINE ? realloc(lines->line, room) : NULL;
	if (!larger)
		return false;
	lines->line = larger;
	lines->room = room;
	return true;
}

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static void trim(omt_lines *lines)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};
	lines->text = lines->line;
	lines->bytes = lines->used;
	if (lines->number == 1 && lines->bytes >= sizeof mark &&
	    !memcmp(lines->text, mark, sizeof mark)) {
		lines->text += sizeof mark;
		lines->bytes -= sizeof mark;
	}
	while (lines->bytes && is_space(lines->text[lines->bytes - 1]))
		lines->bytes--;
}

bool omt_lines_read(omt_lines *lines)
{
	int byte;
	bool any = false;
	lines->used = 0;
	lines->begin = lines->end;
	lines->whole = true;
	while ((byte = getc_unlocked(lines->file)) != EOF) {
		any = true;
		lines->end++;
		if (byte == '\n')
			break;
		lines->whole = lines->whole && make_room(lines);
		if (lines->whole)
			lines->line[lines->used++] = (char)byte;
	}
	lines->number += any;
	trim(lines);
	return any && !ferror(lines->file);
}

bool omt_lines_next(omt_lines *lines)
{
	while (omt_lines_read(lines))
		if (lines->bytes)
			return true;
	return false;
}

omt_status omt_lines_seek(omt_lines *lines, uint64_t begin, uint64_t number, omt_error *err)
{
	if (fseeko(lines->file, (off_t)begin, SEEK_SET) != 0)
		return OMT_FAIL(err, IO, "line %llu: %s", (unsigned long long)number,
		                strerror(errno));
	clearerr(lines->file);
	lines->end = begin;
	lines->number = number - 1;
	return OMT_OK;
}
