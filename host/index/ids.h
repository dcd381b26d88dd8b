/* ids.h - from an id to the number of its vector. */
#ifndef OMT_INDEX_IDS_H
#define OMT_INDEX_IDS_H

#include "base/status.h"

typedef struct omt_id_table {
	const char *(*id_of)(const void *user, uint64_t number); /* must not change */
	const void *user;
	uint64_t *slots; /* number + 1; 0: empty */
	size_t count, room;
} omt_id_table;

/* True: the id is there, and *number is its number. */
bool omt_id_table_find(const omt_id_table *ids, const char *id, uint64_t *number);
/* Adds a number whose id is not there yet. False: no memory. */
bool omt_id_table_add(omt_id_table *ids, uint64_t number);
void omt_id_table_free(omt_id_table *ids);

#endif
