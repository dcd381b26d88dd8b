#include "hls/device_model/worker.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "hls/device_model/cycles.h"

enum {
	PAGE = 4096,
	MAPPINGS = 512,
	STACK = 256 << 20, /* a kernel's on-chip arrays are its locals; costs what is touched */
};

typedef void hls_call(void *const *arguments);

typedef struct mapping {
	uint64_t start, bytes; /* of the buffer; whole pages */
	uint8_t *data;         /* after a page that may not be touched; another follows */
} mapping;

/* One unit a process: what the handler of signals needs is here. */
static struct unit_process {
	const omt_worker_task *task;
	void *library;
	hls_call *call;
	const int32_t *params; /* of the kernel; NULL: not said */
	omt_launch launch;
	const mapping *of_arg[OMT_DESIGN_ARGS];
	size_t mapping_count;
	mapping mappings[MAPPINGS];
} unit;

/* <prefix><kernel> of the library, or NULL. */
static void *find(void *library, const char *prefix, const char *kernel)
{
	char symbol[OMT_DESIGN_NAME + 16];
	snprintf(symbol, sizeof symbol, "%s%s", prefix, kernel);
	return library ? dlsym(library, symbol) : NULL;
}

static hls_call *find_call(void *library, const char *kernel)
{
	hls_call *call;
	void *found = find(library, "hls_call_", kernel);
	memcpy(&call, &found, sizeof call);
	return call;
}

static void forget_mappings(void)
{
	for (size_t i = 0; i < unit.mapping_count; i++)
		munmap(unit.mappings[i].data - PAGE, unit.mappings[i].bytes + 2 * PAGE);
	unit.mapping_count = 0;
}

