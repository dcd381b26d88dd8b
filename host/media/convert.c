#include "media/convert.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#include "media/gif.h"
#include "media/webp.h"

/* Coefficients and range as the frame says; swscale would take BT.601 for all. */
static void set_colours(struct SwsContext *scaler, const AVFrame *frame)
{
	const int *coefficients = sws_getCoefficients((int)frame->colorspace);
	sws_setColorspaceDetails(scaler, coefficients, frame->color_range == AVCOL_RANGE_JPEG,
	                         sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
}

/* Bytes a row for swscale to write `width` pixels into: its loops go by up to 32 pixels. */
static size_t row_bytes(int width, size_t pixel)
{
	return ((size_t)width + 63) / 64 * 64 * pixel;
}

omt_status omt_convert_frame(const omt_demux *demux, omt_converter *converter, const AVFrame *frame,
                             int32_t width, int32_t height, uint8_t *rgb, omt_error *err)
{
	if (!converter->rows) {
		converter->stride = row_bytes(width, 3);
		converter->rows = malloc(converter->stride * (size_t)height);
		if (!converter->rows)
			return OMT_FAIL(err, NO_MEMORY, "%s: a frame of %d x %d", demux->path,
			                width, height);
	}
	converter->scaler = sws_getCachedContext(converter->scaler, frame->width, frame->height,
	                                         frame->format, width, height, AV_PIX_FMT_RGB24,
	                                         SWS_BILINEAR, NULL, NULL, NULL);
	if (!converter->scaler)
		return OMT_FAIL(err, UNSUPPORTED, "%s: frames of format %s to RGB", demux->path,
		                av_get_pix_fmt_name(frame->format));
	set_colours(converter->scaler, frame);
	uint8_t *planes[4] = {converter->rows};
	int strides[4] = {(int)converter->stride};
	int code = sws_scale(converter->scaler, (const uint8_t *const *)frame->data,
	                     frame->linesize, 0, frame->height, planes, strides);
	if (code < 0)
		return omt_av_fail(demux, "to RGB", code, err);
	size_t dense = 3 * (size_t)width;
	for (size_t y = 0; y < (size_t)height; y++)
		memcpy(rgb + y * dense, converter->rows + y * converter->stride, dense);
	return OMT_OK;
}

void omt_converter_free(omt_converter *converter)
{
	sws_freeContext(converter->scaler);
	free(converter->rows);
}

/* Palette entries are 0xAARRGGBB; PIL's convert() of palette pictures knows no alpha. */
static void convert_palette(const AVFrame *frame, uint8_t *rgba)
{
	const uint32_t *palette = (const uint32_t *)(const void *)frame->data[1];
	for (int y = 0; y < frame->height; y++) {
		const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
		for (int x = 0; x < frame->width; x++, rgba += 4) {
			rgba[0] = (uint8_t)(palette[row[x]] >> 16);
			rgba[1] = (uint8_t)(palette[row[x]] >> 8);
			rgba[2] = (uint8_t)palette[row[x]];
			rgba[3] = 255;
		}
	}
}

/* Grey and RGB of up to 16 bits a component need no arithmetic that could differ. */
static bool is_plain(const AVPixFmtDescriptor *format)
{
	return (format->flags & AV_PIX_FMT_FLAG_RGB || format->nb_components <= 2) &&
	       !(format->flags & (AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER)) &&
	       format->comp[0].depth <= 16;
}

/* 8 bits of a component of `depth` bits as PIL: the upper ones. Grey of 16 bits alone is clipped
 * (PIL's mode I;16), not scaled. */
static uint8_t component(const AVPixFmtDescriptor *format, int c, uint16_t value)
{
	int depth = format->comp[c].depth;
	if (depth == 16 && format->nb_components == 1)
		return (uint8_t)(value > 255 ? 255 : value);
	return (uint8_t)(depth >= 8 ? value >> (depth - 8) : value * 255 / ((1 << depth) - 1));
}

/* Rows of `pixel` bytes a pixel, close together. */
static void copy_rows(const AVFrame *frame, size_t pixel, uint8_t *to)
{
	const size_t dense = (size_t)frame->width * pixel;
	for (int y = 0; y < frame->height; y++, to += dense)
		memcpy(to, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], dense);
}

