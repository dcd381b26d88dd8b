/* opencl_card.h - a device whose program is a binary of bitstreams/manifest.yaml: kernels that are
 * one task each, on compute units of their own, and memory in banks.
 *
 * Every kernel of every unit has a queue, every bank one for transfers; all of them take commands
 * in any order, which hazards alone decide (opencl_order.h), but for kernels that make an op
 * together: channels join them, so each takes the launches in the same order. A gemm whose op has
 * several units is as many tasks, each with its share of C's row tiles.
 *
 * Banks: a buffer lies in a bank that all kernels reach, in the one that holds the fewest bytes of
 * its kind so far: weights from the first bank on, all others from the last one on, so that the
 * operands of a gemm mostly come from two banks.
 *
 * Sources: cl_ext_xilinx.h (XRT) for cl_mem_ext_ptr_t; Intel FPGA SDK for OpenCL Pro Edition
 * Programming Guide, "Heterogeneous Memory Buffers", for CL_CHANNEL_n. */
#ifndef OMT_EXEC_OPENCL_CARD_H
#define OMT_EXEC_OPENCL_CARD_H

#include "exec/opencl.h"
#include "exec/opencl_order.h"

typedef struct omt_cl_unit {
	cl_kernel kernel;
	cl_command_queue queue;
	char name[64]; /* of the kernel */
} omt_cl_unit;

typedef struct omt_cl_bank {
	int32_t number;
	cl_command_queue queue;
	size_t bytes[2]; /* of weights, of others */
} omt_cl_bank;

typedef struct omt_cl_card {
	char name[192]; /* "u250 (bitstream u250-sw_emu)" */
	omt_bitstream entry;
	cl_program program;
	cl_context context;
	omt_cl_unit *units[OMT_OP_COUNT]; /* [units * name_count], a unit's kernels together */
	omt_cl_bank banks[OMT_BITSTREAM_BANKS];
	int32_t bank_count;
} omt_cl_card;

/* Programs the device and finds the kernels to be those of the contract. Given, also on failure. */
omt_status omt_cl_card_open(cl_context context, const omt_cl_device *device,
                            const omt_bitstreams *all, omt_cl_card **card, omt_error *err);
void omt_cl_card_close(omt_cl_card *card);

/* What its kernels were compiled with. */
omt_hls_params omt_cl_card_params(const omt_cl_card *card, omt_op op);
/* Whether the op is in the binary and its kernel can do it. */
bool omt_cl_card_supports(const omt_cl_card *card, omt_op op, const void *args);

/* Bytes of its smallest bank, which no buffer can be larger than; UINT64_MAX: not known, or all
 * channels are one interleaved bank. */
uint64_t omt_cl_card_most_bytes(const omt_cl_card *card);
/* A buffer of at least one byte in a bank of the card. */
omt_status omt_cl_card_alloc(omt_cl_card *card, size_t bytes, omt_usage usage, cl_mem *memory,
                             omt_cl_bank **bank, omt_error *err);

/* The tasks that make an op: all kernels of `parts` units. */
typedef struct omt_cl_launch {
	const omt_cl_unit *units;
	int32_t parts, names; /* task i is kernel i % names of unit i / names */
	int32_t tiles;        /* that the parts share */
	double predicted_s, patience_s;
} omt_cl_launch;
omt_cl_launch omt_cl_card_launch(const omt_cl_card *card, omt_op op, const void *args);
/* Copies an op's arguments with the share of one of its units. */
void omt_cl_card_share(omt_op op, const void *args, int32_t part, int32_t parts,
                       omt_op_any_args *share);

#endif
