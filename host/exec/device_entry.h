/* device_entry.h - the tuning database: which files of the kind device_file.h describes are for a
 * device, and the tiles that they give.
 *
 * Entries are the files *.yaml of the user's folder (OMT_DEVICES_DIR, else
 * $XDG_CONFIG_HOME/omnitile/devices, else ~/.config/omnitile/devices) and those of configs/devices/
 * that the library was built with. Those that fit are laid over each other, each with what it
 * names: the user's over the shipped ones, then the better fit (omt_device_file_fits) over the
 * lesser, of equal ones the first by name on top. `changes` (NULL: OMT_TILES) go over all. */
#ifndef OMT_EXEC_DEVICE_ENTRY_H
#define OMT_EXEC_DEVICE_ENTRY_H

#include "exec/device_file.h"

/* The tiles of a device, checked; into top[top_size] (unless NULL) the topmost entry: a path, or
 * "pocl-avx2.yaml (shipped)". A broken file of the user's folder is an error. */
omt_status omt_device_tiles(const omt_backend_info *device, const char *changes,
                            omt_cl_tile_set *tiles, char *top, size_t top_size, omt_error *err);

/* The tiles of every entry, whatever device it is for, as starting points of a search; at most
 * `limit`, shipped ones only. Returns how many. */
size_t omt_device_shipped_tiles(omt_cl_tile_set *sets, size_t limit);

/* A device by its name: a path *.yaml, else `name`.yaml of the user's folder, else a shipped entry.
 * Into *there whether there is one: false is no error, the name may be of a device that is here. */
omt_status omt_device_named(const char *name, omt_device_file *file, bool *there, omt_error *err);

/* " agilex7, generic-cpu, ...": all shipped entries, cut to size. */
void omt_device_shipped_names(char *names, size_t size);

/* The user's folder; given, free(). NULL: no memory, or no home. */
char *omt_device_folder(void);

#endif
