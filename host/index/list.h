/* list.h - what a reader of a part of a list needs beside omnitile.h. */
#ifndef OMT_INDEX_LIST_H
#define OMT_INDEX_LIST_H

#include "base/status.h"

/* Words of a list by value, a NULL at the end. */
extern const char *const omt_list_kinds[], *const omt_list_roles[];
extern const char *const omt_list_fusions[], *const omt_list_recipes[];
extern const char *const omt_list_frames[], *const omt_list_subtitles[];

/* Reads on through line `line` without making items; their ids are noted all the same, so that the
 * next items are what they would be after all of them. Lines that were read already stay so. At the
 * end of the list there is nothing more to skip. */
omt_status omt_list_skip(omt_list *list, uint64_t line, omt_error *err);
/* How many lines were read. */
uint64_t omt_list_line(const omt_list *list);

/* Where the current item's line begins, in bytes, for omt_list_read_at(). */
uint64_t omt_list_place(const omt_list *list);
/* The item of line `line`, which begins at `place`, of a list that is a file; omt_list_next() goes
 * on after it. Its id is not noted: it may have been read before. The item is as omt_list_next()'s.
 */
omt_status omt_list_read_at(omt_list *list, uint64_t place, uint64_t line, const omt_item **item,
                            omt_error *err);

#endif
