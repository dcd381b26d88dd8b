/* scratch.h - a folder of its own for each test that writes files. */
#ifndef OMT_TESTS_UNIT_SCRATCH_H
#define OMT_TESTS_UNIT_SCRATCH_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[64];

/* For .init and .fini of a suite. */
static inline void scratch_make(void)
{
	strcpy(scratch_folder, "/tmp/omnitile-test-XXXXXX");
	cr_assert_not_null(mkdtemp(scratch_folder));
}

/* "folder/name", kept until the fourth call after. */
static inline const char *scratch_path(const char *name)
{
	static char paths[4][512];
	static int next;
	next = (next + 1) % 4;
	snprintf(paths[next], sizeof *paths, "%s/%s", scratch_folder, name);
	return paths[next];
}

/* How many files are there; removes them when asked to. */
static inline int scratch_files(bool clear)
{
	int count = 0;
	DIR *folder = opendir(scratch_folder);
	cr_assert_not_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (clear)
			unlink(scratch_path(entry->d_name));
	}
	closedir(folder);
	return count;
}

static inline void scratch_drop(void)
{
	scratch_files(true);
	rmdir(scratch_folder);
}

static inline const char *scratch_write(const char *name, const void *data, size_t bytes)
{
	const char *path = scratch_path(name);
	FILE *file = fopen(path, "wb");
	cr_assert_not_null(file, "%s", path);
	cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
	return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
	return scratch_write(name, text, strlen(text));
}

#endif
