#include <stdlib.h>
#include <string.h>

#include "media/convert.h"
#include "media/scenes.h"
#include "media/sound.h"
#include "media/subtitles.h"

struct omt_video {
	char *path;
	omt_demux demux;
	omt_limits limits;
	omt_clip_info info;
	int stream;
};

/* Whether decoding the packet gives a frame. VP8 keeps its hidden reference frames in packets of
 * their own (RFC 6386, section 9.1: show_frame); other codecs have one frame a packet. */
static bool is_shown(const AVPacket *packet, enum AVCodecID codec)
{
	if (!packet->size || packet->flags & AV_PKT_FLAG_DISCARD)
		return false;
	return codec != AV_CODEC_ID_VP8 || packet->data[0] & 0x10;
}

/* Counts packets and time stamps in one pass without decoding. */
static omt_status scan(omt_video *video, omt_error *err)
{
	omt_demux *demux = &video->demux;
	const AVStream *stream = demux->format->streams[video->stream];
	AVPacket *packet = av_packet_alloc();
	int64_t begin = INT64_MAX, end = INT64_MIN;
	int code;
	if (!packet)
		return OMT_FAIL(err, NO_MEMORY, "%s", video->path);
	while ((code = av_read_frame(demux->format, packet)) >= 0) {
		if (packet->stream_index == video->stream &&
		    is_shown(packet, stream->codecpar->codec_id)) {
			video->info.total++;
			if (packet->pts != AV_NOPTS_VALUE) {
				begin = packet->pts < begin ? packet->pts : begin;
				end = packet->pts + packet->duration > end
				              ? packet->pts + packet->duration
				              : end;
			}
		}
		av_packet_unref(packet);
	}
	av_packet_free(&packet);
	if (code != AVERROR_EOF)
		return omt_av_fail(demux, "truncated or damaged", code, err);
	double seconds = end > begin ? (double)(end - begin) * av_q2d(stream->time_base) : 0;
	if (video->limits.max_seconds > 0 && seconds > video->limits.max_seconds)
		return OMT_FAIL(err, LIMIT, "%s: %.3f seconds, the limit is %.3f (max_seconds)",
		                video->path, seconds, video->limits.max_seconds);
	video->info.header_fps = av_q2d(stream->avg_frame_rate);
	if (seconds > 0)
		video->info.content_fps = video->info.total / seconds;
	/* A container without a rate: the time stamps have to do. */
	if (!(video->info.header_fps > 0))
		video->info.header_fps = video->info.content_fps;
	if (!video->info.total || !(video->info.header_fps > 0))
		return OMT_FAIL(err, BAD_FORMAT, "%s: no frames, or no frame rate", video->path);
	return OMT_OK;
}

omt_status omt_video_open(const char *path, const omt_limits *limits, omt_video **given,
                          omt_clip_info *info, omt_error *err)
{
	omt_status status;
	*given = NULL;
	omt_video *video = calloc(1, sizeof *video);
	if (!video || !(video->path = strdup(path))) {
		free(video);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	video->limits = *limits;
	OMT_GOTO(omt_demux_open(video->path, limits, &video->demux, err));
	video->stream = omt_demux_stream(&video->demux, AVMEDIA_TYPE_VIDEO);
	if (video->stream < 0) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no video in it", path);
		goto done;
	}
	const AVCodecParameters *size = video->demux.format->streams[video->stream]->codecpar;
	if (size->width < 1) /* a single picture */
		OMT_GOTO(omt_demux_examine(&video->demux, err));
	video->info.width = size->width;
	video->info.height = size->height;
	video->info.has_audio = omt_demux_stream(&video->demux, AVMEDIA_TYPE_AUDIO) >= 0;
	if (size->width < 1 || size->height < 1) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: frames of unknown size", path);
		goto done;
	}
	if ((int64_t)size->width * size->height > limits->max_source_pixels) {
		status = OMT_FAIL(err, LIMIT,
		                  "%s: frames of %d x %d pixels, the limit is %lld "
		                  "(max_source_pixels)",
		                  path, size->width, size->height,
		                  (long long)limits->max_source_pixels);
		goto done;
	}
	OMT_GOTO(scan(video, err));
	*info = video->info;
	*given = video;
	video = NULL;
