#include "media/demux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/avstring.h>

#define IO_BUFFER  65536
#define WAV_PACKET 16384

omt_status omt_av_fail(const omt_demux *demux, const char *what, int code, omt_error *err)
{
	char reason[AV_ERROR_MAX_STRING_SIZE];
	if (code == AVERROR(ENOMEM))
		return OMT_FAIL(err, NO_MEMORY, "%s: %s", demux->path, what);
	return OMT_FAIL(err, BAD_FORMAT, "%s: %s: %s", demux->path, what,
	                av_make_error_string(reason, sizeof reason, code));
}

/* ---- bytes -------------------------------------------------------------------------------- */

static omt_status read_pipe(omt_demux *demux, int fd, int64_t max_bytes, omt_error *err)
{
	size_t room = 0;
	for (;;) {
		if (demux->bytes == room) {
			room = room ? 2 * room : 1 << 20;
			uint8_t *grown = realloc(demux->spooled, room);
			if (!grown)
				return OMT_FAIL(err, NO_MEMORY, "%s: %zu bytes", demux->path, room);
			demux->spooled = grown;
		}
		ssize_t got = read(fd, demux->spooled + demux->bytes, room - demux->bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return OMT_FAIL(err, IO, "%s: %s", demux->path, strerror(errno));
		if (!got)
			break;
		demux->bytes += (size_t)got;
		if (demux->bytes > (uint64_t)max_bytes)
			return OMT_FAIL(err, LIMIT, "%s: more than %lld bytes (max_bytes)",
			                demux->path, (long long)max_bytes);
	}
	demux->data = demux->spooled;
	return OMT_OK;
}

static omt_status read_bytes(omt_demux *demux, int64_t max_bytes, omt_error *err)
{
	struct stat info;
	if (!strcmp(demux->path, "-") || !strcmp(demux->path, "pipe:"))
		return read_pipe(demux, STDIN_FILENO, max_bytes, err);
	if (stat(demux->path, &info) != 0)
		return OMT_FAIL(err, IO, "%s: %s", demux->path, strerror(errno));
	if (S_ISREG(info.st_mode)) {
		if (info.st_size > max_bytes)
			return OMT_FAIL(err, LIMIT, "%s: %lld bytes, the limit is %lld (max_bytes)",
			                demux->path, (long long)info.st_size, (long long)max_bytes);
		OMT_TRY(omt_map_open(demux->path, &demux->map, err));
		demux->data = demux->map.data;
		demux->bytes = demux->map.bytes;
		return OMT_OK;
	}
	if (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode) && !S_ISSOCK(info.st_mode))
		return OMT_FAIL(err, IO, "%s: not a file", demux->path);
	int fd = open(demux->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return OMT_FAIL(err, IO, "%s: %s", demux->path, strerror(errno));
	omt_status status = read_pipe(demux, fd, max_bytes, err);
	close(fd);
	return status;
}

static int io_read(void *user, uint8_t *to, int size)
{
	omt_demux *demux = user;
	size_t left = demux->bytes - demux->at;
	size_t count = (size_t)size < left ? (size_t)size : left;
	if (!count)
		return AVERROR_EOF;
	memcpy(to, demux->data + demux->at, count);
	demux->at += count;
	return (int)count;
}

static int64_t io_seek(void *user, int64_t offset, int whence)
{
	omt_demux *demux = user;
	int64_t size = (int64_t)demux->bytes;
	if (whence == AVSEEK_SIZE)
		return size;
	whence &= ~AVSEEK_FORCE;
	int64_t base = whence == SEEK_CUR ? (int64_t)demux->at : whence == SEEK_END ? size : 0;
	if (offset < -base || offset > size - base)
		return AVERROR(EINVAL);
	demux->at = (size_t)(base + offset);
	return base + offset;
}

/* A film may name other files as its tracks. */
static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                       AVDictionary **options)
{
	(void)format;
	(void)io;
	(void)url;
	(void)flags;
	(void)options;
	return AVERROR(EPERM);
}

/* ---- the demuxer -------------------------------------------------------------------------- */

