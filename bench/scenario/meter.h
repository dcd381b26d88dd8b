/* meter.h - what a piece of code that runs often costs: CPU time of its thread, of every eighth
 * call (the clock is a system call, it costs more than many a call). Time in which the thread does
 * not run, as others need the core, is none of it; what the clock itself takes is subtracted. One
 * thread at a time. */
#ifndef OMT_BENCH_METER_H
#define OMT_BENCH_METER_H

#include <stdint.h>

#define OMT_METER_EVERY 8

typedef struct omt_meter {
	uint64_t calls;
	double begin_s, clock_s; /* what the clock takes */
	double sampled_s;
} omt_meter;

void omt_meter_open(omt_meter *meter);
void omt_meter_begin(omt_meter *meter);
void omt_meter_end(omt_meter *meter);
/* Of all calls together. */
double omt_meter_total_s(const omt_meter *meter);

#endif
