/* Log-mel against Whisper's feature extractor. */
#include <math.h>

#include "golden.h"
#include "prep/mel.h"

static omt_prep_config config;
static omt_limits limits;

static void set_up(void)
{
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_prep_config_load(DATA "tiny", &config, &err), OMT_OK, "%s", err.text);
}

static void tear_down(void)
{
	omt_prep_config_free(&config);
}

TestSuite(mel, .init = set_up, .fini = tear_down);

Test(mel, filters)
{
	omt_npy wanted;
	golden_open(DATA "tables/mel_filters_201x128.npy", &wanted);
	cr_assert_eq(wanted.count, 201 * 128);
	for (int64_t i = 0; i < wanted.count; i++) {
		float value = ((const float *)wanted.data)[i];
		cr_expect_float_eq(config.mel_filters[i], value, 1e-7f * value, "filter %lld",
		                   (long long)i);
	}
	omt_npy_close(&wanted);
}

/* wanted[mel_bins, columns] against every stride-th frame. */
static void compare(const char *what, const omt_mel *mel, const omt_npy *wanted, int32_t stride,
                    float tolerance)
{
	float worst = 0;
	for (int64_t band = 0; band < wanted->shape[0]; band++)
		for (int64_t at = 0; at < wanted->shape[1] && at * stride < mel->frames; at++) {
			float value = mel->data[at * stride * config.mel_bins + band];
			float reference =
				((const float *)wanted->data)[band * wanted->shape[1] + at];
			worst = fmaxf(worst, fabsf(value - reference));
		}
	cr_expect_leq(worst, tolerance, "%s: %g", what, (double)worst);
}

Test(mel, table)
{
	omt_npy in, wanted;
	golden_open(DATA "tables/mel_in_4000.npy", &in);
	golden_open(DATA "tables/mel_out.npy", &wanted);
	omt_sound sound = {(float *)(uintptr_t)in.data, in.count};
	EACH_PATH(path)
	{
		omt_mel mel;
		cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &mel, NULL), OMT_OK);
		cr_expect_eq(mel.frames, 25);
		compare(omt_cpu_name(path), &mel, &wanted, 1, 2e-5f);
		free(mel.data);
	}
	omt_npy_close(&in);
	omt_npy_close(&wanted);
}

/* From the file: decoding and resampling are in it. */
static void check_case(const char *place, const json_t *line)
{
	const json_t *one = json_array_get(json_object_get(line, "mel"), 0);
	omt_npy wanted;
	omt_mel mel;
	omt_error err;
	if (!one || !golden_array(golden_text(one, "sample"), &wanted))
		return;
	cr_assert_eq(omt_prep_audio_file(&config, &limits, golden_file(line), &mel, &err), OMT_OK,
	             "%s", err.text);
	cr_expect_eq(mel.frames, golden_int(one, "frames"), "%s: %d", place, mel.frames);
	compare(golden_text(line, "id"), &mel, &wanted, golden_int(one, "frame_stride"), 1e-4f);
	free(mel.data);
	omt_npy_close(&wanted);
}

Test(mel, cases)
{
	EACH_PATH(path) golden_lines(EXPECTED "cases.jsonl", check_case);
}

/* Frame `frame` of a clip of n_fft, hop and window as configured, by the definition. */
static double power_at(const omt_sound *sound, int64_t length, int32_t frame, int32_t bin)
{
	double re = 0, im = 0;
	for (int32_t i = 0; i < config.n_fft; i++) {
		int64_t at = (int64_t)frame * config.hop - config.n_fft / 2 + i;
		at = at < 0 ? -at : at;
		at = at >= length ? 2 * (length - 1) - at : at;
		double value = at < sound->count ? (double)sound->samples[at] : 0;
		value *= (double)(float)(0.5 - 0.5 * cos(2 * M_PI * i / config.n_fft));
		double angle = 2 * M_PI * (double)((int64_t)i * bin % config.n_fft) / config.n_fft;
		re += value * cos(angle);
		im -= value * sin(angle);
	}
	return re * re + im * im;
}

/* Every radix of the transform against the definition, hops that do not divide it, the ends of the
 * clip, and the same bits on every path. */
