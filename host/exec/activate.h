/* activate.h - gemm's activations over arrays, in loops that vectorise (base/exponential.h). */
#ifndef OMT_EXEC_ACTIVATE_H
#define OMT_EXEC_ACTIVATE_H

#include <stddef.h>
#include <stdint.h>

/* out = act(z), OMT_ACT_*; out may be z. Within 4e-7 of exec/ref_activate.h, scaled by |z|. */
void omt_activate(const float *z, float *out, size_t n, int32_t act);

#endif
