/* packed.h - a checkpoint's matrices as a backend takes them, in one file that a start maps.
 *
 * A head of text says what the file holds: the versions of format and contract, panel and storage,
 * a line a shard of the checkpoint (name, bytes, time of change, SHA-256 of its header) and a line
 * a tensor. The tensors follow, each at a multiple of OMT_IN_PLACE_ALIGN, then a checksum of each
 * (omt_hash). The head follows from checkpoint, code and options: a file is good if its head has
 * exactly the bytes it should have and its size is right, hence nothing in it has to be parsed or
 * trusted. Content is read and compared with its checksums only when OMT_CACHE_VERIFY=1 (9 GB take
 * seconds): files appear whole or not at all (base/file.h).
 *
 * One walk over the model lists the tensors, one may write them, one takes them: all three in the
 * same order. */
#ifndef OMT_MODEL_PACKED_H
#define OMT_MODEL_PACKED_H

#include "model/weights.h"

typedef struct omt_packed omt_packed;

/* folder: NULL: omt_cache_folder(). `dir`: the checkpoint's; one file for it, its adapter, panel
 * and storage: another checkpoint there takes its place. *packed is NULL when nothing is to be
 * kept. */
omt_status omt_packed_new(const omt_weights *weights, const char *dir, const char *folder,
                          int32_t panel, const char *storage, omt_packed **packed, omt_error *err);
void omt_packed_free(omt_packed *packed); /* NULL is allowed; ends the mapping */

omt_status omt_packed_list(omt_packed *packed, const char *name, size_t bytes, omt_error *err);

/* After listing. Whether a good file is there, which is mapped then. */
bool omt_packed_map(omt_packed *packed);

/* Writing: all content in the listed order, in portions that end where a tensor ends. Without
 * commit, or after a failure, the folder is as it was. */
omt_status omt_packed_create(omt_packed *packed, omt_error *err);
omt_status omt_packed_put(omt_packed *packed, const void *data, size_t bytes, omt_error *err);
omt_status omt_packed_close(omt_packed *packed, bool commit, omt_error *err);

/* The next `bytes` of a mapped file, in portions as above; borrowed until omt_packed_free(). */
const uint8_t *omt_packed_take(omt_packed *packed, size_t bytes);
/* Gives the pages back: they were copied. */
void omt_packed_release(const omt_packed *packed);

const char *omt_packed_path(const omt_packed *packed);
size_t omt_packed_bytes(const omt_packed *packed); /* of the whole file */

#endif
