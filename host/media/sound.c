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
	float *channel; /* of one frame */
	int64_t channel_room;
	int32_t channels, rate_hz;
} omt_sound_reader;

/* Adds a channel's samples, `step` apart, to sum[count], as libsndfile scales integers. A loop for
 * each sample type, so that the compiler can use vectors. */
#define ADD(name, type, scaled)                                                            \
	static void add_##name(const uint8_t *data, size_t step, float *sum, size_t count) \
	{                                                                                  \
		const type *from = (const type *)(const void *)data;                       \
		for (size_t i = 0; i < count; i++) {                                       \
			const type value = from[i * step];                                 \
			sum[i] += scaled;                                                  \
		}                                                                          \
	}
ADD(u8, uint8_t, ((float)value - 128.0f) / 128.0f)
ADD(s16, int16_t, (float)value / 32768.0f)
ADD(s32, int32_t, (float)((double)value / 2147483648.0))
ADD(flt, float, value)
ADD(dbl, double, (float)value)
#undef ADD

#define SAMPLE_TYPES (sizeof sample_types / sizeof *sample_types)
static const struct {
	enum AVSampleFormat packed;
	void (*add)(const uint8_t *data, size_t step, float *sum, size_t count);
	size_t bytes;
} sample_types[] = {{AV_SAMPLE_FMT_U8, add_u8, 1},
                    {AV_SAMPLE_FMT_S16, add_s16, 2},
                    {AV_SAMPLE_FMT_S32, add_s32, 4},
                    {AV_SAMPLE_FMT_FLT, add_flt, 4},
                    {AV_SAMPLE_FMT_DBL, add_dbl, 8}};

/* To signed 16 bit and back. Adding and taking away 1.5 * 2^23 rounds to an integer, half to even.
 */
static void round_s16(float *values, size_t count)
{
	const float magic = 12582912.0f;
	for (size_t i = 0; i < count; i++) {
		float scaled = values[i] * 32768.0f;
		scaled = scaled > 32767.0f ? 32767.0f : scaled;
		scaled = scaled < -32768.0f ? -32768.0f : scaled;
		values[i] = ((scaled + magic) - magic) / 32768.0f;
	}
}

/* Index of the first value that is not finite, or count. */
static size_t find_infinite(const float *values, size_t count)
{
	const uint32_t exponent = 0x7f800000;
	uint32_t found = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;
		memcpy(&bits, &values[i], sizeof bits);
		found |= (bits & exponent) == exponent;
	}
	size_t at = found ? 0 : count;
	while (at < count && isfinite(values[at]))
		at++;
	return at;
}

/* Room for `count` samples in *samples. */
static omt_status grow(const omt_sound_reader *in, float **samples, int64_t *room, int64_t count,
                       omt_error *err)
{
	if (*room >= count)
		return OMT_OK;
	int64_t more = 2 * count + 65536;
	float *grown = realloc(*samples, (size_t)more * sizeof *grown);
	if (!grown)
		return OMT_FAIL(err, NO_MEMORY, "%s: %lld samples", in->demux->path,
		                (long long)more);
	*samples = grown;
	*room = more;
	return OMT_OK;
}

/* Appends the mean of a frame's channels. */
static omt_status take_mean(omt_sound_reader *in, const AVFrame *frame, omt_error *err)
{
	const size_t channels = (size_t)in->channels, count = (size_t)frame->nb_samples;
	const bool planar = av_sample_fmt_is_planar(frame->format);
	const enum AVSampleFormat packed = av_get_packed_sample_fmt(frame->format);
	size_t type = 0;
	while (type < SAMPLE_TYPES && sample_types[type].packed != packed)
		type++;
	if (type == SAMPLE_TYPES)
		return OMT_FAIL(err, UNSUPPORTED, "%s: samples of type %s", in->demux->path,
		                av_get_sample_fmt_name(frame->format));
	OMT_TRY(grow(in, &in->mean, &in->room, in->count + frame->nb_samples, err));
	OMT_TRY(grow(in, &in->channel, &in->channel_room, frame->nb_samples, err));
	/* One channel is its own mean. */
	float *mean = in->mean + in->count, *channel = channels > 1 ? in->channel : mean;
	memset(mean, 0, count * sizeof *mean);
	for (size_t c = 0; c < channels; c++) {
		const uint8_t *data =
			planar ? frame->extended_data[c]
			       : frame->extended_data[0] + c * sample_types[type].bytes;
		memset(channel, 0, count * sizeof *channel);
		sample_types[type].add(data, planar ? 1 : channels, channel, count);
		size_t bad = find_infinite(channel, count);
		if (bad < count)
			return OMT_FAIL(err, BAD_FORMAT, "%s: sample %lld is not a finite number",
			                in->demux->path, (long long)in->count + (long long)bad);
		if (in->s16)
			round_s16(channel, count);
		for (size_t i = 0; channels > 1 && i < count; i++)
			mean[i] += channel[i];
	}
	for (size_t i = 0; channels > 1 && i < count; i++)
		mean[i] /= (float)channels;
	in->count += frame->nb_samples;
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
	OMT_TRY(take_mean(in, frame, err));
	if (in->limits->max_seconds > 0 &&
	    (double)in->count > in->limits->max_seconds * in->rate_hz + in->rate_hz)
		return OMT_FAIL(err, LIMIT, "%s: more than %.3f seconds of sound (max_seconds)",
		                in->demux->path, in->limits->max_seconds);
	*more = in->count < in->most;
	return OMT_OK;
}

