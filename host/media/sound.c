#include "media/sound.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#define RATE_HZ     16000
#define MAX_RATE_HZ 1536000 /* twice what is recorded; keeps a file's claim from costing memory */

typedef struct omt_sound_reader {
	const omt_demux *demux;
	const omt_limits *limits;
	bool s16;     /* round to 16 bits, as `ffmpeg -f s16le` does for containers of video */
	int64_t most; /* frames that can matter: what gives max_samples, and some for the filter */
	float *mean;  /* of the channels */
	int64_t count, room;
	int32_t channels, rate_hz;
} omt_sound_reader;

/* Sample i of channel c of a decoded frame, as libsndfile scales integers. */
static float sample(const AVFrame *frame, int32_t channels, int32_t c, int64_t i)
{
	bool planar = av_sample_fmt_is_planar(frame->format);
	const uint8_t *data = frame->extended_data[planar ? c : 0];
	int64_t at = planar ? i : i * channels + c;
	switch (av_get_packed_sample_fmt(frame->format)) {
	case AV_SAMPLE_FMT_U8:
		return ((float)data[at] - 128.0f) / 128.0f;
	case AV_SAMPLE_FMT_S16:
		return (float)((const int16_t *)(const void *)data)[at] / 32768.0f;
	case AV_SAMPLE_FMT_S32:
		return (float)((double)((const int32_t *)(const void *)data)[at] / 2147483648.0);
	case AV_SAMPLE_FMT_FLT:
		return ((const float *)(const void *)data)[at];
	case AV_SAMPLE_FMT_DBL:
		return (float)((const double *)(const void *)data)[at];
	default:
		return NAN;
	}
}

static float round_s16(float value)
{
	float scaled = rintf(value * 32768.0f);
	scaled = scaled > 32767.0f ? 32767.0f : scaled < -32768.0f ? -32768.0f : scaled;
	return scaled / 32768.0f;
}

static omt_status grow(omt_sound_reader *in, int64_t more, omt_error *err)
{
	if (in->room - in->count >= more)
		return OMT_OK;
	int64_t room = 2 * (in->room + more) + 65536;
	float *grown = realloc(in->mean, (size_t)room * sizeof *grown);
	if (!grown)
		return OMT_FAIL(err, NO_MEMORY, "%s: %lld samples", in->demux->path,
		                (long long)room);
	in->mean = grown;
	in->room = room;
	return OMT_OK;
}

static omt_status take_samples(void *user, const AVFrame *frame, bool *more, omt_error *err)
{
	omt_sound_reader *in = user;
	int32_t channels = frame->ch_layout.nb_channels;
	if (!in->channels) {
		if (frame->sample_rate < 1 || frame->sample_rate > MAX_RATE_HZ)
			return OMT_FAIL(err, BAD_FORMAT, "%s: a rate of %d Hz", in->demux->path,
			                frame->sample_rate);
		in->channels = channels;
		in->rate_hz = frame->sample_rate;
		in->most = (int64_t)((double)in->limits->max_samples * in->rate_hz / RATE_HZ) +
		           in->rate_hz;
	}
	if (channels != in->channels || frame->sample_rate != in->rate_hz || channels < 1)
		return OMT_FAIL(
			err, UNSUPPORTED, "%s: %d channels at %d Hz become %d at %d Hz in between",
			in->demux->path, in->channels, in->rate_hz, channels, frame->sample_rate);
	OMT_TRY(grow(in, frame->nb_samples, err));
	for (int64_t i = 0; i < frame->nb_samples; i++) {
		float sum = 0;
		for (int32_t c = 0; c < channels; c++) {
			float value = sample(frame, channels, c, i);
			if (!isfinite(value))
				return OMT_FAIL(err, BAD_FORMAT,
				                "%s: sample %lld is not a finite number",
				                in->demux->path, (long long)in->count);
			sum += in->s16 ? round_s16(value) : value;
		}
		in->mean[in->count++] = sum / (float)channels;
	}
	if (in->limits->max_seconds > 0 &&
	    (double)in->count > in->limits->max_seconds * in->rate_hz + in->rate_hz)
		return OMT_FAIL(err, LIMIT, "%s: more than %.3f seconds of sound (max_seconds)",
		                in->demux->path, in->limits->max_seconds);
	*more = in->count < in->most;
	return OMT_OK;
}

