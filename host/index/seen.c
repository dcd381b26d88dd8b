#include "index/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

/* Many small tables, chosen by the hash: they grow one after the other, so that what is there twice
 * while one grows is little. */
#define TABLES     256
#define FIRST_ROOM 16 /* a power of two, as every room */

typedef struct slot {
	uint64_t low, high; /* both 0: free */
} slot;

typedef struct seen_table {
	slot *slots;
	size_t room, count;
} seen_table;

struct omt_seen {
	omt_hash *hash;
	seen_table tables[TABLES];
};

omt_seen *omt_seen_new(void)
{
	omt_seen *seen = calloc(1, sizeof *seen);
	if (seen && !(seen->hash = omt_hash_new())) {
		free(seen);
		return NULL;
	}
	return seen;
}

void omt_seen_free(omt_seen *seen)
{
	if (!seen)
		return;
	for (size_t i = 0; i < TABLES; i++)
		free(seen->tables[i].slots);
	omt_hash_free(seen->hash);
	free(seen);
}

/* Where it is, or the free slot where it would be. */
static slot *find(slot *slots, size_t room, slot key)
{
	size_t at = key.low & (room - 1);
	while ((slots[at].low || slots[at].high) &&
	       (slots[at].low != key.low || slots[at].high != key.high))
		at = (at + 1) & (room - 1);
	return &slots[at];
}

/* Makes room for one more. */
static bool grow(seen_table *table)
{
	if (4 * (table->count + 1) <= 3 * table->room)
		return true;
	size_t room = table->room ? 2 * table->room : FIRST_ROOM;
	slot *larger = calloc(room, sizeof *larger);
	if (!larger)
		return false;
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i].low || table->slots[i].high)
			*find(larger, room, table->slots[i]) = table->slots[i];
	free(table->slots);
	table->slots = larger;
	table->room = room;
	return true;
}

bool omt_seen_add(omt_seen *seen, const char *text, bool *again)
{
	uint8_t sum[OMT_CHECKSUM_BYTES];
	slot key;
	omt_hash_begin(seen->hash);
	omt_hash_add(seen->hash, text, strlen(text));
	omt_hash_end(seen->hash, sum);
	memcpy(&key.low, sum, sizeof key.low);
	memcpy(&key.high, sum + sizeof key.low, sizeof key.high);
	if (!key.low && !key.high)
		key.high = 1;
	seen_table *table = &seen->tables[key.high % TABLES];
	if (!grow(table))
		return false;
	slot *place = find(table->slots, table->room, key);
	*again = place->low || place->high;
	if (!*again) {
		*place = key;
		table->count++;
	}
	return true;
}
