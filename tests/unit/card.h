/* card.h - a card for tests: PoCL given the kernels of hls/ as a binary, one task each, with a
 * manifest in a folder of its own. */
#ifndef OMT_TESTS_UNIT_CARD_H
#define OMT_TESTS_UNIT_CARD_H

#include <criterion/criterion.h>

#include "base/digest.h"
#include "exec/exec.h"
#include "exec/opencl.h"

/* Sources of hls/ that the program is made of; those of an op that shares one are named by both. */
typedef struct card_kernel {
	omt_op op;
	const char *source;
	int32_t units; /* each a kernel of its own: -DHLS_UNIT */
} card_kernel;

/* Builds the kernels with PoCL and writes the program's binary. */
void card_build(const card_kernel *kernels, size_t count, const char *path);
/* Writes FOLDER/manifest.yaml with one entry "pocl" for that binary, whose kernels are `kernels`,
 * and sets OMT_BITSTREAMS to the folder. changed: text of the entry to replace, and by what; NULL:
 * none. */
void card_manifest(const char *folder, const char *file, const char *kernels, const char *changed,
                   const char *by);

#endif
