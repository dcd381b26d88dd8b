/* fft.h - power spectra of many real windows side by side.
 *
 * Windows lie in lanes: value i of window l is at [i * OMT_LANES + l], so that the steps of one
 * transform are vectors over windows, whatever its length. A lane's bits do not depend on the
 * others. The n real values are one complex transform of n / 2 (even ones real, odd ones
 * imaginary), in radix 4, 2, 5 and any other prime by its definition, autosorting (Stockham; Van
 * Loan, "Computational Frameworks for the FFT", 1992, 1.7). f64 throughout: bands a hundred million
 * times below the loudest count in a log-mel, and f32 would leave them few digits. */
#ifndef OMT_PREP_FFT_H
#define OMT_PREP_FFT_H

#include <math.h>

#include "base/cpu.h"

#define OMT_LANES       8
#define OMT_FFT_FACTORS 16 /* of n / 2 at most: 2^16 */

/* Immutable once made. All pointers are into `tables`. */
typedef struct omt_fft {
	int32_t n, factors, factor[OMT_FFT_FACTORS];
	double *tables;
	const double *twiddles[OMT_FFT_FACTORS]; /* of each pass: [m, factor - 1] complex */
	const double *roots[OMT_FFT_FACTORS];    /* of each pass: [factor] complex */
	const double *turn;                      /* [n / 4 + 1] complex: exp(-2 pi i k / n) */
} omt_fft;

/* n: even, 2 to 2^17. */
omt_status omt_fft_make(omt_fft *fft, int32_t n, omt_error *err);
void omt_fft_free(omt_fft *fft);

/* Squared magnitudes, times 4, of the spectra of the windows in z[n, OMT_LANES] to
 * power[n / 2 + 1, OMT_LANES]. Both z and room[n, OMT_LANES] are overwritten. */
OMT_HOT void omt_fft_power(const omt_fft *fft, double *z, double *room, double *power);

/* ---- how; here because hot loops are inlined ----------------------------------------------- */

/* One pass of radix p over elements [s + stride * (q + m * j)], j < p: their transform times the
 * twiddles of q goes to [s + stride * (p * q + k)], k < p. An element is OMT_LANES real and as many
 * imaginary parts. */
typedef struct omt_fft_pass {
	size_t m, stride;
	const double *twiddles, *roots;
	size_t radix;
} omt_fft_pass;

#define OMT_FFT_ELEMENT ((size_t)2 * OMT_LANES)

OMT_HOT void omt_fft_put(double *to, size_t l, double re, double im, const double *w)
{
	to[l] = re * w[0] - im * w[1];
	to[OMT_LANES + l] = re * w[1] + im * w[0];
}

OMT_HOT void omt_fft_2(const double *restrict a, size_t in, double *restrict b, size_t out,
                       const double *w)
{
	const double w1[2] = {w[0], w[1]};
	OMT_VECTOR_LOOP
	for (size_t l = 0; l < OMT_LANES; l++) {
		const double r0 = a[l], i0 = a[OMT_LANES + l];
		const double r1 = a[in + l], i1 = a[in + OMT_LANES + l];
		b[l] = r0 + r1;
		b[OMT_LANES + l] = i0 + i1;
		omt_fft_put(b + out, l, r0 - r1, i0 - i1, w1);
	}
}

OMT_HOT void omt_fft_4(const double *restrict a, size_t in, double *restrict b, size_t out,
                       const double *w)
{
	const double w1[2] = {w[0], w[1]}, w2[2] = {w[2], w[3]}, w3[2] = {w[4], w[5]};
	OMT_VECTOR_LOOP
	for (size_t l = 0; l < OMT_LANES; l++) {
		const double *a0 = a + l, *a1 = a0 + in, *a2 = a1 + in, *a3 = a2 + in;
		const double r0 = a0[0] + a2[0], i0 = a0[OMT_LANES] + a2[OMT_LANES];
		const double r1 = a0[0] - a2[0], i1 = a0[OMT_LANES] - a2[OMT_LANES];
		const double r2 = a1[0] + a3[0], i2 = a1[OMT_LANES] + a3[OMT_LANES];
		const double r3 = a1[0] - a3[0], i3 = a1[OMT_LANES] - a3[OMT_LANES];
		b[l] = r0 + r2;
		b[OMT_LANES + l] = i0 + i2;
		omt_fft_put(b + out, l, r1 + i3, i1 - r3, w1);
		omt_fft_put(b + 2 * out, l, r0 - r2, i0 - i2, w2);
		omt_fft_put(b + 3 * out, l, r1 - i3, i1 + r3, w3);
	}
}

