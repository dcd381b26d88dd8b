#include "media/subtitles.h"

#include <libavutil/avstring.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Fields of an ASS event before its text (ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV,
 * Effect), which is what FFmpeg's decoders of text make of every format. */
#define ASS_FIELDS 8

/* ---- plain text --------------------------------------------------------------------------- */

static bool is_blank(utf8proc_int32_t code)
{
	return code <= 0x20 || (code >= 0x7f && code <= 0xa0) || code == 0x2028 || code == 0x2029 ||
	       code == 0x3000 || code == 0xfeff;
}

omt_status omt_words_make(const char *path, const char *text, size_t bytes, int64_t max_characters,
                          omt_words *words, omt_error *err)
{
	/* A broken byte becomes three, a character has four at most. */
	const size_t most = (size_t)max_characters, room = bytes < most ? 3 * bytes : 4 * most;
	size_t at = 0, left = most;
	bool blank = false;
	*words = (omt_words){0};
	char *to = malloc(room + 1);
	if (!to)
		return OMT_FAIL(err, NO_MEMORY, "%s: a text of %zu bytes", path, bytes);
	while (at < bytes && left) {
		utf8proc_int32_t code;
		utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
		                                         (utf8proc_ssize_t)(bytes - at), &code);
		at += step > 0 ? (size_t)step : 1;
		if (step <= 0)
			code = 0xfffd;
		if (is_blank(code)) {
			blank = words->bytes > 0;
			continue;
		}
		if (blank && !--left)
			break;
		if (blank)
			to[words->bytes++] = ' ';
		blank = false;
		words->bytes +=
			(size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)to + words->bytes);
		left--;
	}
	to[words->bytes] = '\0';
	if (words->bytes)
		words->text = to;
	else
		free(to);
	return OMT_OK;
}

/* ---- cues --------------------------------------------------------------------------------- */

typedef struct omt_cue {
	int64_t start; /* in the stream's time base */
	size_t order;  /* in the file */
	size_t at, bytes;
} omt_cue;

typedef struct omt_cues {
	const omt_demux *demux;
	bool comments; /* in braces, as ASS has them; elsewhere braces are text */
	omt_cue *all;
	size_t count, room;
	char *text; /* of all */
	size_t bytes, text_room;
} omt_cues;

static omt_status put(omt_cues *cues, const char *text, size_t bytes, omt_error *err)
{
	if (cues->text_room - cues->bytes < bytes) {
		const size_t room = 2 * cues->text_room + bytes + 4096;
		char *grown = realloc(cues->text, room);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%s: subtitles of %zu bytes",
			                cues->demux->path, room);
		cues->text = grown;
		cues->text_room = room;
	}
	memcpy(cues->text + cues->bytes, text, bytes);
	cues->bytes += bytes;
	return OMT_OK;
}

/* The text after "\p" in a block of overrides switches drawing on (above 0) or off. */
static bool is_drawing(const char *block, size_t bytes, bool drawing)
{
	for (size_t i = 0; i + 2 < bytes; i++)
		if (block[i] == '\\' && block[i + 1] == 'p' && block[i + 2] >= '0' &&
		    block[i + 2] <= '9')
			drawing = block[i + 2] != '0';
	return drawing;
}

/* What an escape stands for; 0: it is none. */
static char escaped(const char *at)
{
	if (*at != '\\' || !at[1])
		return 0;
	return strchr("Nnh", at[1]) ? ' ' : strchr("{}\\", at[1]) ? at[1] : '\0';
}

/* An event's text without overrides, drawings and escapes. */
static omt_status put_event(omt_cues *cues, const char *ass, omt_error *err)
{
	bool drawing = false, closes = true; /* a brace that is open may be closed */
	for (int field = 0; field < ASS_FIELDS && ass; field++) {
		ass = strchr(ass, ',');
		ass = ass ? ass + 1 : NULL;
	}
	for (; ass && *ass; ass++) {
		const bool block = *ass == '{' && closes && (cues->comments || ass[1] == '\\');
		const char *end = block ? strchr(ass, '}') : NULL;
		const char character = escaped(ass);
		closes = closes && (!block || end);
		if (end) {
			drawing = is_drawing(ass, (size_t)(end - ass), drawing);
			ass = end;
			continue;
		}
		if (!drawing)
			OMT_TRY(put(cues, character ? &character : ass, 1, err));
		ass += character != 0;
	}
	return OMT_OK;
}

static omt_status put_cue(omt_cues *cues, const AVSubtitle *subtitle, int64_t start, omt_error *err)
{
	const size_t at = cues->bytes;
	for (unsigned i = 0; i < subtitle->num_rects; i++) {
		const AVSubtitleRect *rect = subtitle->rects[i];
		if (i)
			OMT_TRY(put(cues, " ", 1, err));
		if (rect->ass)
			OMT_TRY(put_event(cues, rect->ass, err));
		else if (rect->text)
			OMT_TRY(put(cues, rect->text, strlen(rect->text), err));
	}
	if (cues->bytes == at)
		return OMT_OK;
	if (cues->count == cues->room) {
		const size_t room = 2 * cues->room + 64;
		omt_cue *grown = realloc(cues->all, room * sizeof *grown);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%s: %zu cues", cues->demux->path, room);
		cues->all = grown;
		cues->room = room;
	}
	cues->all[cues->count] = (omt_cue){start, cues->count, at, cues->bytes - at};
	cues->count++;
	return OMT_OK;
}

