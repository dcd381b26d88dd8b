/* The rig of the CPU itself: threads on a core each, that start together. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "exec/roofline.h"

#define MAX_THREADS 1024
#define UNROLLED    64 /* floats that a thread reads at a time */

typedef struct rig rig;

typedef struct task {
	rig *of;
	omt_roof kind;
	double (*flops)(int32_t steps, volatile float *sink);
	float *from, *to;
	size_t count; /* floats of its part */
	int32_t steps;
	double amount, begin_s, end_s;
	volatile float sink;
} task;

struct rig {
	int32_t threads;
	float *memory;
	task *tasks;
	_Atomic int32_t ready; /* threads that wait for go */
	_Atomic int go;        /* -1: nothing is done */
};

/* ---- multiply-adds ---- */

typedef float lanes4 __attribute__((vector_size(16)));
typedef float lanes8 __attribute__((vector_size(32)));
typedef float lanes16 __attribute__((vector_size(64)));

/* Twelve independent chains: more than latency times units of any core. The asm keeps the compiler
 * from folding them; a step of the loop is 64 times twelve. */
#define FMA_REPEATS 64
#define FMA_LOOP(type)                                                                          \
	type c0 = {0}, c1 = {1}, c2 = {2}, c3 = {3}, c4 = {4}, c5 = {5}, c6 = {6}, c7 = {7};    \
	type c8 = {8}, c9 = {9}, c10 = {10}, c11 = {11};                                        \
	const type a = (type){0} + 0.999f, b = (type){0} + 1e-3f;                               \
	for (int64_t step = 0; step < (int64_t)steps * FMA_REPEATS; step++)                     \
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
	return 2.0 * FMA_REPEATS * 12 * (double)(sizeof(type) / sizeof(float)) * steps

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static double fma_avx2(int32_t steps, volatile float *sink)
{
	FMA_LOOP(lanes8);
}

__attribute__((target("avx512f"))) static double fma_avx512(int32_t steps, volatile float *sink)
{
	FMA_LOOP(lanes16);
}
#endif

/* A fused step where the compiler has one, else a product and a sum. */
static double fma_generic(int32_t steps, volatile float *sink)
{
	lanes4 sum[12] = {{0}};
	for (int64_t step = 0; step < (int64_t)steps * FMA_REPEATS; step++)
		for (int i = 0; i < 12; i++) {
#if defined(__FP_FAST_FMAF)
			for (int lane = 0; lane < 4; lane++)
				sum[i][lane] = __builtin_fmaf(sum[i][lane], 0.999f, 1e-3f);
#else
			sum[i] = sum[i] * 0.999f + 1e-3f;
#endif
		}
	for (int i = 1; i < 12; i++)
		sum[0] += sum[i];
	*sink = sum[0][0];
	return 2.0 * FMA_REPEATS * 12 * 4 * steps;
}

/* ---- memory ---- */

/* Eight vectors of x and what is done with each; AVX-512's registers are twice as wide, but no
 * cache beyond the first gives more than two of these a cycle. */
