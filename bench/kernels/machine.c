#include "bench/kernels/machine.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define MAX_THREADS 256
#define TRIES       7

/* ---- peak ---- */

typedef float lanes8 __attribute__((vector_size(32)));
typedef float lanes16 __attribute__((vector_size(64)));
#define FMA_STEPS 2000000

/* Twelve independent chains: more than latency times units of any core. The asm keeps the compiler
 * from folding them. */
#define FMA_LOOP(type)                                                                          \
	type c0 = {0}, c1 = {1}, c2 = {2}, c3 = {3}, c4 = {4}, c5 = {5}, c6 = {6}, c7 = {7};    \
	type c8 = {8}, c9 = {9}, c10 = {10}, c11 = {11};                                        \
	const type a = (type){0} + 0.999f, b = (type){0} + 1e-3f;                               \
	for (int step = 0; step < FMA_STEPS; step++)                                            \
		__asm__ volatile("vfmadd213ps %13, %12, %0\n\tvfmadd213ps %13, %12, %1\n\t"     \
		                 "vfmadd213ps %13, %12, %2\n\tvfmadd213ps %13, %12, %3\n\t"     \
		                 "vfmadd213ps %13, %12, %4\n\tvfmadd213ps %13, %12, %5\n\t"     \
		                 "vfmadd213ps %13, %12, %6\n\tvfmadd213ps %13, %12, %7\n\t"     \
		                 "vfmadd213ps %13, %12, %8\n\tvfmadd213ps %13, %12, %9\n\t"     \
		                 "vfmadd213ps %13, %12, %10\n\tvfmadd213ps %13, %12, %11"       \
		                 : "+v"(c0), "+v"(c1), "+v"(c2), "+v"(c3), "+v"(c4), "+v"(c5),  \
		                   "+v"(c6), "+v"(c7), "+v"(c8), "+v"(c9), "+v"(c10), "+v"(c11) \
		                 : "v"(a), "v"(b));                                             \
	c0 += c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;                           \
	*sink = c0[0] + c0[1];                                                                  \
	return 2.0 * FMA_STEPS * 12 * (double)(sizeof(type) / sizeof(float))

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static double fma_avx2(volatile float *sink)
{
	FMA_LOOP(lanes8);
}

__attribute__((target("avx512f"))) static double fma_avx512(volatile float *sink)
{
	FMA_LOOP(lanes16);
}
#endif

static double fma_scalar(volatile float *sink)
{
	float sum[16] = {0};
	for (int step = 0; step < FMA_STEPS; step++)
		for (int i = 0; i < 16; i++)
			sum[i] = __builtin_fmaf(sum[i], 0.999f, 1e-3f);
	*sink = sum[0];
	return 2.0 * FMA_STEPS * 16;
}

typedef struct task {
	double (*flops)(volatile float *sink);
	const float *from;
	size_t count;
	double done;
	volatile float sink;
} task;

static void *run_fma(void *user)
{
	task *t = user;
	t->done = t->flops(&t->sink);
	return NULL;
}

/* Puts a thread on the i-th core of those that this process may use: threads as short as these
 * would otherwise end before the kernel has spread them. */
static void pin(pthread_attr_t *attributes, int i)
{
	cpu_set_t all, one;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	int left = i % CPU_COUNT(&all);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !left--)
			CPU_SET(cpu, &one);
	pthread_attr_setaffinity_np(attributes, sizeof one, &one);
}

/* Work done by all threads a second. */
static double rate(task *tasks, int threads, void *(*run)(void *))
{
	pthread_t ids[MAX_THREADS];
	pthread_attr_t attributes;
	double begin = omt_now_s(), done = 0;
	for (int i = 0; i < threads; i++) {
		pthread_attr_init(&attributes);
		pin(&attributes, i);
		pthread_create(&ids[i], &attributes, run, &tasks[i]);
		pthread_attr_destroy(&attributes);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	double seconds = omt_now_s() - begin;
	for (int i = 0; i < threads; i++)
		done += tasks[i].done;
	return done / seconds;
}

double bench_peak_gflops(int threads)
{
	double (*kinds[3])(volatile float *) = {NULL};
	task tasks[MAX_THREADS];
	double best = 0;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		kinds[0] = fma_avx2;
	if (__builtin_cpu_supports("avx512f"))
		kinds[1] = fma_avx512;
#endif
	if (!kinds[0])
		kinds[0] = fma_scalar;
	for (int k = 0; k < 3; k++)
		for (int i = 0; kinds[k] && i < TRIES; i++) {
			for (int t = 0; t < threads; t++)
				tasks[t] = (task){.flops = kinds[k]};
			double now = rate(tasks, threads, run_fma);
			best = now > best ? now : best;
		}
	return best * 1e-9;
}

/* ---- bandwidth ---- */

static void *run_read(void *user)
{
	task *t = user;
	lanes8 sum[8] = {0};
	for (size_t i = 0; i + 64 <= t->count; i += 64)
		for (int j = 0; j < 8; j++) {
			lanes8 now;
			memcpy(&now, t->from + i + 8 * j, sizeof now);
			sum[j] += now;
		}
	for (int j = 1; j < 8; j++)
		sum[0] += sum[j];
	t->sink = sum[0][0];
	t->done = (double)t->count * sizeof(float);
	return NULL;
}

double bench_bandwidth_gbs(int threads)
{
	const size_t count = (size_t)128 << 20;
	task tasks[MAX_THREADS];
	float *memory = malloc(count * sizeof *memory);
	double best = 0;
	if (!memory)
		return 0;
	for (size_t i = 0; i < count; i++)
		memory[i] = 1.0f;
	for (int i = 0; i < TRIES; i++) {
		for (int t = 0; t < threads; t++)
			tasks[t] = (task){
				.from = memory + count / (size_t)threads * (size_t)t,
				.count = count / (size_t)threads,
			};
		double now = rate(tasks, threads, run_read);
		best = now > best ? now : best;
	}
	free(memory);
	return best * 1e-9;
}

/* ---- the rest ---- */

void bench_settle(void)
{
	struct timespec before, after;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (;;) {
		usleep(5000);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
		const double used_s = (double)(after.tv_sec - before.tv_sec) +
		                      1e-9 * (double)(after.tv_nsec - before.tv_nsec);
		if (used_s < 0.0005)
			return;
		before = after;
	}
}
