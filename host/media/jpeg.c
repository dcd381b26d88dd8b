#include "media/jpeg.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* jpeglib.h wants FILE declared. */
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

/* One decoding: lives outside of the function that calls setjmp, so that a jump leaves it whole. */
typedef struct omt_jpeg {
	struct jpeg_error_mgr errors; /* first: on_error() gets its address */
	struct jpeg_decompress_struct info;
	const omt_demux *demux;
	const omt_limits *limits;
	omt_image *image;
	uint8_t *line; /* grey or CMYK, as stored */
	jmp_buf jump;
	char text[JMSG_LENGTH_MAX];
} omt_jpeg;

static void on_error(j_common_ptr info)
{
	omt_jpeg *in = (omt_jpeg *)(void *)info->err;
	in->errors.format_message(info, in->text);
	longjmp(in->jump, 1);
}

/* Warnings are for damaged data that can be shown; an end before the end is not. */
static void on_message(j_common_ptr info, int level)
{
	if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF)
		on_error(info);
}

static void on_output(j_common_ptr info)
{
	(void)info;
}

bool omt_jpeg_is(const omt_demux *demux)
{
	return demux->bytes > 3 && !memcmp(demux->data, "\xff\xd8\xff", 3);
}

/* x * y / 255, rounded, in PIL's integers. */
static int scale_255(int x, int y)
{
	int product = x * y + 128;
	return ((product >> 8) + product) >> 8;
}

/* A line of grey or CMYK to RGB. */
static void convert_line(const uint8_t *line, int channels, size_t width, uint8_t *rgb)
{
	for (size_t x = 0; x < width; x++, line += channels, rgb += 3) {
		if (channels == 1) {
			rgb[0] = rgb[1] = rgb[2] = line[0];
		} else { /* CMYK, stored inverted */
			for (int c = 0; c < 3; c++)
				rgb[c] = (uint8_t)(line[3] - scale_255(255 - line[c], line[3]));
		}
	}
}

/* libjpeg may jump out of here. */
static omt_status decode(omt_jpeg *in, omt_error *err)
{
	struct jpeg_decompress_struct *info = &in->info;
	omt_image *image = in->image;
	jpeg_create_decompress(info);
	jpeg_mem_src(info, in->demux->data, (unsigned long)in->demux->bytes);
	(void)jpeg_read_header(info, TRUE);
	if ((int64_t)info->image_width * info->image_height > in->limits->max_source_pixels)
		return OMT_FAIL(err, LIMIT,
		                "%s: %u x %u pixels, the limit is %lld (max_source_pixels)",
		                in->demux->path, info->image_width, info->image_height,
		                (long long)in->limits->max_source_pixels);
	if (info->num_components == 4)
		info->out_color_space = JCS_CMYK;
	(void)jpeg_start_decompress(info);
	size_t width = info->output_width, height = info->output_height;
	int channels = info->output_components;
	if (channels != 1 && channels != 3 && channels != 4)
		return OMT_FAIL(err, UNSUPPORTED, "%s: JPEG of %d components", in->demux->path,
		                channels);
	image->width = (int32_t)width;
	image->height = (int32_t)height;
	image->data = malloc(width * height * 3);
	/* RGB is decoded where it stays. */
	in->line = channels == 3 ? NULL : malloc(width * (size_t)channels);
	if (!image->data || (channels != 3 && !in->line))
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu x %zu pixels", in->demux->path, width,
		                height);
	while (info->output_scanline < height) {
		uint8_t *to = image->data + (size_t)info->output_scanline * width * 3;
		JSAMPROW row = in->line ? in->line : to;
		(void)jpeg_read_scanlines(info, &row, 1);
		if (in->line)
			convert_line(in->line, channels, width, to);
	}
	return OMT_OK;
}

static omt_status decode_or_land(omt_jpeg *in, omt_error *err)
{
	if (setjmp(in->jump))
		return OMT_FAIL(err, BAD_FORMAT, "%s: damaged JPEG: %s", in->demux->path, in->text);
	return decode(in, err);
}

omt_status omt_jpeg_decode(const omt_demux *demux, const omt_limits *limits, omt_image *image,
                           omt_error *err)
{
	omt_jpeg in = {.demux = demux, .limits = limits, .image = image};
	*image = (omt_image){0};
	in.info.err = jpeg_std_error(&in.errors);
	in.errors.error_exit = on_error;
	in.errors.emit_message = on_message;
	in.errors.output_message = on_output;
	omt_status status = decode_or_land(&in, err);
	jpeg_destroy_decompress(&in.info);
	free(in.line);
	if (status != OMT_OK) {
		free(image->data);
		*image = (omt_image){0};
	}
	return status;
}
