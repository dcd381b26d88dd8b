/* seen.h - a set of texts that grows with their number, not their length: which ids came before.
 *
 * Kept are hashes of 128 bits (MurmurHash3) in open-addressing tables: 21 to 43 bytes a text.
 * That two of n different texts have the same one has a chance of n^2 / 2^129 (a billion: 2e-21);
 * texts made for it can have, and are then taken for the same. */
#ifndef OMT_INDEX_SEEN_H
#define OMT_INDEX_SEEN_H

#include <stdbool.h>

typedef struct omt_seen omt_seen;

omt_seen *omt_seen_new(void); /* NULL: no memory */
void omt_seen_free(omt_seen *seen);
/* *again: whether it was added before. False: no memory. */
bool omt_seen_add(omt_seen *seen, const char *text, bool *again);

#endif
