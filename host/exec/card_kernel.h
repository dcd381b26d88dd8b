/* card_kernel.h - a kernel of hls/ on a card: what it is built from, how long a launch takes, what
 * it costs in energy. Cycles and bytes are those of hls_cost.h.
 *
 * Resources
 *   multiply-adds   omt_hls_multipliers_of() times the card's multiply_add of the op's numbers
 *   memories        each array of omt_hls_arrays_of() in each of its banks: of logic up to
 *                   most_words words, else in blocks, of the kind of which it takes the lesser
 *                   share; blocks of a bank: the least ceil(bits / b) ceil(words / w) over shapes
 *                   (b, w) (FPGA'20, 4.2: a memory is never less than the blocks that are read at
 *                   the same time)
 *   functions       exponentials and divisions that begin each cycle, as the sources have them
 *   ports           each bundle of the op's buffers (hls/portable.h), and the kernel's control, as
 *                   the card says
 * Time: max(cycles / clock, all bytes / bandwidth of all channels, bytes of the busiest buffer /
 * bandwidth of one) + launch. A buffer lies in one channel and has one port (its bundle's, of which
 * it is all but the whole traffic), as wide as the card says: it gets the lesser of the port's
 * bandwidth at the kernel's clock and the channel's, times the card's efficiency. Energy, an
 * estimate: idle power for that time + cycles times pJ of each resource of the kernel that runs +
 * bytes times pJ of the memory. Kernels that wait cost nothing but idle power. */
#ifndef OMT_EXEC_CARD_KERNEL_H
#define OMT_EXEC_CARD_KERNEL_H

#include "exec/card.h"
#include "exec/hls_cost.h"

/* What the multiply-adds of an op are of. */
omt_card_number omt_card_number_of(omt_op op);

/* Resources of a kernel; `number` instead of the op's own scales its memories, too (what gemm would
 * take in f64); OMT_CARD_NUMBERS: the op's own. */
omt_card_amount omt_card_kernel_amount(const omt_card *card, omt_op op,
                                       const omt_hls_params *params, omt_card_number number);

/* The largest share of what is there that an amount takes; *which of the resources it is (may be
 * NULL). Above 1: it does not fit. */
double omt_card_share(const omt_card_amount *amount, const omt_card_amount *there,
                      omt_card_resource *which);

/* How the card is used. */
typedef struct omt_card_use {
	double clock_mhz;
	omt_card_memory_kind memory; /* where tensors lie */
	/* Numbers of the gemms instead of the op's own, as of omt_card_kernel_amount(); bytes
	 * scale, too. NULL: their own. */
	const omt_card_number *number;
} omt_card_use;

typedef enum omt_card_bound {
	OMT_CARD_COMPUTE,
	OMT_CARD_BANDWIDTH,
	OMT_CARD_LAUNCH
} omt_card_bound;
extern const char *const omt_card_bound_names[];

typedef struct omt_card_cost {
	omt_hls_cost hls;
	double compute_s, memory_s, seconds; /* seconds: of all */
	double joules;
	omt_card_bound bound; /* what takes most of the time */
} omt_card_cost;

/* Of the op's multiply-adds; OMT_CARD_NUMBERS: its own. */
omt_card_number omt_card_number_used(const omt_card_use *use, omt_op op);

/* Of one launch. `amount`: of the kernel. */
omt_card_cost omt_card_cost_of(const omt_card *card, const omt_card_use *use, omt_op op,
                               const void *args, const int32_t *const *content,
                               const omt_hls_params *params, const omt_card_amount *amount);

/* Multiply-adds of a number that the usable part of the card can do each second at this clock,
 * times two: no kernel is faster. */
double omt_card_peak_gops(const omt_card *card, omt_card_number number, double clock_mhz);

#endif
