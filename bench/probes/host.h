/* host.h - the machine of a run and the memory that the run takes on it. */
#ifndef OMT_BENCH_HOST_H
#define OMT_BENCH_HOST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* {"system", "release", "machine", "cores" (that the process may use),
 * "memory_bytes", and where the kernel tells "cpu" (its name), "governor" and "max_hz"}. Given,
 * json_decref(); NULL: no memory. */
json_t *omt_host_describe(void);

/* The peak of resident memory since the process began or since the last reset; 0: not known. */
uint64_t omt_host_peak_bytes(void);
uint64_t omt_host_resident_bytes(void); /* now */
/* Lets the next peak be of what comes from here on: false where the kernel does not allow it, the
 * peak is then that of the whole process. */
bool omt_host_peak_reset(void);

#endif
