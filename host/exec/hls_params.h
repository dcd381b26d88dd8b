/* hls_params.h - the parameters that an HLS kernel is compiled with, in the order of the
 * hls_params_<op>[] of its simulation. */
#ifndef OMT_EXEC_HLS_PARAMS_H
#define OMT_EXEC_HLS_PARAMS_H

#include <stdint.h>

/* X(name, macro): a key of `params` in bitstreams/manifest.yaml, and -Dmacro=value of the kernel's
 * source, which has a default for each that it uses. */
#define OMT_HLS_PARAM_LIST(X)                             \
	X(pe, HLS_PE)       /* processing elements */     \
	X(width, HLS_WIDTH) /* elements of a vector */    \
	X(rows, HLS_ROWS)   /* of a tile of the result */ \
	X(cols, HLS_COLS)   /* of it, too */              \
	X(depth, HLS_DEPTH) /* of a block: of k, or of keys */

/* 0: the source's default (exec/hls_cost.h: omt_hls_simulated()), or a parameter that it has not: 1
 * there. */
typedef struct omt_hls_params {
#define OMT_HLS_PARAM_FIELD(name, macro) int32_t name;
	OMT_HLS_PARAM_LIST(OMT_HLS_PARAM_FIELD)
#undef OMT_HLS_PARAM_FIELD
} omt_hls_params;

#endif
