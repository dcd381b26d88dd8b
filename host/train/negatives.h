/* negatives.h - the file of `omnitile mine`: one line a query, {"query": "id", "positives": [{"id",
 * "score"}], "negatives": [{"id": "..", "score": 0.55}, ...]}, nearest first. */
#ifndef OMT_TRAIN_NEGATIVES_H
#define OMT_TRAIN_NEGATIVES_H

#include "base/status.h"

/* A negative, number `rank` of its line from 0 on; a status but OMT_OK ends the reading. */
typedef omt_status (*omt_negative_found)(void *user, const char *query, const char *id,
                                         uint32_t rank, omt_error *err);

/* Calls `found` for each negative of each line, in the file's order. Blank lines are left out; a
 * line that is not of this form, or a query for the second time with the same "pair" (text:image,
 * may be absent), is OMT_BAD_FORMAT with file and line. */
omt_status omt_negatives_read(const char *path, omt_negative_found found, void *user,
                              omt_error *err);

#endif
