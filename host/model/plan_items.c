/* omt_plan_items(): a data set on a card that need not be there. Items are gone through twice: for
 * the kernels, which are chosen for the launches of all batches, then for what each launch takes.
 */
#include <stdlib.h>

#include "model/engine_private.h"
#include "model/plan.h"

/* What a group took. */
typedef struct group_cost {
	int64_t items, failed, tokens, batches;
	omt_plan_sum sum;
	json_t *alone_s, *reasons;
} group_cost;

typedef struct item_planner {
	const omt_model *model;
	const omt_plan_list *list;
	const omt_card *card;
	omt_card_use use;
	omt_card_kernel kernels[OMT_OP_COUNT];
	omt_engine *engine;
	omt_batch *together, alone; /* together: the engine's */
	bool packing;               /* weights: no launches that count */
	omt_planner plan;           /* the first time */
	omt_plan_sum *into;         /* the second time */
	group_cost *groups;
} item_planner;

/* The first time without content: the most work that scalars allow is enough to choose by. */
static void record(void *user, omt_op op, const void *args)
{
	item_planner *p = user;
	const int32_t *content[OMT_OP_MAX_BUFFERS] = {0};
	if (p->packing)
		return;
	if (!p->into) {
		omt_plan_record(&p->plan, op, args, content);
		return;
	}
	const omt_card_kernel *kernel = &p->kernels[op];
	if (!kernel->used) {
		p->into->elsewhere++;
		return;
	}
	omt_plan_content(op, args, content);
	const omt_card_cost cost = omt_card_cost_of(p->card, &p->use, op, args, content,
	                                            &kernel->params, &kernel->amount);
	omt_plan_sum_add(p->into, &cost, omt_op_cost_of(op, args).flops, 1);
}

static omt_status walk(item_planner *p, omt_batch *batch, omt_plan_sum *into, omt_error *err)
{
	omt_unit *unit = &p->engine->units[0];
	p->into = into;
	return omt_unit_enqueue(unit, &unit->slots[0], batch, NULL, p->engine->vectors, err);
}

static omt_status end_batch(item_planner *p, group_cost *group, bool pricing, omt_error *err)
{
	if (!p->together->items)
		return OMT_OK;
	group->batches += pricing;
	OMT_TRY(walk(p, p->together, pricing ? &group->sum : NULL, err));
	omt_batch_clear(p->together);
	return OMT_OK;
}

/* A sample into the group's batch; priced alone as well. */
static omt_status take(item_planner *p, group_cost *group, const omt_sample *sample, bool pricing,
                       omt_error *err)
{
	if (!omt_batch_fits(p->together, sample))
		OMT_TRY(end_batch(p, group, pricing, err));
	if (!omt_batch_fits(p->together, sample))
		return OMT_FAIL(err, LIMIT, "an item of %d tokens is beyond max_tokens %d",
		                sample->tokens, p->engine->options.max_tokens);
	omt_batch_add(p->together, sample);
	if (!pricing)
		return OMT_OK;
	omt_plan_sum one = {0};
	omt_batch_clear(&p->alone);
	omt_batch_add(&p->alone, sample);
	OMT_TRY(walk(p, &p->alone, &one, err));
	group->items++;
	group->tokens += sample->tokens;
	return json_array_append_new(group->alone_s, json_real(one.seconds)) == 0
	               ? OMT_OK
	               : OMT_FAIL(err, NO_MEMORY, "%zu items", p->list->count);
}

static omt_status go_through(item_planner *p, int32_t number, bool pricing, uint64_t *done,
                             omt_error *err)
{
	const omt_plan_list *list = p->list;
	const int32_t limit = p->engine->options.max_tokens;
	group_cost *group = &p->groups[number];
	for (size_t i = 0; i < list->count; i++) {
		omt_sample sample = {0};
		omt_error why;
		if (list->groups[i] != number)
			continue;
		if (list->stop && list->stop(list->user))
			return OMT_FAIL(err, STOPPED, "stopped after %zu of %zu items", i,
			                list->count);
		if (omt_sample_make(p->model, list->items[i], limit, &sample, &why) == OMT_OK) {
			const omt_status status = take(p, group, &sample, pricing, err);
			omt_sample_free(&sample);
			OMT_TRY(status);
		} else if (pricing && !group->failed++) {
			json_array_append_new(group->reasons,
			                      json_sprintf("%s: %s", list->items[i]->id, why.text));
		}
		if (list->progress.report)
			list->progress.report(list->progress.user, "planning", ++*done,
			                      2 * (uint64_t)list->count);
	}
	return end_batch(p, group, pricing, err);
}

