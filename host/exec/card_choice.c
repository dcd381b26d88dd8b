#include "exec/card_choice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/opencl_tiles.h"

/* A set of parameters of an op. */
typedef struct candidate {
	omt_hls_params params;
	omt_card_amount amount;
	double share, seconds;
} candidate;

typedef struct candidates {
	candidate *list;
	size_t count, capacity;
} candidates;

/* The search of one op's candidates. */
typedef struct search {
	const omt_card *card;
	const omt_card_use *use;
	const omt_card_launch *launches;
	size_t launch_count;
	const omt_hls_params *fixed;
	omt_card_amount usable;
	omt_op op;
	candidates *found;
	bool allowed; /* some parameters were the source's, whether or not they fit */
	bool failed;  /* no memory */
} search;

/* ---- one candidate ---- */

static bool is_gemm(omt_op op)
{
	return OMT_CL_FOR_GEMMS >> op & 1;
}

static double seconds_of(const search *s, const omt_hls_params *params,
                         const omt_card_amount *amount)
{
	double seconds = 0;
	for (size_t i = 0; i < s->launch_count; i++) {
		const omt_card_launch *launch = &s->launches[i];
		if (launch->op == s->op)
			seconds += (double)launch->count *
			           omt_card_cost_of(s->card, s->use, s->op, launch->args,
			                            launch->content, params, amount)
			                   .seconds;
	}
	return seconds;
}

static omt_card_amount amount_of(const search *s, const omt_hls_params *params)
{
	return omt_card_kernel_amount(s->card, s->op, params, omt_card_number_used(s->use, s->op));
}

static bool fits_launches(const search *s, const omt_hls_params *params)
{
	for (size_t i = 0; i < s->launch_count; i++)
		if (s->launches[i].op == s->op && !omt_hls_fits(s->op, s->launches[i].args, params))
			return false;
	return true;
}

static void add(search *s, const omt_hls_params *params)
{
	candidate next = {.params = *params};
	if (s->failed || !fits_launches(s, params))
		return;
	next.amount = amount_of(s, params);
	next.share = omt_card_share(&next.amount, &s->usable, NULL);
	next.seconds = seconds_of(s, params, &next.amount);
	candidates *all = s->found;
	if (all->count == all->capacity) {
		const size_t capacity = all->capacity ? 2 * all->capacity : 256;
		candidate *grown = realloc(all->list, capacity * sizeof *grown);
		s->failed = !grown;
		if (s->failed)
			return;
		all->list = grown;
		all->capacity = capacity;
	}
	all->list[all->count++] = next;
}

