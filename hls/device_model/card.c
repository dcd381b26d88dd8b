#include "hls/device_model/card.h"

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

void omt_card_say(const char *format, ...)
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

void omt_card_unload(omt_card *card)
{
	for (size_t i = 0; i < card->unit_count; i++) {
		stop(&card->units[i]);
		free(card->units[i].registers);
	}
	card->unit_count = 0;
	free(card->design);
	card->design = NULL;
	free(card->library);
	card->library = NULL;
}

omt_status omt_card_load(omt_card *card, omt_design *design, const char *library, omt_error *err)
{
	omt_card_unload(card);
	card->design = design;
	card->library = strdup(library);
	memset(card->launches, 0, sizeof card->launches);
	card->all_launches = 0;
	if (!card->library)
		return OMT_FAIL(err, NO_MEMORY, "no memory for a container");
	OMT_TRY(omt_worker_probe(library, design, err));
	for (size_t i = 0; i < design->unit_count; i++) {
		const omt_design_unit *at = &design->units[i];
		const omt_design_kernel *kernel = &design->kernels[at->kernel];
		card->units[i] = (omt_unit){.design = at, .kernel = kernel};
		card->units[i].registers = calloc(1, kernel->range);
		if (!card->units[i].registers)
			return OMT_FAIL(err, NO_MEMORY, "no memory for a container");
		card->unit_count++;
	}
	return OMT_OK;
}

void omt_card_lose(omt_card *card)
{
	omt_card_say("the card is lost, as settings ask");
	card->lost = true;
	for (size_t i = 0; i < card->unit_count; i++)
		stop(&card->units[i]);
}

bool omt_card_alloc(omt_card *card, uint64_t address, uint64_t bytes)
{
	const omt_model_settings *settings = &card->settings;
	uint64_t sum = bytes;
	omt_error err;
	for (size_t i = 0; i < card->memory.count; i++)
		sum += card->memory.buffers[i].bytes;
	card->allocations++;
	if (card->allocations == settings->alloc_fail)
		omt_card_say("allocation %llu (%llu bytes) fails, as settings ask",
		             (unsigned long long)card->allocations, (unsigned long long)bytes);
	else if (settings->alloc_limit && sum > settings->alloc_limit)
		omt_card_say("%llu bytes of buffers are more than alloc_limit",
		             (unsigned long long)sum);
	else if (omt_card_memory_alloc(&card->memory, address, bytes, &err))
		omt_card_say("%s", err.text);
	else
		return true;
	card->void_at_0 = true;
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

omt_status omt_card_copy(omt_card *card, bool to_card, uint64_t address, uint8_t *data,
                         uint64_t bytes, omt_error *err)
{
	const double begin = omt_now_s(), modelled = omt_model_copy(&card->settings, bytes);
	uint8_t *at;
	if (!to_card)
		memset(data, 0xff, bytes); /* what a bus without an answer reads as */
	if (card->lost)
		return OMT_OK;
	if (card->void_at_0 && !address)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "address 0 is what is left of a failed allocation");
	OMT_TRY(omt_card_memory_span(&card->memory, address, bytes, &at, err));
	if (to_card)
		memcpy(at, data, bytes);
	else
		memcpy(data, at, bytes);
	card->copies[!to_card]++;
	card->copied[!to_card] += bytes;
	card->copy_s[!to_card] += modelled;
	sleep_until(begin + card->settings.pace * modelled);
	return OMT_OK;
}

omt_unit *omt_card_unit(omt_card *card, uint64_t address, uint32_t *offset)
{
	for (size_t i = 0; i < card->unit_count; i++) {
		omt_unit *unit = &card->units[i];
		if (address >= unit->design->base &&
		    address - unit->design->base < unit->kernel->range) {
			*offset = (uint32_t)(address - unit->design->base);
			return unit;
		}
	}
	return NULL;
}

/* The launch that the registers describe, checked. */
static omt_status gather(const omt_card *card, const omt_unit *unit, omt_launch *launch,
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
		const omt_card_buffer *buffer = omt_card_memory_find(&card->memory, out->value);
		if (!buffer || (card->void_at_0 && !out->value))
			return OMT_FAIL(err, BAD_ARGUMENT, "argument %s (0x%llx) lies in no buffer",
			                arg->name, (unsigned long long)out->value);
		out->start = buffer->address;
		out->bytes = buffer->bytes;
		const uint64_t bank = (uint64_t)1
		                      << omt_card_memory_bank(&card->memory, out->value);
		*banks += !(seen & bank);
		seen |= bank;
	}
	return OMT_OK;
}

