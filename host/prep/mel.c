/* Log-mel as Whisper's feature extractor (transformers 4.52.4): power spectrum of Hann windows, mel
 * filters, log10, floor at the maximum - 8, (x + 4) / 4. The clip counts as padded with zeros to
 * the longest length; only frames with a real sample are kept, but all count for the maximum. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prep/prep.h"

/* Frames a product: one size, so that a frame's bits do not depend on its place. OpenBLAS gives a
 * product of at most 2^18 multiplications no threads (65536 * GEMM_MULTITHREAD_THRESHOLD, 4 unless
 * built otherwise) and does not lock it against others': preparation threads stay one core each. As
 * fast as one large product on one core (20 ms for 32 s of sound on a Xeon of 2.1 GHz). */
#define ROWS    16
#define PRODUCT 256000

typedef struct omt_spectrum {
	int32_t n_fft, bins;
	double *basis;  /* [n_fft, 2 * bins]: the window times cosines, then sines */
	double *frames; /* [ROWS, n_fft] */
	double *waves;  /* [ROWS, 2 * bins] */
} omt_spectrum;

static void spectrum_free(omt_spectrum *s)
{
	free(s->basis);
	free(s->frames);
	free(s->waves);
}

static omt_status spectrum_make(omt_spectrum *s, int32_t n_fft, omt_error *err)
{
	size_t n = (size_t)n_fft, bins = n / 2 + 1;
	*s = (omt_spectrum){.n_fft = n_fft, .bins = (int32_t)bins};
	s->basis = malloc(n * 2 * bins * sizeof *s->basis);
	s->frames = calloc(ROWS * n, sizeof *s->frames);
	s->waves = malloc(ROWS * 2 * bins * sizeof *s->waves);
	if (!s->basis || !s->frames || !s->waves) {
		spectrum_free(s);
		return OMT_FAIL(err, NO_MEMORY, "a spectrum of %d samples", n_fft);
	}
	for (size_t i = 0; i < n; i++) {
		/* torch.hann_window is periodic and f32 */
		double window = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)n));
		for (size_t bin = 0; bin < bins; bin++) {
			double angle = 2 * M_PI * (double)(i * bin % n) / (double)n;
			s->basis[i * 2 * bins + bin] = window * cos(angle);
			s->basis[i * 2 * bins + bins + bin] = window * sin(angle);
		}
	}
	return OMT_OK;
}

/* Sample i of the clip padded to `length` zeros and reflected at both ends. */
static double padded(const omt_sound *sound, int64_t length, int64_t i)
{
	i = i < 0 ? -i : i;
	i = i >= length ? 2 * (length - 1) - i : i;
	return i < sound->count ? (double)sound->samples[i] : 0.0;
}

/* log10 of the mel power of frames first .. first + count - 1 into out[count, bands]. */
static void mel_rows(const omt_prep_config *config, omt_spectrum *s, const omt_sound *sound,
                     int64_t length, int32_t first, int32_t count, float *out)
{
	int32_t bands = config->mel_bins, wide = 2 * s->bins;
	for (int32_t row = 0; row < count; row++)
		for (int32_t i = 0; i < s->n_fft; i++)
			s->frames[(size_t)row * (size_t)s->n_fft + (size_t)i] =
				padded(sound, length,
			               (int64_t)(first + row) * config->hop - s->n_fft / 2 + i);
	int32_t cols = PRODUCT / ROWS / s->n_fft;
	cols = cols ? cols : 1;
	for (int32_t col = 0; col < wide; col += cols)
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS,
		            wide - col < cols ? wide - col : cols, s->n_fft, 1.0, s->frames,
		            s->n_fft, s->basis + col, wide, 0.0, s->waves + col, wide);
	for (int32_t row = 0; row < count; row++) {
		const double *real = s->waves + (size_t)row * (size_t)wide, *imag = real + s->bins;
		for (int32_t band = 0; band < bands; band++) {
			double power = 0;
			for (int32_t bin = 0; bin < s->bins; bin++) {
				float weight = config->mel_filters[bin * bands + band];
				if (weight > 0)
					power += weight *
					         (real[bin] * real[bin] + imag[bin] * imag[bin]);
			}
			out[row * bands + band] = (float)log10(power > 1e-10 ? power : 1e-10);
		}
	}
}

omt_status omt_prep_sound(const omt_prep_config *config, const omt_limits *limits,
                          const omt_sound *sound, omt_mel *mel, omt_error *err)
{
	omt_spectrum spectrum;
	int64_t length = limits->max_samples;
	*mel = (omt_mel){0};
	if (length < config->n_fft || length > (int64_t)1 << 30)
		return OMT_FAIL(err, BAD_ARGUMENT, "max_samples is %lld, expected %d to 2^30",
		                (long long)length, config->n_fft);
	omt_sound cut = {sound->samples, sound->count < length ? sound->count : length};
	int32_t kept = (int32_t)((cut.count + config->hop - 1) / config->hop);
	if (kept < 3)
		return OMT_FAIL(err, BAD_FORMAT, "%lld samples at %d Hz are too few for one token",
		                (long long)cut.count, config->rate_hz);
	/* Windows beyond the last kept frame still reach into the sound. */
	int32_t seen = kept + config->n_fft / 2 / config->hop + 1;
	int32_t all = (int32_t)(length / config->hop);
	seen = seen > all ? all : seen;
	kept = kept > all ? all : kept;
	size_t bands = (size_t)config->mel_bins;
	mel->data = malloc((size_t)seen * bands * sizeof *mel->data);
	if (!mel->data)
		return OMT_FAIL(err, NO_MEMORY, "%d mel frames", seen);
	omt_status status = spectrum_make(&spectrum, config->n_fft, err);
	if (status != OMT_OK) {
		free(mel->data);
		mel->data = NULL;
		return status;
	}
	for (int32_t first = 0; first < seen; first += ROWS)
		mel_rows(config, &spectrum, &cut, length, first,
		         seen - first < ROWS ? seen - first : ROWS,
		         mel->data + (size_t)first * bands);
	spectrum_free(&spectrum);
	float most = -10; /* of the zeros behind */
	for (size_t i = 0; i < (size_t)seen * bands; i++)
		most = mel->data[i] > most ? mel->data[i] : most;
	for (size_t i = 0; i < (size_t)kept * bands; i++) {
		float floored = mel->data[i] > most - 8 ? mel->data[i] : most - 8;
		mel->data[i] = (floored + 4) / 4;
	}
	mel->frames = kept;
	return OMT_OK;
}
