/* What the kernels of hls/ make of a plan: on a card that need not be there, and in simulation. */
#include <math.h>
#include <stdlib.h>

#include "exec/card_choice.h"
#include "model/plan.h"

static json_t *params_json(const omt_hls_params *params)
{
	json_t *json = json_object();
#define PARAM(name, macro)    \
	if (params->name > 1) \
		json_object_set_new(json, #name, json_integer(params->name));
	OMT_HLS_PARAM_LIST(PARAM)
#undef PARAM
	return json;
}

/* ---- in simulation ---- */

omt_status omt_plan_simulated(const omt_planner *plan, json_t *all, omt_error *err)
{
	static const char *const stages[HLS_STAGES] = {"load", "compute", "store"};
	json_int_t trips[HLS_STAGES] = {0}, read = 0, written = 0;
	for (size_t i = 0; i < plan->count; i++) {
		const omt_plan_line *line = &plan->lines[i];
		const json_int_t launches = (json_int_t)line->launches;
		const omt_hls_params params = omt_hls_simulated(line->op);
		omt_plan_any_args room;
		const void *args = omt_plan_args(line, &room);
		if (!omt_hls_fits(line->op, args, &params))
			continue; /* another backend's */
		const omt_hls_cost cost = omt_hls_cost_of(line->op, args, &params, line->content);
		for (int stage = 0; stage < HLS_STAGES; stage++)
			trips[stage] += launches * (json_int_t)cost.trips[stage];
		read += launches * (json_int_t)cost.read_bytes;
		written += launches * (json_int_t)cost.written_bytes;
	}
	json_t *json =
		json_pack("{s{sI sI sI} sI sI}", "trips", stages[0], trips[0], stages[1], trips[1],
	                  stages[2], trips[2], "read_bytes", read, "written_bytes", written);
	return json_object_set_new(all, "simulated", json) == 0
	               ? OMT_OK
	               : OMT_FAIL(err, NO_MEMORY, "the plan");
}

/* ---- on a card ---- */

void omt_plan_sum_add(omt_plan_sum *sum, const omt_card_cost *cost, double flops, uint64_t launches)
{
	const double times = (double)launches;
	sum->seconds += times * cost->seconds;
	sum->joules += times * cost->joules;
	sum->flops += times * flops;
	sum->cycles += launches * cost->hls.cycles;
	sum->read_bytes += launches * cost->hls.read_bytes;
	sum->written_bytes += launches * cost->hls.written_bytes;
}

static void add_line(const omt_card *card, const omt_card_use *use, const omt_plan_line *line,
                     const omt_card_kernel *kernel, json_t *json, omt_plan_sum *sum)
{
	const double launches = (double)line->launches;
	omt_plan_any_args room;
	if (!kernel->used) {
		sum->elsewhere += line->launches;
		return;
	}
	const omt_card_cost cost =
		omt_card_cost_of(card, use, line->op, omt_plan_args(line, &room), line->content,
	                         &kernel->params, &kernel->amount);
	omt_plan_sum_add(sum, &cost, line->cost.flops, line->launches);
	json_object_set_new(json, "kernel", params_json(&kernel->params));
	json_object_set_new(json, "cycles",
	                    json_integer((json_int_t)(line->launches * cost.hls.cycles)));
	json_object_set_new(json, "read_bytes",
	                    json_integer((json_int_t)(line->launches * cost.hls.read_bytes)));
	json_object_set_new(json, "written_bytes",
	                    json_integer((json_int_t)(line->launches * cost.hls.written_bytes)));
	json_object_set_new(json, "seconds", json_real(launches * cost.seconds));
	json_object_set_new(json, "gops", json_real(1e-9 * line->cost.flops / cost.seconds));
	if (card->most_w > 0)
		json_object_set_new(json, "joules", json_real(launches * cost.joules));
	json_object_set_new(json, "bound", json_string(omt_card_bound_names[cost.bound]));
}

static json_t *amount_json(const omt_card_amount *amount)
{
	json_t *json = json_object();
	for (int i = 0; i < OMT_CARD_RESOURCES; i++)
		json_object_set_new(json, omt_card_resource_names[i],
		                    json_integer((json_int_t)(amount->of[i] + 0.5)));
	return json;
}

/* Kernels by op: parameters, resources, the largest share of what can be used, how many dies that
 * is at least, time. */
static json_t *kernels_json(const omt_card *card, const omt_card_kernel kernels[OMT_OP_COUNT])
{
	const omt_card_amount usable = omt_card_usable(card);
	json_t *all = json_object();
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		omt_card_resource which;
		if (!kernels[op].used)
			continue;
		const double share = omt_card_share(&kernels[op].amount, &usable, &which);
		json_object_set_new(all, omt_op_infos[op].name,
		                    json_pack("{so so sf ss si sf}", "params",
		                              params_json(&kernels[op].params), "resources",
		                              amount_json(&kernels[op].amount), "share", share,
		                              "most_of", omt_card_resource_names[which], "dies",
		                              (int)ceil(share * card->regions), "seconds",
		                              kernels[op].seconds));
	}
	return all;
}

