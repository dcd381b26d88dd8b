#include "media/jpeg.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* jpeglib.h wants FILE declared. */
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

typedef struct omt_jpeg_error {
	struct jpeg_error_mgr base;
	jmp_buf jump;
	char text[JMSG_LENGTH_MAX];
} omt_jpeg_error;

static void on_error(j_common_ptr info)
{
	omt_jpeg_error *error = (omt_jpeg_error *)info->err;
	error->base.format_message(info, error->text);
	longjmp(error->jump, 1);
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

/* A line of stored values to RGB, in place of three bytes a pixel. */
static void convert_line(const uint8_t *line, int channels, size_t width, uint8_t *rgb)
{
	for (size_t x = 0; x < width; x++, line += channels, rgb += 3) {
		if (channels == 1) {
			rgb[0] = rgb[1] = rgb[2] = line[0];
		} else if (channels == 3) {
			memcpy(rgb, line, 3);
		} else { /* CMYK, stored inverted */
			for (int c = 0; c < 3; c++)
				rgb[c] = (uint8_t)(line[3] - scale_255(255 - line[c], line[3]));
		}
	}
}

/* The part that libjpeg may jump out of; what it allocates lies in *info, *line and *image. */
static omt_status decode(const omt_demux *demux, const omt_limits *limits,
                         struct jpeg_decompress_struct *info, uint8_t **line, omt_image *image,
                         omt_error *err)
{
	jpeg_mem_src(info, demux->data, (unsigned long)demux->bytes);
	(void)jpeg_read_header(info, TRUE);
	if ((int64_t)info->image_width * info->image_height > limits->max_source_pixels)
		return OMT_FAIL(err, LIMIT,
		                "%s: %u x %u pixels, the limit is %lld "
		                "(max_source_pixels)",
		                demux->path, info->image_width, info->image_height,
		                (long long)limits->max_source_pixels);
	if (info->num_components == 4)
		info->out_color_space = JCS_CMYK;
	(void)jpeg_start_decompress(info);
	size_t width = info->output_width, height = info->output_height;
	if (info->output_components != 1 && info->output_components != 3 &&
	    info->output_components != 4)
		return OMT_FAIL(err, UNSUPPORTED, "%s: JPEG of %d components", demux->path,
		                info->output_components);
	image->width = (int32_t)width;
	image->height = (int32_t)height;
	image->data = malloc(width * height * 3);
	*line = malloc(width * (size_t)info->output_components);
	if (!image->data || !*line)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu x %zu pixels", demux->path, width, height);
	while (info->output_scanline < height) {
		uint8_t *to = image->data + (size_t)info->output_scanline * width * 3;
		(void)jpeg_read_scanlines(info, line, 1);
		convert_line(*line, info->output_components, width, to);
	}
	return OMT_OK;
}

omt_status omt_jpeg_decode(const omt_demux *demux, const omt_limits *limits, omt_image *image,
                           omt_error *err)
{
	struct jpeg_decompress_struct info;
	omt_jpeg_error error;
	uint8_t *line = NULL;
	omt_status status;
	*image = (omt_image){0};
	info.err = jpeg_std_error(&error.base);
	error.base.error_exit = on_error;
	error.base.emit_message = on_message;
	error.base.output_message = on_output;
	jpeg_create_decompress(&info);
	/* All that is needed after a jump lies behind pointers. */
	if (setjmp(error.jump))
		status = OMT_FAIL(err, BAD_FORMAT, "%s: damaged JPEG: %s", demux->path, error.text);
	else
		status = decode(demux, limits, &info, &line, image, err);
	jpeg_destroy_decompress(&info);
	free(line);
	if (status != OMT_OK) {
		free(image->data);
		*image = (omt_image){0};
	}
	return status;
}
