/* subtitles.h - cues as plain text; omt_video_words() and omt_media_transcript() stand on it. */
#ifndef OMT_MEDIA_SUBTITLES_H
#define OMT_MEDIA_SUBTITLES_H

#include "media/demux.h"

/* The stream of text to take, of that language (NULL: of any); -1: there is none. */
int omt_subtitles_stream(const omt_demux *demux, const char *language);
/* From where the demuxer stands. */
omt_status omt_subtitles_decode(omt_demux *demux, int stream, int64_t max_characters,
                                omt_words *words, omt_error *err);

/* Any bytes as words: blanks for white space and control characters, U+FFFD for what is no UTF-8,
 * cut after so many characters. */
omt_status omt_words_make(const char *path, const char *text, size_t bytes, int64_t max_characters,
                          omt_words *words, omt_error *err);

#endif
