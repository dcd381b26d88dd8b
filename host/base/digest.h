/* digest.h - SHA-256 of a file, to name what a recorded run was made with. */
#ifndef OMT_BASE_DIGEST_H
#define OMT_BASE_DIGEST_H

#include "base/status.h"

#define OMT_DIGEST_TEXT 65

/* Lower-case hexadecimal digits into text. */
omt_status omt_digest_file(const char *path, char text[OMT_DIGEST_TEXT], omt_error *err);

#endif
