/* Log-mel as Whisper's feature extractor (transformers 4.52.4): power spectrum of Hann windows, mel
 * filters, log10, floor at the maximum - 8, (x + 4) / 4. The clip counts as padded with zeros to
 * the longest length; only frames with a real sample are kept, but all count for the maximum.
 *
 * OMT_LANES frames go through all steps side by side, each in a lane of its own: its bits are the
 * same whatever its neighbours are. */
#include "prep/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prep/fft.h"

#define LANES ((size_t)OMT_LANES)

/* A mel band: bins [first, first + count) have weights. */
typedef struct omt_band {
	int32_t first, count;
	const double *weights; /* into the plan's */
} omt_band;

struct omt_mel_plan {
	omt_fft fft;
	double *window; /* [n_fft], halved: the FFT gives four times the power */
	int32_t bands;
	omt_band *band;
	double *weights;
};

/* ---- tables ------------------------------------------------------------------------------- */

void omt_mel_plan_free(omt_mel_plan *plan)
{
	if (!plan)
		return;
	omt_fft_free(&plan->fft);
	free(plan->window);
	free(plan->band);
	free(plan->weights);
	free(plan);
}

/* What is not zero in filters[bins, bands]. */
static void gather_bands(const float *filters, int32_t bins, omt_mel_plan *plan)
{
	double *weights = plan->weights;
	for (int32_t b = 0; b < plan->bands; b++) {
		omt_band *band = &plan->band[b];
		int32_t end = 0;
		*band = (omt_band){.first = bins, .weights = weights};
		for (int32_t bin = 0; bin < bins; bin++)
			if (filters[bin * plan->bands + b] > 0) {
				band->first = bin < band->first ? bin : band->first;
				end = bin + 1;
			}
		band->count = end > band->first ? end - band->first : 0;
		for (int32_t i = 0; i < band->count; i++)
			*weights++ = filters[(band->first + i) * plan->bands + b];
	}
}

omt_status omt_mel_plan_make(const omt_prep_config *config, omt_mel_plan **given, omt_error *err)
{
	omt_status status;
	size_t n = (size_t)config->n_fft, bands = (size_t)config->mel_bins;
	omt_mel_plan *plan = calloc(1, sizeof *plan);
	*given = NULL;
	if (!plan)
		return OMT_FAIL(err, NO_MEMORY, "a log-mel of %d bands", config->mel_bins);
	OMT_GOTO(omt_fft_make(&plan->fft, config->n_fft, err));
	plan->bands = config->mel_bins;
	plan->window = malloc(n * sizeof *plan->window);
	plan->band = malloc(bands * sizeof *plan->band);
	plan->weights = malloc((n / 2 + 1) * bands * sizeof *plan->weights);
	if (!plan->window || !plan->band || !plan->weights) {
		status = OMT_FAIL(err, NO_MEMORY, "a log-mel of %d bands", config->mel_bins);
		goto done;
	}
	/* torch.hann_window is periodic and f32 */
	for (size_t i = 0; i < n; i++)
		plan->window[i] =
			0.5 * (double)(float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)n));
	gather_bands(config->mel_filters, config->n_fft / 2 + 1, plan);
	*given = plan;
	plan = NULL;
done:
	omt_mel_plan_free(plan);
	return status;
}

/* ---- frames ------------------------------------------------------------------------------- */

/* Scratch of one group of frames; all pointers but samples into `memory`. */
typedef struct omt_mel_group {
	double *memory;
	size_t hop, rows;     /* the group's samples are rows of hop: frame l begins at row l */
	const float *samples; /* [rows, hop] */
	float *columns;       /* [hop, rows], the same: sample i of all frames lies together */
	double *z, *room;     /* [n_fft, LANES] */
	double *power;        /* [n_fft / 2 + 1, LANES] */
	float *logs;          /* [bands, LANES] */
	float *edge;          /* [rows, hop]: samples at the clip's ends */
} omt_mel_group;

static bool group_make(omt_mel_group *g, const omt_prep_config *config)
{
	size_t n = (size_t)config->n_fft, bands = (size_t)config->mel_bins;
	size_t hop = (size_t)config->hop, rows = LANES + (n - 1) / hop;
	size_t doubles = (2 * n + n / 2 + 1 + bands) * LANES + hop * rows;
	*g = (omt_mel_group){.hop = hop, .rows = rows};
	double *at = g->memory = aligned_alloc(64, (doubles * sizeof *at + 63) / 64 * 64);
	if (!at)
		return false;
	g->z = at;
	g->room = g->z + n * LANES;
	g->power = g->room + n * LANES;
	g->logs = (float *)(void *)(g->power + (n / 2 + 1) * LANES);
	g->columns = g->logs + 2 * bands * LANES;
	g->edge = g->columns + hop * rows;
	return true;
}

/* log10 of a positive normal number: x = 2^e * (1 + f), f from sqrt(1/2) - 1 to sqrt(2) - 1, and
 * the polynomial of Cephes' logf. Within 1e-6 of the true value over the range of a log-mel. */
OMT_HOT float log10_of(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
	bits -= (uint32_t)e << 23;
	float m;
	memcpy(&m, &bits, sizeof m);
	const float f = m - 1, square = f * f;
	float p = 7.0376836292e-2f;
	p = p * f - 1.1514610310e-1f;
	p = p * f + 1.1676998740e-1f;
	p = p * f - 1.2420140846e-1f;
	p = p * f + 1.4249322787e-1f;
	p = p * f - 1.6668057665e-1f;
	p = p * f + 2.0000714765e-1f;
	p = p * f - 2.4999993993e-1f;
	p = p * f + 3.3333331174e-1f;
	return (float)e * 0.30102999566f + (f + (f * square * p - 0.5f * square)) * 0.4342944819f;
}