/* The unit's process, made when it is first needed. */
static omt_status wake(omt_card *card, omt_unit *unit, omt_error *err)
{
	int ends[2];
	if (unit->child > 0)
		return OMT_OK;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return OMT_FAIL(err, IO, "no socket for %s", unit->design->name);
	unit->child = fork();
	if (unit->child == 0) {
		close(card->host);
		close(ends[0]);
		for (size_t i = 0; i < card->unit_count; i++)
			if (card->units[i].child > 0)
				close(card->units[i].orders);
		omt_worker_run(&(omt_worker_task){ends[1], card->memory.fd, card->library,
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

static omt_launch_order order_of(const omt_card *card, const omt_unit *unit)
{
	const struct {
		const omt_model_fault *fault;
		omt_launch_order order;
	} faults[] = {{&card->settings.hang, OMT_LAUNCH_HANG},
	              {&card->settings.crash, OMT_LAUNCH_CRASH}};
	for (size_t i = 0; i < 2; i++) {
		bool any = !strcmp(faults[i].fault->kernel, "*");
		uint64_t number = any ? card->all_launches : card->launches[unit->design->kernel];
		if ((any || !strcmp(faults[i].fault->kernel, unit->kernel->name)) &&
		    faults[i].fault->launch == number)
			return faults[i].order;
	}
	return OMT_LAUNCH_RUN;
}

static void begin(omt_card *card, omt_unit *unit, omt_launch *launch)
{
	omt_error err;
	unit->running = true;
	unit->landed = false;
	unit->launch = ++card->launches[unit->design->kernel];
	card->all_launches++;
	unit->start_s = omt_now_s();
	launch->order = order_of(card, unit);
	if (launch->order != OMT_LAUNCH_RUN)
		omt_card_say("%s: launch %llu of %s %s, as settings ask", unit->design->name,
		             (unsigned long long)unit->launch, unit->kernel->name,
		             launch->order == OMT_LAUNCH_HANG ? "hangs" : "crashes");
	if (card->lost || unit->dead)
		return;
	if (wake(card, unit, &err) ||
	    send(unit->orders, launch, sizeof *launch, MSG_NOSIGNAL) != (ssize_t)sizeof *launch) {
		omt_card_say("%s: no process takes the launch", unit->design->name);
		unit->dead = true;
	}
}

static void command(omt_card *card, omt_unit *unit, uint32_t word)
{
	omt_launch launch;
	omt_error err;
	if (word & OMT_CTRL_CONTINUE && unit->kernel->chain && unit->done)
		unit->done--;
	if (!(word & OMT_CTRL_START))
		return;
	if (unit->running && (!unit->kernel->chain || unit->waiting)) {
		omt_card_say("%s: started while it runs", unit->design->name);
		return;
	}
	if (gather(card, unit, &launch, &unit->banks, &err)) {
		omt_card_say("%s: launch of %s is not run: %s", unit->design->name,
		             unit->kernel->name, err.text);
		unit->dead = unit->running = true;
		return;
	}
	unit->waiting = unit->running;
	if (unit->waiting)
		unit->next = launch;
	else
		begin(card, unit, &launch);
}

omt_status omt_card_write(omt_card *card, omt_unit *unit, uint32_t offset, const uint8_t *data,
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
	command(card, unit, word);
	return OMT_OK;
}

/* A launch that has landed and is not held back any more ends. */
static void end(omt_card *card, omt_unit *unit)
{
	if (!unit->running || !unit->landed || omt_now_s() < unit->ready_s)
		return;
	unit->running = false;
	unit->done++;
	if (unit->waiting) {
		unit->waiting = false;
		begin(card, unit, &unit->next);
	}
}

uint32_t omt_card_read(omt_card *card, omt_unit *unit, uint32_t offset)
{
	uint32_t word;
	if (offset) {
		memcpy(&word, unit->registers + offset, sizeof word);
		return word;
	}
	end(card, unit);
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
	omt_card_say("%s: launch %llu of %s ended with signal %u (%s)%s", unit->design->name,
	             (unsigned long long)unit->launch, unit->kernel->name, landing->failed,
	             landing->failed ? strsignal((int)landing->failed) : "no word of why", where);
}

void omt_card_land(omt_card *card, omt_unit *unit)
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
	const omt_modelled modelled = omt_model_kernel(&card->settings, card->design->clock_mhz,
	                                               &landing.counts, unit->banks);
	unit->landed = true;
	unit->ready_s = unit->start_s + card->settings.pace * modelled.seconds;
	omt_model_log_launch(card->settings.log,
	                     &(omt_logged){unit->kernel->name, unit->design->name, unit->launch,
	                                   unit->banks, landing.wall_s, &modelled, &landing});
}

void omt_card_log_link(const omt_card *card)
{
	for (int i = 0; i < 2; i++)
		omt_model_log_copies(card->settings.log, i ? "from card" : "to card",
		                     card->copies[i], card->copied[i], card->copy_s[i]);
}
