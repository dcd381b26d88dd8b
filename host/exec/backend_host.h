/* backend_host.h - what the backends whose device is this machine's memory share.
 *
 * Commands are done when they return. Marks are numbers in a ring of start and end times. */
#ifndef OMT_EXEC_BACKEND_HOST_H
#define OMT_EXEC_BACKEND_HOST_H

#include "exec/backend.h"

typedef struct omt_host_backend {
	omt_backend base;
	uint64_t next_mark; /* of the next command, from 1 */
	struct {
		double begin_s, end_s;
	} marks[OMT_MARKS];
} omt_host_backend;

/* A backend that is nothing but its memory. */
omt_status omt_host_open(const omt_backend_class *class, omt_backend **self, omt_error *err);
void omt_host_close(omt_backend *self);

omt_status omt_host_alloc(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                          omt_buffer **buffer, omt_error *err);
void omt_host_free(omt_backend *self, omt_buffer *buffer);
omt_status omt_host_write(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                          size_t bytes, uint64_t *mark, omt_error *err);
omt_status omt_host_read(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                         size_t bytes, uint64_t *mark, omt_error *err);
bool omt_host_done(omt_backend *self, uint64_t mark);
omt_status omt_host_wait(omt_backend *self, uint64_t mark, omt_error *err);
double omt_host_elapsed(omt_backend *self, uint64_t first, uint64_t last);

/* Times a command that began at begin_s and gives it a number. */
void omt_host_mark(omt_backend *self, double begin_s, uint64_t *mark);

/* Memory, cores and name of this machine. */
void omt_host_info(omt_backend_info *info);

#endif
