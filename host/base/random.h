/* random.h - numbers that look random and are the same for the same seed on every machine:
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), its
 * state filled by splitmix64. Not for secrets. */
#ifndef OMT_BASE_RANDOM_H
#define OMT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct omt_random {
	uint64_t state[4];
} omt_random;

/* Different streams of one seed are independent. */
void omt_random_seed(omt_random *random, uint64_t seed, uint64_t stream);
uint64_t omt_random_next(omt_random *random);
/* Uniform in [0, 1), a multiple of 2^-53. */
double omt_random_unit(omt_random *random);
/* Uniform in 0 .. bound - 1, bound > 0, every value as likely. */
uint64_t omt_random_below(omt_random *random, uint64_t bound);
/* Every order of values[count] as likely (Fisher-Yates). */
void omt_random_shuffle(omt_random *random, uint32_t *values, size_t count);

#endif
