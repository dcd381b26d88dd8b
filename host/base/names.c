#include "base/names.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits (Fowler, Noll and Vo), its high half folded in: the table takes the low bits. */
static size_t hash(const void *name, size_t bytes)
{
	const uint8_t *byte = name;
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < bytes; i++)
		h = (h ^ byte[i]) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32);
}

static size_t length(const omt_names *names, uint32_t number)
{
	size_t end = number + 1 < names->count ? names->starts[number + 1] : names->used;
	return end - names->starts[number] - 1;
}

/* The slot of the name, or the free one where it belongs. */
static size_t slot_of(const omt_names *names, const void *name, size_t bytes)
{
	size_t mask = names->slot_count - 1, at = hash(name, bytes) & mask;
	for (; names->slots[at]; at = (at + 1) & mask) {
		uint32_t number = names->slots[at] - 1;
		if (length(names, number) == bytes &&
		    !memcmp(names->bytes + names->starts[number], name, bytes))
			break;
	}
	return at;
}

bool omt_names_find(const omt_names *names, const void *name, size_t bytes, uint32_t *number)
{
	if (!names->slot_count)
		return false;
	uint32_t slot = names->slots[slot_of(names, name, bytes)];
	if (slot)
		*number = slot - 1;
	return slot != 0;
}

/* Keeps a quarter of the table free. */
static bool grow_slots(omt_names *names)
{
	if (names->slot_count && names->count < names->slot_count / 4 * 3)
		return true;
	omt_names larger = *names;
	larger.slot_count = names->slot_count ? names->slot_count * 2 : 64;
	larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
	if (!larger.slots)
		return false;
	for (uint32_t i = 0; i < names->count; i++)
		larger.slots[slot_of(&larger, names->bytes + names->starts[i], length(names, i))] =
			i + 1;
	free(names->slots);
	*names = larger;
	return true;
}

/* Doubles what is too small for one more. */
static bool grow(omt_names *names, size_t bytes)
{
	if (names->count == names->capacity) {
		uint32_t capacity = names->capacity ? names->capacity * 2 : 64;
		size_t *starts = realloc(names->starts, capacity * sizeof *starts);
		if (!starts)
			return false;
		names->starts = starts;
		names->capacity = capacity;
	}
	if (names->room - names->used <= bytes) {
		size_t room = 2 * names->room + bytes + 64;
		char *larger = realloc(names->bytes, room);
		if (!larger)
			return false;
		names->bytes = larger;
		names->room = room;
	}
	return grow_slots(names);
}

bool omt_names_add(omt_names *names, const void *name, size_t bytes, uint32_t *number)
{
	if (omt_names_find(names, name, bytes, number))
		return true;
	if (names->count == OMT_NAMES_MAX || !grow(names, bytes))
		return false;
	names->slots[slot_of(names, name, bytes)] = names->count + 1;
	memcpy(names->bytes + names->used, name, bytes);
	names->starts[names->count] = names->used;
	names->used += bytes;
	names->bytes[names->used++] = '\0';
	*number = names->count++;
	return true;
}

const char *omt_names_get(const omt_names *names, uint32_t number)
{
	return names->bytes + names->starts[number];
}

void omt_names_free(omt_names *names)
{
	free(names->bytes);
	free(names->starts);
	free(names->slots);
	*names = (omt_names){0};
}
