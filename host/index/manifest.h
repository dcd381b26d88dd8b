/* manifest.h - what a folder of shards holds, and what it was made with: FOLDER/manifest.json.
 *
 *     {"layout": 1,                        of this file and the folder
 *      "list": {"bytes", "lines", "digest"},
 *      "shard_lines": 10000,               shard s has the items of lines s * 10000 + 1 and on
 *      "dimension": 2048, "model": "...", "settings": {...}}
 *
 * A shard is told by line numbers alone: how many processes made the folder, and in how many
 * starts, cannot be seen in it. A shard is whole when its vector file is there: that one is
 * renamed last. */
#ifndef OMT_INDEX_MANIFEST_H
#define OMT_INDEX_MANIFEST_H

#include <jansson.h>

#include "base/status.h"

typedef struct omt_manifest {
	json_t *all; /* as in the file */
	const char *model;
	int32_t dimension;
	int64_t lines, shard_lines, shards;
} omt_manifest;

/* "FOLDER/manifest.json"; given, free(). NULL: no memory. */
char *omt_manifest_path(const char *folder);
/* Takes `all`. `place` goes into errors. */
omt_status omt_manifest_parse(const char *place, json_t *all, omt_manifest *manifest,
                              omt_error *err);
omt_status omt_manifest_load(const char *path, omt_manifest *manifest, omt_error *err);
/* Writes it where there is none; one that is there by then, another process's, stays. */
omt_status omt_manifest_create(const omt_manifest *manifest, const char *path, omt_error *err);
void omt_manifest_free(omt_manifest *manifest);
/* OMT_MISMATCH naming the first value that is not the same. */
omt_status omt_manifest_compare(const char *path, const omt_manifest *there,
                                const omt_manifest *wanted, omt_error *err);

#endif
