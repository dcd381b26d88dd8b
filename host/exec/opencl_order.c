#include "exec/opencl_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "exec/opencl.h"

#define SHORTEST_NAP_NS 20000
#define LONGEST_NAP_NS  500000
#define DESCRIBED       200
#define LATE_S          10.0 /* with those that were given up, once they may end */

/* ---- events ---- */

static void event_set(cl_event *place, cl_event event)
{
	if (event)
		clRetainEvent(event);
	if (*place)
		clReleaseEvent(*place);
	*place = event;
}

/* CL_COMPLETE, an error, or a state before both. */
static cl_int state_of(cl_event event)
{
	cl_int state = CL_COMPLETE;
	cl_int code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state,
	                             NULL);
	return code == CL_SUCCESS ? state : code;
}

static bool has_ended(cl_event event)
{
	return state_of(event) <= CL_COMPLETE;
}

static void nap(long *ns)
{
	nanosleep(&(struct timespec){.tv_nsec = *ns}, NULL);
	*ns = *ns * 2 < LONGEST_NAP_NS ? *ns * 2 : LONGEST_NAP_NS;
}

/* ---- hazards ---- */

static void use_set(omt_cl_use *place, const omt_cl_use *use)
{
	event_set(&place->event, use->event);
	place->queue = use->queue;
	place->number = use->number;
}

void omt_cl_use_clear(omt_cl_use *use)
{
	event_set(&use->event, NULL);
}

static void clear_readers(omt_cl_uses *uses)
{
	for (int32_t i = 0; i < uses->reader_count; i++)
		omt_cl_use_clear(&uses->readers[i]);
	uses->reader_count = 0;
}

void omt_cl_uses_clear(omt_cl_uses *uses)
{
	omt_cl_use_clear(&uses->writer);
	clear_readers(uses);
}

static bool is_over(const omt_cl_order *order, const omt_cl_use *use)
{
	return order->watched && use->number < order->oldest;
}

static omt_status add_wait(const omt_cl_order *order, omt_cl_use *use, cl_command_queue queue,
                           omt_cl_waits *waits, omt_error *err)
{
	if (use->event && is_over(order, use))
		omt_cl_use_clear(use);
	if (!use->event || (!order->watched && use->queue == queue))
		return OMT_OK;
	for (cl_uint i = 0; i < waits->count; i++)
		if (waits->events[i] == use->event)
			return OMT_OK;
	if (waits->count == OMT_CL_WAITS)
		return OMT_FAIL(err, LIMIT, "a command that waits for more than %d others",
		                OMT_CL_WAITS);
	waits->events[waits->count] = use->event;
	waits->numbers[waits->count++] = use->number;
	return OMT_OK;
}

omt_status omt_cl_order_before(const omt_cl_order *order, omt_cl_uses *uses, bool writes,
                               cl_command_queue queue, omt_cl_waits *waits, omt_error *err)
{
	OMT_TRY(add_wait(order, &uses->writer, queue, waits, err));
	for (int32_t i = 0; writes && i < uses->reader_count; i++)
		OMT_TRY(add_wait(order, &uses->readers[i], queue, waits, err));
	return OMT_OK;
}

/* Leaves out readers that have ended and, where queues are in order, those before another one of
 * their queue. */
static void thin_readers(const omt_cl_order *order, omt_cl_uses *uses, cl_command_queue queue)
{
	int32_t kept = 0;
	for (int32_t i = 0; i < uses->reader_count; i++) {
		omt_cl_use reader = uses->readers[i];
		if (is_over(order, &reader) || (!order->watched && reader.queue == queue))
			omt_cl_use_clear(&reader);
		else
			uses->readers[kept++] = reader;
	}
	memset(uses->readers + kept, 0, (size_t)(OMT_CL_READERS - kept) * sizeof *uses->readers);
	uses->reader_count = kept;
}

omt_status omt_cl_order_after(omt_cl_order *order, omt_cl_uses *uses, bool writes,
                              const omt_cl_use *use, omt_error *err)
{
	if (writes) {
		clear_readers(uses);
		use_set(&uses->writer, use);
		return OMT_OK;
	}
	thin_readers(order, uses, use->queue);
	if (uses->reader_count == OMT_CL_READERS) {
		omt_cl_use joined;
		OMT_TRY(omt_cl_order_join(order, uses->readers, OMT_CL_READERS, &joined, err));
		clear_readers(uses);
		uses->readers[uses->reader_count++] = joined;
	}
	use_set(&uses->readers[uses->reader_count++], use);
	return OMT_OK;
}

/* ---- the watch ---- */

static omt_cl_command *command_at(const omt_cl_order *order, uint64_t number)
{
	return &order->ring[number % OMT_CL_WATCHED];
}

