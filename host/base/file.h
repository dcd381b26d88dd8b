/* file.h - whole files in, whole files out.
 *
 * Reading maps; writing goes to a file without a name (a temporary name where the file system has
 * no such files), is synced and renamed, so that a killed run leaves the old file or the new one.
 */
#ifndef OMT_BASE_FILE_H
#define OMT_BASE_FILE_H

#include <stdio.h>

#include "base/status.h"

/* A read-only mapping. `data` is NULL when the file is empty. */
typedef struct omt_map {
	const uint8_t *data;
	size_t bytes;
} omt_map;

omt_status omt_map_open(const char *path, omt_map *map, omt_error *err);
/* Zeros that take no memory while they are only read; bytes > 0. */
omt_status omt_map_zeros(size_t bytes, omt_map *map, omt_error *err);
void omt_map_close(omt_map *map);

/* The whole file as a NUL-terminated string (bytes, if not NULL, gets the length without the NUL);
 * more than `limit` bytes is OMT_LIMIT. Given, free(). */
omt_status omt_file_read(const char *path, size_t limit, char **text, size_t *bytes,
                         omt_error *err);
bool omt_file_exists(const char *path);

/* "dir/name" (or name alone when it is absolute or dir is NULL); given, free(). NULL: no memory. */
char *omt_path_join(const char *dir, const char *name);
/* Whether both are there and are the same file. */
bool omt_files_are_one(const char *a, const char *b);
/* Whether it is a name before this ending: "a.npy", ".npy". */
bool omt_path_ends(const char *path, const char *ending);
/* The folder of `path` ("." for a bare name); given, free(). */
char *omt_path_folder(const char *path);
/* Makes a file's name durable: a new one, or one that was renamed, is only when its folder is. */
void omt_path_sync(const char *path);

/* A file being written. commit: sync, rename. Without commit the temporary file is removed. */
typedef struct omt_output {
	FILE *stream; /* write here */
	char *path, *temporary;
	bool nameless; /* not under `temporary` yet */
} omt_output;

omt_status omt_output_open(const char *path, omt_output *output, omt_error *err);
omt_status omt_output_close(omt_output *output, bool commit, omt_error *err);
/* Several that belong together (those that are not open are passed over). All are synced before the
 * first gets its name, and what had the last one's name is removed before: where the last one is,
 * all are of one writing, whenever it was killed. */
omt_status omt_outputs_close(omt_output *const *outputs, size_t count, bool commit, omt_error *err);

#endif
