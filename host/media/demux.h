/* demux.h - an opened media file: its bytes in memory (mapped, or read from a pipe) behind FFmpeg's
 * demuxer. The format is told by content alone, and no demuxer can open another file or address:
 * playlists, session descriptions and the like are refused. */
#ifndef OMT_MEDIA_DEMUX_H
#define OMT_MEDIA_DEMUX_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/file.h"
#include "media/media.h"

typedef struct omt_demux {
	const char *path; /* for messages; borrowed */
	AVFormatContext *format;
	AVIOContext *io;
	omt_map map;      /* a regular file */
	uint8_t *spooled; /* a pipe's content */
	const uint8_t *data;
	size_t bytes, at;
	const char *formats;     /* those that are read */
	int64_t max_pixels;      /* larger frames are refused before they are allocated */
	int32_t refused_size[2]; /* such a frame's width and height; 0: there was none */
} omt_demux;

omt_status omt_demux_open(const char *path, const omt_limits *limits, omt_demux *demux,
                          omt_error *err);
/* A file of subtitles; demux->format is NULL if it is none: its bytes are in demux->data. */
omt_status omt_demux_open_cues(const char *path, const omt_limits *limits, omt_demux *demux,
                               omt_error *err);
void omt_demux_close(omt_demux *demux);
/* Back to the first packet. */
omt_status omt_demux_rewind(omt_demux *demux, omt_error *err);

/* Reads and decodes as much as it takes to know all of the streams. Opening does so but for PNG,
 * JPEG, FLAC and PCM in WAV, whose headers do: of the pictures the size is not known then. */
omt_status omt_demux_examine(omt_demux *demux, omt_error *err);

/* The best stream of a type, -1: none. */
int omt_demux_stream(const omt_demux *demux, enum AVMediaType type);

/* A decoder of one stream, one thread. */
omt_status omt_decoder_open(omt_demux *demux, int stream, AVCodecContext **decoder, omt_error *err);

/* Decodes the stream from where the demuxer stands and hands each frame to `frame`, which may set
 * *more to false to end. A broken packet ends it with an error. */
typedef omt_status omt_frame_sink(void *user, const AVFrame *frame, bool *more, omt_error *err);
omt_status omt_decode(omt_demux *demux, AVCodecContext *decoder, int stream, omt_frame_sink *sink,
                      void *user, omt_error *err);

/* "path: what: FFmpeg's reason" as OMT_BAD_FORMAT. */
omt_status omt_av_fail(const omt_demux *demux, const char *what, int code, omt_error *err);

#endif
