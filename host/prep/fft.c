#include "prep/fft.h"

#include <stdlib.h>

/* exp(-2 pi i k / n) */
static void root(double *to, size_t k, size_t n)
{
	const double angle = 2 * M_PI * (double)(k % n) / (double)n;
	to[0] = cos(angle);
	to[1] = -sin(angle);
}

/* 4 first, then 2 and odd primes. */
static void factorise(omt_fft *fft, int32_t half)
{
	int32_t p = 4;
	while (half > 1) {
		if (half % p == 0) {
			fft->factor[fft->factors++] = p;
			half /= p;
		} else {
			p = p == 4 ? 2 : p == 2 ? 3 : p + 2;
		}
	}
}

omt_status omt_fft_make(omt_fft *fft, int32_t n, omt_error *err)
{
	size_t m = (size_t)n / 2, complexes = (size_t)n / 4 + 1;
	*fft = (omt_fft){.n = n};
	factorise(fft, n / 2);
	for (int32_t f = 0; f < fft->factors; f++) {
		complexes += m + (size_t)fft->factor[f];
		m /= (size_t)fft->factor[f];
	}
	double *at = fft->tables = malloc(2 * complexes * sizeof *at);
	if (!at)
		return OMT_FAIL(err, NO_MEMORY, "a spectrum of %d samples", n);
	m = (size_t)n / 2;
	for (int32_t f = 0; f < fft->factors; f++) {
		const size_t p = (size_t)fft->factor[f], whole = m;
		m /= p;
		fft->twiddles[f] = at;
		for (size_t q = 0; q < m; q++)
			for (size_t k = 1; k < p; k++, at += 2)
				root(at, q * k, whole);
		fft->roots[f] = at;
		for (size_t k = 0; k < p; k++, at += 2)
			root(at, k, p);
	}
	fft->turn = at;
	for (size_t k = 0; k <= (size_t)n / 4; k++, at += 2)
		root(at, k, (size_t)n);
	return OMT_OK;
}

void omt_fft_free(omt_fft *fft)
{
	free(fft->tables);
	*fft = (omt_fft){0};
}
