#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define MAX_COPY ((size_t)256 << 20)

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info;
	(void)type;
	(void)at;
	return remove(path);
}

static bool remove_all(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0;
}

/* What is there may be a folder of any content that is to be replaced, else an empty one. */
static omt_status check_place(const char *path, bool replace, omt_error *err)
{
	int entries = 0;
	DIR *there = opendir(path);
	if (!there)
		return errno == ENOENT
		               ? OMT_OK
		               : OMT_FAIL(err, BAD_ARGUMENT, "%s: %s", path, strerror(errno));
	while (!replace && readdir(there))
		entries++;
	closedir(there);
	return entries > 2 ? OMT_FAIL(err, BAD_ARGUMENT, "%s: is there and not empty", path)
	                   : OMT_OK;
}

/* The temporary folder, empty and this process's alone. */
static omt_status make_temporary(omt_folder *folder, omt_error *err)
{
	const char *path = folder->temporary;
	const bool there = mkdir(path, 0777) != 0 && errno == EEXIST;
	folder->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->lock >= 0 && flock(folder->lock, LOCK_EX | LOCK_NB) != 0 &&
	    errno == EWOULDBLOCK)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: another process writes it", path);
	if (folder->lock >= 0 && !there)
		return OMT_OK;
	/* What a killed run left; its lock is held until there is a new one. */
	const int old = folder->lock;
	folder->lock = -1;
	if (old >= 0 && remove_all(path) && mkdir(path, 0777) == 0)
		folder->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool locked = folder->lock >= 0 && flock(folder->lock, LOCK_EX | LOCK_NB) == 0;
	const omt_status status =
		locked ? OMT_OK : OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (old >= 0)
		close(old);
	return status;
}

omt_status omt_folder_open(const char *path, bool replace, omt_folder *folder, omt_error *err)
{
	omt_status status = OMT_OK;
	char *own = strdup(path);
	*folder = (omt_folder){.replace = replace, .lock = -1};
	if (!own)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	/* "out/" is out: its temporary one lies beside it. */
	for (size_t i = strlen(own); i > 1 && own[i - 1] == '/'; i--)
		own[i - 1] = '\0';
	if (asprintf(&folder->temporary, "%s.omnitile", own) < 0) {
		folder->temporary = NULL;
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
	} else if ((status = check_place(own, replace, err)) == OMT_OK) {
		status = make_temporary(folder, err);
	}
	folder->path = own;
	if (status != OMT_OK) {
		if (folder->lock >= 0)
			close(folder->lock);
		free(folder->path);
		free(folder->temporary);
		*folder = (omt_folder){0};
	}
	return status;
}

/* The same without exchanging names: for a moment there is none of this name. */
static bool swap_by_steps(const omt_folder *folder)
{
	char *aside = NULL;
	if (asprintf(&aside, "%s.old", folder->temporary) < 0)
		return false;
	(void)remove_all(aside); /* a killed run left it */
	bool done = rename(folder->path, aside) == 0;
	if (done && rename(folder->temporary, folder->path) != 0) {
		const int reason = errno;
		(void)rename(aside, folder->path); /* the old one stays */
		errno = reason;
		done = false;
	}
	if (done)
		(void)remove_all(aside);
	free(aside);
	return done;
}

/* The new one in the old one's place, which has the temporary name then or is gone. */
static bool swap(const omt_folder *folder)
{
	if (renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->path, RENAME_EXCHANGE) == 0)
		return true;
	return (errno == EINVAL || errno == ENOSYS) && swap_by_steps(folder);
}

omt_status omt_folder_close(omt_folder *folder, bool commit, omt_error *err)
{
	omt_status status = OMT_OK;
	if (!folder->path)
		return OMT_OK;
	bool old = false;
	if (commit) {
		char *inside = omt_path_join(folder->temporary, ".");
		if (inside)
			omt_path_sync(inside);
		free(inside);
		const bool done = rename(folder->temporary, folder->path) == 0;
		old = !done && folder->replace && (errno == ENOTEMPTY || errno == EEXIST) &&
		      swap(folder);
		if (!done && !old)
			status = OMT_FAIL(err, IO, "%s: not written: %s", folder->path,
			                  strerror(errno));
		else
			omt_path_sync(folder->path);
	}
	if (!commit || old || status != OMT_OK)
		(void)remove_all(folder->temporary);
	close(folder->lock);
	free(folder->path);
	free(folder->temporary);
	*folder = (omt_folder){0};
	return status;
}

static omt_status put(const char *dir, const char *name, const char *data, size_t bytes,
                      omt_error *err)
{
	omt_output output;
	char *path = omt_path_join(dir, name);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s/%s", dir, name);
	omt_status status = omt_output_open(path, &output, err);
	free(path);
	OMT_TRY(status);
	fwrite(data, 1, bytes, output.stream);
	return omt_output_close(&output, true, err);
}

omt_status omt_folder_put(const char *dir, const char *name, const char *text, omt_error *err)
{
	return put(dir, name, text, strlen(text), err);
}

omt_status omt_folder_copy(const char *from, const char *to, const char *name, omt_error *err)
{
	char *path = omt_path_join(from, name), *content = NULL;
	size_t bytes = 0;
	omt_status status = path ? omt_file_read(path, MAX_COPY, &content, &bytes, err)
	                         : OMT_FAIL(err, NO_MEMORY, "%s/%s", from, name);
	if (status == OMT_OK)
		status = put(to, name, content, bytes, err);
	free(content);
	free(path);
	return status;
}
