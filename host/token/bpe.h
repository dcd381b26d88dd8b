/* bpe.h - byte-level byte pair encoding: pieces of text to ids by merge rank (Sennrich et al. 2016,
 * in the byte form of GPT-2). */
#ifndef OMT_TOKEN_BPE_H
#define OMT_TOKEN_BPE_H

#include "base/json.h"
#include "token/tokenizer.h"

typedef struct omt_bpe omt_bpe;

/* From the "model" object of a tokenizer.json. */
omt_status omt_bpe_open(omt_json model, omt_bpe **bpe, omt_error *err);
void omt_bpe_close(omt_bpe *bpe);

/* Appends the ids of one piece; time is n log n in its bytes. */
omt_status omt_bpe_encode(const omt_bpe *bpe, const uint8_t *piece, size_t bytes, omt_ids *ids,
                          omt_error *err);

/* Id of a token given as its bytes, -1: none. */
int32_t omt_bpe_find(const omt_bpe *bpe, const uint8_t *token, size_t bytes);
int32_t omt_bpe_size(const omt_bpe *bpe); /* highest id + 1 */

omt_status omt_ids_append(omt_ids *ids, int32_t id, omt_error *err);

#endif
