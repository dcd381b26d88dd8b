#include "bench/scenario/meter.h"

#include <math.h>
#include <time.h>

static double thread_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void omt_meter_open(omt_meter *meter)
{
	*meter = (omt_meter){.clock_s = INFINITY};
	for (int i = 0; i < 32; i++) {
		const double begin_s = thread_s();
		meter->clock_s = fmin(meter->clock_s, thread_s() - begin_s);
	}
}

void omt_meter_begin(omt_meter *meter)
{
	if (meter->calls % OMT_METER_EVERY == 0)
		meter->begin_s = thread_s();
}

void omt_meter_end(omt_meter *meter)
{
	if (meter->calls++ % OMT_METER_EVERY == 0)
		meter->sampled_s += fmax(thread_s() - meter->begin_s - meter->clock_s, 0);
}

double omt_meter_total_s(const omt_meter *meter)
{
	const uint64_t sampled = (meter->calls + OMT_METER_EVERY - 1) / OMT_METER_EVERY;
	return sampled ? meter->sampled_s * (double)meter->calls / (double)sampled : 0;
}
