/* cycles.h - cycles of a launch by the kernel's own formula (exec/hls_cost.h): which of its stages
 * run at the same time is known there. */
#ifndef OMT_HLS_DEVICE_MODEL_CYCLES_H
#define OMT_HLS_DEVICE_MODEL_CYCLES_H

#include <stddef.h>
#include <stdint.h>

/* arguments: as the kernel got them, of which it has read what the formula reads. params: the
 * library's hls_params_<kernel>. 0: the kernel is no op of the contract, or has no formula. */
uint64_t omt_model_cycles(const char *kernel, void *const *arguments, size_t count,
                          const int32_t *params);

#endif
