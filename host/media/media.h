/* media.h - files to pictures, frames and samples, through FFmpeg.
 *
 * A path "-" or "pipe:" is standard input; anything that cannot be sought is read into memory first
 * (limits->max_bytes). Every limit of omt_limits is checked before memory is spent. Errors name the
 * path. Nothing is printed. Threads may call at the same time.
 *
 * Formats are told by content and are those of the list in demux.c: files that name other files or
 * addresses (playlists, session descriptions) are refused. FFmpeg's log level is set to quiet for
 * the process when the first file is opened. */
#ifndef OMT_MEDIA_MEDIA_H
#define OMT_MEDIA_MEDIA_H

#include "base/status.h"

/* 8-bit RGB, rows dense: data[(y * width + x) * 3 + channel]. */
typedef struct omt_image {
	int32_t width, height;
	uint8_t *data; /* free() */
} omt_image;

/* frames[count][height][width][3]. */
typedef struct omt_clip {
	int32_t count, width, height;
	uint8_t *data; /* free() */
} omt_clip;

/* f32, mono, 16 kHz. */
typedef struct omt_sound {
	float *samples; /* free() */
	int64_t count;
} omt_sound;

/* Decodes a picture (the first frame of an animation). Default: alpha is laid over white, EXIF
 * orientation is not applied; limits->apply_exif: turned by EXIF, alpha dropped. The bytes are
 * those of PIL's convert("RGB") for JPEG, PNG, GIF, BMP and WebP, its peculiarities included: one
 * transparent colour and transparent palette entries are shown, grey of 16 bits is clipped at 255,
 * other 16-bit values lose their lower byte. Animated WebP is not supported. */
omt_status omt_media_image(const char *path, const omt_limits *limits, omt_image *image,
                           omt_error *err);

/* A clip's number of frames and rate, before any frame is decoded. */
typedef struct omt_clip_info {
	int32_t total;      /* frames that decoding gives */
	double header_fps;  /* AVStream.avg_frame_rate */
	double content_fps; /* from time stamps: (total) / (last end - first begin) as torchcodec */
	int32_t width, height;
	bool has_audio;
} omt_clip_info;

/* What is said: one line of UTF-8, white space as single blanks, none at its ends. */
typedef struct omt_words {
	char *text; /* free(); NULL: nothing */
	size_t bytes;
} omt_words;

typedef struct omt_video omt_video; /* an opened clip */
omt_status omt_video_open(const char *path, const omt_limits *limits, omt_video **video,
                          omt_clip_info *info, omt_error *err);
/* Decodes the frames named by indices[count] (ascending, duplicates allowed). A frame of another
 * size than the stream's header says is scaled to that. A display rotation is not applied (as in
 * decord and torchvision). */
omt_status omt_video_frames(omt_video *video, const int32_t *indices, int32_t count, omt_clip *clip,
                            omt_error *err);
/* The sound track, as omt_media_audio. */
omt_status omt_video_sound(omt_video *video, const omt_limits *limits, omt_sound *sound,
                           omt_error *err);
/* FFmpeg's scene score of each frame, 0 to 1 (scores[total], free(); scenes.c has the formula): as
 * its filters `select` and `scdet` have it, without the many libraries that libavfilter needs. All
 * frames are decoded. */
omt_status omt_video_scores(omt_video *video, double **scores, omt_error *err);
/* The subtitles as text: of limits->subtitle_language, or the container's default ones; the first
 * stream among equals, forced ones last. Cues in order of time, one that says what the one before
 * said left out, markup taken away, bytes that are no UTF-8 as U+FFFD, cut after
 * limits->max_characters. A clip without such a stream has none; pictures of text are not read. */
omt_status omt_video_words(omt_video *video, const omt_limits *limits, omt_words *words,
                           omt_error *err);
void omt_video_close(omt_video *video);

/* A transcript: a SubRip, WebVTT or ASS file, told by content, or else text, all as above. */
omt_status omt_media_transcript(const char *path, const omt_limits *limits, omt_words *words,
                                omt_error *err);

/* Decodes sound: channels averaged, then resampled to 16 kHz by soxr "HQ"; sound files in f32,
 * containers of video first to signed 16 bit (as the reference's ffmpeg call does). Samples beyond
 * limits->max_samples are cut. NaN or infinite samples are an error. */
omt_status omt_media_audio(const char *path, const omt_limits *limits, omt_sound *sound,
                           omt_error *err);

/* omt_file_kind() of omnitile.h is implemented here. */

/* For tests and verify: mean of channels and resampling of raw samples[frames * channels]. */
omt_status omt_media_resample(const float *samples, int64_t frames, int32_t channels,
                              int32_t rate_hz, omt_sound *sound, omt_error *err);

#endif