static omt_status decode_packet(omt_cues *cues, AVCodecContext *decoder, AVPacket *packet,
                                omt_error *err)
{
	AVSubtitle subtitle = {0};
	int got = 0;
	const int code = avcodec_decode_subtitle2(decoder, &subtitle, &got, packet);
	if (code < 0)
		return omt_av_fail(cues->demux, "damaged subtitles", code, err);
	if (!got)
		return OMT_OK;
	omt_status status = put_cue(cues, &subtitle, packet->pts, err);
	avsubtitle_free(&subtitle);
	return status;
}

static int by_time(const void *a, const void *b)
{
	const omt_cue *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* In order of time, a blank after each. */
static omt_status join(omt_cues *cues, int64_t max_characters, omt_words *words, omt_error *err)
{
	size_t bytes = 0;
	if (!cues->count)
		return OMT_OK;
	char *text = malloc(cues->bytes + cues->count + 1);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu cues", cues->demux->path, cues->count);
	qsort(cues->all, cues->count, sizeof *cues->all, by_time);
	for (size_t i = 0; i < cues->count; i++) {
		const omt_cue *cue = &cues->all[i], *before = i ? cue - 1 : NULL;
		if (before && before->bytes == cue->bytes &&
		    !memcmp(cues->text + before->at, cues->text + cue->at, cue->bytes))
			continue;
		memcpy(text + bytes, cues->text + cue->at, cue->bytes);
		bytes += cue->bytes;
		text[bytes++] = ' ';
	}
	omt_status status =
		omt_words_make(cues->demux->path, text, bytes, max_characters, words, err);
	free(text);
	return status;
}

omt_status omt_subtitles_decode(omt_demux *demux, int stream, int64_t max_characters,
                                omt_words *words, omt_error *err)
{
	omt_status status;
	omt_cues cues = {.demux = demux};
	AVCodecContext *decoder = NULL;
	AVPacket *packet = av_packet_alloc();
	int code;
	*words = (omt_words){0};
	if (!packet)
		return OMT_FAIL(err, NO_MEMORY, "%s", demux->path);
	OMT_GOTO(omt_decoder_open(demux, stream, &decoder, err));
	cues.comments =
		decoder->codec_id == AV_CODEC_ID_ASS || decoder->codec_id == AV_CODEC_ID_SSA;
	/* Bytes that are no UTF-8 are no reason to do without the rest. */
	decoder->sub_charenc_mode = FF_SUB_CHARENC_MODE_IGNORE;
	/* Containers have cues about in order of time: what is far behind the cut is not read. */
	while ((code = av_read_frame(demux->format, packet)) >= 0 &&
	       cues.bytes / 16 <= (size_t)max_characters) {
		if (packet->stream_index == stream && packet->size)
			OMT_GOTO(decode_packet(&cues, decoder, packet, err));
		av_packet_unref(packet);
	}
	if (code < 0 && code != AVERROR_EOF) {
		status = omt_av_fail(demux, "truncated or damaged", code, err);
		goto done;
	}
	status = join(&cues, max_characters, words, err);
done:
	av_packet_free(&packet);
	avcodec_free_context(&decoder);
	free(cues.all);
	free(cues.text);
	return status;
}

/* ---- which stream ------------------------------------------------------------------------- */

/* The greater the better; 0: not to be taken. */
static int rank(const AVStream *stream, const char *language)
{
	const AVCodecParameters *codec = stream->codecpar;
	const AVCodecDescriptor *about = avcodec_descriptor_get(codec->codec_id);
	const AVDictionaryEntry *said = av_dict_get(stream->metadata, "language", NULL, 0);
	if (codec->codec_type != AVMEDIA_TYPE_SUBTITLE || !about ||
	    !(about->props & AV_CODEC_PROP_TEXT_SUB) || !avcodec_find_decoder(codec->codec_id))
		return 0;
	if (language && (!said || av_strcasecmp(said->value, language) != 0))
		return 0;
	return 1 + 2 * !(stream->disposition & AV_DISPOSITION_FORCED) +
	       !!(stream->disposition & AV_DISPOSITION_DEFAULT);
}

int omt_subtitles_stream(const omt_demux *demux, const char *language)
{
	int best = -1, best_rank = 0;
	for (unsigned i = 0; i < demux->format->nb_streams; i++) {
		const int ranked = rank(demux->format->streams[i], language);
		if (ranked > best_rank) {
			best = (int)i;
			best_rank = ranked;
		}
	}
	return best;
}

/* ---- a file of its own -------------------------------------------------------------------- */

omt_status omt_media_transcript(const char *path, const omt_limits *limits, omt_words *words,
                                omt_error *err)
{
	omt_demux demux;
	omt_status status;
	*words = (omt_words){0};
	OMT_TRY(omt_demux_open_cues(path, limits, &demux, err));
	if (demux.format)
		status = omt_subtitles_decode(&demux, 0, limits->max_characters, words, err);
	else if (demux.bytes && memchr(demux.data, 0, demux.bytes))
		status = OMT_FAIL(err, BAD_FORMAT,
		                  "%s: neither SubRip, WebVTT or ASS nor text: a NUL byte in it",
		                  path);
	else
		status = omt_words_make(path, (const char *)demux.data, demux.bytes,
		                        limits->max_characters, words, err);
	omt_demux_close(&demux);
	return status;
}
