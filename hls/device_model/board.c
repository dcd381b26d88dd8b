#include "hls/device_model/board.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "hls/device_model/log.h"
#include "hls/device_model/timing.h"

void omt_board_say(const char *format, ...)
{
	char line[1024];
	va_list list;
	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	fprintf(stderr, "device model: %s\n", line);
}

static void stop(omt_unit *unit)
{
	if (unit->child > 0) {
		kill(unit->child, SIGKILL);
		waitpid(unit->child, NULL, 0);
		close(unit->orders);
	}
	unit->child = 0;
}

void omt_board_unload(omt_board *board)
{
	for (size_t i = 0; i < board->unit_count; i++) {
		stop(&board->units[i]);
		free(board->units[i].registers);
	}
	board->unit_count = 0;
	free(board->design);
	board->design = NULL;
	free(board->library);
	board->library = NULL;
}

omt_status omt_board_load(omt_board *board, omt_design *design, const char *library, omt_error *err)
{
	omt_board_unload(board);
	board->design = design;
	board->library = strdup(library);
	memset(board->launches, 0, sizeof board->launches);
	board->all_launches = 0;
	if (!board->library)
		return OMT_FAIL(err, NO_MEMORY, "no memory for a container");
	OMT_TRY(omt_worker_probe(library, design, err));
	for (size_t i = 0; i < design->unit_count; i++) {
		const omt_design_unit *at = &design->units[i];
		const omt_design_kernel *kernel = &design->kernels[at->kernel];
		board->units[i] = (omt_unit){.design = at, .kernel = kernel};
		board->units[i].registers = calloc(1, kernel->range);
		if (!board->units[i].registers)
			return OMT_FAIL(err, NO_MEMORY, "no memory for a container");
		board->unit_count++;
	}
	return OMT_OK;
}

void omt_board_lose(omt_board *board)
{
	omt_board_say("the card is lost, as settings ask");
	board->lost = true;
	for (size_t i = 0; i < board->unit_count; i++)
		stop(&board->units[i]);
}

bool omt_board_alloc(omt_board *board, uint64_t address, uint64_t bytes)
{
	const omt_model_settings *settings = &board->settings;
	uint64_t sum = bytes;
	omt_error err;
	for (size_t i = 0; i < board->memory.count; i++)
		sum += board->memory.buffers[i].bytes;
	board->allocations++;
	if (board->allocations == settings->alloc_fail)
		omt_board_say("allocation %llu (%llu bytes) fails, as settings ask",
		              (unsigned long long)board->allocations, (unsigned long long)bytes);
	else if (settings->alloc_limit && sum > settings->alloc_limit)
		omt_board_say("%llu bytes of buffers are more than alloc_limit",
		              (unsigned long long)sum);
	else if (omt_board_memory_alloc(&board->memory, address, bytes, &err))
		omt_board_say("%s", err.text);
	else
		return true;
	board->void_at_0 = true;
	return false;
}

static void sleep_until(double when)
{
	double left = when - omt_now_s();
	if (left > 0)
		nanosleep(
			&(struct timespec){.tv_sec = (time_t)left,
		                           .tv_nsec = (long)(1e9 * (left - (double)(time_t)left))},
			NULL);
}

omt_status omt_board_copy(omt_board *board, bool to_card, uint64_t address, uint8_t *data,
                          uint64_t bytes, omt_error *err)
{
	const double begin = omt_now_s(), modelled = omt_model_copy(&board->settings, bytes);
	uint8_t *at;
	if (!to_card)
		memset(data, 0xff, bytes); /* what a bus without an answer reads as */
	if (board->lost)
		return OMT_OK;
	if (board->void_at_0 && !address)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "address 0 is what is left of a failed allocation");
	OMT_TRY(omt_board_memory_span(&board->memory, address, bytes, &at, err));
	if (to_card)
		memcpy(at, data, bytes);
	else
		memcpy(data, at, bytes);
	board->copies[!to_card]++;
	board->copied[!to_card] += bytes;
	board->copy_s[!to_card] += modelled;
	sleep_until(begin + board->settings.pace * modelled);
	return OMT_OK;
}