/* A card that is gone reads as ones. */
static bool is_ones(const omt_cl_copy *copy)
{
	const uint8_t *bytes = copy->memory;
	size_t i = 0;
	while (i < copy->bytes && bytes[i] == 0xff)
		i++;
	return i == copy->bytes;
}

/* Forgets an ended command; what it read goes where it belongs. */
static void retire(omt_cl_order *order, omt_cl_command *command, bool deliver)
{
	omt_cl_copy *copy = &command->task.copy;
	if (copy->to && deliver) {
		memcpy(copy->to, copy->memory, copy->bytes);
		order->suspect |= is_ones(copy);
	}
	free(copy->memory);
	event_set(&command->event, NULL);
	*command = (omt_cl_command){0};
}

/* "kernel gemm, unit 2 of 2, row tiles 2 to 5 by 2". */
static void describe(const omt_cl_task *task, char text[DESCRIBED])
{
	if (task->op == OMT_OP_COUNT) {
		snprintf(text, DESCRIBED, "a transfer");
		return;
	}
	const int length = snprintf(text, DESCRIBED, "kernel %s, unit %d of %d", task->name,
	                            task->unit + 1, task->units);
	if (task->parts > 1)
		snprintf(text + length, DESCRIBED - (size_t)length, ", row tiles %d to %d by %d",
		         task->unit + 1, task->tiles, task->parts);
}

/* "m 28, n 176, k 64": the scalars of the contract. */
static void describe_scalars(const omt_cl_task *task, char text[DESCRIBED])
{
	const omt_op_info *info = &omt_op_infos[task->op];
	size_t length = 0;
	for (int32_t i = 0; i < info->scalars && length < DESCRIBED; i++)
		if (info->scalar[i].element == OMT_ELEMENT_i32)
			length += (size_t)snprintf(text + length, DESCRIBED - length, "%s%s %d",
			                           length ? ", " : "", info->scalar[i].name,
			                           task->scalars[i]);
}

/* Retires what has ended, from the oldest on. A device of which a command failed has failed. */
static omt_status settle(omt_cl_order *order, omt_error *err)
{
	while (order->failed.status == OMT_OK && order->oldest < order->next) {
		omt_cl_command *command = command_at(order, order->oldest);
		const cl_int state = command->event ? state_of(command->event) : CL_COMPLETE;
		if (state > CL_COMPLETE)
			return OMT_OK;
		char text[DESCRIBED];
		if (state < 0) {
			describe(&command->task, text);
			OMT_FAIL(&order->failed, DEVICE, "%s: %s failed: %s (%d)", order->card,
			         text, omt_cl_error(state), state);
		}
		retire(order, command, state == CL_COMPLETE);
		order->oldest++;
		order->since_s = omt_now_s();
	}
	if (order->failed.status != OMT_OK)
		return omt_fail(err, order->failed.status, "%s", order->failed.text);
	return OMT_OK;
}

/* Marks those that hang or wait for one that does. */
static void find_held(omt_cl_order *order)
{
	for (uint64_t n = order->oldest; n < order->next; n++) {
		omt_cl_command *command = command_at(order, n);
		for (cl_uint i = 0; i < command->wait_count && !command->held; i++)
			command->held = command->waits[i] >= order->oldest &&
			                command_at(order, command->waits[i])->held;
		command->held |= command->hangs;
	}
}

/* Lets all commands end that do not wait for one that hangs. */
static void drain(omt_cl_order *order)
{
	for (uint64_t n = order->oldest; n < order->next; n++) {
		omt_cl_command *command = command_at(order, n);
		const double begin_s = omt_now_s();
		long ns = SHORTEST_NAP_NS;
		while (!command->held && !has_ended(command->event)) {
			if (omt_now_s() - begin_s > command->task.patience_s) {
				command->hangs = true;
				if (command->task.op < OMT_OP_COUNT)
					order->lost |= 1u << command->task.op;
				find_held(order);
			} else {
				nap(&ns);
			}
		}
	}
}

/* Gives up what is held; everything counts as ended. */
static omt_status give_up(omt_cl_order *order, omt_error *err)
{
	int32_t count = order->stale_count;
	for (uint64_t n = order->oldest; n < order->next; n++)
		count += command_at(order, n)->held;
	omt_cl_command *stale = realloc(order->stale, (size_t)count * sizeof *stale);
	if (!stale)
		return OMT_FAIL(err, NO_MEMORY, "%d commands", count);
	order->stale = stale;
	for (; order->oldest < order->next; order->oldest++) {
		omt_cl_command *command = command_at(order, order->oldest);
		if (command->held) {
			order->stale[order->stale_count++] = *command;
			*command = (omt_cl_command){0};
		} else {
			retire(order, command, state_of(command->event) == CL_COMPLETE);
		}
	}
	return OMT_OK;
}