static int by_share(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	if (x->share != y->share)
		return x->share < y->share ? -1 : 1;
	return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Keeps what is faster than all that takes less. */
static void keep_best(candidates *all)
{
	size_t kept = 0;
	if (all->count)
		qsort(all->list, all->count, sizeof *all->list, by_share);
	for (size_t i = 0; i < all->count; i++)
		if (!kept || all->list[i].seconds < all->list[kept - 1].seconds)
			all->list[kept++] = all->list[i];
	all->count = kept;
}

/* ---- the candidates of a kind of op ---- */

/* Elements of k beside each other in the gemm's memory of W. */
static int32_t depth_unit(omt_op op)
{
	return op == OMT_OP_gemm_i8 ? 4 : op == OMT_OP_gemm_bf16 ? 2 : 1;
}

/* As hls/gemm_hls.c demands. */
static bool gemm_allows(omt_op op, const omt_hls_params *p)
{
	return p->pe > 0 && p->width > 0 && p->rows > 0 && p->cols > 0 && p->depth > 0 &&
	       p->rows % p->pe == 0 && p->cols % p->width == 0 && p->depth % p->width == 0 &&
	       p->depth % depth_unit(op) == 0 &&
	       (int64_t)(p->rows / p->pe) * (p->cols / p->width) >= omt_hls_gemm_latency(op);
}

/* Tiles of a chain of PEs: from one vector of sums for each, up to what memory takes. */
static void walk_gemm_tiles(search *s, int32_t pe, int32_t width, int32_t depth)
{
	static const int32_t row_steps[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
	for (size_t i = 0; i < sizeof row_steps / sizeof *row_steps; i++) {
		const int32_t rows = s->fixed->rows ? s->fixed->rows : pe * row_steps[i];
		for (int32_t cols = 64; cols <= 4096; cols *= 2) {
			const omt_hls_params params = {
				pe, width, rows, s->fixed->cols ? s->fixed->cols : cols, depth};
			if (rows > 8192 || !gemm_allows(s->op, &params))
				continue;
			s->allowed = true;
			const omt_card_amount amount = amount_of(s, &params);
			if (omt_card_share(&amount, &s->usable, NULL) > 1)
				break;
			add(s, &params);
			if (s->fixed->cols)
				break;
		}
		if (s->fixed->rows)
			break;
	}
}

/* FPGA'20: the vector is not wider than 64 bytes; the chain as long as resources allow. */
static void walk_gemm(search *s)
{
	const omt_card_number number = s->use->number ? *s->use->number : omt_card_number_of(s->op);
	const int32_t widest = 64 / omt_card_number_infos[number].bytes;
	const double most = s->usable.of[OMT_CARD_dsp] /
	                    fmax(s->card->multiply_add[number].of[OMT_CARD_dsp], 1e-3);
	for (int32_t width = 4; width <= 64; width *= 2) {
		const int32_t w = s->fixed->width ? s->fixed->width : width;
		if (w > widest && !s->fixed->width)
			break;
		const int32_t depth = s->fixed->depth ? s->fixed->depth : 64;
		if (s->fixed->pe)
			walk_gemm_tiles(s, s->fixed->pe, w, depth);
		for (int32_t pe = 1; !s->fixed->pe && pe * w <= most; pe += 1 + pe / 32)
			walk_gemm_tiles(s, pe, w, depth);
		if (s->fixed->width)
			break;
	}
}

/* Ops that go through rows, a vector of WIDTH at a time; COLS is the longest row. */
static void walk_rows(search *s)
{
	omt_hls_params params = omt_hls_simulated(s->op);
	for (int32_t width = 1; width <= 16; width *= 2) {
		params.width = width;
		for (int32_t cols = params.cols > 1 ? 16 : 1; cols <= 1 << 20; cols *= 2) {
			params.cols = params.cols > 1 ? cols : 1;
			if (fits_launches(s, &params)) {
				add(s, &params);
				break;
			}
			if (params.cols == 1)
				break;
		}
	}
}

/* Queries and keys of a block, a chain of elements, each with vectors of a head. */
static void walk_attention(search *s)
{
	omt_hls_params params = {.cols = 16};
	while (params.cols < 1024 && !fits_launches(s, &params))
		params.cols += 16;
	for (params.pe = 1; params.pe <= 256; params.pe *= 2)
		for (params.width = 2; params.width <= 16; params.width *= 2)
			for (int32_t groups = 1; groups <= 32; groups *= 2)
				for (params.depth = 16; params.depth <= 256; params.depth *= 2) {
					params.rows = params.pe * groups;
					const omt_card_amount amount = amount_of(s, &params);
					if (params.rows >= 16 && params.rows <= 1024 &&
					    omt_card_share(&amount, &s->usable, NULL) <= 1)
						add(s, &params);
				}
}

/* ---- all kernels together ---- */

omt_card_amount omt_card_sum(const omt_card_kernel kernels[OMT_OP_COUNT])
{
	omt_card_amount sum = {0};
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		for (int i = 0; kernels[op].used && i < OMT_CARD_RESOURCES; i++)
			sum.of[i] += kernels[op].amount.of[i];
	return sum;
}

static void take(omt_card_kernel *kernel, const candidate *from)
{
	*kernel = (omt_card_kernel){true, from->params, from->amount, from->seconds};
}

/* Each op's best at `price` seconds for a whole card; whether they fit. */
static bool choose_at(const candidates found[OMT_OP_COUNT], double price,
                      const omt_card_amount *usable, omt_card_kernel kernels[OMT_OP_COUNT])
{
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const candidate *best = NULL;
		for (size_t i = 0; i < found[op].count; i++) {
			const candidate *next = &found[op].list[i];
			if (!best || next->seconds + price * next->share <
			                     best->seconds + price * best->share)
				best = next;
		}
		if (best)
			take(&kernels[op], best);
	}
	const omt_card_amount sum = omt_card_sum(kernels);
	return omt_card_share(&sum, usable, NULL) <= 1;
}

/* Gives what is left to the kernel that gains most by it; false: none does. */
static bool fill_up(const candidates found[OMT_OP_COUNT], const omt_card_amount *usable,
                    omt_card_kernel kernels[OMT_OP_COUNT])
{
	const candidate *best = NULL;
	omt_op best_op = 0;
	double gain = 0;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_card_kernel before = kernels[op];
		for (size_t i = 0; i < found[op].count; i++) {
			const candidate *next = &found[op].list[i];
			if (before.seconds - next->seconds <= gain)
				continue;
			take(&kernels[op], next);
			const omt_card_amount sum = omt_card_sum(kernels);
			if (omt_card_share(&sum, usable, NULL) <= 1) {
				best = next;
				best_op = op;
				gain = before.seconds - next->seconds;
			}
		}
		kernels[op] = before;
	}
	if (best)
		take(&kernels[best_op], best);
	return best;
}