static bool convert_plain(const AVFrame *frame, const AVPixFmtDescriptor *format, uint8_t *rgba)
{
	bool grey = format->nb_components <= 2;
	/* 8-bit grey with alpha is PIL's LA, whose conversion drops the alpha. */
	bool alpha = format->flags & AV_PIX_FMT_FLAG_ALPHA && !(grey && format->comp[0].depth == 8);
	uint8_t flip = frame->format == AV_PIX_FMT_MONOWHITE ? 255 : 0;
	size_t width = (size_t)frame->width;
	uint16_t *line = malloc(width * sizeof *line);
	if (!line)
		return false;
	for (int y = 0; y < frame->height; y++, rgba += 4 * width)
		for (int channel = 0; channel < 4; channel++) {
			int c = channel == 3 ? format->nb_components - 1 : grey ? 0 : channel;
			if (channel == 3 && !alpha) {
				for (size_t x = 0; x < width; x++)
					rgba[4 * x + 3] = 255;
				continue;
			}
			av_read_image_line2(line, (const uint8_t **)(uintptr_t)frame->data,
			                    frame->linesize, format, 0, y, c, frame->width, 0,
			                    sizeof *line);
			for (size_t x = 0; x < width; x++)
				rgba[4 * x + (size_t)channel] =
					component(format, c, line[x]) ^ flip;
		}
	free(line);
	return true;
}

/* Chroma at full resolution and exact rounding. */
static bool convert_yuv(const AVFrame *frame, uint8_t *rgba)
{
	size_t dense = 4 * (size_t)frame->width, stride = row_bytes(frame->width, 4);
	uint8_t *rows = malloc(stride * (size_t)frame->height);
	uint8_t *planes[4] = {rows};
	int strides[4] = {(int)stride}, code = -1;
	struct SwsContext *scaler = sws_getContext(frame->width, frame->height, frame->format,
	                                           frame->width, frame->height, AV_PIX_FMT_RGBA,
	                                           SWS_BILINEAR | SWS_FULL_CHR_H_INT |
	                                                   SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND,
	                                           NULL, NULL, NULL);
	if (rows && scaler) {
		set_colours(scaler, frame);
		code = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0,
		                 frame->height, planes, strides);
	}
	for (size_t y = 0; code >= 0 && y < (size_t)frame->height; y++)
		memcpy(rgba + y * dense, rows + y * stride, dense);
	sws_freeContext(scaler);
	free(rows);
	return code >= 0;
}

/* PIL's paste over white: x * a + 255 * (255 - a), divided by 255 and rounded. */
static uint8_t over_white(uint8_t value, uint8_t alpha)
{
	uint32_t sum = (uint32_t)value * alpha + 255u * (255u - alpha) + 128;
	return (uint8_t)(((sum >> 8) + sum) >> 8);
}

/* Gives transparent pixels of a GIF the colour of their palette entry. */
static void show_hidden(const omt_demux *demux, uint8_t *rgba, size_t pixels)
{
	uint8_t colour[3];
	if (!omt_gif_hidden(demux->data, demux->bytes, colour))
		return;
	for (size_t i = 0; i < pixels; i++)
		if (!rgba[4 * i + 3]) {
			memcpy(rgba + 4 * i, colour, 3);
			rgba[4 * i + 3] = 255;
		}
}

omt_status omt_convert_picture(const omt_demux *demux, const AVFrame *frame, bool drop_alpha,
                               uint8_t *rgb, omt_error *err)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
	size_t pixels = (size_t)frame->width * (size_t)frame->height;
	bool done = true;
	if (frame->format == AV_PIX_FMT_RGB24) {
		copy_rows(frame, 3, rgb);
		return OMT_OK;
	}
	uint8_t *rgba = malloc(4 * pixels);
	if (!rgba)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu pixels", demux->path, pixels);
	if (frame->format == AV_PIX_FMT_PAL8)
		convert_palette(frame, rgba);
	else if (frame->format == AV_PIX_FMT_RGBA)
		copy_rows(frame, 4, rgba);
	else if (omt_webp_is(demux) && format->log2_chroma_w)
		omt_webp_convert(frame, rgba);
	else if (is_plain(format))
		done = convert_plain(frame, format, rgba);
	else
		done = convert_yuv(frame, rgba);
	show_hidden(demux, rgba, pixels);
	for (size_t i = 0; done && i < pixels; i++)
		for (size_t c = 0; c < 3; c++)
			rgb[3 * i + c] = drop_alpha ? rgba[4 * i + c]
			                            : over_white(rgba[4 * i + c], rgba[4 * i + 3]);
	free(rgba);
	if (!done)
		return OMT_FAIL(err, UNSUPPORTED, "%s: a picture of format %s to RGB", demux->path,
		                format->name);
	return OMT_OK;
}