static void silence(void)
{
	av_log_set_level(AV_LOG_QUIET);
}

/* What is read. Left out are formats that name other files or addresses, and curiosities, whose
 * code nobody needs to reach with a file of a stranger. */
static const char formats[] =
	"jpeg_pipe,png_pipe,apng,webp_pipe,gif,bmp_pipe,tiff_pipe,pbm_pipe,pgm_pipe,ppm_pipe,"
	"pam_pipe,j2k_pipe,qoi_pipe,"
	"mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,obu,ivf,mjpeg,flv,asf,ogg,"
	"wav,w64,flac,mp3,aac,aiff,au,caf,ac3,eac3,amr,ape,wv,tta";

static const char cue_formats[] = "srt,webvtt,ass";

/* Tells the format by content; on success the bytes can be read from their start again. */
static omt_status find_format(const omt_demux *demux, const AVInputFormat **found, omt_error *err)
{
	int code = av_probe_input_buffer2(demux->io, found, "", NULL, 0, 0);
	if (code < 0)
		return omt_av_fail(demux, "not media that FFmpeg reads", code, err);
	if (av_match_list((*found)->name, demux->formats, ',') <= 0)
		return OMT_FAIL(err, UNSUPPORTED, "%s: files of format %s are not read",
		                demux->path, (*found)->name);
	return OMT_OK;
}

/* Whether the bytes are subtitles. */
static omt_status find_cues(const omt_demux *demux, bool *found, omt_error *err)
{
	const size_t bytes = demux->bytes < IO_BUFFER ? demux->bytes : IO_BUFFER;
	uint8_t *head = calloc(1, bytes + AVPROBE_PADDING_SIZE);
	if (!head)
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	if (bytes)
		memcpy(head, demux->data, bytes);
	const AVProbeData begin = {.filename = "", .buf = head, .buf_size = (int)bytes};
	const AVInputFormat *format = av_probe_input_format(&begin, 1);
	*found = format && av_match_list(format->name, demux->formats, ',') > 0;
	free(head);
	return OMT_OK;
}

/* The decoders that FFmpeg opens here have to keep the limits, too. */
omt_status omt_demux_examine(omt_demux *demux, omt_error *err)
{
	unsigned count = demux->format->nb_streams;
	AVDictionary **options = av_calloc(count + 1, sizeof *options);
	if (!options)
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	for (unsigned i = 0; i < count; i++)
		av_dict_set_int(&options[i], "max_pixels", demux->max_pixels, 0);
	int code = avformat_find_stream_info(demux->format, options);
	for (unsigned i = 0; i < count; i++)
		av_dict_free(&options[i]);
	av_free(options);
	return code < 0 ? omt_av_fail(demux, "no streams", code, err) : OMT_OK;
}

/* Whether the header says all that decoding needs. To find out more FFmpeg would decode the
 * picture, or probe and decode the first seconds of the sound, to throw them away. */
static bool is_known(const AVFormatContext *format)
{
	const char *name = format->iformat->name;
	if (format->nb_streams != 1)
		return false;
	if (!strcmp(name, "png_pipe") || !strcmp(name, "jpeg_pipe"))
		return true;
	const AVCodecParameters *sound = format->streams[0]->codecpar;
	if (sound->codec_type != AVMEDIA_TYPE_AUDIO || sound->sample_rate < 1 ||
	    sound->ch_layout.nb_channels < 1)
		return false;
	const bool pcm = sound->codec_id >= AV_CODEC_ID_FIRST_AUDIO &&
	                 sound->codec_id < AV_CODEC_ID_ADPCM_IMA_QT;
	return (!strcmp(name, "wav") && pcm) ||
	       (!strcmp(name, "flac") && sound->codec_id == AV_CODEC_ID_FLAC);
}

/* avformat_open_input() with our options; on failure FFmpeg frees the context. */
static int open_input(omt_demux *demux, const AVInputFormat *found)
{
	AVDictionary *options = NULL;
	if (!strcmp(found->name, "wav")) {
		/* A packet of the default, 4096 bytes, costs more than the samples in it. */
		av_dict_set_int(&options, "max_size", WAV_PACKET, 0);
		/* One packet, not 32, is searched for other codecs in PCM's clothes. */
		demux->format->max_probe_packets = 0;
	}
	int code = avformat_open_input(&demux->format, NULL, found, &options);
	av_dict_free(&options);
	return code;
}