/* The oldest command has been it for too long. */
static omt_status stall(omt_cl_order *order, omt_error *err)
{
	omt_cl_command *command = command_at(order, order->oldest);
	const omt_cl_task task = command->task;
	const double waited_s = omt_now_s() - order->since_s;
	char text[DESCRIBED], scalars[DESCRIBED];
	describe(&task, text);
	command->hangs = true;
	if (task.op < OMT_OP_COUNT)
		order->lost |= 1u << task.op;
	find_held(order);
	drain(order);
	OMT_TRY(give_up(order, err));
	if (task.op == OMT_OP_COUNT) {
		OMT_FAIL(&order->failed, DEVICE, "%s: %s has not ended after %.1f s", order->card,
		         text, waited_s);
		return settle(order, err);
	}
	describe_scalars(&task, scalars);
	return OMT_FAIL(err, STALLED, "%s: %s has not ended after %.3f s, predicted %.6f s (%s)",
	                order->card, text, waited_s, task.predicted_s, scalars);
}

/* Whether one that hung has ended since: then those that were given up may run. They are let end
 * first. */
static omt_status look_back(omt_cl_order *order, omt_error *err)
{
	bool late = false;
	for (int32_t i = 0; i < order->stale_count && !late; i++)
		late = order->stale[i].hangs && has_ended(order->stale[i].event);
	if (!late)
		return OMT_OK;
	const double begin_s = omt_now_s();
	long ns = SHORTEST_NAP_NS;
	for (int32_t kept = 1; kept && omt_now_s() - begin_s < LATE_S; nap(&ns)) {
		kept = 0;
		for (int32_t i = 0; i < order->stale_count; i++) {
			if (has_ended(order->stale[i].event))
				retire(order, &order->stale[i], false);
			else
				order->stale[kept++] = order->stale[i];
		}
		order->stale_count = kept;
	}
	return OMT_FAIL(err, STALLED, "%s: a kernel that was given up has ended late", order->card);
}

omt_status omt_cl_order_wait_for(omt_cl_order *order, uint64_t number, omt_error *err)
{
	long ns = SHORTEST_NAP_NS;
	for (;;) {
		OMT_TRY(settle(order, err));
		if (order->oldest > number)
			return look_back(order, err);
		if (omt_now_s() - order->since_s >
		    command_at(order, order->oldest)->task.patience_s)
			return stall(order, err);
		nap(&ns);
	}
}

bool omt_cl_order_let_end(omt_cl_order *order, const omt_cl_uses *uses)
{
	const double begin_s = omt_now_s();
	uint64_t last = uses->writer.event ? uses->writer.number : 0;
	long ns = SHORTEST_NAP_NS;
	for (int32_t i = 0; i < uses->reader_count; i++)
		if (uses->readers[i].number > last)
			last = uses->readers[i].number;
	while (settle(order, NULL) == OMT_OK && order->oldest <= last &&
	       omt_now_s() - begin_s < OMT_CL_TRANSFER_S)
		nap(&ns);
	return order->oldest > last;
}

/* ---- commands ---- */

/* Watches an enqueued command. */
static omt_status watch(omt_cl_order *order, omt_cl_use *use, const omt_cl_waits *waits,
                        const omt_cl_task *task, omt_error *err)
{
	omt_status status = OMT_OK;
	const bool first = order->oldest == order->next;
	omt_cl_command *command = command_at(order, order->next);
	use->number = order->next++;
	*command = (omt_cl_command){.task = *task, .wait_count = waits->count};
	event_set(&command->event, use->event);
	memcpy(command->waits, waits->numbers, waits->count * sizeof *waits->numbers);
	if (first)
		order->since_s = omt_now_s();
	/* There is always room for one more, and for those that wait for several. */
	if (order->next - order->oldest > OMT_CL_WATCHED - OMT_CL_WAITS)
		status = omt_cl_order_wait_for(order, order->oldest, err);
	return status;
}

omt_status omt_cl_order_put(omt_cl_order *order, omt_cl_use *use, const omt_cl_waits *waits,
                            const omt_cl_task *task, omt_error *err)
{
	/* Watched first: it is on its way whatever the flush says. */
	omt_status status = OMT_OK;
	if (order->watched)
		status = watch(order, use, waits, task, err);
	if (status == OMT_OK && !order->unflushed)
		status = omt_cl_check(clFlush(use->queue), "clFlush", err);
	if (status != OMT_OK)
		omt_cl_use_clear(use);
	return status;
}

