/* Scene scores against FFmpeg's own filter, and the frames that are chosen by them. */
#include "media/media.h"
#include "prep/prep.h"
#include "tests/unit/scratch.h"

TestSuite(scenes, .init = scratch_make, .fini = scratch_drop);

static void run(const char *format, const char *a, const char *b)
{
	char command[1024];
	snprintf(command, sizeof command, format, a, b);
	cr_assert_eq(system(command), 0, "%s", command);
}

static double *scores_of(const char *path, int32_t *total)
{
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_error err;
	double *scores;
	omt_limits_init(&limits);
	cr_assert_eq(omt_video_open(path, &limits, &video, &info, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_video_scores(video, &scores, &err), OMT_OK, "%s", err.text);
	omt_video_close(video);
	*total = info.total;
	return scores;
}

/* 30 frames: motion, a cut at 10 to a flat colour, at 22 back to motion. */
static const char *make_clip(const char *name, const char *coding)
{
	const char *path = scratch_path(name);
	run("ffmpeg -v error -f lavfi -i testsrc=s=64x48:r=10:d=3 -f lavfi -i "
	    "color=gray:s=64x48:r=10:d=3 -filter_complex "
	    "\"[0][1]overlay=enable='between(n,10,21)'\" -frames:v 30 %s %s </dev/null",
	    coding, path);
	return path;
}

/* To the six digits that the filter prints. */
static void check_scores(const char *name, const char *coding)
{
	const char *clip = make_clip(name, coding), *list = scratch_path("scores.txt");
	char line[256];
	double wanted;
	int32_t total, seen = 0;
	double *scores = scores_of(clip, &total);
	run("ffmpeg -v error -i %s -vf \"select='gte(scene,0)',metadata=print:file=%s\" -f null - "
	    "</dev/null",
	    clip, list);
	FILE *file = fopen(list, "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "lavfi.scene_score=%lf", &wanted) == 1) {
			cr_assert_lt(seen, total);
			cr_expect_float_eq(scores[seen], wanted, 1e-6, "%s: frame %d: %.8f, not %f",
			                   name, seen, scores[seen], wanted);
			seen++;
		}
	fclose(file);
	cr_expect_eq(seen, 30, "%s: %d frames", name, seen);
	cr_expect_eq(total, 30);
	cr_expect_gt(scores[10], 0.1);
	free(scores);
}

Test(scenes, scores)
{
	check_scores("a.mp4", "-c:v mpeg4 -q:v 3 -pix_fmt yuv420p");
	check_scores("a.mkv", "-c:v ffv1 -pix_fmt yuv420p10le");
	check_scores("b.mkv", "-c:v ffv1 -pix_fmt gray");
	check_scores("c.mkv", "-c:v ffv1 -pix_fmt bgr0");
	check_scores("d.mkv", "-c:v mjpeg -pix_fmt yuvj422p");
}

#define CHOICE 4

static void choose(const double *scores, int32_t total, double threshold, int32_t *indices)
{
	omt_limits limits;
	omt_limits_init(&limits);
	limits.scene_threshold = threshold;
	cr_assert_eq(omt_frame_scenes(&limits, scores, total, indices, CHOICE, NULL), OMT_OK);
}

Test(scenes, no_cut_no_change)
{
	const double scores[31] = {0};
	int32_t indices[CHOICE] = {0, 10, 20, 30};
	const int32_t wanted[CHOICE] = {0, 10, 20, 30};
	choose(scores, 31, 0.3, indices);
	cr_expect_arr_eq(indices, wanted, sizeof wanted);
}

/* A second scene that the even choice misses: its first frame and that of the third are taken. */
Test(scenes, short_scene)
{
	double scores[31] = {[12] = 0.5, [15] = 0.4, [25] = 0.29};
	int32_t indices[CHOICE] = {0, 10, 20, 30};
	const int32_t wanted[CHOICE] = {0, 12, 15, 30};
	choose(scores, 31, 0.3, indices);
	cr_expect_arr_eq(indices, wanted, sizeof wanted);
}

/* More cuts than frames: the strongest; of equal ones the first. The first frame stays. */
Test(scenes, many_cuts)
{
	double scores[31] = {[1] = 0.9,  [2] = 0.31, [3] = 0.6,  [4] = 0.31,
	                     [5] = 0.31, [7] = 0.32, [8] = 0.32, [30] = 0.31};
	int32_t indices[CHOICE] = {0, 10, 20, 30};
	const int32_t wanted[CHOICE] = {0, 1, 3, 7};
	choose(scores, 31, 0.3, indices);
	cr_expect_arr_eq(indices, wanted, sizeof wanted);
	double all[5] = {0};
	int32_t few[CHOICE] = {0, 1, 3, 4};
	const int32_t first[CHOICE] = {0, 1, 2, 3};
	choose(all, 5, 0, few);
	cr_expect_arr_eq(few, first, sizeof first);
}

/* Through a file: of 4 frames each scene of the clip has one, where an even choice has two of the
 * first and none of the second. */
Test(scenes, clip)
{
	const char *clip = scratch_path("cuts.mp4");
	run("ffmpeg -v error -f lavfi -i color=red:s=64x48:r=10:d=2 -f lavfi -i "
	    "color=white:s=64x48:r=10:d=0.4 -f lavfi -i color=blue:s=64x48:r=10:d=1.6 "
	    "-filter_complex [0][1][2]concat=n=3 -c:v mpeg4 -q:v 2 %s%s </dev/null",
	    clip, "");
	omt_prep_config config;
	omt_error err;
	cr_assert_eq(omt_prep_config_load("tests/golden/data/tiny", &config, &err), OMT_OK, "%s",
	             err.text);
	for (int scene = 0; scene < 2; scene++) {
		omt_limits limits;
		omt_patches patches;
		bool white = false;
		omt_limits_init(&limits);
		limits.frames = scene ? OMT_FRAMES_SCENE : OMT_FRAMES_UNIFORM;
		limits.max_frames = 4;
		cr_assert_eq(
			omt_prep_video_file(&config, &limits, clip, &patches, NULL, NULL, &err),
			OMT_OK, "%s", err.text);
		cr_expect_eq(patches.frames, 4);
		cr_expect_eq(patches.seconds_per_grid, 1.0);
		const uint8_t *frame = patches.data;
		for (int i = 0; i < 4; i++, frame += omt_patches_bytes(&config, &patches) / 4)
			white |= frame[0] > 200 && frame[1] > 200 && frame[2] > 200;
		cr_expect_eq(white, scene == 1);
		free(patches.data);
	}
	omt_prep_config_free(&config);
}