json_t *omt_plan_card_json(const omt_card *card, const omt_card_use *use,
                           const omt_card_kernel kernels[OMT_OP_COUNT], const omt_plan_sum *sum,
                           double items)
{
	const omt_card_amount used = omt_card_sum(kernels), usable = omt_card_usable(card);
	const omt_card_memory_kind memory = use->memory;
	json_t *json = json_pack(
		"{ss sf s{ss sI sf} so s{so so so} sf sf sf sI sI sI sI}", "part", card->part,
		"clock_mhz", use->clock_mhz, "memory", "kind", omt_card_memory_names[memory],
		"bytes", (json_int_t)omt_card_memory_bytes(card, memory), "gbs",
		omt_card_memory_gbs(card, memory) * card->memory_efficiency, "kernels",
		kernels_json(card, kernels), "resources", "used", amount_json(&used), "usable",
		amount_json(&usable), "total", amount_json(&card->total), "seconds", sum->seconds,
		"items_per_s", items / sum->seconds, "gops", 1e-9 * sum->flops / sum->seconds,
		"cycles", (json_int_t)sum->cycles, "read_bytes", (json_int_t)sum->read_bytes,
		"written_bytes", (json_int_t)sum->written_bytes, "launches_elsewhere",
		(json_int_t)sum->elsewhere);
	if (json && card->most_w > 0) {
		json_object_set_new(json, "joules", json_real(sum->joules));
		json_object_set_new(json, "joules_per_item", json_real(sum->joules / items));
		json_object_set_new(json, "watts", json_real(sum->joules / sum->seconds));
		json_object_set_new(json, "most_watts", json_real(card->most_w));
	}
	return json;
}

static omt_status use_of(const omt_card *card, const omt_plan_card *options, uint64_t bytes,
                         omt_card_use *use, omt_error *err)
{
	*use = (omt_card_use){
		.clock_mhz = options->clock_mhz > 0 ? options->clock_mhz : card->usual_mhz,
		.memory = omt_card_memory_for(card, bytes),
	};
	if (use->clock_mhz < card->low_mhz || use->clock_mhz > card->high_mhz)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: a clock of %g MHz, expected %g to %g",
		                card->part, use->clock_mhz, card->low_mhz, card->high_mhz);
	return OMT_OK;
}

omt_status omt_plan_choose(const omt_planner *plan, const omt_plan_card *options,
                           const omt_card *card, uint64_t memory_bytes, omt_card_use *use,
                           omt_card_kernel kernels[OMT_OP_COUNT], omt_error *err)
{
	const omt_hls_params fixed = {options->pe, options->width, options->rows, options->cols,
	                              options->depth};
	omt_status status = OMT_OK;
	omt_card_launch *launches = calloc(plan->count + 1, sizeof *launches);
	omt_plan_any_args *args = calloc(plan->count + 1, sizeof *args);
	size_t count = plan->count;
	if (!launches || !args) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu launches", plan->count);
		goto done;
	}
	for (size_t i = 0; i < plan->count; i++)
		launches[i] = (omt_card_launch){.op = plan->lines[i].op,
		                                .args = omt_plan_args(&plan->lines[i], &args[i]),
		                                .content = plan->lines[i].content,
		                                .count = plan->lines[i].launches};
	if (plan->packs) /* before anything is timed: as small as can be */
		launches[count++] = (omt_card_launch){
			.op = OMT_OP_pack, .args = omt_plan_args(&plan->pack, &args[plan->count])};
	OMT_GOTO(use_of(card, options, memory_bytes, use, err));
	status = omt_card_choose(card, use, launches, count, &fixed, kernels, err);
done:
	free(launches);
	free(args);
	return status;
}

/* The plan's "entry". */
static omt_status add_entry(const omt_plan_options *options, const omt_card *card,
                            const omt_card_use *use, const omt_card_kernel kernels[OMT_OP_COUNT],
                            json_t *all, omt_error *err)
{
	char *text;
	OMT_TRY(omt_plan_entry(options->card.entry, options->engine.device, card, use, kernels,
	                       &text, err));
	const int failed = json_object_set_new(all, "entry", json_string(text));
	free(text);
	return failed ? OMT_FAIL(err, NO_MEMORY, "the plan") : OMT_OK;
}

omt_status omt_plan_on_card(const omt_planner *plan, const omt_plan_options *options,
                            const omt_card *card, json_t *all, omt_error *err)
{
	const double items = (double)json_integer_value(json_object_get(all, "items"));
	const json_int_t bytes = json_integer_value(json_object_get(all, "memory_bytes"));
	omt_card_kernel kernels[OMT_OP_COUNT];
	omt_card_use use;
	omt_plan_sum sum = {0};
	OMT_TRY(omt_plan_choose(plan, &options->card, card, (uint64_t)bytes, &use, kernels, err));
	if (options->card.entry)
		OMT_TRY(add_entry(options, card, &use, kernels, all, err));
	for (size_t i = 0; i < plan->count; i++)
		add_line(card, &use, &plan->lines[i], &kernels[plan->lines[i].op],
		         json_array_get(json_object_get(all, "ops"), i), &sum);
	json_t *json = omt_plan_card_json(card, &use, kernels, &sum, items);
	return json_object_set_new(all, "card", json) == 0 ? OMT_OK
	                                                   : OMT_FAIL(err, NO_MEMORY, "the plan");
}
