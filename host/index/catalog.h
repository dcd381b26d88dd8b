/* catalog.h - a list whose items are asked for by number or id, in any order and again.
 *
 * Ids and the places of lines are kept (an id's length and about 40 bytes an item), items are read
 * from the file each time: lists of millions of lines take little memory. Numbers are the lines'
 * order, without blank and broken lines. */
#ifndef OMT_INDEX_CATALOG_H
#define OMT_INDEX_CATALOG_H

#include "base/names.h"
#include "base/status.h"

typedef struct omt_catalog omt_catalog;

/* Reads the list once. A broken line costs that line: the first few are notes of `progress` (may be
 * NULL), one more note says how many there are. A list without any item is OMT_BAD_FORMAT. */
omt_status omt_catalog_open(const char *path, omt_role role, const omt_limits *limits,
                            const omt_progress *progress, omt_catalog **catalog, omt_error *err);
void omt_catalog_close(omt_catalog *catalog); /* NULL is allowed */

const char *omt_catalog_path(const omt_catalog *catalog);
/* The ids, numbered as the items. */
const omt_names *omt_catalog_ids(const omt_catalog *catalog);
/* Lines that were broken. */
uint64_t omt_catalog_broken(const omt_catalog *catalog);
/* A copy of the item, from any thread; given, free(). An item whose line was changed meanwhile is
 * OMT_IO or what is wrong with it now. */
omt_status omt_catalog_item(omt_catalog *catalog, uint32_t number, omt_item **item, omt_error *err);

#endif
