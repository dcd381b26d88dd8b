/* vectors.h - names of a vector file's parts, shared by its writer and its readers. */
#ifndef OMT_INDEX_VECTORS_H
#define OMT_INDEX_VECTORS_H

/* The ids beside a vector file: "a/b.npy" -> "a/b.ids.jsonl"; given, free(). NULL: no memory. */
char *omt_vectors_ids_path(const char *path);

#endif
