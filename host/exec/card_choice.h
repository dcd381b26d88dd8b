/* card_choice.h - which parameters the kernels of a card take.
 *
 * All kernels of a model are in one bitstream: together they have to fit what the shell and routing
 * leave (omt_card_usable). For each op the parameters that its source allows are gone through as in
 * FPGA'20, 3 and 4: as many multiply-adds as resources allow, vectors of at most 64 bytes, tiles of
 * the result as large as on-chip memory allows, each with its cost on the launches at hand
 * (card_kernel.h). Of each op those are kept that are faster than all that take a lesser share of
 * the card. Then the price of a share is raised until all ops' best choices fit, and what is left
 * goes to the kernels that gain most. */
#ifndef OMT_EXEC_CARD_CHOICE_H
#define OMT_EXEC_CARD_CHOICE_H

#include "exec/card_kernel.h"

/* Launches of an op with the same arguments. */
typedef struct omt_card_launch {
	omt_op op;
	const void *args;              /* borrowed */
	const int32_t *const *content; /* as of omt_hls_cost_of() */
	uint64_t count;
} omt_card_launch;

typedef struct omt_card_kernel {
	bool used; /* false: no launch needs it, or hls/ has no kernel for it */
	omt_hls_params params;
	omt_card_amount amount;
	double seconds; /* of all launches */
} omt_card_kernel;

/* The kernels that take the least time together, by op. fixed: parameters of the gemms that are not
 * chosen but given; 0: chosen. OMT_UNSUPPORTED: they do not fit the card, with the resource and
 * both numbers, or the card does not say what multiply-adds of their numbers take;
 * OMT_BAD_ARGUMENT: `fixed` is nothing that the kernel's source allows. */
omt_status omt_card_choose(const omt_card *card, const omt_card_use *use,
                           const omt_card_launch *launches, size_t count,
                           const omt_hls_params *fixed, omt_card_kernel kernels[OMT_OP_COUNT],
                           omt_error *err);

/* Of all kernels. */
omt_card_amount omt_card_sum(const omt_card_kernel kernels[OMT_OP_COUNT]);

#endif
