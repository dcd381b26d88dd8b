/* negatives.h - the file of `omnitile mine`: one line a query, {"query": "id", "positives": [{"id",
 * "score"}], "negatives": [{"id": "..", "score": 0.55}, ...]}, nearest first. */
#ifndef OMT_TRAIN_NEGATIVES_H
#define OMT_TRAIN_NEGATIVES_H

#include "base/status.h"

/* Calls `found` for each negative of each line, in the file's order; another status ends it. Blank
 * lines are left out; a line that is not of this form, or a query for the second time, is
 * OMT_BAD_FORMAT with file and line. */
omt_status omt_negatives_read(const char *path,
                              omt_status (*found)(void *user, const char *query, const char *id,
                                                  omt_error *err),
                              void *user, omt_error *err);

#endif
