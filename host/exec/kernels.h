/* kernels.h - the text of device/contract.h and device/ *.cl, put into the library by
 * device/embed.sh. contract.h is the first entry. */
#ifndef OMT_EXEC_KERNELS_H
#define OMT_EXEC_KERNELS_H

#include <stddef.h>

typedef struct omt_kernel_source {
	const char *name; /* "gemm.cl" */
	const char *text;
} omt_kernel_source;

extern const omt_kernel_source omt_kernel_sources[];
extern const size_t omt_kernel_source_count;

#endif
