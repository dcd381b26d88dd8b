/* machine.h - what this machine can do at most, measured, and what the kernel benchmarks share. */
#ifndef OMT_BENCH_MACHINE_H
#define OMT_BENCH_MACHINE_H

#include <stddef.h>

/* Fused multiply-adds of f32 in registers on `threads` threads at once, in GFLOP/s: the best of the
 * vector widths that this CPU has, best of several tries. */
double bench_peak_gflops(int threads);

/* Reading memory far larger than the caches on `threads` threads, in GB/s, best of several. */
double bench_bandwidth_gbs(int threads);

/* Returns when no thread of this process uses a core any more: after a call OpenBLAS's threads spin
 * for up to 100 ms on the cores of what is timed next. */
void bench_settle(void);

#endif
