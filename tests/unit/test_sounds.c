/* Samples at 16 kHz against soundfile, ffmpeg and soxr as the reference's loader uses them. */
#include "golden.h"
#include "media/media.h"

static int checked;

static void check_sound(const char *place, const json_t *line)
{
	const json_t *sample = json_object_get(line, "audio_16k");
	omt_limits limits;
	omt_sound sound;
	omt_npy wanted;
	omt_error err;
	if (!sample)
		return;
	omt_limits_init(&limits);
	cr_assert_eq(omt_media_audio(golden_file(line), &limits, &sound, &err), OMT_OK, "%s",
	             err.text);
	cr_expect_eq(sound.count, golden_int(line, "samples_16k"), "%s: %lld", place,
	             (long long)sound.count);
	if (golden_array(golden_text(sample, "sample"), &wanted)) {
		int stride = golden_int(sample, "stride");
		float worst = 0;
		for (int64_t i = 0; i < wanted.count && i * stride < sound.count; i++)
			worst = fmaxf(worst, fabsf(sound.samples[i * stride] -
			                           ((const float *)wanted.data)[i]));
		/* Half a step of 16-bit sound. */
		cr_expect_leq(worst, 1.5e-5f, "%s: %g", place, (double)worst);
		omt_npy_close(&wanted);
		checked++;
	}
	free(sound.samples);
}

Test(sounds, samples)
{
	golden_lines(EXPECTED "cases.jsonl", check_sound);
	cr_assert_geq(checked, 6);
}

Test(sounds, of_a_clip)
{
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_sound track, file;
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_video_open(DATA "inputs/vid_mandel_av.mp4", &limits, &video, &info, &err),
	             OMT_OK, "%s", err.text);
	cr_expect(info.has_audio);
	cr_assert_eq(omt_video_sound(video, &limits, &track, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_media_audio(DATA "inputs/vid_mandel_av.mp4", &limits, &file, &err), OMT_OK,
	             "%s", err.text);
	cr_assert_eq(track.count, file.count);
	cr_expect_arr_eq(track.samples, file.samples, (size_t)file.count * sizeof *file.samples);
	free(track.samples);
	free(file.samples);
	omt_video_close(video);
}

/* What is beyond max_samples is neither kept nor wanted; before it nothing changes. */
Test(sounds, cut)
{
	omt_limits limits;
	omt_sound whole, cut;
	omt_error err;
	const char *path = DATA "inputs/aud_low_31s.flac";
	omt_limits_init(&limits);
	cr_assert_eq(omt_media_audio(path, &limits, &whole, &err), OMT_OK, "%s", err.text);
	limits.max_samples = 16000;
	cr_assert_eq(omt_media_audio(path, &limits, &cut, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(cut.count, 16000);
	for (int i = 0; i < 16000; i++)
		cr_assert_float_eq(cut.samples[i], whole.samples[i], 1e-6f);
	free(whole.samples);
	free(cut.samples);
}

static void expect_failure(const char *path, const omt_limits *limits, omt_status status,
                           const char *text)
{
	omt_sound sound;
	omt_error err;
	cr_expect_eq(omt_media_audio(path, limits, &sound, &err), status, "%s", err.text);
	cr_expect(strstr(err.text, path) && strstr(err.text, text), "%s", err.text);
	cr_expect_null(sound.samples);
}

Test(sounds, limits)
{
	omt_limits limits;
	omt_limits_init(&limits);
	limits.max_seconds = 3;
	expect_failure(DATA "inputs/aud_low_31s.flac", &limits, OMT_LIMIT, "max_seconds");
	omt_limits_init(&limits);
	expect_failure(DATA "inputs/img_tiny_20x20.png", &limits, OMT_BAD_FORMAT, "no sound");
	expect_failure(DATA "inputs/vid_testsrc_4s.mp4", &limits, OMT_BAD_FORMAT, "no sound");
}

Test(sounds, resample_refuses)
{
	float samples[4] = {0};
	omt_sound sound;
	omt_error err;
	cr_expect_eq(omt_media_resample(samples, 4, 1, 0, &sound, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_media_resample(samples, 4, 0, 8000, &sound, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_media_resample(samples, -1, 1, 8000, &sound, &err), OMT_BAD_ARGUMENT);
}

/* The ratio 2:1 of a constant is the constant, away from the ends; channels are averaged first. */
Test(sounds, resample_averages)
{
	enum { frames = 4000 };
	static float samples[2 * frames];
	omt_sound sound;
	for (int i = 0; i < frames; i++) {
		samples[2 * i] = 0.5f;
		samples[2 * i + 1] = -0.25f;
	}
	cr_assert_eq(omt_media_resample(samples, frames, 2, 32000, &sound, NULL), OMT_OK);
	cr_assert_eq(sound.count, frames / 2);
	for (int i = 500; i < frames / 2 - 500; i++)
		cr_assert_float_eq(sound.samples[i], 0.125f, 1e-5f);
	free(sound.samples);
}
