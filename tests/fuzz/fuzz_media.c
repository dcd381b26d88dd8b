#include "media/media.h"
#include "tests/fuzz/input.h"

/* Decodes as what the content seems to be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t first[] = {0};
	char path[64];
	omt_limits limits;
	omt_image image;
	omt_sound sound;
	omt_clip_info info;
	omt_clip clip;
	omt_video *video;
	omt_words words;
	double *scores;
	omt_limits_init(&limits);
	limits.max_source_pixels = 1 << 16;
	limits.max_samples = 1 << 16;
	limits.apply_exif = true;
	int fd = fuzz_file(data, size, path);
	if (omt_media_image(path, &limits, &image, NULL) == OMT_OK)
		free(image.data);
	if (omt_media_audio(path, &limits, &sound, NULL) == OMT_OK)
		free(sound.samples);
	if (omt_video_open(path, &limits, &video, &info, NULL) == OMT_OK) {
		if (omt_video_frames(video, first, 1, &clip, NULL) == OMT_OK)
			free(clip.data);
		if (omt_video_scores(video, &scores, NULL) == OMT_OK)
			free(scores);
		if (omt_video_words(video, &limits, &words, NULL) == OMT_OK)
			free(words.text);
		omt_video_close(video);
	}
	if (omt_media_transcript(path, &limits, &words, NULL) == OMT_OK)
		free(words.text);
	close(fd);
	return 0;
}
