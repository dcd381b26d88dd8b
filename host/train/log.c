#include "train/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

omt_status omt_train_log_open(const char *path, omt_train_log *log, omt_error *err)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	log->path = strdup(path);
	log->file = fd >= 0 && log->path ? fdopen(fd, "r+") : NULL;
	if (!log->file) {
		const int reason = errno;
		if (fd >= 0)
			close(fd);
		omt_train_log_close(log);
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(reason));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		omt_train_log_close(log);
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: another process trains in this folder",
		                path);
	}
	return OMT_OK;
}

omt_status omt_train_log_keep(omt_train_log *log, uint64_t keep, omt_error *err)
{
	const off_t end = lseek(fileno(log->file), 0, SEEK_END);
	keep = end >= 0 && (uint64_t)end < keep ? (uint64_t)end : keep;
	if (ftruncate(fileno(log->file), (off_t)keep) != 0 ||
	    fseeko(log->file, (off_t)keep, SEEK_SET) != 0)
		return OMT_FAIL(err, IO, "%s: %s", log->path, strerror(errno));
	log->bytes = keep;
	return OMT_OK;
}

omt_status omt_train_log_add(omt_train_log *log, json_t *object, omt_error *err)
{
	char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(object);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "%s", log->path);
	const size_t bytes = strlen(text) + 1;
	const bool written =
		fprintf(log->file, "%s\n", text) == (int)bytes && fflush(log->file) == 0;
	log->bytes += bytes;
	if (log->line)
		log->line(log->user, text);
	free(text);
	return written ? OMT_OK : OMT_FAIL(err, IO, "%s: %s", log->path, strerror(errno));
}

omt_status omt_train_log_sync(omt_train_log *log, omt_error *err)
{
	if (fflush(log->file) != 0 || fsync(fileno(log->file)) != 0)
		return OMT_FAIL(err, IO, "%s: %s", log->path, strerror(errno));
	return OMT_OK;
}

void omt_train_log_close(omt_train_log *log)
{
	if (log->file)
		fclose(log->file);
	free(log->path);
	log->file = NULL;
	log->path = NULL;
}
