/* kinds.h - which kinds of parts the items of a list have, by id, and pairs of them.
 *
 * Kinds are written as their names in the order of omt_kind with "+" between: "image",
 * "text+video". A clip is "video" with or without its sound. */
#ifndef OMT_INDEX_KINDS_H
#define OMT_INDEX_KINDS_H

#include "base/names.h"
#include "base/status.h"

typedef struct omt_kinds {
	omt_names ids;
	uint8_t *masks; /* [ids.count]: 1 << omt_kind for each kind of part */
	size_t room;
} omt_kinds;

/* Lines that are no items are passed over. */
omt_status omt_kinds_read(const char *list, omt_kinds *kinds, omt_error *err);
void omt_kinds_free(omt_kinds *kinds);                        /* zeros are allowed */
uint8_t omt_kinds_of(const omt_kinds *kinds, const char *id); /* 0: not in the list */

/* "text+image", or "any", which is 0. */
omt_status omt_kinds_parse(const char *text, size_t bytes, uint8_t *mask, omt_error *err);

#define OMT_KIND_PAIRS 64
typedef struct omt_kind_pair {
	char name[64];            /* "text:image" as it was written; "": no pair */
	uint8_t query, candidate; /* masks; 0: any */
	uint8_t positive;
} omt_kind_pair;

/* "text:image,any:video" into pairs[OMT_KIND_PAIRS]. */
omt_status omt_kind_pairs_parse(const char *text, omt_kind_pair *pairs, size_t *count,
                                omt_error *err);
/* 0 fits everything. */
bool omt_kind_fits(uint8_t wanted, uint8_t mask);

#endif