static json_t *describe(const item_planner *p)
{
	json_t *groups = json_array();
	omt_plan_sum all = {0};
	double items = 0;
	for (int32_t g = 0; g < p->list->group_count; g++) {
		const group_cost *group = &p->groups[g];
		items += (double)group->items;
		all.seconds += group->sum.seconds;
		all.joules += group->sum.joules;
		all.flops += group->sum.flops;
		all.cycles += group->sum.cycles;
		all.read_bytes += group->sum.read_bytes;
		all.written_bytes += group->sum.written_bytes;
		all.elsewhere += group->sum.elsewhere;
		json_array_append_new(
			groups,
			json_pack("{sI sI sO sI sI sf so sO}", "items", (json_int_t)group->items,
		                  "failed", (json_int_t)group->failed, "reasons", group->reasons,
		                  "tokens", (json_int_t)group->tokens, "batches",
		                  (json_int_t)group->batches, "seconds", group->sum.seconds,
		                  "joules",
		                  p->card->most_w > 0 && group->items ? json_real(group->sum.joules)
		                                                      : json_null(),
		                  "alone_s", group->alone_s));
	}
	return json_pack("{so so}", "card",
	                 items > 0 ? omt_plan_card_json(p->card, &p->use, p->kernels, &all, items)
	                           : json_null(),
	                 "groups", groups);
}

static omt_status open_planner(item_planner *p, const omt_plan_options *options,
                               const omt_device_file *file, omt_error *err)
{
	omt_engine_options engine_options = options->engine;
	omt_exec *exec;
	engine_options.device = NULL;
	OMT_TRY(omt_engine_options_check(&engine_options, err));
	OMT_TRY(omt_exec_open_recorder(&(omt_recorder){record, p, true}, &file->info, &exec, err));
	p->packing = true;
	OMT_TRY(omt_engine_open_on(p->model, &engine_options, &exec, 1, &p->engine, err));
	p->packing = false;
	p->together = &p->engine->batches[0];
	OMT_TRY(omt_batch_open(&p->model->config, &p->together->limits, &p->alone, err));
	p->groups = calloc((size_t)p->list->group_count + 1, sizeof *p->groups);
	for (int32_t g = 0; p->groups && g < p->list->group_count; g++) {
		p->groups[g].alone_s = json_array();
		p->groups[g].reasons = json_array();
	}
	return p->groups ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%d groups", p->list->group_count);
}

static void close_planner(item_planner *p)
{
	for (int32_t g = 0; p->groups && g < p->list->group_count; g++) {
		json_decref(p->groups[g].alone_s);
		json_decref(p->groups[g].reasons);
	}
	free(p->groups);
	free(p->plan.lines);
	omt_batch_close(&p->alone);
	omt_engine_close(p->engine);
	free(p);
}

static omt_status plan_all(item_planner *p, const omt_plan_card *how, omt_error *err)
{
	uint64_t done = 0;
	for (int32_t g = 0; g < p->list->group_count; g++)
		OMT_TRY(go_through(p, g, false, &done, err));
	if (p->plan.failed)
		return OMT_FAIL(err, NO_MEMORY, "%zu launches", p->plan.count);
	OMT_TRY(omt_plan_choose(&p->plan, how, p->card, omt_exec_bytes(p->engine->units[0].exec),
	                        &p->use, p->kernels, err));
	for (int32_t g = 0; g < p->list->group_count; g++)
		OMT_TRY(go_through(p, g, true, &done, err));
	return OMT_OK;
}

omt_status omt_plan_items(const omt_model *model, const omt_plan_options *options,
                          const omt_plan_list *list, char **json, omt_error *err)
{
	omt_device_file *file = calloc(1, sizeof *file);
	item_planner *p = calloc(1, sizeof *p);
	omt_status status = OMT_OK;
	*json = NULL;
	if (!file || !p) {
		free(file);
		free(p);
		return OMT_FAIL(err, NO_MEMORY, "a card");
	}
	*p = (item_planner){.model = model, .list = list, .card = &file->card};
	OMT_GOTO(omt_plan_device(&options->engine, file, err));
	if (!file->is_card) {
		status = OMT_FAIL(err, BAD_ARGUMENT, "device \"%.200s\" is no FPGA card",
		                  options->engine.device ? options->engine.device : "");
		goto done;
	}
	OMT_GOTO(open_planner(p, options, file, err));
	OMT_GOTO(plan_all(p, &options->card, err));
	json_t *all = describe(p);
	*json = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (!*json)
		status = OMT_FAIL(err, NO_MEMORY, "the plan of %zu items", list->count);
done:
	close_planner(p);
	free(file);
	return status;
}
