/* folder.h - whole folders out, and the small files that are copied into them. */
#ifndef OMT_BASE_FOLDER_H
#define OMT_BASE_FOLDER_H

#include "base/status.h"

/* A folder being written: files go into `temporary`, which becomes `path` at the end, so that a
 * killed run leaves the old one or the new one. */
typedef struct omt_folder {
	char *path, *temporary; /* PATH.omnitile: one that a killed run left is removed first */
	int lock;               /* of the temporary one: no other process writes it */
	bool replace;
} omt_folder;

/* replace: a folder that is there is removed with all that it holds, once the new one has its
 * name. Else one that is there must be empty, or OMT_BAD_ARGUMENT, as is one that another process
 * writes. */
omt_status omt_folder_open(const char *path, bool replace, omt_folder *folder, omt_error *err);
/* Without commit what was written is removed. */
omt_status omt_folder_close(omt_folder *folder, bool commit, omt_error *err);

/* dir/name with this text. */
omt_status omt_folder_put(const char *dir, const char *name, const char *text, omt_error *err);
/* to/name as from/name, of 256 MiB at most. */
omt_status omt_folder_copy(const char *from, const char *to, const char *name, omt_error *err);

#endif
