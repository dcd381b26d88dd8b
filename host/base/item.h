/* item.h - items that outlive their source. */
#ifndef OMT_BASE_ITEM_H
#define OMT_BASE_ITEM_H

#include "omnitile.h"

/* A copy with its id, parts, texts and paths, all in one block; given, free(). NULL: no memory. */
omt_item *omt_item_copy(const omt_item *item);

#endif
