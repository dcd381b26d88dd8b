/* names.h - byte strings numbered in the order in which they first came: a set with numbers.
 *
 * Names lie one after the other in one block, each with a NUL after it, and are found by a hash
 * table with linear probing. A name of n bytes takes n + 1 bytes, 8 for its place and 11 to 21 in
 * the table; block and places grow by doubling. Zero-initialised is empty. */
#ifndef OMT_BASE_NAMES_H
#define OMT_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct omt_name_slot {
	uint32_t next; /* number + 1, 0: free */
	uint32_t tag;  /* of the hash, the half that does not choose the slot */
} omt_name_slot;

typedef struct omt_names {
	char *bytes;
	size_t used, room;
	size_t *starts; /* of each name in `bytes` */
	uint32_t count, capacity;
	omt_name_slot *slots;
	size_t slot_count;
} omt_names;

#define OMT_NAMES_MAX 0x7fffffffu

/* The number of the name, which is added when it is new (number == count before the call). False:
 * no memory, or OMT_NAMES_MAX names are there. */
bool omt_names_add(omt_names *names, const void *name, size_t bytes, uint32_t *number);
bool omt_names_find(const omt_names *names, const void *name, size_t bytes, uint32_t *number);
/* NUL-terminated; valid until the next omt_names_add(). */
const char *omt_names_get(const omt_names *names, uint32_t number);
void omt_names_free(omt_names *names);

#endif
