/* embedded.h - files that travel inside the library, as text; made by device/embed.sh. */
#ifndef OMT_EXEC_EMBEDDED_H
#define OMT_EXEC_EMBEDDED_H

#include <stddef.h>

typedef struct omt_embedded {
	const char *name; /* "gemm.cl" */
	const char *text;
} omt_embedded;

/* device/contract.h, which comes first, and device/ *.cl. A kernel is compiled where its macro
 * OMT_KERNEL_<op> is defined, functions always. */
extern const omt_embedded omt_kernel_sources[];
extern const size_t omt_kernel_sources_count;

/* configs/devices/ *.yaml in the order of their names. */
extern const omt_embedded omt_device_entries[];
extern const size_t omt_device_entries_count;

#endif
