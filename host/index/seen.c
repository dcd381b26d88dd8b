#include "index/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define FIRST_ROOM 1024 /* a power of two, as every room */

typedef struct slot {
	uint64_t low, high; /* both 0: free */
} slot;

struct omt_seen {
	omt_hash *hash;
	slot *slots;
	size_t room, count;
};

omt_seen *omt_seen_new(void)
{
	omt_seen *seen = calloc(1, sizeof *seen);
	if (!seen)
		return NULL;
	seen->hash = omt_hash_new();
	seen->slots = calloc(FIRST_ROOM, sizeof *seen->slots);
	seen->room = FIRST_ROOM;
	if (seen->hash && seen->slots)
		return seen;
	omt_seen_free(seen);
	return NULL;
}

void omt_seen_free(omt_seen *seen)
{
	if (!seen)
		return;
	omt_hash_free(seen->hash);
	free(seen->slots);
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

static bool grow(omt_seen *seen)
{
	slot *larger = calloc(2 * seen->room, sizeof *larger);
	if (!larger)
		return false;
	for (size_t i = 0; i < seen->room; i++)
		if (seen->slots[i].low || seen->slots[i].high)
			*find(larger, 2 * seen->room, seen->slots[i]) = seen->slots[i];
	free(seen->slots);
	seen->slots = larger;
	seen->room *= 2;
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
	slot *place = find(seen->slots, seen->room, key);
	*again = place->low || place->high;
	if (*again)
		return true;
	if (4 * (seen->count + 1) > 3 * seen->room) {
		if (!grow(seen))
			return false;
		place = find(seen->slots, seen->room, key);
	}
	*place = key;
	seen->count++;
	return true;
}