omt_status omt_media_resample(const float *samples, int64_t frames, int32_t channels,
                              int32_t rate_hz, omt_sound *sound, omt_error *err)
{
	omt_status status = OMT_OK;
	AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
	struct SwrContext *swr = NULL;
	*sound = (omt_sound){0};
	if (rate_hz < 1 || rate_hz > MAX_RATE_HZ || channels < 1 || frames < 0 ||
	    frames > INT_MAX / RATE_HZ * (int64_t)rate_hz || frames > INT_MAX)
		return OMT_FAIL(err, BAD_ARGUMENT, "%lld frames of %d channels at %d Hz",
		                (long long)frames, channels, rate_hz);
	/* librosa gives ceil(frames * ratio) samples. */
	int64_t wanted = (frames * RATE_HZ + rate_hz - 1) / rate_hz;
	float *mean = malloc((size_t)(frames + 1) * sizeof *mean);
	sound->samples = calloc((size_t)wanted + 1, sizeof *sound->samples);
	if (!mean || !sound->samples) {
		status = OMT_FAIL(err, NO_MEMORY, "%lld samples", (long long)frames);
		goto done;
	}
	for (int64_t i = 0; i < frames; i++) {
		float sum = 0;
		for (int32_t c = 0; c < channels; c++)
			sum += samples[i * channels + c];
		mean[i] = sum / (float)channels;
	}
	if (rate_hz == RATE_HZ) {
		memcpy(sound->samples, mean, (size_t)frames * sizeof *mean);
		sound->count = frames;
		goto done;
	}
	int code = swr_alloc_set_opts2(&swr, &mono, AV_SAMPLE_FMT_FLT, RATE_HZ, &mono,
	                               AV_SAMPLE_FMT_FLT, rate_hz, 0, NULL);
	if (code >= 0)
		code = av_opt_set(swr, "resampler", "soxr", 0);
	if (code >= 0)
		code = av_opt_set_double(swr, "precision", 20, 0); /* soxr's "HQ" */
	if (code >= 0)
		code = swr_init(swr);
	uint8_t *out = (uint8_t *)sound->samples;
	const uint8_t *in = (const uint8_t *)mean;
	if (code >= 0)
		code = swr_convert(swr, &out, (int)wanted, &in, (int)frames);
	int got = code;
	out += (size_t)(got > 0 ? got : 0) * sizeof(float);
	if (code >= 0 && got < wanted)
		code = swr_convert(swr, &out, (int)wanted - got, NULL, 0);
	if (code < 0)
		status = OMT_FAIL(err, UNSUPPORTED,
		                  "resampling %d Hz to %d Hz: FFmpeg was built without soxr?",
		                  rate_hz, RATE_HZ);
	sound->count = wanted;
done:
	swr_free(&swr);
	free(mean);
	if (status != OMT_OK) {
		free(sound->samples);
		*sound = (omt_sound){0};
	}
	return status;
}

/* Formats that libsndfile reads itself; all others go through `ffmpeg -f s16le` in the reference.
 */
static bool is_sound_format(const char *name)
{
	static const char *const formats[] = {"wav",  "flac", "ogg", "mp3",
	                                      "aiff", "au",   "w64", "caf"};
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(name, formats[i]))
			return true;
	return false;
}

omt_status omt_sound_decode(omt_demux *demux, const omt_limits *limits, omt_sound *sound,
                            omt_error *err)
{
	omt_status status = OMT_OK;
	AVCodecContext *decoder = NULL;
	omt_sound_reader in = {.demux = demux, .limits = limits};
	*sound = (omt_sound){0};
	int stream = omt_demux_stream(demux, AVMEDIA_TYPE_AUDIO);
	if (stream < 0)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no sound in it", demux->path);
	in.s16 = !is_sound_format(demux->format->iformat->name);
	OMT_GOTO(omt_decoder_open(demux, stream, &decoder, err));
	OMT_GOTO(omt_decode(demux, decoder, stream, take_samples, &in, err));
	if (!in.count) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no samples could be decoded", demux->path);
		goto done;
	}
	status = omt_media_resample(in.mean, in.count, 1, in.rate_hz, sound, err);
	if (status != OMT_OK)
		omt_fail_at(err, status, "%s", demux->path);
	if (sound->count > limits->max_samples)
		sound->count = limits->max_samples;
done:
	free(in.mean);
	avcodec_free_context(&decoder);
	return status;
}

omt_status omt_media_audio(const char *path, const omt_limits *limits, omt_sound *sound,
                           omt_error *err)
{
	omt_demux demux;
	*sound = (omt_sound){0};
	OMT_TRY(omt_demux_open(path, limits, &demux, err));
	omt_status status = omt_sound_decode(&demux, limits, sound, err);
	omt_demux_close(&demux);
	return status;
}