static omt_status too_large(const omt_card *card, const omt_card_amount *usable,
                            const omt_card_kernel kernels[OMT_OP_COUNT], omt_error *err)
{
	const omt_card_amount sum = omt_card_sum(kernels);
	omt_card_resource which;
	(void)omt_card_share(&sum, usable, &which);
	return OMT_FAIL(err, UNSUPPORTED,
	                "%s: the least kernels of these ops take %.0f %s of the %.0f there are",
	                card->part, sum.of[which], omt_card_resource_names[which],
	                usable->of[which]);
}

static omt_status settle(const omt_card *card, const candidates found[OMT_OP_COUNT],
                         omt_card_kernel kernels[OMT_OP_COUNT], omt_error *err)
{
	const omt_card_amount usable = omt_card_usable(card);
	double low = 1e-9, high = 1e12; /* seconds a card */
	if (!choose_at(found, 0, &usable, kernels)) {
		if (!choose_at(found, high, &usable, kernels))
			return too_large(card, &usable, kernels, err);
		for (int i = 0; i < 80; i++) {
			const double middle = sqrt(low * high);
			*(choose_at(found, middle, &usable, kernels) ? &high : &low) = middle;
		}
		choose_at(found, high, &usable, kernels);
	}
	while (fill_up(found, &usable, kernels))
		continue;
	return OMT_OK;
}

/* " pe 7, rows 64" of the parameters that are given. */
static void name_given(const omt_hls_params *p, char *text, size_t size)
{
	const char *before = " of";
	size_t used = 0;
	*text = 0;
#define GIVEN(name, macro)                                                                    \
	if (p->name && used < size) {                                                         \
		used += (size_t)snprintf(text + used, size - used, "%s " #name " %d", before, \
		                         p->name);                                            \
		before = ",";                                                                 \
	}
	OMT_HLS_PARAM_LIST(GIVEN)
#undef GIVEN
}

/* Why an op that has launches and a kernel has no candidate. */
static omt_status none_found(const search *s, omt_error *err)
{
	const char *op = omt_op_infos[s->op].name;
	char given[128] = "";
	if (is_gemm(s->op))
		name_given(s->fixed, given, sizeof given);
	if (!*given)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no kernel fits %s", op, s->card->part);
	if (s->allowed)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: no kernel%s fits %s", op, given,
		                s->card->part);
	return OMT_FAIL(err, BAD_ARGUMENT,
	                "%s: no kernel%s: rows are a multiple of pe (at most 8192), cols and depth "
	                "of width, depth of %d, rows x cols / (pe x width) is at least %d",
	                op, given, depth_unit(s->op), omt_hls_gemm_latency(s->op));
}

/* A multiplier of unknown size cannot be counted. */
static omt_status check_numbers(const search *s, omt_error *err)
{
	omt_card_number number = omt_card_number_used(s->use, s->op);
	if (!omt_hls_formulas_of(s->op)->multipliers)
		return OMT_OK;
	if (number == OMT_CARD_NUMBERS)
		number = omt_card_number_of(s->op);
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		if (s->card->multiply_add[number].of[i] > 0)
			return OMT_OK;
	return OMT_FAIL(err, UNSUPPORTED,
	                "%s: the card's multiply_add says nothing of %s, which "
	                "%s needs",
	                s->card->part, omt_card_number_infos[number].name,
	                omt_op_infos[s->op].name);
}

static omt_status walk(search *s, omt_error *err)
{
	OMT_TRY(check_numbers(s, err));
	s->allowed = false;
	if (is_gemm(s->op))
		walk_gemm(s);
	else if (s->op == OMT_OP_attention)
		walk_attention(s);
	else
		walk_rows(s);
	if (s->failed)
		return OMT_FAIL(err, NO_MEMORY, "candidates of %s", omt_op_infos[s->op].name);
	keep_best(s->found);
	return s->found->count ? OMT_OK : none_found(s, err);
}

omt_status omt_card_choose(const omt_card *card, const omt_card_use *use,
                           const omt_card_launch *launches, size_t count,
                           const omt_hls_params *fixed, omt_card_kernel kernels[OMT_OP_COUNT],
                           omt_error *err)
{
	candidates found[OMT_OP_COUNT] = {0};
	bool launched[OMT_OP_COUNT] = {0};
	omt_status status = OMT_OK;
	search s = {.card = card,
	            .use = use,
	            .launches = launches,
	            .launch_count = count,
	            .fixed = fixed,
	            .usable = omt_card_usable(card)};
	memset(kernels, 0, OMT_OP_COUNT * sizeof *kernels);
	for (size_t i = 0; i < count; i++)
		launched[launches[i].op] = omt_hls_formulas_of(launches[i].op);
	for (s.op = 0; status == OMT_OK && s.op < OMT_OP_COUNT; s.op++) {
		if (!launched[s.op])
			continue;
		s.found = &found[s.op];
		status = walk(&s, err);
	}
	if (status == OMT_OK)
		status = settle(card, found, kernels, err);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		free(found[op].list);
	return status;
}
