#include "index/catalog.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/item.h"
#include "index/list.h"

#define TOLD 5 /* broken lines that are notes of their own */

typedef struct omt_place {
	uint64_t at; /* in the file */
	uint64_t line;
} omt_place;

struct omt_catalog {
	char *path;
	omt_list *list;
	omt_names ids;
	omt_place *places; /* [ids.count] */
	size_t room;
	uint64_t broken;
	pthread_mutex_t lock; /* the list */
};

static omt_status add(omt_catalog *catalog, const omt_item *item, omt_error *err)
{
	uint32_t number;
	if (catalog->ids.count == catalog->room) {
		const size_t room = catalog->room ? 2 * catalog->room : 64;
		omt_place *larger = realloc(catalog->places, room * sizeof *larger);
		if (!larger)
			return OMT_FAIL(err, NO_MEMORY, "%s: %zu items", catalog->path, room);
		catalog->places = larger;
		catalog->room = room;
	}
	if (!omt_names_add(&catalog->ids, item->id, strlen(item->id), &number))
		return OMT_FAIL(err, NO_MEMORY, "%s: %u ids", catalog->path, catalog->ids.count);
	catalog->places[number] = (omt_place){omt_list_place(catalog->list), item->line};
	return OMT_OK;
}

static omt_status read_all(omt_catalog *catalog, const omt_progress *progress, omt_error *err)
{
	const omt_item *item;
	while (omt_list_next(catalog->list, &item)) {
		if (item->failed.status == OMT_OK)
			OMT_TRY(add(catalog, item, err));
		else if (item->failed.status == OMT_NO_MEMORY)
			return OMT_FAIL(err, NO_MEMORY, "%s", item->failed.text);
		else if (catalog->broken++ < TOLD)
			omt_note(progress, "%s", item->failed.text);
		if (progress && progress->report && item->line % 4096 == 0)
			progress->report(progress->user, catalog->path, item->line, 0);
	}
	if (!catalog->ids.count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no item in the list", catalog->path);
	if (catalog->broken > TOLD)
		omt_note(progress, "%.400s: %llu broken lines are left out", catalog->path,
		         (unsigned long long)catalog->broken);
	return OMT_OK;
}

omt_status omt_catalog_open(const char *path, omt_role role, const omt_limits *limits,
                            const omt_progress *progress, omt_catalog **given, omt_error *err)
{
	omt_catalog *catalog = calloc(1, sizeof *catalog);
	omt_status status;
	*given = NULL;
	if (!catalog)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	pthread_mutex_init(&catalog->lock, NULL);
	catalog->path = strdup(path);
	if (!catalog->path)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%s", path));
	if (!strcmp(path, "-"))
		OMT_GOTO(OMT_FAIL(err, BAD_ARGUMENT, "a list that is read at random is no pipe"));
	OMT_GOTO(omt_list_open(path, role, limits, &catalog->list, err));
	OMT_GOTO(read_all(catalog, progress, err));
done:
	if (status == OMT_OK)
		*given = catalog;
	else
		omt_catalog_close(catalog);
	return status;
}

void omt_catalog_close(omt_catalog *catalog)
{
	if (!catalog)
		return;
	omt_list_close(catalog->list);
	omt_names_free(&catalog->ids);
	pthread_mutex_destroy(&catalog->lock);
	free(catalog->places);
	free(catalog->path);
	free(catalog);
}

const char *omt_catalog_path(const omt_catalog *catalog)
{
	return catalog->path;
}

const omt_names *omt_catalog_ids(const omt_catalog *catalog)
{
	return &catalog->ids;
}

uint64_t omt_catalog_broken(const omt_catalog *catalog)
{
	return catalog->broken;
}

/* The item that is read has to be the one that was there. */
static omt_status copy_item(const omt_catalog *catalog, uint32_t number, const omt_item *item,
                            omt_item **copy, omt_error *err)
{
	const char *id = omt_names_get(&catalog->ids, number);
	if (item->failed.status != OMT_OK)
		return omt_fail(err, item->failed.status, "%s", item->failed.text);
	if (strcmp(item->id, id) != 0)
		return OMT_FAIL(err, IO,
		                "%s:%llu: id \"%.80s\", it was \"%.80s\": the list was changed",
		                catalog->path, (unsigned long long)item->line, item->id, id);
	*copy = omt_item_copy(item);
	return *copy ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s: item %s", catalog->path, id);
}

omt_status omt_catalog_item(omt_catalog *catalog, uint32_t number, omt_item **copy, omt_error *err)
{
	const omt_place *place = &catalog->places[number];
	const omt_item *item;
	*copy = NULL;
	pthread_mutex_lock(&catalog->lock);
	omt_status status = omt_list_read_at(catalog->list, place->at, place->line, &item, err);
	if (status == OMT_OK)
		status = copy_item(catalog, number, item, copy, err);
	pthread_mutex_unlock(&catalog->lock);
	return status;
}