done:
	omt_video_close(video);
	return status;
}

void omt_video_close(omt_video *video)
{
	if (!video)
		return;
	omt_demux_close(&video->demux);
	free(video->path);
	free(video);
}

typedef struct omt_frame_picker {
	const omt_video *video;
	const int32_t *indices;
	int32_t count, taken; /* indices[taken] is wanted next */
	int32_t seen;         /* frames decoded so far */
	omt_converter converter;
	omt_clip *clip;
} omt_frame_picker;

static omt_status pick(void *user, const AVFrame *frame, bool *more, omt_error *err)
{
	omt_frame_picker *in = user;
	size_t bytes = (size_t)in->clip->width * (size_t)in->clip->height * 3;
	int32_t index = in->seen++;
	uint8_t *first = NULL;
	for (; in->taken < in->count && in->indices[in->taken] == index; in->taken++) {
		uint8_t *to = in->clip->data + (size_t)in->taken * bytes;
		if (first)
			memcpy(to, first, bytes);
		else
			OMT_TRY(omt_convert_frame(&in->video->demux, &in->converter, frame,
			                          in->clip->width, in->clip->height, to, err));
		first = to;
	}
	*more = in->taken < in->count;
	return OMT_OK;
}

omt_status omt_video_frames(omt_video *video, const int32_t *indices, int32_t count, omt_clip *clip,
                            omt_error *err)
{
	omt_status status;
	AVCodecContext *decoder = NULL;
	size_t bytes = (size_t)video->info.width * (size_t)video->info.height * 3;
	*clip = (omt_clip){
		.count = count, .width = video->info.width, .height = video->info.height};
	omt_frame_picker in = {.video = video, .indices = indices, .count = count, .clip = clip};
	clip->data = malloc((size_t)count * bytes);
	if (!clip->data)
		return OMT_FAIL(err, NO_MEMORY, "%s: %d frames of %d x %d", video->path, count,
		                clip->width, clip->height);
	OMT_GOTO(omt_demux_rewind(&video->demux, err));
	OMT_GOTO(omt_decoder_open(&video->demux, video->stream, &decoder, err));
	OMT_GOTO(omt_decode(&video->demux, decoder, video->stream, pick, &in, err));
	if (in.taken < count)
		status =
			OMT_FAIL(err, BAD_FORMAT,
		                 "%s: only %d of %d frames could be decoded (truncated or damaged)",
		                 video->path, in.seen, video->info.total);
done:
	omt_converter_free(&in.converter);
	avcodec_free_context(&decoder);
	if (status != OMT_OK) {
		free(clip->data);
		*clip = (omt_clip){0};
	}
	return status;
}

omt_status omt_video_sound(omt_video *video, const omt_limits *limits, omt_sound *sound,
                           omt_error *err)
{
	OMT_TRY(omt_demux_rewind(&video->demux, err));
	return omt_sound_decode(&video->demux, limits, sound, err);
}

omt_status omt_video_scores(omt_video *video, double **scores, omt_error *err)
{
	*scores = calloc((size_t)video->info.total, sizeof **scores);
	if (!*scores)
		return OMT_FAIL(err, NO_MEMORY, "%s: %d frames", video->path, video->info.total);
	omt_status status = omt_demux_rewind(&video->demux, err);
	if (status == OMT_OK)
		status = omt_scenes_score(&video->demux, video->stream, *scores, video->info.total,
		                          err);
	if (status != OMT_OK) {
		free(*scores);
		*scores = NULL;
	}
	return status;
}

omt_status omt_video_words(omt_video *video, const omt_limits *limits, omt_words *words,
                           omt_error *err)
{
	const char *language = limits->subtitle_language;
	const int stream = omt_subtitles_stream(&video->demux, language);
	*words = (omt_words){0};
	if (stream < 0)
		return OMT_OK;
	OMT_TRY(omt_demux_rewind(&video->demux, err));
	return omt_subtitles_decode(&video->demux, stream, limits->max_characters, words, err);
}
