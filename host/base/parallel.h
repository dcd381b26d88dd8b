/* parallel.h - a loop whose steps any thread may take. */
#ifndef OMT_BASE_PARALLEL_H
#define OMT_BASE_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

/* step(user, 0) to step(user, count - 1), each once, in no order, on the calling thread and on
 * `threads` - 1 more that live as long as the call (0: one a core that the process may use).
 * Threads that do not start leave their steps to the others. */
void omt_parallel(int32_t threads, size_t count, void (*step)(void *user, size_t i), void *user);

/* Cores that the process may use, at least 1. */
int32_t omt_parallel_cores(void);

#endif
