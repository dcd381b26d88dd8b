#include "index/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "index/list.h"

static bool add(omt_kinds *kinds, const omt_item *item)
{
	uint32_t number;
	uint8_t mask = 0;
	for (size_t i = 0; i < item->part_count; i++)
		mask |= (uint8_t)(1 << item->parts[i].kind);
	if (!omt_names_add(&kinds->ids, item->id, strlen(item->id), &number))
		return false;
	if (number >= kinds->room) {
		const size_t room = kinds->room ? 2 * kinds->room : 256;
		uint8_t *larger = realloc(kinds->masks, room);
		if (!larger)
			return false;
		kinds->masks = larger;
		kinds->room = room;
	}
	kinds->masks[number] = mask;
	return true;
}

omt_status omt_kinds_read(const char *path, omt_kinds *kinds, omt_error *err)
{
	omt_list *list;
	omt_limits limits;
	const omt_item *item;
	omt_status status = OMT_OK;
	omt_limits_init(&limits);
	OMT_TRY(omt_list_open(path, OMT_ROLE_NONE, &limits, &list, err));
	while (status == OMT_OK && omt_list_next(list, &item)) {
		if (item->failed.status == OMT_IO)
			status = omt_fail(err, OMT_IO, "%s", item->failed.text);
		else if (item->failed.status == OMT_OK && !add(kinds, item))
			status = OMT_FAIL(err, NO_MEMORY, "%s: kinds of %u items", path,
			                  kinds->ids.count);
	}
	omt_list_close(list);
	return status;
}

void omt_kinds_free(omt_kinds *kinds)
{
	omt_names_free(&kinds->ids);
	free(kinds->masks);
	*kinds = (omt_kinds){0};
}

uint8_t omt_kinds_of(const omt_kinds *kinds, const char *id)
{
	uint32_t number;
	return omt_names_find(&kinds->ids, id, strlen(id), &number) ? kinds->masks[number] : 0;
}

static int kind_of(const char *name, size_t bytes)
{
	for (int kind = 0; kind < OMT_KIND_COUNT; kind++)
		if (strlen(omt_list_kinds[kind]) == bytes &&
		    !memcmp(omt_list_kinds[kind], name, bytes))
			return kind;
	return -1;
}

omt_status omt_kinds_parse(const char *text, size_t bytes, uint8_t *mask, omt_error *err)
{
	*mask = 0;
	if (bytes == 3 && !memcmp(text, "any", 3))
		return OMT_OK;
	for (const char *at = text, *end = text + bytes;;) {
		const char *plus = memchr(at, '+', (size_t)(end - at));
		const char *stop = plus ? plus : end;
		const int kind = kind_of(at, (size_t)(stop - at));
		if (kind < 0 || *mask >> kind & 1)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "kinds are \"%.*s\", expected any, text, image, video, "
			                "audio or several with + between",
			                bytes > 40 ? 40 : (int)bytes, text);
		*mask |= (uint8_t)(1 << kind);
		if (!plus)
			return OMT_OK;
		at = plus + 1;
	}
}

bool omt_kind_fits(uint8_t wanted, uint8_t mask)
{
	return !wanted || wanted == mask;
}

static omt_status parse_pair(const char *text, size_t bytes, omt_kind_pair *pair, omt_error *err)
{
	const char *colon = memchr(text, ':', bytes);
	if (!colon || bytes >= sizeof pair->name)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "pair \"%.*s\", expected kinds of queries, \":\", kinds of "
		                "passages",
		                bytes > 40 ? 40 : (int)bytes, text);
	*pair = (omt_kind_pair){0};
	memcpy(pair->name, text, bytes);
	OMT_TRY(omt_kinds_parse(text, (size_t)(colon - text), &pair->query, err));
	OMT_TRY(omt_kinds_parse(colon + 1, bytes - (size_t)(colon + 1 - text), &pair->candidate,
	                        err));
	pair->positive = pair->candidate;
	return OMT_OK;
}

omt_status omt_kind_pairs_parse(const char *text, omt_kind_pair *pairs, size_t *count,
                                omt_error *err)
{
	*count = 0;
	for (const char *at = text;; at++) {
		const size_t bytes = strcspn(at, ",");
		if (*count == OMT_KIND_PAIRS)
			return OMT_FAIL(err, BAD_ARGUMENT, "more than %d pairs", OMT_KIND_PAIRS);
		omt_kind_pair *pair = &pairs[*count];
		OMT_TRY(parse_pair(at, bytes, pair, err));
		for (size_t i = 0; i < *count; i++)
			if (pairs[i].query == pair->query && pairs[i].candidate == pair->candidate)
				return OMT_FAIL(err, BAD_ARGUMENT, "pair %s twice", pair->name);
		++*count;
		at += bytes;
		if (!*at)
			return OMT_OK;
	}
}
