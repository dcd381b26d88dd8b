#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

omt_status omt_map_open(const char *path, omt_map *map, omt_error *err)
{
	struct stat info;
	omt_status status = OMT_OK;
	*map = (omt_map){0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &info) != 0) {
		status = OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(info.st_mode)) {
		status = OMT_FAIL(err, IO, "%s: not a regular file", path);
	} else if (info.st_size > 0) {
		void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			status = OMT_FAIL(err, IO, "%s: mmap: %s", path, strerror(errno));
		else
			*map = (omt_map){data, (size_t)info.st_size};
	}
	close(fd);
	return status;
}

omt_status omt_map_zeros(size_t bytes, omt_map *map, omt_error *err)
{
	void *data =
		mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	*map = (omt_map){0};
	if (data == MAP_FAILED)
		return OMT_FAIL(err, NO_MEMORY, "%zu bytes of zeros: %s", bytes, strerror(errno));
	*map = (omt_map){data, bytes};
	return OMT_OK;
}

void omt_map_close(omt_map *map)
{
	if (map->data)
		munmap((void *)(uintptr_t)map->data, map->bytes);
	*map = (omt_map){0};
}

omt_status omt_file_read(const char *path, size_t limit, char **text, size_t *bytes, omt_error *err)
{
	omt_status status = OMT_OK;
	char *buffer = NULL;
	size_t used = 0, room = 0;
	FILE *file = fopen(path, "rbe");
	*text = NULL;
	if (!file)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	for (;;) {
		if (used + 1 >= room) {
			room = room ? room * 2 : 65536;
			char *larger = realloc(buffer, room);
			if (!larger) {
				status = OMT_FAIL(err, NO_MEMORY, "%s: no memory for %zu bytes",
				                  path, room);
				goto done;
			}
			buffer = larger;
		}
		size_t got = fread(buffer + used, 1, room - used - 1, file);
		used += got;
		if (used > limit) {
			status = OMT_FAIL(err, LIMIT, "%s: larger than the limit of %zu bytes",
			                  path, limit);
			goto done;
		}
		if (got == 0)
			break;
	}
	if (ferror(file)) {
		status = OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
		goto done;
	}
	buffer[used] = '\0';
	*text = buffer;
	if (bytes)
		*bytes = used;
	buffer = NULL;
done:
	free(buffer);
	fclose(file);
	return status;
}

bool omt_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool omt_files_are_one(const char *a, const char *b)
{
	struct stat one, other;
	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

char *omt_path_join(const char *dir, const char *name)
{
	char *path = NULL;
	if (!dir || name[0] == '/')
		return strdup(name);
	const char *slash = dir[0] && dir[strlen(dir) - 1] == '/' ? "" : "/";
	return asprintf(&path, "%s%s%s", dir, slash, name) < 0 ? NULL : path;
}

bool omt_path_ends(const char *path, const char *ending)
{
	const size_t length = strlen(path), tail = strlen(ending);
	return length > tail && !strcmp(path + length - tail, ending);
}

char *omt_path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* A file without a name: what a killed run leaves behind is nothing. NULL: not on this file system.
 */
static FILE *open_nameless(const char *path)
{
	char *folder = omt_path_folder(path);
	int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;
	FILE *stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (fd >= 0 && !stream)
		close(fd);
	free(folder);
	return stream;
}

/* Gives it the temporary name, from which it is renamed as any other. */
static bool link_nameless(const omt_output *output)
{
	char place[64];
	snprintf(place, sizeof place, "/proc/self/fd/%d", fileno(output->stream));
	unlink(output->temporary);
	return linkat(AT_FDCWD, place, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) == 0;
}

omt_status omt_output_open(const char *path, omt_output *output, omt_error *err)
{
	static atomic_uint number; /* two threads may write the same file */
	struct stat info;
	*output = (omt_output){0};
	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* never in place of a device */
		return OMT_FAIL(err, IO, "%s: not a regular file", path);
	output->path = strdup(path);
	if (!output->path || asprintf(&output->temporary, "%s.tmp.%ld.%u", path, (long)getpid(),
	                              atomic_fetch_add(&number, 1)) < 0) {
		output->temporary = NULL;
		omt_output_close(output, false, NULL);
		return OMT_FAIL(err, NO_MEMORY, "%s: no memory", path);
	}
	output->stream = open_nameless(path);
	output->nameless = output->stream != NULL;
	if (!output->stream)
		output->stream = fopen(output->temporary, "wbe");
	if (!output->stream) {
		omt_status status = OMT_FAIL(err, IO, "%s: %s", output->temporary, strerror(errno));
		omt_output_close(output, false, NULL);
		return status;
	}
	return OMT_OK;
}

void omt_path_sync(const char *path)
{
	char *folder = omt_path_folder(path);
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

omt_status omt_output_close(omt_output *output, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	if (output->stream) {
		bool whole = !ferror(output->stream) && fflush(output->stream) == 0 &&
		             (!commit || fsync(fileno(output->stream)) == 0);
		if (commit && whole && output->nameless)
			whole = link_nameless(output);
		int reason = errno;
		whole = fclose(output->stream) == 0 && whole;
		if (commit && whole && rename(output->temporary, output->path) == 0) {
			omt_path_sync(output->path);
		} else {
			if (commit)
				status = OMT_FAIL(err, IO, "%s: not written: %s", output->path,
				                  strerror(whole ? errno : reason));
			unlink(output->temporary);
		}
	}
	free(output->path);
	free(output->temporary);
	*output = (omt_output){0};
	return status;
}

omt_status omt_outputs_close(omt_output *const *outputs, size_t count, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	size_t open = 0;
	for (size_t i = 0; i < count && commit && status == OMT_OK; i++) {
		FILE *stream = outputs[i]->stream;
		open += stream != NULL;
		if (stream && (ferror(stream) || fflush(stream) != 0 || fsync(fileno(stream)) != 0))
			status = OMT_FAIL(err, IO, "%s: not written: %s", outputs[i]->path,
			                  strerror(errno));
	}
	if (open > 1 && status == OMT_OK)
		unlink(outputs[count - 1]->path);
	for (size_t i = 0; i < count; i++) {
		const omt_status closed =
			omt_output_close(outputs[i], commit && status == OMT_OK, err);
		status = status == OMT_OK ? closed : status;
	}
	return status;
}
