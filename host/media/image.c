#include <stdlib.h>
#include <string.h>

#include "media/convert.h"
#include "media/exif.h"
#include "media/jpeg.h"
#include "media/webp.h"

typedef struct omt_picture_reader {
	const omt_demux *demux;
	const omt_limits *limits;
	omt_image *image;
} omt_picture_reader;

static omt_status check_size(const omt_demux *demux, const omt_limits *limits, int width,
                             int height, omt_error *err)
{
	if ((int64_t)width * height > limits->max_source_pixels)
		return OMT_FAIL(err, LIMIT,
		                "%s: %d x %d pixels, the limit is %lld "
		                "(max_source_pixels)",
		                demux->path, width, height, (long long)limits->max_source_pixels);
	return OMT_OK;
}

/* A PNG of colour type 2 has one transparent colour at most, which PIL does not look at. */
static bool is_opaque_png(const omt_demux *demux)
{
	return demux->bytes > 25 && !memcmp(demux->data, "\x89PNG", 4) && demux->data[25] == 2;
}

static omt_status take_first(void *user, const AVFrame *frame, bool *more, omt_error *err)
{
	omt_picture_reader *in = user;
	bool drop_alpha = in->limits->apply_exif || is_opaque_png(in->demux);
	*more = false;
	OMT_TRY(check_size(in->demux, in->limits, frame->width, frame->height, err));
	in->image->width = frame->width;
	in->image->height = frame->height;
	in->image->data = malloc((size_t)frame->width * (size_t)frame->height * 3);
	if (!in->image->data)
		return OMT_FAIL(err, NO_MEMORY, "%s: %d x %d pixels", in->demux->path, frame->width,
		                frame->height);
	return omt_convert_picture(in->demux, frame, drop_alpha, in->image->data, err);
}

/* Turns and mirrors as PIL's ImageOps.exif_transpose: orientation says how the stored rows lie. */
static omt_status turn(const char *path, omt_image *image, int orientation, omt_error *err)
{
	int32_t width = image->width, height = image->height;
	bool transpose = orientation >= 5;
	bool flip_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
	bool flip_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
	if (orientation < 2 || orientation > 8)
		return OMT_OK;
	uint8_t *turned = malloc((size_t)width * (size_t)height * 3), *to = turned;
	if (!turned)
		return OMT_FAIL(err, NO_MEMORY, "%s: %d x %d pixels", path, width, height);
	image->width = transpose ? height : width;
	image->height = transpose ? width : height;
	for (int32_t y = 0; y < image->height; y++)
		for (int32_t x = 0; x < image->width; x++, to += 3) {
			int32_t u = flip_x ? image->width - 1 - x : x;
			int32_t v = flip_y ? image->height - 1 - y : y;
			int32_t column = transpose ? v : u, row = transpose ? u : v;
			memcpy(to, image->data + ((size_t)row * (size_t)width + (size_t)column) * 3,
			       3);
		}
	free(image->data);
	image->data = turned;
	return OMT_OK;
}

/* All pictures but JPEG. */
static omt_status decode_picture(omt_demux *demux, const omt_limits *limits, omt_image *image,
                                 omt_error *err)
{
	AVCodecContext *decoder;
	omt_picture_reader in = {.demux = demux, .limits = limits, .image = image};
	int stream = omt_demux_stream(demux, AVMEDIA_TYPE_VIDEO);
	if (stream < 0)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no picture in it", demux->path);
	if (omt_webp_moves(demux))
		return OMT_FAIL(err, UNSUPPORTED, "%s: an animated WebP", demux->path);
	const AVCodecParameters *size = demux->format->streams[stream]->codecpar;
	OMT_TRY(check_size(demux, limits, size->width, size->height, err));
	OMT_TRY(omt_decoder_open(demux, stream, &decoder, err));
	omt_status status = omt_decode(demux, decoder, stream, take_first, &in, err);
	avcodec_free_context(&decoder);
	if (status == OMT_OK && !image->data)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no picture could be decoded", demux->path);
	return status;
}

omt_status omt_media_image(const char *path, const omt_limits *limits, omt_image *image,
                           omt_error *err)
{
	omt_status status;
	omt_demux demux;
	*image = (omt_image){0};
	OMT_TRY(omt_demux_open(path, limits, &demux, err));
	if (omt_jpeg_is(&demux))
		OMT_GOTO(omt_jpeg_decode(&demux, limits, image, err));
	else
		OMT_GOTO(decode_picture(&demux, limits, image, err));
	if (limits->apply_exif)
		OMT_GOTO(turn(path, image, omt_exif_orientation(demux.data, demux.bytes), err));
done:
	if (status != OMT_OK) {
		free(image->data);
		*image = (omt_image){0};
	}
	omt_demux_close(&demux);
	return status;
}

/* ---- what a file is ----------------------------------------------------------------------- */

/* FFmpeg's demuxers of single pictures end in _pipe; GIF and APNG may move, their first frame is
 * taken, and pictures in MP4's clothes are told by their brand. */
static bool is_picture_format(const AVFormatContext *format)
{
	static const char *const brands[] = {"avif", "heic", "heix", "mif1"};
	const char *name = format->iformat->name;
	const AVDictionaryEntry *brand = av_dict_get(format->metadata, "major_brand", NULL, 0);
	size_t length = strlen(name);
	for (size_t i = 0; brand && i < sizeof brands / sizeof *brands; i++)
		if (!strcmp(brand->value, brands[i]))
			return true;
	return (length > 5 && !strcmp(name + length - 5, "_pipe")) || !strcmp(name, "gif") ||
	       !strcmp(name, "apng");
}

omt_status omt_file_kind(const char *path, omt_kind *kind, omt_error *err)
{
	omt_demux demux;
	omt_limits limits;
	omt_limits_init(&limits);
	OMT_TRY(omt_demux_open(path, &limits, &demux, err));
	omt_status status = OMT_OK;
	int video = omt_demux_stream(&demux, AVMEDIA_TYPE_VIDEO);
	int audio = omt_demux_stream(&demux, AVMEDIA_TYPE_AUDIO);
	bool cover = video >= 0 &&
	             demux.format->streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC;
	if (video >= 0 && !cover)
		*kind = is_picture_format(demux.format) ? OMT_IMAGE : OMT_VIDEO;
	else if (audio >= 0)
		*kind = OMT_AUDIO;
	else
		status = OMT_FAIL(err, BAD_FORMAT, "%s: neither picture nor sound in it", path);
	omt_demux_close(&demux);
	return status;
}
