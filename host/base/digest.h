/* digest.h - SHA-256, to name what a recorded run was made with and what a cached file belongs to.
 */
#ifndef OMT_BASE_DIGEST_H
#define OMT_BASE_DIGEST_H

#include "base/status.h"

#define OMT_DIGEST_TEXT 65

/* Lower-case hexadecimal digits into text. */
omt_status omt_digest_data(const void *data, size_t bytes, char text[OMT_DIGEST_TEXT],
                           omt_error *err);
omt_status omt_digest_file(const char *path, char text[OMT_DIGEST_TEXT], omt_error *err);

/* Of several pieces, each with its length before it: their bounds count too. */
typedef struct omt_piece {
	const void *data;
	size_t bytes;
} omt_piece;
omt_status omt_digest_pieces(const omt_piece *pieces, size_t count, char text[OMT_DIGEST_TEXT],
                             omt_error *err);

/* MurmurHash3 of 128 bits: finds damage, at gigabytes a second; no protection against intent. */
#define OMT_CHECKSUM_BYTES 16
typedef struct AVMurMur3 omt_hash;
omt_hash *omt_hash_new(void); /* NULL: no memory */
void omt_hash_free(omt_hash *hash);
void omt_hash_begin(omt_hash *hash);
void omt_hash_add(omt_hash *hash, const void *data, size_t bytes);
void omt_hash_end(omt_hash *hash, uint8_t sum[OMT_CHECKSUM_BYTES]);

#endif
