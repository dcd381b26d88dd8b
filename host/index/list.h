/* list.h - what a reader of a part of a list needs beside omnitile.h. */
#ifndef OMT_INDEX_LIST_H
#define OMT_INDEX_LIST_H

#include "base/status.h"

/* Reads on through line `line` without making items; their ids are noted all the same, so that the
 * next items are what they would be after all of them. Lines that were read already stay so. At the
 * end of the list there is nothing more to skip. */
omt_status omt_list_skip(omt_list *list, uint64_t line, omt_error *err);

#endif