/* Samples that soxr gets, and gives at most, at once: what it keeps of them stays in the cache. All
 * at once, FFmpeg and it buffer them several times over, and most of the time goes to the kernel
 * for pages. */
#define RESAMPLE_BLOCK 16384

/* Runs mono[frames] through `swr` into out[wanted]; below zero: FFmpeg's error. */
static int resample_all(struct SwrContext *swr, const float *mono, int64_t frames, float *out,
                        int64_t wanted)
{
	/* No more than gives half a block. */
	int64_t most = frames * (RESAMPLE_BLOCK / 2) / (wanted + 1);
	most = most < 1 ? 1 : most < RESAMPLE_BLOCK ? most : RESAMPLE_BLOCK;
	int64_t taken = 0, got = 0;
	while (got < wanted) {
		/* At the end without input: soxr gives what it still holds. */
		int64_t block = frames - taken < most ? frames - taken : most;
		int room = (int)(wanted - got < RESAMPLE_BLOCK ? wanted - got : RESAMPLE_BLOCK);
		const uint8_t *in = (const uint8_t *)(mono + taken);
		uint8_t *to = (uint8_t *)(out + got);
		int code = swr_convert(swr, &to, room, block ? &in : NULL, (int)block);
		if (code < 0)
			return code;
		if (!block && !code)
			break;
		taken += block;
		got += code;
	}
	return 0;
}

/* Mono to 16 kHz, by FFmpeg's soxr: wanted samples into out. */
static omt_status resample(const float *mono, int64_t frames, int32_t rate_hz, float *out,
                           int64_t wanted, omt_error *err)
{
	AVChannelLayout layout = AV_CHANNEL_LAYOUT_MONO;
	struct SwrContext *swr = NULL;
	int code = swr_alloc_set_opts2(&swr, &layout, AV_SAMPLE_FMT_FLT, RATE_HZ, &layout,
	                               AV_SAMPLE_FMT_FLT, rate_hz, 0, NULL);
	if (code >= 0)
		code = av_opt_set(swr, "resampler", "soxr", 0);
	if (code >= 0)
		code = av_opt_set_double(swr, "precision", 20, 0); /* soxr's "HQ" */
	if (code >= 0)
		code = swr_init(swr);
	if (code >= 0)
		code = resample_all(swr, mono, frames, out, wanted);
	swr_free(&swr);
	if (code < 0)
		return OMT_FAIL(err, UNSUPPORTED,
		                "resampling %d Hz to %d Hz: FFmpeg was built without soxr?",
		                rate_hz, RATE_HZ);
	return OMT_OK;
}

/* Mono samples, taken (the sound's own where the rate is right), to 16 kHz. */
static omt_status to_16k(float *mono, int64_t frames, int32_t rate_hz, omt_sound *sound,
                         omt_error *err)
{
	*sound = (omt_sound){mono, frames};
	if (rate_hz == RATE_HZ)
		return OMT_OK;
	omt_status status = OMT_OK;
	/* librosa gives ceil(frames * ratio) samples. */
	sound->count = (frames * RATE_HZ + rate_hz - 1) / rate_hz;
	sound->samples = calloc((size_t)sound->count + 1, sizeof *sound->samples);
	if (!sound->samples)
		status = OMT_FAIL(err, NO_MEMORY, "%lld samples", (long long)sound->count);
	else
		status = resample(mono, frames, rate_hz, sound->samples, sound->count, err);
	free(mono);
	if (status != OMT_OK) {
		free(sound->samples);
		*sound = (omt_sound){0};
	}
	return status;
}

static bool is_resampled(int64_t frames, int32_t rate_hz)
{
	return rate_hz > 0 && rate_hz <= MAX_RATE_HZ && frames >= 0 && frames <= INT_MAX &&
	       frames <= INT_MAX / RATE_HZ * (int64_t)rate_hz;
}

omt_status omt_media_resample(const float *samples, int64_t frames, int32_t channels,
                              int32_t rate_hz, omt_sound *sound, omt_error *err)
{
	*sound = (omt_sound){0};
	if (!is_resampled(frames, rate_hz) || channels < 1)
		return OMT_FAIL(err, BAD_ARGUMENT, "%lld frames of %d channels at %d Hz",
		                (long long)frames, channels, rate_hz);
	float *mean = malloc((size_t)(frames + 1) * sizeof *mean);
	if (!mean)
		return OMT_FAIL(err, NO_MEMORY, "%lld samples", (long long)frames);
	for (int64_t i = 0; i < frames; i++) {
		float sum = 0;
		for (int32_t c = 0; c < channels; c++)
			sum += samples[i * channels + c];
		mean[i] = sum / (float)channels;
	}
	return to_16k(mean, frames, rate_hz, sound, err);
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
	if (!is_resampled(in.count, in.rate_hz)) {
		status = OMT_FAIL(err, LIMIT, "%s: %lld samples at %d Hz", demux->path,
		                  (long long)in.count, in.rate_hz);
		goto done;
	}
	status = to_16k(in.mean, in.count, in.rate_hz, sound, err);
	in.mean = NULL;
	if (status != OMT_OK)
		omt_fail_at(err, status, "%s", demux->path);
	if (sound->count > limits->max_samples)
		sound->count = limits->max_samples;
done:
	free(in.mean);
	free(in.channel);
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
