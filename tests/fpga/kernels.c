/* The kernels of tests/fpga/container.c, as the device model calls them: easy to predict, one slow,
 * one that leaves its buffers. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "hls/portable.h"

__thread hls_counts hls_count;

void hls_call_add(void *const *arguments);
void hls_call_many(void *const *arguments);
void hls_call_touch(void *const *arguments);
void hls_call_lonely(void *const *arguments);

static int number(const void *at)
{
	int value;
	memcpy(&value, at, sizeof value);
	return value;
}

/* out[i] = a[i] + b[i] for i < n, after `ms` milliseconds. n / 4 trips. */
void hls_call_add(void *const *arguments)
{
	const float *a = arguments[0], *b = arguments[1];
	float *out = arguments[2];
	const int n = number(arguments[3]), ms = number(arguments[4]);
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
	for (int i = 0; i < n; i++)
		out[i] = a[i] + b[i];
	hls_count.trips[HLS_COMPUTE] = (uint64_t)n / 4;
	hls_count.read_bytes = (uint64_t)n * 8;
	hls_count.written_bytes = (uint64_t)n * 4;
}

/* The 12 scalars, then the first element of each of the five other buffers, into the sixth. */
void hls_call_many(void *const *arguments)
{
	float *out = arguments[5];
	for (int i = 0; i < 12; i++)
		out[i] = (float)number(arguments[6 + i]);
	for (int i = 0; i < 5; i++)
		out[12 + i] = *(const float *)arguments[i];
}

/* A byte at an offset from the buffer's start, wherever that is. */
void hls_call_touch(void *const *arguments)
{
	uint8_t *buffer = arguments[0];
	buffer[number(arguments[1])] = 1;
}

/* Static memory is the unit's own: launches are counted. */
void hls_call_lonely(void *const *arguments)
{
	static int launches;
	*(int *)arguments[0] = ++launches;
}
