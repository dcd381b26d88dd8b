#include "media/convert.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>

/* Coefficients and range as the frame says; swscale would take BT.601 for all. */
static void set_colours(struct SwsContext *scaler, const AVFrame *frame)
{
	const int *coefficients = sws_getCoefficients(frame->colorspace);
	sws_setColorspaceDetails(scaler, coefficients, frame->color_range == AVCOL_RANGE_JPEG,
	                         sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
}

omt_status omt_convert_frame(const omt_demux *demux, struct SwsContext **scaler,
                             const AVFrame *frame, int32_t width, int32_t height, uint8_t *rgb,
                             omt_error *err)
{
	uint8_t *planes[4] = {rgb};
	int strides[4] = {3 * width};
	*scaler = sws_getCachedContext(*scaler, frame->width, frame->height, frame->format, width,
	                               height, AV_PIX_FMT_RGB24, SWS_BILINEAR, NULL, NULL, NULL);
	if (!*scaler)
		return OMT_FAIL(err, UNSUPPORTED, "%s: frames of format %s to RGB", demux->path,
		                av_get_pix_fmt_name(frame->format));
	set_colours(*scaler, frame);
	int code = sws_scale(*scaler, (const uint8_t *const *)frame->data, frame->linesize, 0,
	                     frame->height, planes, strides);
	if (code < 0)
		return omt_av_fail(demux, "to RGB", code, err);
	return OMT_OK;
}

/* PIL's paste over white: x * a + 255 * (255 - a), divided by 255 and rounded. */
static uint8_t over_white(uint8_t value, uint8_t alpha)
{
	uint32_t sum = (uint32_t)value * alpha + 255u * (255u - alpha) + 128;
	return (uint8_t)(((sum >> 8) + sum) >> 8);
}

/* Palette entries are 0xAARRGGBB; PIL's convert() of palette pictures knows no alpha. */
static void convert_palette(const AVFrame *frame, uint8_t *rgb)
{
	const uint32_t *palette = (const uint32_t *)(const void *)frame->data[1];
	for (int y = 0; y < frame->height; y++) {
		const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
		for (int x = 0; x < frame->width; x++, rgb += 3) {
			rgb[0] = (uint8_t)(palette[row[x]] >> 16);
			rgb[1] = (uint8_t)(palette[row[x]] >> 8);
			rgb[2] = (uint8_t)palette[row[x]];
		}
	}
}

static void convert_grey(const AVFrame *frame, uint8_t *rgb)
{
	for (int y = 0; y < frame->height; y++) {
		const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
		for (int x = 0; x < frame->width; x++, rgb += 3)
			rgb[0] = rgb[1] = rgb[2] = row[x];
	}
}

omt_status omt_convert_picture(const omt_demux *demux, const AVFrame *frame, bool drop_alpha,
                               uint8_t *rgb, omt_error *err)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
	if (frame->format == AV_PIX_FMT_PAL8) {
		convert_palette(frame, rgb);
		return OMT_OK;
	}
	if (frame->format == AV_PIX_FMT_GRAY8) {
		convert_grey(frame, rgb);
		return OMT_OK;
	}
	/* Grey with alpha is PIL's LA, whose conversion drops the alpha too. */
	bool alpha = format && format->flags & AV_PIX_FMT_FLAG_ALPHA &&
	             format->nb_components == 4 && !drop_alpha;
	size_t pixels = (size_t)frame->width * (size_t)frame->height;
	uint8_t *rgba = alpha ? malloc(4 * pixels) : NULL;
	if (alpha && !rgba)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu pixels", demux->path, pixels);
	uint8_t *planes[4] = {alpha ? rgba : rgb};
	int strides[4] = {(alpha ? 4 : 3) * frame->width};
	/* Chroma at full resolution and exact rounding. */
	struct SwsContext *scaler = sws_getContext(
		frame->width, frame->height, frame->format, frame->width, frame->height,
		alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24,
		SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND, NULL,
		NULL, NULL);
	omt_status status = OMT_OK;
	int code = -1;
	if (scaler)
		code = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0,
		                 frame->height, planes, strides);
	if (code < 0)
		status = OMT_FAIL(err, UNSUPPORTED, "%s: a picture of format %s to RGB",
		                  demux->path, format ? format->name : "?");
	for (size_t i = 0; alpha && status == OMT_OK && i < pixels; i++)
		for (size_t c = 0; c < 3; c++)
			rgb[3 * i + c] = over_white(rgba[4 * i + c], rgba[4 * i + 3]);
	sws_freeContext(scaler);
	free(rgba);
	return status;
}
