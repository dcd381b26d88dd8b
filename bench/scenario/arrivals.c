#include "bench/scenario/arrivals.h"

#include <math.h>
#include <stdlib.h>

#define MOST 100000000.0

double omt_arrivals_gap(omt_random *random)
{
	return -log1p(-omt_random_unit(random));
}

omt_status omt_arrivals_make(double rate, double duration_s, uint64_t queries, int64_t seed,
                             uint64_t stream, double **times_s, size_t *count, omt_error *err)
{
	omt_random random;
	size_t room = 0;
	double at_s = 0;
	*times_s = NULL;
	*count = 0;
	if (!(rate > 0) || rate * duration_s + (double)queries > MOST)
		return OMT_FAIL(err, LIMIT, "%g queries/s for %g s: more than %g arrivals", rate,
		                duration_s, MOST);
	omt_random_seed(&random, (uint64_t)seed, stream);
	while (!*count || *count < queries || at_s < duration_s) {
		if (*count == room) {
			room = room ? 2 * room : 1024;
			double *grown = realloc(*times_s, room * sizeof *grown);
			if (!grown) {
				free(*times_s);
				*times_s = NULL;
				return OMT_FAIL(err, NO_MEMORY, "%zu arrivals", room);
			}
			*times_s = grown;
		}
		at_s += omt_arrivals_gap(&random) / rate;
		(*times_s)[(*count)++] = at_s;
	}
	return OMT_OK;
}
