#include "media/scenes.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/convert.h"

/* Rows of the frame before and of this one, without what lies between rows. */
typedef struct omt_scene_scorer {
	const omt_demux *demux;
	omt_converter converter;
	uint8_t *rows[2];
	size_t room;
	int32_t width, height, format; /* of the frame before */
	double mean_before;
	double *scores;
	int32_t total, seen;
} omt_scene_scorer;

/* Bits of a sample of the luma plane as it lies; 0: the frame is brought to RGB. */
static int luma_bits(const AVPixFmtDescriptor *format)
{
	const AVComponentDescriptor *luma = &format->comp[0];
	const uint64_t others = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE |
	                        AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
	                        AV_PIX_FMT_FLAG_FLOAT;
	const int step = luma->depth > 8 ? 2 : 1;
	return format->flags & others || luma->plane || luma->shift || luma->offset ||
	                       luma->step != step || luma->depth > 16
	               ? 0
	               : luma->depth;
}

static uint64_t difference_8(const uint8_t *restrict a, const uint8_t *restrict b, size_t count)
{
	uint64_t all = 0;
	while (count) {
		const size_t block = count < 65536 ? count : 65536;
		uint32_t sum = 0;
		for (size_t i = 0; i < block; i++)
			sum += (uint32_t)abs(a[i] - b[i]);
		all += sum;
		a += block;
		b += block;
		count -= block;
	}
	return all;
}

static uint64_t difference_16(const uint8_t *a, const uint8_t *b, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		uint16_t x, y;
		memcpy(&x, a + 2 * i, sizeof x);
		memcpy(&y, b + 2 * i, sizeof y);
		sum += (uint64_t)abs(x - y);
	}
	return sum;
}

static omt_status take_rows(omt_scene_scorer *in, const AVFrame *frame, int bits, size_t bytes,
                            omt_error *err)
{
	const size_t dense = bytes / (size_t)frame->height;
	if (!bits)
		return omt_convert_frame(in->demux, &in->converter, frame, frame->width,
		                         frame->height, in->rows[1], err);
	for (int y = 0; y < frame->height; y++)
		memcpy(in->rows[1] + (size_t)y * dense,
		       frame->data[0] + (ptrdiff_t)y * frame->linesize[0], dense);
	return OMT_OK;
}

/* Room for both frames; what was there is lost. */
static omt_status make_room(omt_scene_scorer *in, size_t bytes, omt_error *err)
{
	omt_converter_free(&in->converter);
	in->converter = (omt_converter){0};
	for (int i = 0; i < 2; i++) {
		free(in->rows[i]);
		in->rows[i] = malloc(bytes);
		if (!in->rows[i])
			return OMT_FAIL(err, NO_MEMORY, "%s: a frame of %zu bytes", in->demux->path,
			                bytes);
	}
	in->room = bytes;
	return OMT_OK;
}

/* Mean difference of the samples of two frames, 0 to 255, less of it and its change since the frame
 * before, over 100: a cut stands out, motion does not. */
static omt_status score(void *user, const AVFrame *frame, bool *more, omt_error *err)
{
	omt_scene_scorer *in = user;
	const int bits = luma_bits(av_pix_fmt_desc_get(frame->format));
	const size_t samples =
		(size_t)frame->width * (size_t)frame->height * (size_t)(bits ? 1 : 3);
	const size_t bytes = samples * (bits > 8 ? 2 : 1);
	const bool same = in->room && frame->width == in->width && frame->height == in->height &&
	                  frame->format == in->format;
	if (!same)
		OMT_TRY(make_room(in, bytes, err));
	OMT_TRY(take_rows(in, frame, bits, bytes, err));
	double mean = 0;
	if (same) {
		const uint64_t sum = bits > 8 ? difference_16(in->rows[0], in->rows[1], samples)
		                              : difference_8(in->rows[0], in->rows[1], samples);
		mean = (double)sum / (double)samples / (double)(1 << (bits > 8 ? bits - 8 : 0));
		const double change = fabs(mean - in->mean_before);
		const double least = mean < change ? mean : change;
		in->scores[in->seen] = least < 100 ? least / 100 : 1;
	}
	uint8_t *rows = in->rows[0];
	in->rows[0] = in->rows[1];
	in->rows[1] = rows;
	in->width = frame->width;
	in->height = frame->height;
	in->format = frame->format;
	in->mean_before = mean;
	*more = ++in->seen < in->total;
	return OMT_OK;
}

omt_status omt_scenes_score(omt_demux *demux, int stream, double *scores, int32_t total,
                            omt_error *err)
{
	omt_status status;
	AVCodecContext *decoder = NULL;
	omt_scene_scorer in = {.demux = demux, .scores = scores, .total = total};
	OMT_GOTO(omt_decoder_open(demux, stream, &decoder, err));
	OMT_GOTO(omt_decode(demux, decoder, stream, score, &in, err));
done:
	omt_converter_free(&in.converter);
	free(in.rows[0]);
	free(in.rows[1]);
	avcodec_free_context(&decoder);
	return status;
}
