#include <stdlib.h>
#include <string.h>

#include "media/convert.h"
#include "media/jpeg.h"

typedef struct omt_picture_reader {
	const omt_demux *demux;
	const omt_limits *limits;
	omt_image *image;
	int orientation; /* EXIF, 1 to 8 */
} omt_picture_reader;

static omt_status check_size(const omt_demux *demux, const omt_limits *limits, int width,
                             int height, omt_error *err)
{
	int64_t pixels = (int64_t)width * height;
	if (pixels > limits->max_source_pixels)
		return OMT_FAIL(err, LIMIT,
		                "%s: %d x %d pixels, the limit is %lld "
		                "(max_source_pixels)",
		                demux->path, width, height, (long long)limits->max_source_pixels);
	return OMT_OK;
}

static omt_status take_first(void *user, const AVFrame *frame, bool *more, omt_error *err)
{
	omt_picture_reader *in = user;
	const AVDictionaryEntry *turn = av_dict_get(frame->metadata, "Orientation", NULL, 0);
	*more = false;
	OMT_TRY(check_size(in->demux, in->limits, frame->width, frame->height, err));
	in->image->width = frame->width;
	in->image->height = frame->height;
	in->image->data = malloc((size_t)frame->width * (size_t)frame->height * 3);
	if (!in->image->data)
		return OMT_FAIL(err, NO_MEMORY, "%s: %d x %d pixels", in->demux->path, frame->width,
		                frame->height);
	in->orientation = turn ? atoi(turn->value) : 1;
	return omt_convert_picture(in->demux, frame, in->limits->apply_exif, in->image->data, err);
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

omt_status omt_media_image(const char *path, const omt_limits *limits, omt_image *image,
                           omt_error *err)
{
	omt_status status;
	omt_demux demux;
	AVCodecContext *decoder = NULL;
	*image = (omt_image){0};
	OMT_TRY(omt_demux_open(path, limits, &demux, err));
	omt_picture_reader in = {.demux = &demux, .limits = limits, .image = image};
	int stream = omt_demux_stream(&demux, AVMEDIA_TYPE_VIDEO);
	if (stream < 0) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no picture in it", path);
		goto done;
	}
	const AVCodecParameters *size = demux.format->streams[stream]->codecpar;
	OMT_GOTO(check_size(&demux, limits, size->width, size->height, err));
	/* FFmpeg knows the orientation of a JPEG, libjpeg has its pixels. */
	if (!omt_jpeg_is(&demux) || limits->apply_exif) {
		OMT_GOTO(omt_decoder_open(&demux, stream, &decoder, err));
		OMT_GOTO(omt_decode(&demux, decoder, stream, take_first, &in, err));
	}
	if (omt_jpeg_is(&demux)) {
		free(image->data);
		OMT_GOTO(omt_jpeg_decode(&demux, limits, image, err));
	}
	if (!image->data) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no picture could be decoded", path);
		goto done;
	}
	if (limits->apply_exif)
		OMT_GOTO(turn(path, image, in.orientation, err));
done:
	if (status != OMT_OK) {
		free(image->data);
		*image = (omt_image){0};
	}
	avcodec_free_context(&decoder);
	omt_demux_close(&demux);
	return status;
}

/* ---- what a file is
 * ---------------------------------------------------------------------------------- */

omt_status omt_file_kind(const char *path, omt_kind *kind, omt_error *err)
{
	omt_demux demux;
	omt_limits limits;
	omt_limits_init(&limits);
	OMT_TRY(omt_demux_open(path, &limits, &demux, err));
	omt_status status = OMT_OK;
	int video = omt_demux_stream(&demux, AVMEDIA_TYPE_VIDEO);
	int audio = omt_demux_stream(&demux, AVMEDIA_TYPE_AUDIO);
	const char *format = demux.format->iformat->name;
	size_t length = strlen(format);
	bool cover = video >= 0 &&
	             demux.format->streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC;
	/* FFmpeg's demuxers of single pictures end in _pipe; GIF may move, its first frame is
	 * taken. */
	if (video >= 0 && !cover)
		*kind = (length > 5 && !strcmp(format + length - 5, "_pipe")) ||
		                        !strcmp(format, "gif")
		                ? OMT_IMAGE
		                : OMT_VIDEO;
	else if (audio >= 0)
		*kind = OMT_AUDIO;
	else
		status = OMT_FAIL(err, BAD_FORMAT, "%s: neither picture nor sound in it", path);
	omt_demux_close(&demux);
	return status;
}
