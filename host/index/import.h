/* import.h - vectors from files of others, row by row.
 *
 *     a.npy      NumPy, f16, f32 or f64 [rows, dimension]; ids in a.ids.jsonl beside it ({"id":...}
 *                a line), else the rows' numbers from 0; the model in a.meta.json
 *     a.fbin     u32 rows, u32 dimension, then f32, little endian (the BigANN benchmarks');
 *                beside it a.fbin.ids.jsonl and a.fbin.meta.json
 *     a.jsonl    {"id":..., "embedding":[...]} a line; a line with "error" has no vector
 *     a folder   shards of omnitile embed (vectors.h) */
#ifndef OMT_INDEX_IMPORT_H
#define OMT_INDEX_IMPORT_H

#include "index/vectors.h"

typedef struct omt_import omt_import;

omt_status omt_import_open(const char *path, omt_import **import, omt_error *err);
void omt_import_close(omt_import *import);              /* NULL is allowed */
int32_t omt_import_dimension(const omt_import *import); /* 0: a .jsonl without a vector */
const char *omt_import_model(const omt_import *import); /* its identity; NULL: not told */
/* The next row, until the next call; *row NULL at the end. A vector with a value that is not finite
 * is no vector. */
omt_status omt_import_next(omt_import *import, const omt_vector **row, omt_error *err);
void omt_import_rewind(omt_import *import);

#endif
