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

omt_buffer *card_buffer(omt_exec *exec, omt_usage usage, size_t bytes, const void *content);

/* Rounds of ops through two pairs of slots without a wait between them. */
enum { CARD_ROUNDS = 12, CARD_ROWS = 24, CARD_COLS = 512, CARD_FLOATS = CARD_ROWS * CARD_COLS };
typedef struct card_rounds {
	omt_exec *exec;
	omt_buffer *in[2], *out[2], *work, *cosines, *sines;
	float first[CARD_ROUNDS]; /* first number of a round's input; 0: as all others */
	float sent[CARD_ROUNDS][CARD_FLOATS], received[CARD_ROUNDS][CARD_FLOATS];
} card_rounds;
void card_rounds_run(card_rounds *r, omt_exec *exec);
void card_rounds_compare(const card_rounds *got, const card_rounds *wanted);

#endif
