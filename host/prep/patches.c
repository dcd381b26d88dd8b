#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "prep/prep.h"

/* Limits of qwen_omni_utils' loader, in pixels. */
#define IMAGE_MIN  (4.0 * 28 * 28)
#define IMAGE_MAX  (16384.0 * 28 * 28)
#define PAGE_MIN   768.0 /* tokens */
#define PAGE_MAX   2560.0
#define CLIP_MIN   (128.0 * 28 * 28)
#define CLIP_MAX   (768.0 * 28 * 28)
#define CLIP_TOTAL 90316800.0 /* 90 % of 128,000 tokens, shared by the frames */

/* Frames between two resizes. */
typedef struct omt_frames {
	int32_t count, height, width;
	const uint8_t *u8;
} omt_frames;

size_t omt_patches_bytes(const omt_prep_config *config, const omt_patches *patches)
{
	size_t side = (size_t)config->patch_size;
	return (size_t)patches->frames * (size_t)patches->h * side * (size_t)patches->w * side * 3 *
	       (patches->floats ? sizeof(float) : 1);
}

static float normalised(const omt_prep_config *config, int32_t channel, float value)
{
	return (value - config->mean[channel] * 255.0f) / (config->deviation[channel] * 255.0f);
}

void omt_prep_pixel_table(const omt_prep_config *config, float table[3 * 256])
{
	for (int32_t i = 0; i < 3 * 256; i++)
		table[i] = normalised(config, i / 256, (float)(i % 256));
}

/* Frames of this size as patches; takes `data`. */
static void give(const omt_prep_config *config, int32_t frames, int32_t height, int32_t width,
                 bool floats, void *data, omt_patches *patches)
{
	int32_t side = config->patch_size, depth = config->temporal_patch_size;
	*patches = (omt_patches){.t = (frames + depth - 1) / depth,
	                         .h = height / side,
	                         .w = width / side,
	                         .row = 3 * depth * side * side,
	                         .frames = frames,
	                         .floats = floats,
	                         .data = data,
	                         .seconds_per_grid = 1.0};
}

/* ---- pictures ----------------------------------------------------------------------------- */

/* Resizes *in to the size that the limits ask for. */
static omt_status fit_image(int32_t factor, double least, double most, bool processor,
                            const omt_image *in, omt_image *out, omt_error *err)
{
	*out = (omt_image){0};
	OMT_TRY(omt_smart_resize(in->height, in->width, factor, least, most, processor,
	                         &out->height, &out->width, err));
	out->data = malloc((size_t)out->height * (size_t)out->width * 3);
	if (!out->data)
		return OMT_FAIL(err, NO_MEMORY, "a picture of %d x %d", out->width, out->height);
	omt_status status = omt_resize_pil(in->data, in->height, in->width, 3, out->height,
	                                   out->width, out->data, err);
	if (status != OMT_OK)
		free(out->data);
	return status;
}

omt_status omt_prep_image(const omt_prep_config *config, const omt_limits *limits,
                          const omt_image *image, omt_patches *patches, omt_error *err)
{
	int32_t factor = config->patch_size * config->merge_size;
	double least = limits->page ? PAGE_MIN * factor * factor : IMAGE_MIN;
	double most = limits->page ? PAGE_MAX * factor * factor : IMAGE_MAX;
	omt_image loaded, fitted;
	*patches = (omt_patches){0};
	if (limits->image_max_pixels)
		most = (double)limits->image_max_pixels;
	if (limits->image_min_pixels)
		least = (double)limits->image_min_pixels;
	else if (least > most / 2)
		least = IMAGE_MIN; /* rounding would carry a page from one limit over the other */
	OMT_TRY(fit_image(factor, least, most, false, image, &loaded, err));
	omt_status status = fit_image(factor, limits->page ? least : (double)config->min_pixels,
	                              limits->page ? most : (double)config->max_pixels, true,
	                              &loaded, &fitted, err);
	free(loaded.data);
	OMT_TRY(status);
	give(config, 1, fitted.height, fitted.width, false, fitted.data, patches);
	return OMT_OK;
}

/* ---- clips -------------------------------------------------------------------------------- */

/* To 8 bits, half to even: adding and taking away 1.5 * 2^23 rounds to an integer. */
OMT_HOT void to_bytes_body(const float *from, size_t count, uint8_t *to)
{
	const float magic = 12582912.0f;
	for (size_t i = 0; i < count; i++) {
		float value = (from[i] + magic) - magic;
		value = value < 0 ? 0 : value;
		to[i] = (uint8_t)(value > 255 ? 255 : value);
	}
}
OMT_PATHS(to_bytes, (const float *from, size_t count, uint8_t *to), (from, count, to))