OMT_HOT void omt_fft_5(const double *restrict a, size_t in, double *restrict b, size_t out,
                       const double *w)
{
	/* cos and sin of 72 and 144 degrees */
	const double c1 = 0.30901699437494742410, c2 = -0.80901699437494742410;
	const double s1 = 0.95105651629515357212, s2 = 0.58778525229247312917;
	const double w1[2] = {w[0], w[1]}, w2[2] = {w[2], w[3]};
	const double w3[2] = {w[4], w[5]}, w4[2] = {w[6], w[7]};
	OMT_VECTOR_LOOP
	for (size_t l = 0; l < OMT_LANES; l++) {
		const double *a0 = a + l, *a1 = a0 + in, *a2 = a1 + in, *a3 = a2 + in,
			     *a4 = a3 + in;
		const double r0 = a0[0], i0 = a0[OMT_LANES];
		const double r1 = a1[0] + a4[0], i1 = a1[OMT_LANES] + a4[OMT_LANES];
		const double r2 = a2[0] + a3[0], i2 = a2[OMT_LANES] + a3[OMT_LANES];
		const double r3 = a1[0] - a4[0], i3 = a1[OMT_LANES] - a4[OMT_LANES];
		const double r4 = a2[0] - a3[0], i4 = a2[OMT_LANES] - a3[OMT_LANES];
		const double ra = r0 + c1 * r1 + c2 * r2, ia = i0 + c1 * i1 + c2 * i2;
		const double rb = r0 + c2 * r1 + c1 * r2, ib = i0 + c2 * i1 + c1 * i2;
		const double rc = s1 * r3 + s2 * r4, ic = s1 * i3 + s2 * i4;
		const double rd = s2 * r3 - s1 * r4, id = s2 * i3 - s1 * i4;
		b[l] = r0 + r1 + r2;
		b[OMT_LANES + l] = i0 + i1 + i2;
		omt_fft_put(b + out, l, ra + ic, ia - rc, w1);
		omt_fft_put(b + 2 * out, l, rb + id, ib - rd, w2);
		omt_fft_put(b + 3 * out, l, rb - id, ib + rd, w3);
		omt_fft_put(b + 4 * out, l, ra - ic, ia + rc, w4);
	}
}

/* By the definition; `radix` is a prime. */
OMT_HOT void omt_fft_prime(const omt_fft_pass *pass, const double *restrict a, size_t in,
                           double *restrict b, size_t out, const double *w)
{
	static const double one[2] = {1, 0};
	for (size_t k = 0; k < pass->radix; k++) {
		double re[OMT_LANES] = {0}, im[OMT_LANES] = {0};
		for (size_t j = 0; j < pass->radix; j++) {
			const double *root = pass->roots + 2 * (j * k % pass->radix);
			OMT_VECTOR_LOOP
			for (size_t l = 0; l < OMT_LANES; l++) {
				const double r = a[j * in + l], i = a[j * in + OMT_LANES + l];
				re[l] += r * root[0] - i * root[1];
				im[l] += r * root[1] + i * root[0];
			}
		}
		OMT_VECTOR_LOOP
		for (size_t l = 0; l < OMT_LANES; l++)
			omt_fft_put(b + k * out, l, re[l], im[l], k ? w + 2 * (k - 1) : one);
	}
}

OMT_HOT void omt_fft_run(const omt_fft_pass *pass, const double *x, double *y)
{
	const size_t p = pass->radix, in = pass->stride * pass->m * OMT_FFT_ELEMENT;
	const size_t out = pass->stride * OMT_FFT_ELEMENT;
	for (size_t q = 0; q < pass->m; q++) {
		const double *w = pass->twiddles + 2 * q * (p - 1);
		for (size_t s = 0; s < pass->stride; s++) {
			const double *a = x + (s + pass->stride * q) * OMT_FFT_ELEMENT;
			double *b = y + (s + pass->stride * p * q) * OMT_FFT_ELEMENT;
			if (p == 4)
				omt_fft_4(a, in, b, out, w);
			else if (p == 5)
				omt_fft_5(a, in, b, out, w);
			else if (p == 2)
				omt_fft_2(a, in, b, out, w);
			else
				omt_fft_prime(pass, a, in, b, out, w);
		}
	}
}

/* Bins k and half - k of the real windows, from elements k and half - k of the complex ones: the
 * even values' spectrum plus and minus the odd values', turned. */
OMT_HOT void omt_fft_split(const double *restrict zk, const double *restrict zj, const double *w,
                           double *restrict low, double *restrict high)
{
	const double wr = w[0], wi = w[1];
	OMT_VECTOR_LOOP
	for (size_t l = 0; l < OMT_LANES; l++) {
		const double er = zk[l] + zj[l], ei = zk[OMT_LANES + l] - zj[OMT_LANES + l];
		const double or = zk[OMT_LANES + l] + zj[OMT_LANES + l], oi = zj[l] - zk[l];
		const double tr = wr * or -wi * oi, ti = wr * oi + wi * or ;
		low[l] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
		high[l] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
	}
}

OMT_HOT void omt_fft_power(const omt_fft *fft, double *z, double *room, double *power)
{
	const size_t half = (size_t)fft->n / 2;
	size_t m = half, stride = 1;
	for (int32_t f = 0; f < fft->factors; f++) {
		const size_t p = (size_t)fft->factor[f];
		m /= p;
		omt_fft_run(&(omt_fft_pass){m, stride, fft->twiddles[f], fft->roots[f], p}, z,
		            room);
		stride *= p;
		double *swap = z;
		z = room;
		room = swap;
	}
	for (size_t k = 0; k <= half / 2; k++)
		omt_fft_split(z + k * OMT_FFT_ELEMENT, z + (k ? half - k : 0) * OMT_FFT_ELEMENT,
		              fft->turn + 2 * k, power + k * OMT_LANES,
		              power + (half - k) * OMT_LANES);
}

#endif
