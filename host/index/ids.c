#include "index/ids.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *id)
{
	uint64_t hash = 14695981039346656037u;
	for (; *id; id++)
		hash = (hash ^ (uint8_t)*id) * 1099511628211u;
	return hash ^ hash >> 32;
}

/* Where the id is, or the empty slot where it would be; there is one. */
static size_t place_of(const omt_id_table *ids, const char *id)
{
	size_t at = (size_t)hash_of(id) & (ids->room - 1);
	while (ids->slots[at] && strcmp(ids->id_of(ids->user, ids->slots[at] - 1), id) != 0)
		at = (at + 1) & (ids->room - 1);
	return at;
}

bool omt_id_table_find(const omt_id_table *ids, const char *id, uint64_t *number)
{
	const uint64_t found = ids->room ? ids->slots[place_of(ids, id)] : 0;
	*number = found - 1;
	return found;
}

/* Half of the slots at least stay empty. */
static bool grow(omt_id_table *ids)
{
	omt_id_table larger = *ids;
	if (2 * (ids->count + 1) <= ids->room)
		return true;
	larger.room = ids->room ? 2 * ids->room : 1024;
	larger.slots = calloc(larger.room, sizeof *larger.slots);
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < ids->room; i++)
		if (ids->slots[i])
			larger.slots[place_of(&larger, ids->id_of(ids->user, ids->slots[i] - 1))] =
				ids->slots[i];
	free(ids->slots);
	*ids = larger;
	return true;
}

bool omt_id_table_add(omt_id_table *ids, uint64_t number)
{
	if (!grow(ids))
		return false;
	ids->slots[place_of(ids, ids->id_of(ids->user, number))] = number + 1;
	ids->count++;
	return true;
}

void omt_id_table_free(omt_id_table *ids)
{
	free(ids->slots);
	ids->slots = NULL;
	ids->count = ids->room = 0;
}
