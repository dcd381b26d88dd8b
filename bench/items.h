/* items.h - a data set in memory, and the orders in which it is gone through. */
#ifndef OMT_BENCH_ITEMS_H
#define OMT_BENCH_ITEMS_H

#include "base/random.h"
#include "bench/scenario/scenario.h"

/* Modalities of items: one kind of part, or several. The first ones are omt_kind's. */
enum { OMT_BENCH_JOINED = OMT_KIND_COUNT, OMT_BENCH_GROUPS };
extern const char *const omt_bench_group_names[OMT_BENCH_GROUPS];

typedef struct omt_bench_item {
	omt_item *item;
	uint32_t file, group; /* of omt_bench_load.files; modality */
	size_t row;           /* in its file */
} omt_bench_item;

typedef struct omt_bench_items {
	omt_bench_item *all;
	size_t count, room;
} omt_bench_items;

/* Appends a file's items, as `file`; ids gets their ids. No items in it: BAD_FORMAT. */
omt_status omt_bench_items_load(omt_bench_items *items, const omt_bench_file *from, uint32_t file,
                                json_t *ids, omt_error *err);
void omt_bench_items_free(omt_bench_items *items);

/* Which items of a file and a modality there are, by their places in `all`; of any when < 0. With
 * places NULL only counted. Returns how many. */
size_t omt_bench_items_pick(const omt_bench_items *items, int file, int group, uint32_t *places);

/* Goes through items again and again: a pass has each of them once. Two of the same settings give
 * the same order, so that a source and a sink can each have its own. */
typedef struct omt_order {
	uint32_t *places;
	size_t count, next; /* in this pass */
	omt_random random;
	bool shuffled; /* the first pass, too; the others always are */
	bool begun;
} omt_order;

/* `places` is copied. */
omt_status omt_order_open(omt_order *order, const uint32_t *places, size_t count, int64_t seed,
                          bool shuffled, omt_error *err);
uint32_t omt_order_next(omt_order *order);
void omt_order_close(omt_order *order);

#endif
