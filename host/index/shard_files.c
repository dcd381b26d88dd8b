#include "index/shard_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/npy.h"
#include "index/manifest.h"
#include "index/vectors.h"

#define GATHER_TRIES 10

/* ---- one shard ----------------------------------------------------------------------------- */

/* The next line at *at without its end; false: none. */
static bool next_line(const omt_map *ids, size_t *at, const char **line, size_t *bytes)
{
	if (*at >= ids->bytes)
		return false;
	*line = (const char *)ids->data + *at;
	const char *stop = memchr(*line, '\n', ids->bytes - *at);
	*bytes = stop ? (size_t)(stop - *line) : ids->bytes - *at;
	*at += *bytes + (stop != NULL);
	return true;
}

/* As the writer writes it; within an id the quotes would be escaped. */
static bool is_failed(const char *line, size_t bytes)
{
	static const char mark[] = "\",\"error\":\"";
	return memmem(line, bytes, mark, sizeof mark - 1) != NULL;
}

bool omt_shard_whole(const char *folder, int64_t shard, int32_t dimension, int64_t *rows,
                     int64_t *failed)
{
	omt_npy npy = {0};
	omt_map ids = {0};
	size_t at = 0, bytes;
	const char *line;
	int64_t lines = 0, bad = 0;
	char *path = omt_vectors_shard_path(folder, shard);
	char *ids_path = path ? omt_vectors_ids_path(path) : NULL;
	bool whole = ids_path && omt_npy_open(path, &npy, NULL) == OMT_OK &&
	             omt_map_open(ids_path, &ids, NULL) == OMT_OK && npy.type == 'f' &&
	             npy.dims == 2 && npy.shape[1] == dimension;
	while (whole && next_line(&ids, &at, &line, &bytes)) {
		lines++;
		bad += is_failed(line, bytes);
	}
	whole = whole && lines == npy.shape[0];
	if (rows)
		*rows = lines;
	if (failed)
		*failed = bad;
	omt_npy_close(&npy);
	omt_map_close(&ids);
	free(path);
	free(ids_path);
	return whole;
}

/* ---- the folder ---------------------------------------------------------------------------- */

/* Whether this is the rest of a name of ours, a temporary one or not. */
static bool is_ending(const char *rest, const char *ending, bool temporary)
{
	size_t length = strlen(ending);
	if (strncmp(rest, ending, length))
		return false;
	return temporary ? !strncmp(rest + length, ".tmp.", 5) : !rest[length];
}

/* Number of the shard whose file this is; -1: of none. */
static int64_t shard_of(const char *name, bool temporary)
{
	static const char start[] = "vectors-";
	const char *digits = name + sizeof start - 1;
	char *rest;
	if (strncmp(name, start, sizeof start - 1) || *digits < '0' || *digits > '9')
		return -1;
	long long number = strtoll(digits, &rest, 10);
	return is_ending(rest, ".npy", temporary) || is_ending(rest, ".ids.jsonl", temporary)
	               ? number
	               : -1;
}

typedef struct file_choice {
	bool temporary; /* these and no others */
	int32_t rank, world;
} file_choice;

static bool is_chosen(const char *name, const file_choice *choice)
{
	int64_t shard = shard_of(name, choice->temporary);
	if (shard >= 0)
		return shard % choice->world == choice->rank;
	return choice->world == 1 &&
	       (is_ending(name, "failed.jsonl", choice->temporary) ||
	        (choice->temporary && is_ending(name, "manifest.json", true)));
}

/* False with errno when the folder or one of the files cannot be removed from. */
static bool remove_files(const char *folder, const file_choice *choice)
{
	bool removed = true;
	DIR *dir = opendir(folder);
	if (!dir)
		return false;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (is_chosen(entry->d_name, choice))
			removed = unlinkat(dirfd(dir), entry->d_name, 0) == 0 && removed;
	closedir(dir);
	return removed;
}

bool omt_shard_files_any(const char *folder)
{
	bool found = false;
	DIR *dir = opendir(folder);
	if (!dir)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(dir));)
		found = shard_of(entry->d_name, false) >= 0;
	closedir(dir);
	return found;
}

void omt_shard_files_clean(const char *folder, int32_t rank, int32_t world)
{
	/* One that cannot be removed does no harm. */
	(void)remove_files(folder, &(file_choice){true, rank, world});
}

omt_status omt_shard_files_remove(const char *folder, omt_error *err)
{
	char *path = omt_manifest_path(folder);
	bool removed = path && remove_files(folder, &(file_choice){false, 0, 1}) &&
	               (unlink(path) == 0 || errno == ENOENT);
	free(path);
	return removed ? OMT_OK
	               : OMT_FAIL(err, IO, "%s: old shards cannot be removed: %s", folder,
	                          strerror(errno));
}

/* ---- failed items -------------------------------------------------------------------------- */

/* What the ids of a shard look like from outside: changes when they are written anew. */
static uint64_t stamp_of(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return 0;
	return (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec +
	       ((uint64_t)info.st_ino << 32) + (uint64_t)info.st_size;
}

/* Goes through the ids of all shards that are there; `to` gets the failed ones, NULL: nobody. */
static omt_status go_through(const char *folder, int64_t shards, FILE *to, int64_t *whole,
                             uint64_t *stamp, omt_error *err)
{
	*whole = 0;
	*stamp = 0;
	for (int64_t i = 0; i < shards; i++) {
		omt_map ids = {0};
		omt_status status = OMT_OK;
		size_t at = 0, bytes;
		const char *line;
		char *path = omt_vectors_shard_path(folder, i);
		char *ids_path = path ? omt_vectors_ids_path(path) : NULL;
		if (!ids_path) {
			status = OMT_FAIL(err, NO_MEMORY, "%s", folder);
		} else if (omt_file_exists(path)) {
			++*whole;
			*stamp = *stamp * 31 + stamp_of(ids_path);
			status = to ? omt_map_open(ids_path, &ids, err) : OMT_OK;
		}
		while (to && status == OMT_OK && next_line(&ids, &at, &line, &bytes))
			if (is_failed(line, bytes))
				fprintf(to, "%.*s\n", (int)bytes, line);
		omt_map_close(&ids);
		free(ids_path);
		free(path);
		OMT_TRY(status);
	}
	return OMT_OK;
}

omt_status omt_shard_files_gather(const char *folder, int64_t shards, int64_t *whole,
                                  omt_error *err)
{
	omt_status status = OMT_OK;
	uint64_t before = 0, after = 1;
	char *path = omt_path_join(folder, "failed.jsonl");
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", folder);
	/* Another process may have written a shard, and its own file before this one. */
	for (int i = 0; i < GATHER_TRIES && status == OMT_OK && before != after; i++) {
		omt_output output;
		status = omt_output_open(path, &output, err);
		if (status != OMT_OK)
			break;
		status = go_through(folder, shards, output.stream, whole, &before, err);
		omt_status closed = omt_output_close(&output, status == OMT_OK, err);
		status = status == OMT_OK ? closed : status;
		if (status == OMT_OK)
			status = go_through(folder, shards, NULL, whole, &after, err);
	}
	if (status != OMT_OK) /* they are there all the same */
		(void)go_through(folder, shards, NULL, whole, &after, NULL);
	free(path);
	return status;
}