static void check_size(int32_t n_fft, int32_t hop)
{
	enum { samples = 3001 };
	float values[samples];
	omt_mel first = {0};
	config.n_fft = n_fft;
	config.hop = hop;
	const int32_t bins = n_fft / 2 + 1, bands = config.mel_bins;
	/* Bands of one bin each: what comes out is the spectrum. */
	float *filters = calloc((size_t)bins * (size_t)bands, sizeof *filters);
	for (int32_t b = 0; b < bands; b++)
		filters[(int64_t)b * (bins - 1) / (bands - 1) * bands + b] = 1;
	for (int i = 0; i < samples; i++)
		values[i] = sinf(0.02f * (float)i * (float)(i % 61)) + 0.25f;
	limits.max_samples = samples;
	omt_sound sound = {values, samples};
	free(config.mel_filters);
	config.mel_filters = filters;
	omt_mel_plan_free(config.mel_plan);
	cr_assert_eq(omt_mel_plan_make(&config, &config.mel_plan, NULL), OMT_OK);
	EACH_PATH(path)
	{
		omt_mel mel;
		cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &mel, NULL), OMT_OK);
		size_t bytes = (size_t)mel.frames * (size_t)bands * sizeof *mel.data;
		if (!first.data)
			first = mel;
		else
			cr_expect_arr_eq(mel.data, first.data, bytes, "%d on %s", n_fft,
			                 omt_cpu_name(path));
		if (mel.data != first.data)
			free(mel.data);
	}
	double worst = 0;
	float most = -10;
	for (int32_t i = 0; i < first.frames * bands; i++)
		most = fmaxf(most, first.data[i] * 4 - 4);
	for (int32_t frame = 0; frame < first.frames; frame += 1 + first.frames / 20)
		for (int32_t b = 0; b < bands; b += 9) {
			int32_t bin = (int32_t)((int64_t)b * (bins - 1) / (bands - 1));
			double wanted = log10(fmax(power_at(&sound, samples, frame, bin), 1e-10));
			wanted = (fmax(wanted, (double)most - 8) + 4) / 4;
			worst = fmax(worst, fabs(wanted - (double)first.data[frame * bands + b]));
		}
	cr_expect_leq(worst, 2e-6, "n_fft %d, hop %d: %g", n_fft, hop, worst);
	free(first.data);
}

Test(mel, sizes)
{
	static const int32_t sizes[][2] = {
		{400, 160}, {2, 1},    {4, 3},     {64, 64},
		{98, 50},   {250, 99}, {512, 160}, {2 * 3 * 7 * 11, 700}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		check_size(sizes[i][0], sizes[i][1]);
}

Test(mel, lengths)
{
	float samples[321] = {0.5f};
	omt_sound sound = {samples, 320};
	omt_mel mel;
	omt_error err;
	cr_expect_eq(omt_prep_sound(&config, &limits, &sound, &mel, &err), OMT_BAD_FORMAT);
	cr_expect(strstr(err.text, "320"), "%s", err.text);
	sound.count = 1;
	cr_expect_eq(omt_prep_sound(&config, &limits, &sound, &mel, &err), OMT_BAD_FORMAT);
	sound.count = 321;
	cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &mel, &err), OMT_OK);
	cr_expect_eq(mel.frames, 3);
	free(mel.data);
}

/* A sound that fills max_samples ends with a reflection; one that is longer is cut to the same. */
Test(mel, cut_at_max_samples)
{
	enum { most = 4000, more = 5000 };
	float samples[more];
	omt_mel whole, cut;
	for (int i = 0; i < more; i++)
		samples[i] = sinf(0.05f * (float)i) * (float)(i % 97) / 97;
	limits.max_samples = most;
	omt_sound sound = {samples, most};
	cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &whole, NULL), OMT_OK);
	sound.count = more;
	cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &cut, NULL), OMT_OK);
	cr_assert_eq(whole.frames, most / 160);
	cr_assert_eq(cut.frames, whole.frames);
	cr_expect_arr_eq(cut.data, whole.data,
	                 (size_t)whole.frames * (size_t)config.mel_bins * sizeof(float));
	free(whole.data);
	free(cut.data);
}
