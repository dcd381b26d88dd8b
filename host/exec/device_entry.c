#include "exec/device_entry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "exec/embedded.h"

#define MAX_ENTRIES 64 /* that fit one device */

typedef struct entry {
	char name[256]; /* "pocl-avx2.yaml (shipped)", a path */
	uint32_t fit;
	bool users;
	omt_cl_tile_set tiles;
} entry;

typedef struct entries {
	const omt_backend_info *device;
	entry *list;
	size_t count;
} entries;

static omt_status add(entries *all, const char *name, bool users, const omt_device_file *file,
                      omt_error *err)
{
	const uint32_t fit = omt_device_file_fits(file, all->device);
	if (!fit)
		return OMT_OK;
	if (all->count == MAX_ENTRIES)
		return OMT_FAIL(err, LIMIT, "%s: more than %d entries for one device", name,
		                MAX_ENTRIES);
	entry *next = &all->list[all->count++];
	*next = (entry){.fit = fit, .users = users, .tiles = file->tiles};
	snprintf(next->name, sizeof next->name, "%s", name);
	return OMT_OK;
}

static omt_status add_shipped(entries *all, omt_error *err)
{
	for (size_t i = 0; i < omt_device_entries_count; i++) {
		const omt_embedded *shipped = &omt_device_entries[i];
		omt_device_file file;
		char name[256];
		snprintf(name, sizeof name, "%s (shipped)", shipped->name);
		OMT_TRY(omt_device_file_parse(name, shipped->text, strlen(shipped->text), &file,
		                              err));
		OMT_TRY(add(all, name, false, &file, err));
	}
	return OMT_OK;
}

/* ---- the user's folder ---- */

char *omt_device_folder(void)
{
	const char *own = getenv("OMT_DEVICES_DIR"), *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	if (own && *own)
		return strdup(own);
	if (config && *config)
		return omt_path_join(config, "omnitile/devices");
	return home && *home ? omt_path_join(home, ".config/omnitile/devices") : NULL;
}

static int is_entry(const struct dirent *found)
{
	return found->d_name[0] != '.' && omt_is_device_file(found->d_name);
}

static omt_status add_file(entries *all, const char *folder, const char *name, omt_error *err)
{
	omt_device_file file;
	char *path = omt_path_join(folder, name);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s/%s", folder, name);
	omt_status status = omt_device_file_read(path, &file, err);
	if (status == OMT_OK)
		status = add(all, path, true, &file, err);
	free(path);
	return status;
}

/* A folder that is not there holds no entries. */
static omt_status add_users(entries *all, omt_error *err)
{
	struct dirent **found = NULL;
	omt_status status = OMT_OK;
	char *folder = omt_device_folder();
	const int count = folder ? scandir(folder, &found, is_entry, alphasort) : 0;
	if (count < 0 && errno != ENOENT)
		status = OMT_FAIL(err, IO, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (status == OMT_OK)
			status = add_file(all, folder, found[i]->d_name, err);
		free(found[i]);
	}
	free(found);
	free(folder);
	return status;
}

/* ---- by name ---- */

static omt_status shipped_named(const char *name, omt_device_file *file, bool *there,
                                omt_error *err)
{
	const size_t length = strlen(name);
	char place[256];
	for (size_t i = 0; i < omt_device_entries_count; i++) {
		const omt_embedded *shipped = &omt_device_entries[i];
		if (strncmp(shipped->name, name, length) || strcmp(shipped->name + length, ".yaml"))
			continue;
		*there = true;
		snprintf(place, sizeof place, "%s (shipped)", shipped->name);
		return omt_device_file_parse(place, shipped->text, strlen(shipped->text), file,
		                             err);
	}
	return OMT_OK;
}

void omt_device_shipped_names(char *names, size_t size)
{
	size_t used = 0;
	*names = 0;
	for (size_t i = 0; i < omt_device_entries_count && used < size; i++) {
		const char *name = omt_device_entries[i].name, *dot = strrchr(name, '.');
		used += (size_t)snprintf(names + used, size - used, "%s %.*s", i ? "," : "",
		                         (int)(dot ? dot - name : (ptrdiff_t)strlen(name)), name);
	}
}

static omt_status users_named(const char *name, omt_device_file *file, bool *there, omt_error *err)
{
	char base[128];
	char *folder = omt_device_folder(), *path = NULL;
	omt_status status = OMT_OK;
	snprintf(base, sizeof base, "%s.yaml", name);
	if (folder && !(path = omt_path_join(folder, base)))
		status = OMT_FAIL(err, NO_MEMORY, "%s", base);
	*there = path && access(path, F_OK) == 0;
	if (*there)
		status = omt_device_file_read(path, file, err);
	free(path);
	free(folder);
	return status;
}

omt_status omt_device_named(const char *name, omt_device_file *file, bool *there, omt_error *err)
{
	*there = false;
	if (omt_is_device_file(name)) {
		*there = true;
		return omt_device_file_read(name, file, err);
	}
	if (!name || !*name || strlen(name) > 100 || strpbrk(name, "/,") || *name == '.')
		return OMT_OK;
	OMT_TRY(users_named(name, file, there, err));
	return *there ? OMT_OK : shipped_named(name, file, there, err);
}

/* ---- tiles ---- */

/* What goes below comes first. */
static int compare(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	if (x->users != y->users)
		return x->users ? 1 : -1;
	if (x->fit != y->fit)
		return x->fit > y->fit ? 1 : -1;
	return -strcmp(x->name, y->name);
}

static void lay_over(omt_cl_tile_set *below, const omt_cl_tile_set *above)
{
	for (size_t i = 0; i < OMT_CL_CLASS_COUNT; i++)
		for (omt_cl_tile tile = 0; tile < OMT_CL_TILE_COUNT; tile++) {
			const int32_t value = omt_cl_tile_get(&above->of[i], tile);
			if (value)
				*omt_cl_tile_at(&below->of[i], tile) = value;
		}
}

omt_status omt_device_tiles(const omt_backend_info *device, const char *changes,
                            omt_cl_tile_set *tiles, char *top, size_t top_size, omt_error *err)
{
	entries all = {.device = device, .list = calloc(MAX_ENTRIES, sizeof *all.list)};
	omt_status status;
	*tiles = (omt_cl_tile_set){0};
	if (!all.list)
		return OMT_FAIL(err, NO_MEMORY, "entries of devices");
	OMT_GOTO(add_shipped(&all, err));
	OMT_GOTO(add_users(&all, err));
	qsort(all.list, all.count, sizeof *all.list, compare);
	for (size_t i = 0; i < all.count; i++)
		lay_over(tiles, &all.list[i].tiles);
	if (top)
		snprintf(top, top_size, "%s", all.count ? all.list[all.count - 1].name : "");
	if (!changes)
		changes = getenv("OMT_TILES");
	if (changes)
		OMT_GOTO(omt_cl_tiles_change(tiles, changes, err));
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++)
		OMT_GOTO(omt_cl_tiles_check(i, &tiles->of[i], err));
done:
	free(all.list);
	return status;
}

size_t omt_device_shipped_tiles(omt_cl_tile_set *sets, size_t limit)
{
	size_t count = 0;
	for (size_t i = 0; i < omt_device_entries_count && count < limit; i++) {
		omt_device_file file;
		if (omt_device_file_parse(omt_device_entries[i].name, omt_device_entries[i].text,
		                          strlen(omt_device_entries[i].text), &file,
		                          NULL) == OMT_OK &&
		    file.matches)
			sets[count++] = file.tiles;
	}
	return count;
}