static const mapping *find_mapping(uint64_t start, uint64_t bytes)
{
	for (size_t i = 0; i < unit.mapping_count; i++)
		if (unit.mappings[i].start == start && unit.mappings[i].bytes == bytes)
			return &unit.mappings[i];
	mapping *made = &unit.mappings[unit.mapping_count];
	uint8_t *room = mmap(NULL, bytes + 2 * PAGE, PROT_NONE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	*made = (mapping){start, bytes, room + PAGE};
	if (mmap(made->data, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	         unit.task->memory, (off_t)start) == MAP_FAILED)
		return NULL;
	unit.mapping_count++;
	return made;
}

/* Where the access at `at` lies, as an argument and an offset; only memory of this process is read,
 * so the handler may call it. */
static void place_fault(const void *at, omt_landing *landing)
{
	int64_t nearest = 1 << 30; /* beyond the buffer's end, or before its start */
	landing->fault_arg = OMT_DESIGN_ARGS;
	for (uint32_t i = 0; i < unit.launch.arg_count; i++) {
		const mapping *of = unit.of_arg[i];
		if (!of)
			continue;
		int64_t offset = (int64_t)((uintptr_t)at - (uintptr_t)of->data);
		int64_t away = offset < 0 ? -offset : offset - (int64_t)of->bytes;
		if (away >= nearest)
			continue;
		nearest = away < 0 ? 0 : away;
		landing->fault_arg = i;
		landing->fault = offset;
	}
}

static void last_words(int number, siginfo_t *info, void *context)
{
	omt_landing landing = {.failed = (uint32_t)number};
	(void)context;
	place_fault(info->si_addr, &landing);
	send(unit.task->orders, &landing, sizeof landing, MSG_NOSIGNAL);
	signal(number, SIG_DFL);
	raise(number);
}

/* The buffers of the launch and the pointers that the kernel gets; false: no room. */
static bool bind_args(void **arguments)
{
	if (unit.mapping_count + unit.launch.arg_count > MAPPINGS)
		forget_mappings();
	for (uint32_t i = 0; i < unit.launch.arg_count; i++) {
		omt_launch_arg *arg = &unit.launch.args[i];
		arguments[i] = &arg->value;
		unit.of_arg[i] = NULL;
		if (!arg->bytes)
			continue;
		unit.of_arg[i] = find_mapping(arg->start, (arg->bytes + PAGE - 1) / PAGE * PAGE);
		if (!unit.of_arg[i])
			return false;
		arguments[i] = unit.of_arg[i]->data + (arg->value - arg->start);
	}
	return true;
}

static void obey(void)
{
	void *arguments[OMT_DESIGN_ARGS];
	omt_landing landing = {0};
	hls_counts *counts = dlsym(unit.library, "hls_count"); /* of this thread */
	if (unit.launch.order == OMT_LAUNCH_HANG)
		for (;;)
			pause();
	if (unit.launch.order == OMT_LAUNCH_CRASH)
		raise(SIGSEGV);
	if (!bind_args(arguments)) {
		landing.failed = SIGBUS;
		landing.fault_arg = OMT_DESIGN_ARGS;
	} else {
		if (counts)
			*counts = (hls_counts){0};
		double begin = omt_now_s();
		unit.call(arguments);
		landing.wall_s = omt_now_s() - begin;
		landing.counted = counts != NULL;
		if (counts)
			landing.counts = *counts;
		if (unit.params)
			landing.cycles = omt_model_cycles(unit.task->kernel, arguments,
			                                  unit.launch.arg_count, unit.params);
	}
	send(unit.task->orders, &landing, sizeof landing, MSG_NOSIGNAL);
}

static void *serve(void *nothing)
{
	/* A handler has a stack of its own: a kernel may have used up this one. */
	static uint8_t room[1 << 16];
	sigaltstack(&(stack_t){.ss_sp = room, .ss_size = sizeof room}, NULL);
	while (recv(unit.task->orders, &unit.launch, sizeof unit.launch, 0) ==
	       (ssize_t)sizeof unit.launch)
		obey();
	return nothing;
}

_Noreturn void omt_worker_run(const omt_worker_task *task)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction action = {.sa_sigaction = last_words, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	pthread_attr_t attributes;
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		sigaction(fatal[i], &action, NULL);
	unit.task = task;
	unit.library = dlopen(task->library, RTLD_NOW | RTLD_LOCAL);
	unit.call = find_call(unit.library, task->kernel);
	unit.params = find(unit.library, "hls_params_", task->kernel);
	pthread_attr_init(&attributes);
	if (!unit.call || pthread_attr_setstacksize(&attributes, STACK) ||
	    pthread_create(&thread, &attributes, serve, NULL))
		_exit(1);
	pthread_join(thread, NULL);
	_exit(0);
}

/* In the child: the first thing that is wrong, as a string of fewer than `limit` bytes. */
static void examine(const char *library, const omt_design *design, char *wrong, size_t limit)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	*wrong = 0;
	if (!handle)
		snprintf(wrong, limit, "%s", dlerror());
	for (size_t i = 0; handle && i < design->kernel_count; i++)
		if (!find_call(handle, design->kernels[i].name)) {
			snprintf(wrong, limit, "%s: no function hls_call_%s", library,
			         design->kernels[i].name);
			break;
		}
}

omt_status omt_worker_probe(const char *library, const omt_design *design, omt_error *err)
{
	char wrong[512] = "";
	int ends[2], exited = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return OMT_FAIL(err, IO, "no socket for a process that tries %s", library);
	pid_t child = fork();
	if (child == 0) {
		examine(library, design, wrong, sizeof wrong);
		send(ends[1], wrong, sizeof wrong, 0);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, &exited, 0);
	ssize_t got = recv(ends[0], wrong, sizeof wrong, MSG_DONTWAIT);
	close(ends[0]);
	close(ends[1]);
	if (got != (ssize_t)sizeof wrong)
		return OMT_FAIL(err, DEVICE, "%s: the process that tried it ended with status 0x%x",
		                library, (unsigned)exited);
	return *wrong ? OMT_FAIL(err, BAD_FORMAT, "%s", wrong) : OMT_OK;
}
