/* hls_source.h - the kernels of hls/ for those who compile them. */
#ifndef OMT_EXEC_HLS_SOURCE_H
#define OMT_EXEC_HLS_SOURCE_H

#include <stdio.h>

#include "base/status.h"
#include "exec/hls_params.h"
#include "exec/op.h"

/* The source that makes an op: <folder>/<op>_hls.c, else that of its relatives: `gemm_i8` is made
 * by the one of `gemm`. Given, free(). */
omt_status omt_hls_source_find(const char *folder, omt_op op, char **path, omt_error *err);

/* The text of a file with what it includes by "name" in place, for compilers that know no folders;
 * #line tells where each part is from. Appended to `to`. */
omt_status omt_hls_source_flatten(const char *path, FILE *to, omt_error *err);

/* What the source is told for an op: HLS_OP_<op>, and the parameters that are not 0. Writes
 * before, macro, between, value, after for each: "#define ", " ", "\n" or " -D", "=", "". */
void omt_hls_defines(FILE *to, omt_op op, const omt_hls_params *params, const char *before,
                     const char *between, const char *after);

#endif
