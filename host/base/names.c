#include "base/names.h"

#include <stdlib.h>
#include <string.h>

/* Eight bytes a step, multiplied and folded; the last step is MurmurHash3's finaliser. */
static uint64_t hash(const void *name, size_t bytes)
{
	const uint8_t *at = name;
	uint64_t h = bytes, word;
	for (; bytes >= sizeof word; at += sizeof word, bytes -= sizeof word) {
		memcpy(&word, at, sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, at, bytes);
	h = (h ^ word) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static size_t length(const omt_names *names, uint32_t number)
{
	size_t end = number + 1 < names->count ? names->starts[number + 1] : names->used;
	return end - names->starts[number] - 1;
}

/* The slot of the name, or the free one where it belongs. */
static omt_name_slot *slot_of(const omt_names *names, uint64_t hashed, const void *name,
                              size_t bytes)
{
	const uint32_t tag = (uint32_t)(hashed >> 32);
	const size_t mask = names->slot_count - 1;
	size_t at = (size_t)hashed & mask;
	for (; names->slots[at].next; at = (at + 1) & mask) {
		uint32_t number = names->slots[at].next - 1;
		if (names->slots[at].tag == tag && length(names, number) == bytes &&
		    !memcmp(names->bytes + names->starts[number], name, bytes))
			break;
	}
	return &names->slots[at];
}

bool omt_names_find(const omt_names *names, const void *name, size_t bytes, uint32_t *number)
{
	if (!names->slot_count)
		return false;
	const omt_name_slot *slot = slot_of(names, hash(name, bytes), name, bytes);
	if (slot->next)
		*number = slot->next - 1;
	return slot->next != 0;
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
	for (uint32_t i = 0; i < names->count; i++) {
		const char *name = names->bytes + names->starts[i];
		const uint64_t hashed = hash(name, length(names, i));
		*slot_of(&larger, hashed, name, length(names, i)) =
			(omt_name_slot){i + 1, (uint32_t)(hashed >> 32)};
	}
	free(names->slots);
	*names = larger;
	return true;
}

/* Doubles what is too small for one more. */
static bool grow_bytes(omt_names *names, size_t bytes)
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
	return true;
}

bool omt_names_add(omt_names *names, const void *name, size_t bytes, uint32_t *number)
{
	if (!names->slot_count && !grow_slots(names))
		return false;
	const uint64_t hashed = hash(name, bytes);
	omt_name_slot *slot = slot_of(names, hashed, name, bytes);
	if (slot->next) {
		*number = slot->next - 1;
		return true;
	}
	if (names->count == OMT_NAMES_MAX || !grow_bytes(names, bytes))
		return false;
	*slot = (omt_name_slot){names->count + 1, (uint32_t)(hashed >> 32)};
	memcpy(names->bytes + names->used, name, bytes);
	names->starts[names->count] = names->used;
	names->used += bytes;
	names->bytes[names->used++] = '\0';
	*number = names->count++;
	return grow_slots(names);
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
