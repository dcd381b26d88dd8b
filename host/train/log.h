/* log.h - log.jsonl of a run: a JSON object a line. One process writes it at a time. */
#ifndef OMT_TRAIN_LOG_H
#define OMT_TRAIN_LOG_H

#include "base/json.h"

typedef struct omt_train_log {
	char *path;
	FILE *file;
	uint64_t bytes;                             /* written so far */
	void (*line)(void *user, const char *json); /* gets each line, too; may be NULL */
	void *user;
} omt_train_log;

/* Opens or makes the file. One that another process writes is OMT_BAD_ARGUMENT. */
omt_status omt_train_log_open(const char *path, omt_train_log *log, omt_error *err);
/* Cuts off what was written after the first `keep` bytes, and goes on there; log->bytes is less
 * when there are fewer. */
omt_status omt_train_log_keep(omt_train_log *log, uint64_t keep, omt_error *err);
/* `object` is taken; NULL: no memory. */
omt_status omt_train_log_add(omt_train_log *log, json_t *object, omt_error *err);
/* Durable from here on. */
omt_status omt_train_log_sync(omt_train_log *log, omt_error *err);
void omt_train_log_close(omt_train_log *log);

#endif
