/* Log-mel against Whisper's feature extractor. */
#include <math.h>

#include "golden.h"
#include "prep/prep.h"

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
	omt_mel mel;
	golden_open(DATA "tables/mel_in_4000.npy", &in);
	golden_open(DATA "tables/mel_out.npy", &wanted);
	omt_sound sound = {(float *)(uintptr_t)in.data, in.count};
	cr_assert_eq(omt_prep_sound(&config, &limits, &sound, &mel, NULL), OMT_OK);
	cr_expect_eq(mel.frames, 25);
	compare("mel_out", &mel, &wanted, 1, 2e-5f);
	free(mel.data);
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
	golden_lines(EXPECTED "cases.jsonl", check_case);
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
