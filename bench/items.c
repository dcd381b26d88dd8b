#include "bench/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/item.h"

const char *const omt_bench_group_names[OMT_BENCH_GROUPS] = {"text", "image", "video", "audio",
                                                             "joined"};

static uint32_t group_of(const omt_item *item)
{
	uint32_t kinds = 0, group = OMT_TEXT;
	for (size_t i = 0; i < item->part_count; i++) {
		kinds |= 1u << item->parts[i].kind;
		group = (uint32_t)item->parts[i].kind;
		if (item->parts[i].fusion != OMT_AUDIO_OFF)
			kinds |= 1u << OMT_AUDIO;
		if (item->parts[i].transcript ||
		    (item->parts[i].kind == OMT_VIDEO && item->parts[i].limits.subtitles))
			kinds |= 1u << OMT_TEXT;
	}
	return kinds & (kinds - 1) ? OMT_BENCH_JOINED : group;
}

static omt_status add(omt_bench_items *items, const omt_item *item, uint32_t file, size_t row,
                      json_t *ids, omt_error *err)
{
	if (items->count == items->room) {
		const size_t room = items->room ? 2 * items->room : 256;
		omt_bench_item *grown =
			room <= UINT32_MAX ? realloc(items->all, room * sizeof *grown) : NULL;
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%zu items", room);
		items->all = grown;
		items->room = room;
	}
	omt_item *copy = omt_item_copy(item);
	if (!copy)
		return OMT_FAIL(err, NO_MEMORY, "%zu items", items->count);
	items->all[items->count++] =
		(omt_bench_item){.item = copy, .file = file, .group = group_of(item), .row = row};
	return json_array_append_new(ids, json_string(copy->id)) == 0
	               ? OMT_OK
	               : OMT_FAIL(err, NO_MEMORY, "%zu ids", items->count);
}

omt_status omt_bench_items_load(omt_bench_items *items, const omt_bench_file *from, uint32_t file,
                                json_t *ids, omt_error *err)
{
	omt_list *list;
	const omt_item *item;
	omt_status status = OMT_OK;
	size_t row = 0;
	OMT_TRY(omt_list_open(from->path, from->role, &from->limits, &list, err));
	while (status == OMT_OK && omt_list_next(list, &item))
		status = add(items, item, file, row++, ids, err);
	omt_list_close(list);
	if (status == OMT_OK && !row)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no items", from->path);
	return status;
}

void omt_bench_items_free(omt_bench_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		free(items->all[i].item);
	free(items->all);
	*items = (omt_bench_items){0};
}

size_t omt_bench_items_pick(const omt_bench_items *items, int file, int group, uint32_t *places)
{
	size_t count = 0;
	for (size_t i = 0; i < items->count; i++) {
		const omt_bench_item *item = &items->all[i];
		if ((file >= 0 && item->file != (uint32_t)file) ||
		    (group >= 0 && item->group != (uint32_t)group))
			continue;
		if (places)
			places[count] = (uint32_t)i;
		count++;
	}
	return count;
}

/* ---- orders ---- */

enum { ORDER_STREAM = 1 }; /* of the seed; arrivals have others */

omt_status omt_order_open(omt_order *order, const uint32_t *places, size_t count, int64_t seed,
                          bool shuffled, omt_error *err)
{
	*order = (omt_order){.count = count, .next = count, .shuffled = shuffled};
	order->places = malloc((count + 1) * sizeof *places);
	if (!order->places)
		return OMT_FAIL(err, NO_MEMORY, "an order of %zu items", count);
	memcpy(order->places, places, count * sizeof *places);
	omt_random_seed(&order->random, (uint64_t)seed, ORDER_STREAM);
	return OMT_OK;
}

uint32_t omt_order_next(omt_order *order)
{
	if (order->next == order->count) {
		if (order->shuffled || order->begun)
			omt_random_shuffle(&order->random, order->places, order->count);
		order->begun = true;
		order->next = 0;
	}
	return order->places[order->next++];
}

void omt_order_close(omt_order *order)
{
	free(order->places);
	*order = (omt_order){0};
}