omt_unit *omt_board_unit(omt_board *board, uint64_t address, uint32_t *offset)
{
	for (size_t i = 0; i < board->unit_count; i++) {
		omt_unit *unit = &board->units[i];
		if (address >= unit->design->base &&
		    address - unit->design->base < unit->kernel->range) {
			*offset = (uint32_t)(address - unit->design->base);
			return unit;
		}
	}
	return NULL;
}

/* The launch that the registers describe, checked. */
static omt_status gather(const omt_board *board, const omt_unit *unit, omt_launch *launch,
                         size_t *banks, omt_error *err)
{
	uint64_t seen = 0;
	*banks = 0;
	*launch = (omt_launch){.arg_count = (uint32_t)unit->kernel->arg_count};
	for (size_t i = 0; i < unit->kernel->arg_count; i++) {
		const omt_design_arg *arg = &unit->kernel->args[i];
		omt_launch_arg *out = &launch->args[i];
		memcpy(&out->value, unit->registers + arg->offset, arg->bytes);
		if (!arg->buffer)
			continue;
		const omt_board_buffer *buffer = omt_board_memory_find(&board->memory, out->value);
		if (!buffer || (board->void_at_0 && !out->value))
			return OMT_FAIL(err, BAD_ARGUMENT, "argument %s (0x%llx) lies in no buffer",
			                arg->name, (unsigned long long)out->value);
		out->start = buffer->address;
		out->bytes = buffer->bytes;
		const uint64_t bank = (uint64_t)1
		                      << omt_board_memory_bank(&board->memory, out->value);
		*banks += !(seen & bank);
		seen |= bank;
	}
	return OMT_OK;
}

/* The unit's process, made when it is first needed. */
static omt_status wake(omt_board *board, omt_unit *unit, omt_error *err)
{
	int ends[2];
	if (unit->child > 0)
		return OMT_OK;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return OMT_FAIL(err, IO, "no socket for %s", unit->design->name);
	unit->child = fork();
	if (unit->child == 0) {
		close(board->host);
		close(ends[0]);
		for (size_t i = 0; i < board->unit_count; i++)
			if (board->units[i].child > 0)
				close(board->units[i].orders);
		omt_worker_run(&(omt_worker_task){ends[1], board->memory.fd, board->library,
		                                  unit->kernel->name});
	}
	close(ends[1]);
	unit->orders = ends[0];
	if (unit->child < 0) {
		close(ends[0]);
		return OMT_FAIL(err, NO_MEMORY, "no process for %s", unit->design->name);
	}
	return OMT_OK;
}

static omt_launch_order order_of(const omt_board *board, const omt_unit *unit)
{
	const struct {
		const omt_model_fault *fault;
		omt_launch_order order;
	} faults[] = {{&board->settings.hang, OMT_LAUNCH_HANG},
	              {&board->settings.crash, OMT_LAUNCH_CRASH}};
	for (size_t i = 0; i < 2; i++) {
		bool any = !strcmp(faults[i].fault->kernel, "*");
		uint64_t number = any ? board->all_launches : board->launches[unit->design->kernel];
		if ((any || !strcmp(faults[i].fault->kernel, unit->kernel->name)) &&
		    faults[i].fault->launch == number)
			return faults[i].order;
	}
	return OMT_LAUNCH_RUN;
}

static void begin(omt_board *board, omt_unit *unit, omt_launch *launch)
{
	omt_error err;
	unit->running = true;
	unit->landed = false;
	unit->launch = ++board->launches[unit->design->kernel];
	board->all_launches++;
	unit->start_s = omt_now_s();
	launch->order = order_of(board, unit);
	if (launch->order != OMT_LAUNCH_RUN)
		omt_board_say("%s: launch %llu of %s %s, as settings ask", unit->design->name,
		              (unsigned long long)unit->launch, unit->kernel->name,
		              launch->order == OMT_LAUNCH_HANG ? "hangs" : "crashes");
	if (board->lost || unit->dead)
		return;
	if (wake(board, unit, &err) ||
	    send(unit->orders, launch, sizeof *launch, MSG_NOSIGNAL) != (ssize_t)sizeof *launch) {
		omt_board_say("%s: no process takes the launch", unit->design->name);
		unit->dead = true;
	}
}