/* log10 of the mel power of the group's frames into out[LANES, bands]. */
OMT_HOT void mel_frames_body(const omt_mel_plan *plan, omt_mel_group *g, float *restrict out)
{
	const size_t hop = g->hop, rows = g->rows, bands = (size_t)plan->bands;
	float *restrict columns = g->columns, *restrict logs = g->logs;
	double *restrict z = g->z;
	for (size_t row = 0; row < rows; row++)
		for (size_t i = 0; i < hop; i++)
			columns[i * rows + row] = g->samples[row * hop + i];
	for (size_t i = 0, row = 0, column = 0; i < (size_t)plan->fft.n; i++) {
		const float *from = columns + column * rows + row;
		OMT_VECTOR_LOOP
		for (size_t l = 0; l < LANES; l++)
			z[i * LANES + l] = (double)from[l] * plan->window[i];
		if (++column == hop) {
			column = 0;
			row++;
		}
	}
	omt_fft_power(&plan->fft, z, g->room, g->power);
	for (size_t b = 0; b < bands; b++) {
		const omt_band *band = &plan->band[b];
		const double *power = g->power + (size_t)band->first * LANES;
		double sum[OMT_LANES] = {0};
		for (size_t i = 0; i < (size_t)band->count; i++, power += LANES) {
			OMT_VECTOR_LOOP
			for (size_t l = 0; l < LANES; l++)
				sum[l] += band->weights[i] * power[l];
		}
		OMT_VECTOR_LOOP
		for (size_t l = 0; l < LANES; l++) {
			const float least = 1e-10f, power_l = (float)sum[l];
			logs[b * LANES + l] = power_l > least ? power_l : least;
		}
	}
	OMT_VECTOR_LOOP
	for (size_t i = 0; i < bands * LANES; i++)
		logs[i] = log10_of(logs[i]);
	for (size_t l = 0; l < LANES; l++)
		for (size_t b = 0; b < bands; b++)
			out[l * bands + b] = logs[b * LANES + l];
}
OMT_PATHS(mel_frames, (const omt_mel_plan *plan, omt_mel_group *g, float *restrict out),
          (plan, g, out))

/* Floors at `least` and scales. */
OMT_HOT void finish_body(float *data, size_t count, float least)
{
	for (size_t i = 0; i < count; i++)
		data[i] = ((data[i] > least ? data[i] : least) + 4) / 4;
}
OMT_PATHS(finish, (float *data, size_t count, float least), (data, count, least))

OMT_HOT void maximum_body(const float *restrict data, size_t count, float *restrict most)
{
	float lanes[4 * OMT_LANES];
	size_t i = 0;
	for (size_t l = 0; l < 4 * LANES; l++)
		lanes[l] = *most;
	for (; i + 4 * LANES <= count; i += 4 * LANES)
		for (size_t l = 0; l < 4 * LANES; l++)
			lanes[l] = data[i + l] > lanes[l] ? data[i + l] : lanes[l];
	for (; i < count; i++)
		lanes[0] = data[i] > lanes[0] ? data[i] : lanes[0];
	for (size_t l = 0; l < 4 * LANES; l++)
		*most = lanes[l] > *most ? lanes[l] : *most;
}
OMT_PATHS(maximum, (const float *restrict data, size_t count, float *restrict most),
          (data, count, most))

/* Sample i of the clip padded to `length` zeros and reflected at both ends. */
static float padded(const omt_sound *sound, int64_t length, int64_t i)
{
	i = i < 0 ? -i : i;
	i = i >= length ? 2 * (length - 1) - i : i;
	return i >= 0 && i < sound->count ? sound->samples[i] : 0.0f;
}

/* The samples that frames from `first` on see: where they lie, or gathered. */
static void find_samples(omt_mel_group *g, const omt_sound *sound, int64_t length, int64_t begin)
{
	int64_t count = (int64_t)(g->rows * g->hop);
	g->samples = sound->samples + begin;
	if (begin >= 0 && begin + count <= sound->count)
		return;
	for (int64_t i = 0; i < count; i++)
		g->edge[i] = padded(sound, length, begin + i);
	g->samples = g->edge;
}

/* log10 of the mel power of frames 0 .. seen - 1 into mel->data; *most: the largest, or -10 of the
 * zeros behind. */
static void all_frames(const omt_mel_plan *plan, omt_mel_group *g, const omt_sound *sound,
                       int64_t length, int32_t seen, float *data, float *most)
{
	const size_t bands = (size_t)plan->bands;
	*most = -10;
	for (int32_t first = 0; first < seen; first += OMT_LANES) {
		size_t count = seen - first < OMT_LANES ? (size_t)(seen - first) : LANES;
		float *out = data + (size_t)first * bands;
		find_samples(g, sound, length, (int64_t)first * (int64_t)g->hop - plan->fft.n / 2);
		mel_frames(plan, g, out);
		maximum(out, count * bands, most);
	}
}

omt_status omt_prep_sound(const omt_prep_config *config, const omt_limits *limits,
                          const omt_sound *sound, omt_mel *mel, omt_error *err)
{
	omt_mel_group group;
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
	/* The last group is whole. */
	mel->data = malloc(((size_t)seen + LANES) * bands * sizeof *mel->data);
	bool done = mel->data && group_make(&group, config);
	if (!done) {
		free(mel->data);
		mel->data = NULL;
		return OMT_FAIL(err, NO_MEMORY, "%d mel frames", seen);
	}
	float most;
	all_frames(config->mel_plan, &group, &cut, length, seen, mel->data, &most);
	free(group.memory);
	finish(mel->data, (size_t)kept * bands, most - 8);
	mel->frames = kept;
	return OMT_OK;
}
