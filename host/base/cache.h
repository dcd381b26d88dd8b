/* cache.h - a folder of files that can be made again at any time.
 *
 * Nothing here fails: a file that is not there, damaged, of another key or of another version is no
 * file, and a folder that cannot be written keeps nothing. Files appear whole (base/file.h), so
 * that processes may share the folder. */
#ifndef OMT_BASE_CACHE_H
#define OMT_BASE_CACHE_H

#include "base/digest.h"

/* OMT_CACHE_DIR, else $XDG_CACHE_HOME/omnitile, else ~/.cache/omnitile. Given, free(). NULL: there
 * is none (OMT_CACHE_DIR is empty, or no home), or no memory. */
char *omt_cache_folder(void);
/* folder/name with all folders made, as far as they can be. Given, free(); NULL: no memory. */
char *omt_cache_path(const char *folder, const char *name);

/* The content saved under this path and key. Given, free(). */
bool omt_cache_load(const char *path, const char key[OMT_DIGEST_TEXT], uint8_t **data,
                    size_t *bytes);
void omt_cache_save(const char *path, const char key[OMT_DIGEST_TEXT], const void *data,
                    size_t bytes);

#endif