omt_status omt_cl_order_join(omt_cl_order *order, const omt_cl_use *uses, int32_t count,
                             omt_cl_use *joined, omt_error *err)
{
	omt_cl_waits waits = {.count = (cl_uint)count};
	const omt_cl_task task = {.op = OMT_OP_COUNT, .patience_s = OMT_CL_TRANSFER_S};
	*joined = (omt_cl_use){.queue = uses[0].queue};
	for (int32_t i = 0; i < count; i++) {
		waits.events[i] = uses[i].event;
		waits.numbers[i] = uses[i].number;
	}
	OMT_TRY(omt_cl_check(clEnqueueMarkerWithWaitList(joined->queue, waits.count, waits.events,
	                                                 &joined->event),
	                     "clEnqueueMarkerWithWaitList", err));
	return omt_cl_order_put(order, joined, &waits, &task, err);
}

/* ---- marks ---- */

/* Whether a mark is remembered. */
static bool is_known(const omt_cl_order *order, uint64_t mark)
{
	return mark && mark <= order->last_mark && order->last_mark - mark < OMT_MARKS &&
	       order->marks[mark % OMT_MARKS].end;
}

omt_status omt_cl_order_mark(omt_cl_order *order, const omt_cl_use *begin, const omt_cl_use *end,
                             uint64_t *mark, omt_error *err)
{
	if (!mark)
		return OMT_OK;
	const size_t at = (order->last_mark + 1) % OMT_MARKS;
	/* A mark that is forgotten counts as done, so it has to be. */
	if (order->marks[at].end && order->watched)
		OMT_TRY(omt_cl_order_wait_for(order, order->marks[at].number, err));
	else if (order->marks[at].end)
		OMT_TRY(omt_cl_check(clWaitForEvents(1, &order->marks[at].end), "clWaitForEvents",
		                     err));
	*mark = ++order->last_mark;
	event_set(&order->marks[at].begin, begin->event);
	event_set(&order->marks[at].end, end->event);
	order->marks[at].number = end->number;
	return OMT_OK;
}

/* A command that failed, or hangs, is done too: the wait says how. */
bool omt_cl_order_done(omt_cl_order *order, uint64_t mark)
{
	if (!is_known(order, mark))
		return true;
	if (!order->watched)
		return has_ended(order->marks[mark % OMT_MARKS].end);
	if (settle(order, NULL) != OMT_OK)
		return true;
	return order->oldest > order->marks[mark % OMT_MARKS].number ||
	       omt_now_s() - order->since_s > command_at(order, order->oldest)->task.patience_s;
}

omt_status omt_cl_order_wait(omt_cl_order *order, uint64_t mark, omt_error *err)
{
	const bool known = is_known(order, mark);
	if (order->watched)
		return omt_cl_order_wait_for(order,
		                             !mark   ? order->next - 1
		                             : known ? order->marks[mark % OMT_MARKS].number
		                                     : 0,
		                             err);
	return known ? omt_cl_check(clWaitForEvents(1, &order->marks[mark % OMT_MARKS].end),
	                            "clWaitForEvents", err)
	             : OMT_OK;
}

double omt_cl_order_elapsed(const omt_cl_order *order, uint64_t first, uint64_t last)
{
	cl_ulong begin = 0, end = 0;
	if (!is_known(order, first) || !is_known(order, last))
		return 0;
	if (clGetEventProfilingInfo(order->marks[first % OMT_MARKS].begin,
	                            CL_PROFILING_COMMAND_START, sizeof begin, &begin,
	                            NULL) != CL_SUCCESS ||
	    clGetEventProfilingInfo(order->marks[last % OMT_MARKS].end, CL_PROFILING_COMMAND_END,
	                            sizeof end, &end, NULL) != CL_SUCCESS)
		return 0;
	return end > begin ? 1e-9 * (double)(end - begin) : 0;
}

/* ---- open and close ---- */

omt_status omt_cl_order_open(omt_cl_order *order, const char *card, bool unflushed, omt_error *err)
{
	*order = (omt_cl_order){.watched = card, .unflushed = unflushed, .oldest = 1, .next = 1};
	if (!card)
		return OMT_OK;
	snprintf(order->card, sizeof order->card, "%s", card);
	order->ring = calloc(OMT_CL_WATCHED, sizeof *order->ring);
	return order->ring ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%d commands", OMT_CL_WATCHED);
}

void omt_cl_order_close(omt_cl_order *order)
{
	for (size_t i = 0; i < OMT_MARKS; i++) {
		event_set(&order->marks[i].begin, NULL);
		event_set(&order->marks[i].end, NULL);
	}
	for (; order->ring && order->oldest < order->next; order->oldest++)
		retire(order, command_at(order, order->oldest), false);
	/* What still hangs keeps the memory that it may use. */
	free(order->stale);
	free(order->ring);
	*order = (omt_cl_order){0};
}
