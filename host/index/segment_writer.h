/* segment_writer.h - a segment of vectors, written in two passes over its rows: the ids first. */
#ifndef OMT_INDEX_SEGMENT_WRITER_H
#define OMT_INDEX_SEGMENT_WRITER_H

#include "index/ids.h"
#include "index/index_file.h"

/* Rows, twice from the first one to the last. */
typedef struct omt_rows {
	omt_status (*next)(void *user, const omt_vector **row, omt_error *err); /* NULL: the end */
	void (*rewind)(void *user);
	void *user;
} omt_rows;

/* Ids as the file has them. */
typedef struct omt_id_list {
	uint64_t *ends;
	char *text;
	size_t count, room, text_bytes, text_room;
	uint64_t left_out; /* rows without a vector */
	omt_id_table table;
} omt_id_list;

/* First pass. An id that comes twice is an error, and one that `taken` (NULL: none) has. */
omt_status omt_id_list_read(omt_id_list *list, const omt_rows *rows, const omt_id_table *taken,
                            const char *place, omt_error *err);
void omt_id_list_free(omt_id_list *list);

/* Second pass: writes a segment at byte `at` of a file, and its size to *bytes. Of `head`
 * dimension, dtype and codes count. */
omt_status omt_segment_write(int fd, const char *path, uint64_t at, const omt_index_head *head,
                             const omt_id_list *list, const omt_rows *rows,
                             const omt_progress *progress, uint64_t *bytes, omt_error *err);

/* A segment that deletes vectors. */
omt_status omt_segment_write_deletes(int fd, const char *path, uint64_t at,
                                     const omt_index_head *head, const uint64_t *rows, size_t count,
                                     uint64_t *bytes, omt_error *err);

omt_status omt_write_at(int fd, const char *path, uint64_t at, const void *data, size_t bytes,
                        omt_error *err);

#endif
