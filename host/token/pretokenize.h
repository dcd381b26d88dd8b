/* pretokenize.h - the pre-tokenizer's expression: text to pieces. */
#ifndef OMT_TOKEN_PRETOKENIZE_H
#define OMT_TOKEN_PRETOKENIZE_H

#include "base/json.h"

typedef struct omt_splitter omt_splitter;

/* From the "pre_tokenizer" object of a tokenizer.json: a Sequence of Split (Regex, Isolated) and
 * ByteLevel without an expression of its own. */
omt_status omt_splitter_open(omt_json pre_tokenizer, omt_splitter **splitter, omt_error *err);
void omt_splitter_close(omt_splitter *splitter);

/* Calls piece(user, start, bytes) for each piece of valid UTF-8, in order, nothing left out. */
typedef omt_status omt_piece(void *user, const char *start, size_t bytes, omt_error *err);
omt_status omt_splitter_run(const omt_splitter *splitter, const char *text, size_t bytes,
                            omt_piece *piece, void *user, omt_error *err);

#endif
