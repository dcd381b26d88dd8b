/* Frames of clips against torchcodec and decord, pixel rows against the reference's processors. */
#include "golden.h"
#include "media/media.h"
#include "prep/prep.h"

static int checked;

static bool is_video(const json_t *line)
{
	return json_object_get(line, "total_frames") != NULL;
}

/* "card", "st", "cap64", "mteb16" and what follows them in words. */
static void case_limits(const json_t *line, omt_limits *limits)
{
	const char *recipe = golden_text(line, "recipe");
	bool card = !strncmp(recipe, "card", 4), cap = !strcmp(recipe, "cap64");
	omt_limits_init(limits);
	limits->recipe = card                        ? OMT_RECIPE_CARD
	                 : !strcmp(recipe, "st")     ? OMT_RECIPE_ST
	                 : !strcmp(recipe, "mteb16") ? OMT_RECIPE_MTEB16
	                                             : OMT_RECIPE_CAP;
	limits->max_frames = cap ? 64 : 768;
	limits->content_fps = strstr(recipe, "time stamps") != NULL;
}

/* Count, rate, choice and, where they are kept, the decoded frames to the bit. */
static void check_frames(const char *place, const json_t *line)
{
	const json_t *wanted = json_object_get(line, "frame_indices");
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_clip clip;
	omt_npy frames;
	omt_error err;
	int32_t *indices, count;
	if (!is_video(line))
		return;
	case_limits(line, &limits);
	cr_assert_eq(omt_video_open(golden_file(line), &limits, &video, &info, &err), OMT_OK, "%s",
	             err.text);
	double fps = limits.content_fps ? info.content_fps : info.header_fps;
	cr_expect_eq(info.total, golden_int(line, "total_frames"), "%s: %d", place, info.total);
	cr_expect_float_eq(fps, json_number_value(json_object_get(line, "video_fps")), 1e-6,
	                   "%s: %.9f", place, fps);
	cr_assert_eq(omt_frame_indices(&limits, &info, &indices, &count, &err), OMT_OK);
	cr_assert_eq((size_t)count, json_array_size(wanted), "%s", place);
	for (int32_t i = 0; i < count; i++)
		cr_expect_eq(indices[i], json_integer_value(json_array_get(wanted, (size_t)i)),
		             "%s", place);
	cr_assert_eq(omt_video_frames(video, indices, count, &clip, &err), OMT_OK, "%s", err.text);
	if (golden_array(golden_text(line, "decoded_frames"), &frames)) {
		cr_assert_eq((int64_t)clip.count * clip.height * clip.width * 3, frames.count);
		cr_expect_arr_eq(clip.data, frames.data, (size_t)frames.count, "%s", place);
		omt_npy_close(&frames);
		checked++;
	}
	free(clip.data);
	free(indices);
	omt_video_close(video);
}

Test(clips, frames)
{
	golden_lines(EXPECTED "cases.jsonl", check_frames);
	cr_assert_geq(checked, 10);
}

static void check_rows(const char *place, const json_t *line)
{
	const json_t *pixels = json_object_get(line, "pixel_values_videos");
	omt_prep_config config;
	omt_limits limits;
	omt_patches patches;
	omt_npy wanted;
	omt_error err;
	if (!is_video(line) || !golden_array(golden_text(pixels, "sample"), &wanted))
		return;
	case_limits(line, &limits);
	cr_assert_eq(omt_prep_config_load(DATA "tiny", &config, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_prep_video_file(&config, &limits, golden_file(line), &patches, NULL, NULL,
	                                 &err),
	             OMT_OK, "%s", err.text);
	cr_expect_eq(patches.seconds_per_grid, 1.0);
	golden_check_rows(&config, place, line, "video_grid_thw", pixels, &patches, &wanted);
	free(patches.data);
	omt_npy_close(&wanted);
	omt_prep_config_free(&config);
	checked++;
}

Test(clips, rows)
{
	golden_lines(EXPECTED "cases.jsonl", check_rows);
	cr_assert_eq(checked, 8);
}

/* A frame asked for twice comes twice. */
Test(clips, duplicates)
{
	static const int32_t twice[] = {0, 3, 3, 7};
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_clip clip;
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_video_open(DATA "inputs/vid_short_1s.mp4", &limits, &video, &info, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_video_frames(video, twice, 4, &clip, &err), OMT_OK, "%s", err.text);
	size_t bytes = (size_t)clip.width * (size_t)clip.height * 3;
	cr_expect_arr_eq(clip.data + bytes, clip.data + 2 * bytes, bytes);
	cr_expect_arr_neq(clip.data + bytes, clip.data + 3 * bytes, bytes);
	free(clip.data);
	omt_video_close(video);
}

/* VP8 with frames that are decoded and not shown: 42 packets, 40 frames (made by ffmpeg's libvpx
 * with -auto-alt-ref 1 in two passes). */
Test(clips, hidden_frames)
{
	static const int32_t ends[] = {0, 39};
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_clip clip;
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_video_open(DATA "clips/hidden.webm", &limits, &video, &info, &err), OMT_OK,
	             "%s", err.text);
	cr_expect_eq(info.total, 40, "%d", info.total);
	cr_assert_eq(omt_video_frames(video, ends, 2, &clip, &err), OMT_OK, "%s", err.text);
	free(clip.data);
	omt_video_close(video);
}

static void expect_failure(const char *path, const omt_limits *limits, omt_status status,
                           const char *text)
{
	omt_video *video;
	omt_clip_info info;
	omt_error err;
	cr_expect_eq(omt_video_open(path, limits, &video, &info, &err), status, "%s", err.text);
	cr_expect(strstr(err.text, path) && strstr(err.text, text), "%s", err.text);
	cr_expect_null(video);
}

Test(clips, limits)
{
	omt_limits limits;
	omt_limits_init(&limits);
	limits.max_seconds = 3;
	expect_failure(DATA "inputs/vid_testsrc_4s.mp4", &limits, OMT_LIMIT, "max_seconds");
	omt_limits_init(&limits);
	limits.max_source_pixels = 1000;
	expect_failure(DATA "inputs/vid_testsrc_4s.mp4", &limits, OMT_LIMIT, "max_source_pixels");
	omt_limits_init(&limits);
	expect_failure(DATA "inputs/aud_speech_16k.wav", &limits, OMT_BAD_FORMAT, "no video");
}