#define EACH(x, DO)                                                                                \
	DO(x##0, 0), DO(x##1, 1), DO(x##2, 2), DO(x##3, 3), DO(x##4, 4), DO(x##5, 5), DO(x##6, 6), \
		DO(x##7, 7)
#define LOAD(to, i)    memcpy(&(to), from + 8 * (i), sizeof(to))
#define STORE(what, i) memcpy(to + 8 * (i), &(what), sizeof(what))
#define ADD(sum, i)    (LOAD(x, i), (sum) += x)

OMT_HOT void read_part_body(task *t)
{
	lanes8 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0}, x;
	for (int32_t step = 0; step < t->steps; step++) {
		const float *from = t->from, *end = from + t->count;
		for (; from < end; from += UNROLLED)
			EACH(s, ADD);
	}
	s0 += s1 + s2 + s3 + s4 + s5 + s6 + s7;
	t->sink = s0[0] + s0[1];
	t->amount = (double)t->count * sizeof(float) * t->steps;
}
OMT_PATHS(read_part, (task * t), (t))

OMT_HOT void copy_part_body(task *t)
{
	lanes8 x0, x1, x2, x3, x4, x5, x6, x7;
	for (int32_t step = 0; step < t->steps; step++) {
		const float *from = t->from, *end = from + t->count;
		for (float *to = t->to; from < end; from += UNROLLED, to += UNROLLED) {
			EACH(x, LOAD);
			EACH(x, STORE);
		}
		__asm__ volatile("" ::: "memory"); /* every round is made */
	}
	t->amount = 2.0 * (double)t->count * sizeof(float) * t->steps;
}
OMT_PATHS(copy_part, (task * t), (t))

/* ---- threads ---- */

static void *work_thread(void *user)
{
	task *t = user;
	int go;
	t->of->ready++;
	while (!(go = t->of->go))
		sched_yield();
	if (go < 0)
		return NULL;
	t->begin_s = omt_now_s();
	if (t->kind == OMT_ROOF_READ)
		read_part(t);
	else if (t->kind == OMT_ROOF_COPY)
		copy_part(t);
	else
		t->amount = t->flops(t->steps, &t->sink);
	t->end_s = omt_now_s();
	return NULL;
}

/* Puts a thread on the i-th core of those that this process may use: threads as short as these
 * would otherwise end before the kernel has spread them. */
static void pin(pthread_attr_t *attributes, int32_t i)
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

/* All tasks, each in its thread; from the first one's start to the last one's end. */
static omt_status run_tasks(rig *r, omt_roofline_done *done, omt_error *err)
{
	pthread_t ids[MAX_THREADS];
	int32_t made = 0;
	r->ready = r->go = 0;
	for (; made < r->threads; made++) {
		pthread_attr_t attributes;
		pthread_attr_init(&attributes);
		pin(&attributes, made);
		const int failed =
			pthread_create(&ids[made], &attributes, work_thread, &r->tasks[made]);
		pthread_attr_destroy(&attributes);
		if (failed)
			break;
	}
	while (r->ready < made)
		sched_yield();
	r->go = made == r->threads ? 1 : -1;
	for (int32_t i = 0; i < made; i++)
		pthread_join(ids[i], NULL);
	if (r->go < 0)
		return OMT_FAIL(err, NO_MEMORY, "thread %d of %d", made + 1, r->threads);
	double begin_s = r->tasks[0].begin_s, end_s = r->tasks[0].end_s;
	done->amount = 0;
	for (int32_t i = 0; i < r->threads; i++) {
		const task *t = &r->tasks[i];
		begin_s = t->begin_s < begin_s ? t->begin_s : begin_s;
		end_s = t->end_s > end_s ? t->end_s : end_s;
		done->amount += t->amount;
	}
	done->seconds = end_s > begin_s ? end_s - begin_s : 1e-9;
	return OMT_OK;
}

/* ---- the rig ---- */

/* A width of vectors, and the path of base/cpu.h that it takes. */
typedef struct way {
	double (*flops)(int32_t steps, volatile float *sink);
	omt_cpu path;
} way;

static const way ways[] = {
#if defined(__x86_64__)
	{fma_avx512, OMT_CPU_AVX512},
	{fma_avx2, OMT_CPU_AVX2},
#endif
	{fma_generic, OMT_CPU_GENERIC},
};
#define WAYS (sizeof ways / sizeof *ways)

/* Wider vectors are not always faster; those that need neither of the two before it are not. */
static bool is_taken(const way *w)
{
	const omt_cpu path = omt_cpu_path();
	bool fused = false;
#if defined(__x86_64__)
	fused = __builtin_cpu_supports("fma");
#endif
	if (w->path == OMT_CPU_GENERIC)
		return path == OMT_CPU_GENERIC || !fused;
	return w->path <= path && fused;
}

static omt_status run(void *self, const omt_roofline_work *work, size_t set, int32_t steps,
                      omt_roofline_done *done, omt_error *err)
{
	rig *r = self;
	const way *w = work->way;
	const size_t parts = (size_t)r->threads * (work->kind == OMT_ROOF_COPY ? 2 : 1);
	const size_t count = set / sizeof(float) / parts / UNROLLED * UNROLLED;
	for (int32_t i = 0; i < r->threads; i++) {
		float *from = r->memory + count * (size_t)i;
		r->tasks[i] = (task){.of = r,
		                     .kind = work->kind,
		                     .flops = w ? w->flops : NULL,
		                     .from = from,
		                     .to = from + count * (size_t)r->threads,
		                     .count = count,
		                     .steps = steps};
	}
	return run_tasks(r, done, err);
}

omt_status omt_roofline_cpu(int32_t threads, const omt_roofline_effort *effort, omt_roofs *roofs,
                            omt_error *err)
{
	omt_roofline_work works[WAYS + 2];
	omt_rig shared = {.works = works, .most_bytes = effort->largest_bytes, .run = run};
	omt_status status = OMT_OK;
	rig r = {.threads = threads < MAX_THREADS ? threads : MAX_THREADS};
	for (size_t i = 0; i < WAYS; i++)
		if (is_taken(&ways[i]))
			works[shared.work_count++] = (omt_roofline_work){OMT_ROOF_F32, &ways[i]};
	works[shared.work_count++] = (omt_roofline_work){OMT_ROOF_READ, NULL};
	works[shared.work_count++] = (omt_roofline_work){OMT_ROOF_COPY, NULL};
	r.memory = aligned_alloc(64, effort->largest_bytes);
	r.tasks = calloc((size_t)r.threads, sizeof *r.tasks);
	shared.self = &r;
	if (r.memory && r.tasks) {
		/* Pages that nobody has written are one page of zeros. */
		memset(r.memory, 0x3f, effort->largest_bytes);
		status = omt_rig_measure(&shared, effort, roofs, err);
	} else {
		status = OMT_FAIL(err, NO_MEMORY, "%zu bytes to read", effort->largest_bytes);
	}
	free(r.memory);
	free(r.tasks);
	return status;
}
