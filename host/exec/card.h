/* card.h - the model of an FPGA card: what there is to build kernels from, how fast its memory and
 * clock are, what they cost in energy. It is section `card` of a file of configs/devices/
 * (device_file.h):
 *
 *     card:
 *       part: xcu55c
 *       total:   {dsp: 9024, bram: 2016, uram: 960, lut: 1303680, ff: 2607360}
 *       shell:   {dsp: ..., lut: ...}     # what the platform keeps for itself
 *       fill:    {dsp: 0.94, lut: 0.8}    # share of the rest that still can be routed
 *       regions: 3                        # dies (SLRs)
 *       blocks:
 *         bram: {bits: 36, words: 512, parts: 2, shapes: 3}
 *         uram: {bits: 72, words: 4096}
 *         lut:  {bits: 64, most_words: 64}
 *       multiply_add:                     # each, every cycle, as a compiler builds it
 *         f32: {dsp: 5, lut: 350, ff: 355}
 *       function: {dsp: 4, lut: 900, ff: 1200}      # an exponential or a division each cycle
 *       port:    {lut: 2500, ff: 4500, bram: 7.5}   # a buffer's path to memory
 *       control: {lut: 3000, ff: 5000}              # a kernel's registers and loops
 *       memory:
 *         hbm: {count: 32, bytes: 536870912, gbs: 14.375, bits: 512, pj_byte: 31}
 *         efficiency: 0.92
 *       clock_mhz: {low: 100, usual: 200, high: 300}
 *       link:    {kind: PCIe 3.0 x16, gbs: 12, launch_us: 25}     # to start a kernel
 *       power:   {idle_w: 25, most_w: 150, dsp_pj: 5, bram_pj: 10, uram_pj: 20, lut_pj: 0.04}
 *
 * Block memory: a block is `parts` memories that can be used apart, each of `words` words of
 * `bits`; its words can be halved and their number doubled `shapes` - 1 times (a RAMB36 is two of
 * 512 x 36, 1024 x 18 or 2048 x 9; an M20K one of 512 x 40, 1024 x 20, 2048 x 10). Arrays of at
 * most `most_words` words are built of logic, `bits` bits a LUT. */
#ifndef OMT_EXEC_CARD_H
#define OMT_EXEC_CARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/yaml.h"

/* What kernels are built from. LUT: of six inputs; an ALM of Intel's counts as two. */
#define OMT_CARD_RESOURCE_LIST(X) \
	X(dsp)                    \
	X(bram)                   \
	X(uram)                   \
	X(lut)                    \
	X(ff)
typedef enum omt_card_resource {
#define OMT_CARD_RESOURCE_ENUM(name) OMT_CARD_##name,
	OMT_CARD_RESOURCE_LIST(OMT_CARD_RESOURCE_ENUM)
#undef OMT_CARD_RESOURCE_ENUM
		OMT_CARD_RESOURCES
} omt_card_resource;
extern const char *const omt_card_resource_names[OMT_CARD_RESOURCES];

typedef struct omt_card_amount {
	double of[OMT_CARD_RESOURCES];
} omt_card_amount;

/* Numbers that multiply-adds are of; sums of bf16 are f32, of int8 int32. */
#define OMT_CARD_NUMBER_LIST(X) \
	X(f64, 8)               \
	X(f32, 4)               \
	X(f16, 2)               \
	X(bf16, 2)              \
	X(int8, 1)
typedef enum omt_card_number {
#define OMT_CARD_NUMBER_ENUM(name, bytes) OMT_CARD_##name,
	OMT_CARD_NUMBER_LIST(OMT_CARD_NUMBER_ENUM)
#undef OMT_CARD_NUMBER_ENUM
		OMT_CARD_NUMBERS
} omt_card_number;
typedef struct omt_card_number_info {
	const char *name;
	int32_t bytes;
} omt_card_number_info;
extern const omt_card_number_info omt_card_number_infos[OMT_CARD_NUMBERS];

/* A kind of block memory. */
typedef struct omt_card_block {
	int32_t bits, words, parts, shapes;
} omt_card_block;

/* Memory of a kind: `count` channels, each of `bytes`, moving `gbs` GB/s at most; `bits`: of a
 * kernel's port to one. count 0: none. */
typedef struct omt_card_memory {
	int32_t count, bits;
	int64_t bytes;
	double gbs, pj_byte;
} omt_card_memory;
#define OMT_CARD_MEMORY_LIST(X) \
	X(hbm)                  \
	X(ddr)
typedef enum omt_card_memory_kind {
#define OMT_CARD_MEMORY_ENUM(name) OMT_CARD_##name,
	OMT_CARD_MEMORY_LIST(OMT_CARD_MEMORY_ENUM)
#undef OMT_CARD_MEMORY_ENUM
		OMT_CARD_MEMORIES
} omt_card_memory_kind;
extern const char *const omt_card_memory_names[OMT_CARD_MEMORIES];

typedef struct omt_card {
	char part[64];
	omt_card_amount total, shell, fill;
	omt_card_amount multiply_add[OMT_CARD_NUMBERS]; /* all 0: not said */
	omt_card_amount function, port, control;
	int32_t regions;
	omt_card_block bram, uram;
	int32_t lut_bits, lut_words; /* memory of logic: bits of a LUT, longest array */
	omt_card_memory memory[OMT_CARD_MEMORIES];
	double memory_efficiency; /* of gbs that long bursts reach */
	double low_mhz, usual_mhz, high_mhz;
	char link[32];
	double link_gbs, launch_us;
	double idle_w, most_w;
	double pj[OMT_CARD_RESOURCES]; /* of one that works for a cycle */
} omt_card;

/* Reads section `card`; *there: whether there is one. Its numbers are checked: what a kernel needs
 * has to be said, clocks ascend, the shell is not larger than the card, idle power than the most. A
 * card that says no power has most_w 0: energy on it is not known. */
omt_status omt_card_read(const omt_yaml *yaml, omt_card *card, bool *there, omt_error *err);

/* What kernels may use: (total - shell) * fill. */
omt_card_amount omt_card_usable(const omt_card *card);

/* The fastest kind of memory that holds so many bytes; none does: the largest one. */
omt_card_memory_kind omt_card_memory_for(const omt_card *card, uint64_t bytes);
/* Of all channels of a kind. */
int64_t omt_card_memory_bytes(const omt_card *card, omt_card_memory_kind kind);
double omt_card_memory_gbs(const omt_card *card, omt_card_memory_kind kind);

#endif
