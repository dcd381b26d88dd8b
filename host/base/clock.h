/* clock.h - monotonic time. */
#ifndef OMT_BASE_CLOCK_H
#define OMT_BASE_CLOCK_H

#include <time.h>

static inline double omt_now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
