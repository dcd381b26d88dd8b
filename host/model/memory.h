/* memory.h - what an engine takes of a device's memory, before it takes it. */
#ifndef OMT_MODEL_MEMORY_H
#define OMT_MODEL_MEMORY_H

#include "model/engine_private.h"

typedef struct omt_memory {
	size_t bytes;   /* all buffers: the units' omt_exec_bytes() once the engine is open */
	size_t weights; /* of these */
	size_t largest; /* buffer that holds no weights: those cannot be cut into blocks */
} omt_memory;

/* The engine opened on a recorder: exact, and no content is looked at. `units`: how many work in
 * this memory, with one copy of the weights. */
omt_status omt_memory_plan(const omt_model *model, const omt_engine_options *options,
                           const omt_backend_info *info, int32_t units, omt_memory *memory,
                           omt_error *err);
bool omt_memory_fits(const omt_memory *memory, const omt_backend_info *info);
/* OMT_LIMIT with the numbers, and the max_tokens that would fit, if it does not. */
omt_status omt_memory_check(const omt_model *model, const omt_engine_options *options,
                            const omt_backend_info *info, int32_t units, omt_error *err);

#endif
