/* shard_files.h - the files of a folder of shards: vectors-00007.npy and .ids.jsonl, manifest.json,
 * failed.jsonl. Nothing else in the folder is ever touched. */
#ifndef OMT_INDEX_SHARD_FILES_H
#define OMT_INDEX_SHARD_FILES_H

#include "base/status.h"

/* A shard that is whole: vectors of this dimension with an id each. Counts its rows and, of them,
 * the failed ones; both may be NULL. */
bool omt_shard_whole(const char *folder, int64_t shard, int32_t dimension, int64_t *rows,
                     int64_t *failed);

/* Removes temporary files that a killed process left of these shards: number % world == rank; with
 * `world` 1 of the other files, too. */
void omt_shard_files_clean(const char *folder, int32_t rank, int32_t world);
/* Whether there are files of shards. */
bool omt_shard_files_any(const char *folder);
/* Removes all files of shards, the manifest last. */
omt_status omt_shard_files_remove(const char *folder, omt_error *err);

/* Writes FOLDER/failed.jsonl, the lines of failed items ({"id","error","line"}) of the shards that
 * are there, in their order; an empty file: there is none. Several processes may do so at once: the
 * last one's file tells of all shards. *whole: how many are there. */
omt_status omt_shard_files_gather(const char *folder, int64_t shards, int64_t *whole,
                                  omt_error *err);

#endif
