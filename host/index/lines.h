/* lines.h - a text file or standard input line by line, or from a place that is known, in bounded
 * memory. */
#ifndef OMT_INDEX_LINES_H
#define OMT_INDEX_LINES_H

#include <stdio.h>

#include "base/status.h"

#define OMT_MAX_LINE ((size_t)64 << 20)

typedef struct omt_lines {
	FILE *file;
	bool standard;       /* input */
	uint64_t number;     /* lines read so far */
	uint64_t begin, end; /* of the line that was read, in bytes of the file */
	/* The line, without its end, a byte order mark and white space at its end; the next read
	 * ends it. A line of more than OMT_MAX_LINE (or than memory) is read, but not kept: not
	 * whole. */
	const char *text;
	size_t bytes;
	bool whole;

	char *line;
	size_t used, room;
} omt_lines;

omt_status omt_lines_open(const char *path, omt_lines *lines, omt_error *err); /* "-": input */
void omt_lines_close(omt_lines *lines); /* zeros are allowed */
/* Any next line, or one that is not blank; false: there is none, or ferror(lines->file). */
bool omt_lines_read(omt_lines *lines);
bool omt_lines_next(omt_lines *lines);
/* The next line is line `number`, which begins at `begin`. */
omt_status omt_lines_seek(omt_lines *lines, uint64_t begin, uint64_t number, omt_error *err);

#endif
