/* prep.h - pictures, frames and samples to what the encoders take.
 *
 * Follows qwen_omni_utils 0.0.9 and transformers 4.52.4 (goldens/DETAILS.md states the rules). The
 * steps are public to verify.c and the tests so that each can be compared with its golden. */
#ifndef OMT_PREP_PREP_H
#define OMT_PREP_PREP_H

#include "media/media.h"

typedef struct omt_mel_plan omt_mel_plan; /* tables of omt_prep_sound */

/* preprocessor_config.json; absent keys have the values of Qwen2VLImageProcessor and
 * WhisperFeatureExtractor. */
typedef struct omt_prep_config {
	float mean[3], deviation[3];
	int64_t min_pixels, max_pixels;
	int32_t patch_size, temporal_patch_size, merge_size; /* 14, 2, 2 */
	int32_t n_fft, hop, mel_bins, rate_hz;               /* 400, 160, 128, 16000 */
	float *mel_filters;     /* [n_fft / 2 + 1, mel_bins], made by load */
	omt_mel_plan *mel_plan; /* the same */
} omt_prep_config;

omt_status omt_prep_config_load(const char *dir, omt_prep_config *config, omt_error *err);
void omt_prep_config_free(omt_prep_config *config);

/* One picture or clip at the encoder's size. The op `patches` (device/contract.h) cuts the rows of
 * its patches on the device; those past the last frame take it again. */
typedef struct omt_patches {
	int32_t t, h, w;         /* grid, in patches (grid_thw) */
	int32_t row;             /* values of a patch: 1176 */
	int32_t frames;          /* in data: a picture has 1 */
	bool floats;             /* f32, normalised already (recipe card); or 8 bits */
	void *data;              /* [frames, h * patch, w * patch, 3]; free() */
	double seconds_per_grid; /* clips: temporal_patch_size / fps asked for */
	double decode_s;         /* what reading and decoding the file took */
} omt_patches;

size_t omt_patches_bytes(const omt_prep_config *config, const omt_patches *patches);
/* What 8-bit values stand for, for the op: (v - 255 mean) / (255 deviation) in f32. */
void omt_prep_pixel_table(const omt_prep_config *config, float table[3 * 256]);

/* log-mel, time-major: data[frames, mel_bins]. */
typedef struct omt_mel {
	int32_t frames;
	float *data; /* free() */
	double decode_s;
} omt_mel;

/* smart_resize of qwen_omni_utils: multiples of `factor`, rounded half to even. processor: as the
 * image processor of transformers (sides below factor are an error). */
omt_status omt_smart_resize(int32_t height, int32_t width, int32_t factor, double min_pixels,
                            double max_pixels, bool processor, int32_t *out_height,
                            int32_t *out_width, omt_error *err);

/* Which frames a recipe takes; indices: free(). */
omt_status omt_frame_indices(const omt_limits *limits, const omt_clip_info *info, int32_t **indices,
                             int32_t *count, omt_error *err);

/* Moves indices[count] (ascending) to the cuts among the clip's frames, scores[total];
 * omt_frame_choice has the rule. Positions of time stay those of an even spacing,
 * temporal_patch_size / fps a grid frame, as for frames that the reference is given as a list. */
omt_status omt_frame_scenes(const omt_limits *limits, const double *scores, int32_t total,
                            int32_t *indices, int32_t count, omt_error *err);

/* Bicubic (a = -0.5) antialiased resize, interleaved channels.
 * u8: PIL's: 8-bit fixed-point weights, horizontal pass first, each pass rounded to 8 bits. */
omt_status omt_resize_pil(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                          int32_t out_height, int32_t out_width, uint8_t *out, omt_error *err);
/* f32: torch's upsample_bicubic2d_aa of 8-bit values as floats: float weights, no rounding. */
omt_status omt_resize_f32(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                          int32_t out_height, int32_t out_width, float *out, omt_error *err);
/* torchvision v2's native uint8 bicubic (ATen's upsample_bicubic2d_aa uint8 kernel). */
omt_status omt_resize_u8(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                         int32_t out_height, int32_t out_width, uint8_t *out, omt_error *err);

/* Picture: loader's resize (PIL), processor's resize. A page: both to 768 to 2560 tokens where
 * limits->image_min_pixels and image_max_pixels say nothing (no least number where the user's
 * greatest is below twice it), whatever the checkpoint's own limits;
 * 768 is what retrievers of pages take at most (ColQwen2's max_num_visual_tokens, vdr-2b), 2560
 * what DSE-Qwen2 does, which vdr-2b's card calls the full resolution. */
omt_status omt_prep_image(const omt_prep_config *config, const omt_limits *limits,
                          const omt_image *image, omt_patches *patches, omt_error *err);
/* Decoded frames: the recipe's resizes. */
omt_status omt_prep_clip(const omt_prep_config *config, const omt_limits *limits,
                         const omt_clip *clip, omt_patches *patches, omt_error *err);
/* Samples at 16 kHz to log-mel (DETAILS.md "Audio"). Too few samples for one token: an error. */
omt_status omt_prep_sound(const omt_prep_config *config, const omt_limits *limits,
                          const omt_sound *sound, omt_mel *mel, omt_error *err);

/* Files: decode and the above. */
omt_status omt_prep_image_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_patches *patches, omt_error *err);
/* mel may be NULL; a clip without sound leaves mel->frames 0. words: the subtitles; may be NULL. */
omt_status omt_prep_video_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_patches *patches, omt_mel *mel,
                               omt_words *words, omt_error *err);
omt_status omt_prep_audio_file(const omt_prep_config *config, const omt_limits *limits,
                               const char *path, omt_mel *mel, omt_error *err);

#endif
