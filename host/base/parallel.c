#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define MAX_THREADS 256

typedef struct omt_loop {
	void (*step)(void *user, size_t i);
	void *user;
	size_t count;
	atomic_size_t next;
} omt_loop;

static void *run(void *any)
{
	omt_loop *loop = any;
	for (size_t i; (i = atomic_fetch_add(&loop->next, 1)) < loop->count;)
		loop->step(loop->user, i);
	return NULL;
}

int32_t omt_parallel_cores(void)
{
	cpu_set_t set; /* too small for more than 1,024 of them */
	const long count = sched_getaffinity(0, sizeof set, &set) == 0
	                           ? CPU_COUNT(&set)
	                           : sysconf(_SC_NPROCESSORS_ONLN);
	return count < 1 ? 1 : (int32_t)count;
}

void omt_parallel(int32_t threads, size_t count, void (*step)(void *user, size_t i), void *user)
{
	omt_loop loop = {.step = step, .user = user, .count = count};
	pthread_t others[MAX_THREADS];
	size_t started = 0, wanted = (size_t)(threads > 0 ? threads : omt_parallel_cores());
	wanted = wanted < count ? wanted : count;
	while (started + 1 < wanted && started < MAX_THREADS &&
	       pthread_create(&others[started], NULL, run, &loop) == 0)
		started++;
	run(&loop);
	while (started)
		pthread_join(others[--started], NULL);
}
