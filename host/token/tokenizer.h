/* tokenizer.h - Qwen's byte-level BPE from a tokenizer.json.
 *
 * encode() follows the file: added tokens are found first (longest, leftmost; those not marked
 * "normalized": false are looked for in the normalised text), the text between is normalised (NFC),
 * split by the pre-tokenizer's expression and merged by rank. What the file asks for and is not
 * known here is OMT_UNSUPPORTED, never ignored. */
#ifndef OMT_TOKEN_TOKENIZER_H
#define OMT_TOKEN_TOKENIZER_H

#include "base/status.h"

typedef struct omt_tokenizer omt_tokenizer;

/* Growing array of ids; zero it before the first use, free(ids.data) after the last. */
typedef struct omt_ids {
	int32_t *data;
	size_t count, capacity;
} omt_ids;

/* Reads `path` (a tokenizer.json). */
omt_status omt_tokenizer_open(const char *path, omt_tokenizer **tokenizer, omt_error *err);
void omt_tokenizer_close(omt_tokenizer *tokenizer);

/* Appends the ids of `text` (UTF-8; each byte of a broken sequence counts as U+FFFD).
 * No token is added at either end. Thread-safe for one tokenizer. */
omt_status omt_tokenizer_encode(const omt_tokenizer *tokenizer, const char *text, size_t bytes,
                                omt_ids *ids, omt_error *err);

/* Id of a token written as in the file ("<|im_end|>"), -1 if there is none. */
int32_t omt_tokenizer_token(const omt_tokenizer *tokenizer, const char *token);
int32_t omt_tokenizer_size(const omt_tokenizer *tokenizer); /* highest id + 1 */

#endif
