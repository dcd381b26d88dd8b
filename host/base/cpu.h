/* cpu.h - hot loops compiled for more than one kind of CPU; which copy runs is decided at run time.
 *
 * A hot loop is plain C in a function marked OMT_HOT, named NAME_body, which the compiler inlines
 * into a copy for each path, with that path's vectors; whatever it calls is OMT_HOT, too.
 * OMT_PATHS(NAME, (parameters), (arguments)) makes the copies and NAME itself, which calls one:
 *
 *     OMT_HOT void add_body(const float *a, float *sum, size_t n) { ... }
 *     OMT_PATHS(add, (const float *a, float *sum, size_t n), (a, sum, n))
 *
 * Every path gives the same bits: integers by nature, floats because nothing here is reordered or
 * fused (-ffp-contract=off). No path is needed: a machine without AVX2, or no x86 at all, takes
 * the generic one. Compiled with -O3 (Makefile): less does not vectorise. */
#ifndef OMT_BASE_CPU_H
#define OMT_BASE_CPU_H

#include <stdbool.h>

#include "base/status.h"

typedef enum omt_cpu {
	OMT_CPU_GENERIC, /* what the compiler takes for granted: SSE2 on x86-64 */
	OMT_CPU_AVX2,
	OMT_CPU_AVX512, /* F, BW, DQ, VL: Skylake-X, Zen 4 and later */
	OMT_CPU_PATHS
} omt_cpu;

/* Reads OMT_CPU (generic, avx2 or avx512); an unknown name, or a path that this machine cannot run,
 * is an error. Without it: the widest that the machine has. Called when a model is opened. */
omt_status omt_cpu_init(omt_error *err);

/* The path that hot loops take: init's, or what init would choose. */
omt_cpu omt_cpu_path(void);
const char *omt_cpu_name(omt_cpu path);

/* For tests: takes a path from now on, in all threads. False: this machine cannot run it. */
bool omt_cpu_take(omt_cpu path);

#define OMT_HOT static inline __attribute__((always_inline))

/* Before a loop whose steps do not touch one another's memory: what is inlined loses `restrict`.
 * Clang would warn of every one that it does not vectorise, as with less than -O3. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define OMT_VECTOR_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define OMT_VECTOR_LOOP _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#endif

#if defined(__x86_64__)
#define OMT_AVX2   __attribute__((target("avx2")))
#define OMT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define OMT_PATHS(name, parameters, arguments)                                     \
	static void name##_generic parameters                                      \
	{                                                                          \
		name##_body arguments;                                             \
	}                                                                          \
	OMT_AVX2 static void name##_avx2 parameters                                \
	{                                                                          \
		name##_body arguments;                                             \
	}                                                                          \
	OMT_AVX512 static void name##_avx512 parameters                            \
	{                                                                          \
		name##_body arguments;                                             \
	}                                                                          \
	static void name parameters                                                \
	{                                                                          \
		static void(*const paths[OMT_CPU_PATHS])                           \
			parameters = {name##_generic, name##_avx2, name##_avx512}; \
		paths[omt_cpu_path()] arguments;                                   \
	}
#else
#define OMT_PATHS(name, parameters, arguments) \
	static void name parameters            \
	{                                      \
		name##_body arguments;         \
	}
#endif

#endif