/* RGB values to normalised ones, in place; `period` values at a time. */
OMT_HOT void normalise_body(const omt_prep_config *config, float *values, size_t count)
{
	enum { period = 48 };
	float mean[period], deviation[period];
	size_t i = 0;
	for (size_t c = 0; c < period; c++) {
		mean[c] = config->mean[c % 3] * 255.0f;
		deviation[c] = config->deviation[c % 3] * 255.0f;
	}
	for (; i + period <= count; i += period)
		for (size_t c = 0; c < period; c++)
			values[i + c] = (values[i + c] - mean[c]) / deviation[c];
	for (size_t c = 0; i < count; i++, c++)
		values[i] = (values[i] - mean[c]) / deviation[c];
}
OMT_PATHS(normalise, (const omt_prep_config *config, float *values, size_t count),
          (config, values, count))

/* The model card's first resize: frames enlarged or reduced to the loader's limits, back to 8 bits.
 * Given, free(). */
static omt_status first_resize(const omt_clip *clip, int32_t factor, omt_frames *out,
                               uint8_t **data, omt_error *err)
{
	double share = CLIP_TOTAL / clip->count * 2;
	double most = share < CLIP_MAX ? share : CLIP_MAX;
	most = most > floor(CLIP_MIN * 1.05) ? most : floor(CLIP_MIN * 1.05);
	*out = (omt_frames){.count = clip->count};
	OMT_TRY(omt_smart_resize(clip->height, clip->width, factor, CLIP_MIN, most, false,
	                         &out->height, &out->width, err));
	size_t in_size = (size_t)clip->height * (size_t)clip->width * 3;
	size_t out_size = (size_t)out->height * (size_t)out->width * 3;
	float *resized = malloc(out_size * sizeof *resized);
	omt_status status = OMT_OK;
	out->u8 = *data = malloc(out_size * (size_t)clip->count);
	if (!resized || !*data)
		status = OMT_FAIL(err, NO_MEMORY, "%d frames of %d x %d", clip->count, out->width,
		                  out->height);
	for (size_t frame = 0; status == OMT_OK && frame < (size_t)clip->count; frame++) {
		status = omt_resize_f32(clip->data + frame * in_size, clip->height, clip->width, 3,
		                        out->height, out->width, resized, err);
		if (status == OMT_OK)
			to_bytes(resized, out_size, *data + frame * out_size);
	}
	free(resized);
	if (status != OMT_OK)
		free(*data);
	return status;
}

/* The processor's resize: to f32 values where the frames went through the card's first one, to 8
 * bits where they come as decoded. */
static omt_status last_resize(const omt_frames *in, bool to_f32, int32_t height, int32_t width,
                              void *out, omt_error *err)
{
	size_t in_size = (size_t)in->height * (size_t)in->width * 3;
	size_t out_size = (size_t)height * (size_t)width * 3;
	omt_status status = OMT_OK;
	for (size_t frame = 0; status == OMT_OK && frame < (size_t)in->count; frame++) {
		const uint8_t *from = in->u8 + frame * in_size;
		if (to_f32)
			status = omt_resize_f32(from, in->height, in->width, 3, height, width,
			                        (float *)out + frame * out_size, err);
		else
			status = omt_resize_u8(from, in->height, in->width, 3, height, width,
			                       (uint8_t *)out + frame * out_size, err);
	}
	return status;
}

omt_status omt_prep_clip(const omt_prep_config *config, const omt_limits *limits,
                         const omt_clip *clip, omt_patches *patches, omt_error *err)
{
	int32_t factor = config->patch_size * config->merge_size, height, width;
	bool twice = limits->recipe == OMT_RECIPE_CARD;
	uint8_t *first = NULL;
	void *last = NULL;
	omt_status status = OMT_OK;
	omt_frames frames = {clip->count, clip->height, clip->width, clip->data};
	*patches = (omt_patches){0};
	if (twice)
		OMT_TRY(first_resize(clip, factor, &frames, &first, err));
	OMT_GOTO(omt_smart_resize(frames.height, frames.width, factor,
	                          (double)limits->video_min_pixels,
	                          (double)limits->video_max_pixels, true, &height, &width, err));
	size_t values = (size_t)frames.count * (size_t)height * (size_t)width * 3;
	last = malloc(values * (twice ? sizeof(float) : 1));
	if (!last) {
		status = OMT_FAIL(err, NO_MEMORY, "%d frames of %d x %d", frames.count, width,
		                  height);
		goto done;
	}
	OMT_GOTO(last_resize(&frames, twice, height, width, last, err));
	if (twice)
		normalise(config, last, values);
	give(config, frames.count, height, width, twice, last, patches);
	last = NULL;
	patches->seconds_per_grid = config->temporal_patch_size / limits->fps;
done:
	free(first);
	free(last);
	return status;
}