static omt_status open_format(omt_demux *demux, omt_error *err)
{
	const AVInputFormat *found = NULL;
	uint8_t *buffer = av_malloc(IO_BUFFER);
	if (buffer)
		demux->io = avio_alloc_context(buffer, IO_BUFFER, 0, demux, io_read, NULL, io_seek);
	if (!demux->io) {
		av_free(buffer);
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	}
	OMT_TRY(find_format(demux, &found, err));
	demux->format = avformat_alloc_context();
	if (!demux->format)
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	demux->format->pb = demux->io;
	demux->format->io_open = refuse_open;
	int code = open_input(demux, found);
	if (code < 0)
		return omt_av_fail(demux, "broken header", code, err);
	if (is_known(demux->format)) {
		/* Samples are what the header says, as for libsndfile, whatever they look like. */
		demux->format->audio_codec_id = demux->format->streams[0]->codecpar->codec_id;
		return OMT_OK;
	}
	return omt_demux_examine(demux, err);
}

static omt_status check_duration(const omt_demux *demux, double max_seconds, omt_error *err)
{
	const AVFormatContext *format = demux->format;
	double seconds = -1;
	if (format->duration != AV_NOPTS_VALUE)
		seconds = (double)format->duration / AV_TIME_BASE;
	else if (is_known(format) && format->streams[0]->duration != AV_NOPTS_VALUE)
		seconds = (double)format->streams[0]->duration *
		          av_q2d(format->streams[0]->time_base);
	if (max_seconds > 0 && seconds > max_seconds)
		return OMT_FAIL(err, LIMIT, "%s: %.3f seconds, the limit is %.3f (max_seconds)",
		                demux->path, seconds, max_seconds);
	return OMT_OK;
}

static omt_status open_bytes(const char *path, const omt_limits *limits, const char *of,
                             omt_demux *demux, omt_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, silence);
	*demux = (omt_demux){.path = path,
	                     .formats = of,
	                     .max_pixels = limits->max_source_pixels < INT_MAX
	                                           ? limits->max_source_pixels
	                                           : INT_MAX};
	return read_bytes(demux, limits->max_bytes, err);
}

omt_status omt_demux_open(const char *path, const omt_limits *limits, omt_demux *demux,
                          omt_error *err)
{
	omt_status status;
	OMT_GOTO(open_bytes(path, limits, formats, demux, err));
	if (!demux->bytes) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: empty", path);
		goto done;
	}
	OMT_GOTO(open_format(demux, err));
	OMT_GOTO(check_duration(demux, limits->max_seconds, err));
done:
	if (status != OMT_OK)
		omt_demux_close(demux);
	return status;
}

omt_status omt_demux_open_cues(const char *path, const omt_limits *limits, omt_demux *demux,
                               omt_error *err)
{
	omt_status status;
	OMT_GOTO(open_bytes(path, limits, cue_formats, demux, err));
	bool found = false;
	OMT_GOTO(find_cues(demux, &found, err));
	if (found)
		status = open_format(demux, err);
done:
	if (status != OMT_OK)
		omt_demux_close(demux);
	return status;
}

void omt_demux_close(omt_demux *demux)
{
	avformat_close_input(&demux->format);
	if (demux->io)
		av_freep(&demux->io->buffer);
	avio_context_free(&demux->io);
	omt_map_close(&demux->map);
	free(demux->spooled);
	*demux = (omt_demux){0};
}

omt_status omt_demux_rewind(omt_demux *demux, omt_error *err)
{
	/* A fresh demuxer over the same bytes: seeking is not exact in every format. */
	avformat_close_input(&demux->format);
	if (demux->io)
		av_freep(&demux->io->buffer);
	avio_context_free(&demux->io);
	demux->at = 0;
	return open_format(demux, err);
}

