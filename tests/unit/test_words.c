/* Subtitles and transcripts as text. */
#include "media/media.h"
#include "tests/unit/scratch.h"

TestSuite(words, .init = scratch_make, .fini = scratch_drop);

static const char srt[] = "\xef\xbb\xbf"
			  "1\n00:00:00,500 --> 00:00:01,000\nA <b>blue</b> {bird}\nsings\n\n"
			  "2\n00:00:01,000 --> 00:00:02,000\nA <b>blue</b> {bird}\nsings\n\n"
			  "3\n00:00:02,000 --> 00:00:03,000\n <font color=\"#ff0000\">at</font> \\ "
			  "night,\tcaf\xc3\xa9\n";
#define SAID "A blue {bird} sings at \\ night, caf\xc3\xa9"

static void run(const char *format, const char *a, const char *b)
{
	char command[1024];
	snprintf(command, sizeof command, format, a, b);
	cr_assert_eq(system(command), 0, "%s", command);
}

static void expect(omt_words *words, const char *wanted)
{
	cr_assert_not_null(words->text);
	cr_expect_str_eq(words->text, wanted);
	cr_expect_eq(words->bytes, strlen(wanted));
	free(words->text);
}

static omt_status transcript(const char *path, int64_t most, omt_words *words, omt_error *err)
{
	omt_limits limits;
	omt_limits_init(&limits);
	limits.max_characters = most;
	return omt_media_transcript(path, &limits, words, err);
}

static void expect_transcript(const char *text, int64_t most, const char *wanted)
{
	omt_words words;
	omt_error err;
	cr_assert_eq(transcript(scratch_text("t", text), most, &words, &err), OMT_OK, "%s",
	             err.text);
	expect(&words, wanted);
}

Test(words, transcripts)
{
	expect_transcript(srt, 16384, SAID);
	expect_transcript("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>hello <i>there</i>\n\n"
	                  "00:03.000 --> 00:04.000\nagain\n",
	                  16384, "hello there again");
	expect_transcript("[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, "
	                  "End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
	                  "Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,last, {\\i1}not{\\i0} "
	                  "least\n"
	                  "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 "
	                  "9{\\p0}first\\Nand\\hsecond\n",
	                  16384, "first and second last, not least");
	expect_transcript("\n  plain \t text\r\n of a man\x01 --> here \n", 16384,
	                  "plain text of a man --> here");
}

/* Cut by characters, not by bytes, and not after a blank. */
Test(words, cut)
{
	expect_transcript("\xc3\xa9\xc3\xa9 \xc3\xa9", 2, "\xc3\xa9\xc3\xa9");
	expect_transcript("\xc3\xa9\xc3\xa9 \xc3\xa9", 3, "\xc3\xa9\xc3\xa9");
	expect_transcript("\xc3\xa9\xc3\xa9 \xc3\xa9", 4, "\xc3\xa9\xc3\xa9 \xc3\xa9");
	expect_transcript("a\xff\xffz", 16384, "a\xef\xbf\xbd\xef\xbf\xbdz");
	expect_transcript("\xff\xff\xff", 2, "\xef\xbf\xbd\xef\xbf\xbd");
	expect_transcript(srt, 6, "A blue");
}

Test(words, bad_transcripts)
{
	omt_words words;
	omt_error err;
	cr_expect_eq(transcript("/nonexistent", 9, &words, &err), OMT_IO);
	cr_expect_str_eq(err.text, "/nonexistent: No such file or directory");
	cr_expect_eq(transcript(scratch_write("nul", "a\0b", 3), 9, &words, &err), OMT_BAD_FORMAT);
	cr_expect(strstr(err.text, "a NUL byte"), "%s", err.text);
	cr_expect_eq(transcript("tests/golden/data/inputs/vid_short_1s.mp4", 9, &words, &err),
	             OMT_BAD_FORMAT);
	cr_assert_eq(transcript(scratch_text("none", " \n"), 9, &words, &err), OMT_OK);
	cr_expect_null(words.text);
	cr_assert_eq(transcript(scratch_text("empty", ""), 9, &words, &err), OMT_OK);
	cr_expect_null(words.text);
}

static void clip_words(const char *path, const char *language, int64_t most, omt_words *words)
{
	omt_limits limits;
	omt_video *video;
	omt_clip_info info;
	omt_error err;
	omt_limits_init(&limits);
	limits.subtitle_language = language;
	limits.max_characters = most;
	cr_assert_eq(omt_video_open(path, &limits, &video, &info, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_video_words(video, &limits, words, &err), OMT_OK, "%s", err.text);
	omt_video_close(video);
}

#define CLIP "tests/golden/data/inputs/vid_short_1s.mp4"

/* Of each kind that containers hold. */
Test(words, containers)
{
	static const char *const kinds[][2] = {
		{"m.mkv", "srt"}, {"w.mkv", "webvtt"}, {"a.mkv", "ass"}, {"t.mp4", "mov_text"}};
	omt_words words;
	const char *cues = scratch_text("said.srt", srt);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char more[256];
		snprintf(more, sizeof more, "-c:s %s %s", kinds[i][1], scratch_path(kinds[i][0]));
		run("ffmpeg -v error -i " CLIP " -i %s -c:v copy -c:a copy %s </dev/null", cues,
		    more);
		clip_words(scratch_path(kinds[i][0]), NULL, 16384, &words);
		expect(&words, SAID);
	}
	clip_words(CLIP, NULL, 16384, &words);
	cr_expect_null(words.text);
}

/* The default stream, one of a language, a forced one only when there is no other. */
Test(words, streams)
{
	omt_words words;
	const char *a = scratch_text("a.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n");
	const char *b = scratch_text("b.srt", "1\n00:00:00,000 --> 00:00:01,000\nhallo\n");
	const char *clip = scratch_path("two.mkv");
	char inputs[512];
	snprintf(inputs, sizeof inputs, "-i %s -i %s", a, b);
	run("ffmpeg -v error -i " CLIP " %s -map 0:v -map 1 -map 2 -c:v copy -c:s srt "
	    "-metadata:s:s:0 language=eng -metadata:s:s:1 language=ger "
	    "-disposition:s:0 default+forced -disposition:s:1 0 %s </dev/null",
	    inputs, clip);
	clip_words(clip, NULL, 99, &words);
	expect(&words, "hallo");
	clip_words(clip, "ENG", 99, &words);
	expect(&words, "hello");
	clip_words(clip, "fre", 99, &words);
	cr_expect_null(words.text);
}

/* Thousands of cues, of bytes that are no UTF-8, not in order of time. */
Test(words, many)
{
	omt_words words;
	const char *path = scratch_path("many.srt"), *clip = scratch_path("many.mkv");
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	for (int i = 0; i < 20000; i++)
		fprintf(file, "%d\n00:00:%02d,%03d --> 00:01:00,000\n\xff%d\n\n", i, i / 1000,
		        i % 1000, i);
	fclose(file);
	run("ffmpeg -v error -i " CLIP " -i %s -c copy %s </dev/null", path, clip);
	clip_words(clip, NULL, 1000, &words);
	cr_expect_eq(strncmp(words.text,
	                     "\xef\xbf\xbd"
	                     "0 \xef\xbf\xbd"
	                     "1 ",
	                     10),
	             0);
	cr_expect_geq(words.bytes, 1000);
	cr_expect_leq(words.bytes, 2000);
	free(words.text);
	clip_words(clip, NULL, 1 << 30, &words);
	cr_expect_not_null(strstr(words.text, "19999"));
	free(words.text);
}
