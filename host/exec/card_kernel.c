#include "exec/card_kernel.h"

#include <math.h>

#include "exec/opencl_tiles.h"

const char *const omt_card_bound_names[] = {"compute", "memory", "launch"};

omt_card_number omt_card_number_of(omt_op op)
{
	static const struct {
		omt_op op;
		omt_card_number number;
	} others[] = {{OMT_OP_gemm_i8, OMT_CARD_int8}, {OMT_OP_gemm_bf16, OMT_CARD_bf16}};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i].op == op)
			return others[i].number;
	return OMT_CARD_f32;
}

/* How much wider numbers are than the op's own. */
static double wider_by(omt_op op, omt_card_number number)
{
	const omt_card_number own = omt_card_number_of(op);
	return (double)omt_card_number_infos[number < OMT_CARD_NUMBERS ? number : own].bytes /
	       omt_card_number_infos[own].bytes;
}

/* ---- resources ---- */

/* Exponentials and divisions that a kernel begins each cycle: the drain of the gemms finishes four
 * columns at a time (an exponential and two divisions each), attention has an exponential and a
 * division for each element of the chain; the others have one of a row. */
static double functions_of(omt_op op, const omt_hls_params *params)
{
	if (OMT_CL_FOR_GEMMS >> op & 1)
		return 3 * fmin(4, params->width);
	if (op == OMT_OP_attention)
		return 2 * params->pe;
	return 2;
}

/* Blocks of `words` words of `bits`, in whole blocks' terms. */
static double blocks_of(const omt_card_block *block, double words, double bits)
{
	double least = INFINITY;
	for (int32_t i = 0; i < block->shapes; i++) {
		const double wide = floor(ldexp(block->bits, -i)), deep = ldexp(block->words, i);
		if (wide >= 1)
			least = fmin(least, ceil(bits / wide) * ceil(words / deep));
	}
	return least / block->parts;
}

static void add_array(const omt_card *card, const omt_hls_array *array, double bits,
                      omt_card_amount *amount)
{
	const omt_card_amount usable = omt_card_usable(card);
	const double words = (double)array->words, banks = array->banks;
	if (words <= card->lut_words || words <= 1) {
		/* A single word is registers. */
		if (words <= 1)
			amount->of[OMT_CARD_ff] += banks * bits;
		else
			amount->of[OMT_CARD_lut] +=
				banks * bits * ceil(words / fmin(card->lut_bits, card->lut_words));
		return;
	}
	const double bram = banks * blocks_of(&card->bram, words, bits);
	double uram = INFINITY;
	if (usable.of[OMT_CARD_uram] > 0)
		uram = banks * blocks_of(&card->uram, words, bits);
	if (uram / usable.of[OMT_CARD_uram] < bram / usable.of[OMT_CARD_bram])
		amount->of[OMT_CARD_uram] += uram;
	else
		amount->of[OMT_CARD_bram] += bram;
}

omt_card_amount omt_card_kernel_amount(const omt_card *card, omt_op op,
                                       const omt_hls_params *params, omt_card_number number)
{
	omt_card_amount amount = card->control;
	omt_hls_array arrays[OMT_HLS_ARRAYS];
	const double multipliers = omt_hls_multipliers_of(op, params);
	const double functions = functions_of(op, params), wider = wider_by(op, number);
	const int32_t count = omt_hls_arrays_of(op, params, arrays);
	if (number >= OMT_CARD_NUMBERS)
		number = omt_card_number_of(op);
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		amount.of[i] += multipliers * card->multiply_add[number].of[i] +
		                functions * card->function.of[i] +
		                omt_op_infos[op].ports * card->port.of[i];
	for (int32_t i = 0; i < count; i++)
		add_array(card, &arrays[i], ceil(arrays[i].bits * wider), &amount);
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		amount.of[i] = ceil(amount.of[i]);
	return amount;
}

double omt_card_share(const omt_card_amount *amount, const omt_card_amount *there,
                      omt_card_resource *which)
{
	double most = 0;
	omt_card_resource at = 0;
	for (omt_card_resource i = 0; i < OMT_CARD_RESOURCES; i++) {
		const double share = amount->of[i] > 0 ? amount->of[i] / there->of[i] : 0;
		if (share > most) {
			most = share;
			at = i;
		}
	}
	if (which)
		*which = at;
	return most;
}

/* ---- time and energy ---- */

omt_card_number omt_card_number_used(const omt_card_use *use, omt_op op)
{
	return use->number && OMT_CL_FOR_GEMMS >> op & 1 ? *use->number : OMT_CARD_NUMBERS;
}

/* Seconds that memory takes: of all channels for all bytes, of one for the busiest buffer's, which
 * go through a port at the kernel's clock. */
static double memory_seconds(const omt_card *card, const omt_card_use *use, double bytes,
                             double port_bytes)
{
	const omt_card_memory *memory = &card->memory[use->memory];
	const double channel = card->memory_efficiency * memory->gbs;
	const double port = memory->bits / 8.0 * use->clock_mhz * 1e-3;
	return 1e-9 * fmax(bytes / (memory->count * channel), port_bytes / fmin(channel, port));
}

omt_card_cost omt_card_cost_of(const omt_card *card, const omt_card_use *use, omt_op op,
                               const void *args, const int32_t *const *content,
                               const omt_hls_params *params, const omt_card_amount *amount)
{
	omt_card_cost cost = {.hls = omt_hls_cost_of(op, args, params, content)};
	const double cycles = (double)cost.hls.cycles;
	const double wider = wider_by(op, omt_card_number_used(use, op));
	const double bytes = wider * ((double)cost.hls.read_bytes + (double)cost.hls.written_bytes);
	const double launch_s = card->launch_us * 1e-6;
	double work_pj = 0;
	cost.compute_s = cycles / (use->clock_mhz * 1e6);
	cost.memory_s = memory_seconds(card, use, bytes, wider * (double)cost.hls.port_bytes);
	cost.bound = cost.memory_s > cost.compute_s ? OMT_CARD_BANDWIDTH : OMT_CARD_COMPUTE;
	if (launch_s > fmax(cost.compute_s, cost.memory_s))
		cost.bound = OMT_CARD_LAUNCH;
	cost.seconds = fmax(cost.compute_s, cost.memory_s) + launch_s;
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		work_pj += card->pj[i] * amount->of[i];
	cost.joules = card->idle_w * cost.seconds +
	              1e-12 * (cycles * work_pj + bytes * card->memory[use->memory].pj_byte);
	return cost;
}

double omt_card_peak_gops(const omt_card *card, omt_card_number number, double clock_mhz)
{
	const omt_card_amount usable = omt_card_usable(card);
	const double share = omt_card_share(&card->multiply_add[number], &usable, NULL);
	return share > 0 ? 2e-3 * clock_mhz * floor(1 / share) : 0;
}
