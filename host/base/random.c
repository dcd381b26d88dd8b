#include "base/random.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

void omt_random_seed(omt_random *random, uint64_t seed, uint64_t stream)
{
	uint64_t from = seed, of = splitmix(&from) ^ stream;
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix(&of);
}

uint64_t omt_random_next(omt_random *random)
{
	uint64_t *s = random->state;
	const uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

double omt_random_unit(omt_random *random)
{
	return (double)(omt_random_next(random) >> 11) * 0x1p-53;
}

uint64_t omt_random_below(omt_random *random, uint64_t bound)
{
	/* Values below 2^64 mod bound would make some results more likely. */
	const uint64_t least = (0 - bound) % bound;
	uint64_t value;
	do
		value = omt_random_next(random);
	while (value < least);
	return value % bound;
}

void omt_random_shuffle(omt_random *random, uint32_t *values, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		const size_t j = (size_t)omt_random_below(random, i);
		const uint32_t kept = values[i - 1];
		values[i - 1] = values[j];
		values[j] = kept;
	}
}
