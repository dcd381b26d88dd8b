/* vectors.h - vectors on disk as `omnitile embed` writes them: their names and their reader.
 *
 * A set of vectors is one of
 *     a.npy, a.ids.jsonl, a.meta.json      f32 [rows, dimension]; a line a row: {"id":...}, with
 *                                          "error" (and "line") where the row is NaN; the model
 *     a folder with manifest.json          the same in shards, vectors-00000.npy and its ids, in
 *                                          the order of the list (manifest.h) */
#ifndef OMT_INDEX_VECTORS_H
#define OMT_INDEX_VECTORS_H

#include "base/status.h"

#define OMT_MAX_DIMENSION (1 << 20)

/* What lies beside a vector file: "a/b.npy" -> "a/b.ids.jsonl", "a/b.meta.json"; given, free().
 * NULL: no memory. */
char *omt_vectors_ids_path(const char *path);
char *omt_vectors_meta_path(const char *path);
/* Vectors without a model: removes the file beside that would name the one of those before. */
omt_status omt_vectors_forget_model(const char *path, omt_error *err);
/* A shard's vector file, "FOLDER/vectors-00007.npy"; given, free(). NULL: no memory. */
char *omt_vectors_shard_path(const char *folder, int64_t shard);

typedef struct omt_vectors omt_vectors;

typedef struct omt_vector {
	const char *id;      /* never empty */
	const float *vector; /* `dimension` finite values; NULL: the item failed, or some are not */
	const char *error;   /* why it failed; NULL: not told */
	int64_t line;        /* of a failed item in its list; 0: not told */
} omt_vector;

/* Opens either kind. Every vector file is looked at: shape, dimension, and of a folder that no
 * shard is missing. One file at a time is mapped, so memory does not grow with the set. */
omt_status omt_vectors_open(const char *path, omt_vectors **vectors, omt_error *err);
void omt_vectors_close(omt_vectors *vectors);
int64_t omt_vectors_rows(const omt_vectors *vectors); /* failed ones, too */
int32_t omt_vectors_dimension(const omt_vectors *vectors);
/* omt_model_identity() of the model they come from; NULL: the set does not tell. */
const char *omt_vectors_model(const omt_vectors *vectors);
/* The next row; *row NULL at the end. It lives until the next call. */
omt_status omt_vectors_next(omt_vectors *vectors, const omt_vector **row, omt_error *err);
/* To the first row again. */
void omt_vectors_rewind(omt_vectors *vectors);

#endif