/* A launch that has landed and is not held back any more ends. */
static void end(omt_board *board, omt_unit *unit)
{
	if (!unit->running || !unit->landed || omt_now_s() < unit->ready_s)
		return;
	unit->running = false;
	unit->done++;
	if (unit->waiting) {
		unit->waiting = false;
		begin(board, unit, &unit->next);
	}
}

static void command(omt_board *board, omt_unit *unit, uint32_t word)
{
	omt_launch launch;
	omt_error err;
	end(board, unit);
	if (word & OMT_CTRL_CONTINUE && unit->kernel->chain && unit->done)
		unit->done--;
	if (!(word & OMT_CTRL_START))
		return;
	if (unit->running && (!unit->kernel->chain || unit->waiting)) {
		omt_board_say("%s: started while it runs", unit->design->name);
		return;
	}
	if (gather(board, unit, &launch, &unit->banks, &err)) {
		omt_board_say("%s: launch of %s is not run: %s", unit->design->name,
		              unit->kernel->name, err.text);
		unit->dead = unit->running = true;
		unit->landed = false;
		return;
	}
	unit->waiting = unit->running;
	if (unit->waiting)
		unit->next = launch;
	else
		begin(board, unit, &launch);
}

omt_status omt_board_write(omt_board *board, omt_unit *unit, uint32_t offset, const uint8_t *data,
                           size_t bytes, omt_error *err)
{
	uint32_t word;
	if (offset % 4 || bytes % 4 || bytes > unit->kernel->range - offset)
		return OMT_FAIL(err, BAD_ARGUMENT, "%zu bytes at 0x%x of %s are not its registers",
		                bytes, offset, unit->design->name);
	memcpy(unit->registers + offset, data, bytes);
	if (offset || !bytes)
		return OMT_OK;
	memcpy(&word, data, sizeof word);
	command(board, unit, word);
	return OMT_OK;
}

uint32_t omt_board_read(omt_board *board, omt_unit *unit, uint32_t offset)
{
	uint32_t word;
	if (offset) {
		memcpy(&word, unit->registers + offset, sizeof word);
		return word;
	}
	end(board, unit);
	word = unit->running ? OMT_CTRL_START : OMT_CTRL_IDLE;
	if (unit->done)
		word |= OMT_CTRL_DONE | OMT_CTRL_READY;
	if (!unit->kernel->chain)
		unit->done = 0; /* cleared by reading */
	return word;
}

static void say_death(omt_unit *unit, const omt_landing *landing)
{
	const uint32_t at = landing->fault_arg;
	char where[160] = "";
	if (at < unit->kernel->arg_count)
		snprintf(where, sizeof where, " at byte %lld of argument %s's buffer",
		         (long long)landing->fault, unit->kernel->args[at].name);
	omt_board_say("%s: launch %llu of %s ended with signal %u (%s)%s", unit->design->name,
	              (unsigned long long)unit->launch, unit->kernel->name, landing->failed,
	              landing->failed ? strsignal((int)landing->failed) : "no word of why", where);
}

void omt_board_land(omt_board *board, omt_unit *unit)
{
	omt_landing landing = {.fault_arg = OMT_DESIGN_ARGS};
	ssize_t got = recv(unit->orders, &landing, sizeof landing, MSG_DONTWAIT);
	if (got != (ssize_t)sizeof landing || landing.failed) {
		if (!unit->dead)
			say_death(unit, &landing);
		unit->dead = true;
		stop(unit);
		return;
	}
	const omt_modelled modelled =
		omt_model_kernel(&board->settings, board->design->clock_mhz, &landing, unit->banks);
	unit->landed = true;
	unit->ready_s = unit->start_s + board->settings.pace * modelled.seconds;
	omt_model_log_launch(board->settings.log,
	                     &(omt_logged){unit->kernel->name, unit->design->name, unit->launch,
	                                   unit->banks, landing.wall_s, &modelled, &landing});
}

void omt_board_log_link(const omt_board *board)
{
	for (int i = 0; i < 2; i++)
		omt_model_log_copies(board->settings.log, i ? "from card" : "to card",
		                     board->copies[i], board->copied[i], board->copy_s[i]);
}