int omt_demux_stream(const omt_demux *demux, enum AVMediaType type)
{
	int stream = av_find_best_stream(demux->format, type, -1, -1, NULL, 0);
	return stream < 0 ? -1 : stream;
}

/* ---- decoding ----------------------------------------------------------------------------- */

/* FFmpeg asks here for a frame's memory, when it knows the frame's size. */
static int get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
	omt_demux *demux = decoder->opaque;
	if ((int64_t)frame->width * frame->height > demux->max_pixels) {
		demux->refused_size[0] = frame->width;
		demux->refused_size[1] = frame->height;
		return AVERROR(EINVAL);
	}
	return avcodec_default_get_buffer2(decoder, frame, flags);
}

static omt_status decode_fail(const omt_demux *demux, const char *what, int code, omt_error *err)
{
	if (demux->refused_size[0])
		return OMT_FAIL(err, LIMIT,
		                "%s: %d x %d pixels, the limit is %lld "
		                "(max_source_pixels)",
		                demux->path, demux->refused_size[0], demux->refused_size[1],
		                (long long)demux->max_pixels);
	return omt_av_fail(demux, what, code, err);
}

omt_status omt_decoder_open(omt_demux *demux, int stream, AVCodecContext **given, omt_error *err)
{
	const AVStream *from = demux->format->streams[stream];
	const AVCodec *codec = avcodec_find_decoder(from->codecpar->codec_id);
	*given = NULL;
	if (!codec)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no decoder for %s", demux->path,
		                avcodec_get_name(from->codecpar->codec_id));
	AVCodecContext *decoder = avcodec_alloc_context3(codec);
	if (!decoder)
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	decoder->thread_count = 1;
	decoder->opaque = demux;
	decoder->get_buffer2 = get_buffer;
	/* Libraries of their own allocate themselves. */
	if (!(codec->capabilities & AV_CODEC_CAP_DR1))
		decoder->max_pixels = demux->max_pixels;
	decoder->pkt_timebase = from->time_base;
	int code = avcodec_parameters_to_context(decoder, from->codecpar);
	if (code >= 0)
		code = avcodec_open2(decoder, codec, NULL);
	if (code < 0) {
		avcodec_free_context(&decoder);
		return omt_av_fail(demux, "decoder", code, err);
	}
	*given = decoder;
	return OMT_OK;
}

/* Hands out all frames that are ready. */
static omt_status drain(omt_demux *demux, AVCodecContext *decoder, AVFrame *frame,
                        omt_frame_sink *sink, void *user, bool *more, omt_error *err)
{
	while (*more) {
		int code = avcodec_receive_frame(decoder, frame);
		if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
			return OMT_OK;
		if (code < 0)
			return decode_fail(demux, "damaged", code, err);
		omt_status status = sink(user, frame, more, err);
		av_frame_unref(frame);
		OMT_TRY(status);
	}
	return OMT_OK;
}

omt_status omt_decode(omt_demux *demux, AVCodecContext *decoder, int stream, omt_frame_sink *sink,
                      void *user, omt_error *err)
{
	omt_status status = OMT_OK;
	bool more = true, ended = false;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	if (!packet || !frame) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
		goto done;
	}
	while (more && !ended) {
		int code = av_read_frame(demux->format, packet);
		ended = code == AVERROR_EOF;
		if (code < 0 && !ended) {
			status = omt_av_fail(demux, "truncated or damaged", code, err);
			goto done;
		}
		/* An empty packet stands for a repeated frame; a decoder takes it for an error. */
		if (!ended && (packet->stream_index != stream || !packet->size)) {
			av_packet_unref(packet);
			continue;
		}
		code = avcodec_send_packet(decoder, ended ? NULL : packet);
		av_packet_unref(packet);
		if (code < 0 && code != AVERROR_EOF) {
			status = decode_fail(demux, "damaged", code, err);
			goto done;
		}
		OMT_GOTO(drain(demux, decoder, frame, sink, user, &more, err));
	}
done:
	av_packet_free(&packet);
	av_frame_free(&frame);
	return status;
}
