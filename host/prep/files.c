#include <stdlib.h>

#include "base/clock.h"
#include "prep/prep.h"

/* Preparation's errors speak of pixels and samples; here the file's name goes in front. */
static omt_status named(omt_status status, const char *path, omt_error *err)
{
	return status == OMT_OK ? OMT_OK : omt_fail_at(err, status, "%s", path);
}

omt_status omt_prep_image_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_patches *patches, omt_error *err)
{
	omt_image image;
	double begin_s = omt_now_s();
	OMT_TRY(omt_media_image(path, limits, &image, err));
	double decode_s = omt_now_s() - begin_s;
	omt_status status = omt_prep_image(config, limits, &image, patches, err);
	patches->decode_s = decode_s;
	free(image.data);
	return named(status, path, err);
}

static omt_status prep_sound(const omt_prep_config *config, const omt_limits *limits,
                             const char *path, omt_sound *sound, double begin_s, omt_mel *mel,
                             omt_error *err)
{
	double decode_s = omt_now_s() - begin_s;
	omt_status status = omt_prep_sound(config, limits, sound, mel, err);
	mel->decode_s = decode_s;
	free(sound->samples);
	return named(status, path, err);
}

/* The frames that are wanted; indices: free(). */
static omt_status choose_frames(const omt_limits *limits, omt_video *video, const char *path,
                                const omt_clip_info *info, int32_t **indices, int32_t *count,
                                omt_error *err)
{
	double *scores;
	OMT_TRY(named(omt_frame_indices(limits, info, indices, count, err), path, err));
	if (limits->frames != OMT_FRAMES_SCENE)
		return OMT_OK;
	omt_status status = omt_video_scores(video, &scores, err);
	if (status == OMT_OK) {
		status = named(omt_frame_scenes(limits, scores, info->total, *indices, *count, err),
		               path, err);
		free(scores);
	}
	return status;
}

omt_status omt_prep_video_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_patches *patches, omt_mel *mel,
                               omt_words *words, omt_error *err)
{
	omt_status status;
	omt_video *video;
	omt_clip_info info;
	omt_clip clip = {0};
	omt_sound sound;
	int32_t *indices = NULL, count;
	double begin_s = omt_now_s(), decode_s;
	*patches = (omt_patches){0};
	if (mel)
		*mel = (omt_mel){0};
	if (words)
		*words = (omt_words){0};
	OMT_TRY(omt_video_open(path, limits, &video, &info, err));
	OMT_GOTO(choose_frames(limits, video, path, &info, &indices, &count, err));
	if (words)
		OMT_GOTO(omt_video_words(video, limits, words, err));
	OMT_GOTO(omt_video_frames(video, indices, count, &clip, err));
	decode_s = omt_now_s() - begin_s;
	OMT_GOTO(named(omt_prep_clip(config, limits, &clip, patches, err), path, err));
	patches->decode_s = decode_s;
	if (mel && info.has_audio) {
		begin_s = omt_now_s();
		OMT_GOTO(omt_video_sound(video, limits, &sound, err));
		OMT_GOTO(prep_sound(config, limits, path, &sound, begin_s, mel, err));
	}
done:
	free(indices);
	free(clip.data);
	omt_video_close(video);
	if (status != OMT_OK) {
		free(patches->data);
		*patches = (omt_patches){0};
		if (words) {
			free(words->text);
			*words = (omt_words){0};
		}
	}
	return status;
}

omt_status omt_prep_audio_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_mel *mel, omt_error *err)
{
	omt_sound sound;
	double begin_s = omt_now_s();
	OMT_TRY(omt_media_audio(path, limits, &sound, err));
	return prep_sound(config, limits, path, &sound, begin_s, mel, err);
}
