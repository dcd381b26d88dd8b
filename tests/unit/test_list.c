#include "base/item.h"
#include "omnitile.h"
#include "tests/unit/scratch.h"

TestSuite(list, .init = scratch_make, .fini = scratch_drop);

static omt_list *open_list(const char *path)
{
	omt_limits limits;
	omt_list *list;
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_list_open(path, OMT_ROLE_PASSAGE, &limits, &list, &err), OMT_OK, "%s",
	             err.text);
	return list;
}

static omt_list *list_of(const char *text)
{
	return open_list(scratch_text("list.jsonl", text));
}

/* The next item, which must be a sound one. */
static const omt_item *take(omt_list *list)
{
	const omt_item *item;
	cr_assert(omt_list_next(list, &item));
	cr_assert_eq(item->failed.status, OMT_OK, "%s", item->failed.text);
	return item;
}

/* The next item must have failed with this text; its id is returned. */
static const char *take_failed(omt_list *list, const char *error)
{
	const omt_item *item;
	cr_assert(omt_list_next(list, &item), "%s", error);
	cr_expect_neq(item->failed.status, OMT_OK, "%s", error);
	cr_expect_not_null(strstr(item->failed.text, error), "%s: %s", error, item->failed.text);
	cr_expect_eq(item->part_count, 0);
	return item->id;
}

static void expect_end(omt_list *list)
{
	const omt_item *item;
	cr_expect_not(omt_list_next(list, &item));
	cr_expect_not(omt_list_next(list, &item));
	omt_list_close(list);
}

Test(list, short_forms)
{
	omt_list *list = list_of("{\"id\":\"t\",\"text\":\"h\\u00e9\\u0000x\"}\n"
	                         "{\"id\":\"i\",\"image\":\"a/b.png\",\"max_pixels\":50176}\n"
	                         "{\"id\":\"v\",\"video\":\"/abs/c.mp4\"}\n"
	                         "{\"id\":\"a\",\"audio\":\"s.wav\",\"max_samples\":16000,"
	                         "\"max_seconds\":2.5,\"role\":\"query\"}");
	const omt_item *item = take(list);
	cr_expect_str_eq(item->id, "t");
	cr_expect_eq(item->role, OMT_ROLE_PASSAGE);
	cr_assert_eq(item->part_count, 1);
	cr_expect_eq(item->parts[0].kind, OMT_TEXT);
	cr_expect_eq(item->parts[0].text_bytes, 5);
	cr_expect_arr_eq(item->parts[0].text, "h\xc3\xa9\0x", 5);

	item = take(list);
	cr_expect_eq(item->parts[0].kind, OMT_IMAGE);
	cr_expect_str_eq(item->parts[0].path, scratch_path("a/b.png"));
	cr_expect_eq(item->parts[0].limits.image_max_pixels, 50176);
	cr_expect_eq(item->parts[0].limits.video_max_pixels, 64 * 28 * 28);

	item = take(list);
	cr_expect_eq(item->parts[0].kind, OMT_VIDEO);
	cr_expect_eq(item->parts[0].fusion, OMT_AUDIO_OFF);
	cr_expect_str_eq(item->parts[0].path, "/abs/c.mp4");
	cr_expect_eq(item->parts[0].limits.image_max_pixels, 0);

	item = take(list);
	cr_expect_eq(item->role, OMT_ROLE_QUERY);
	cr_expect_eq(item->parts[0].kind, OMT_AUDIO);
	cr_expect_eq(item->parts[0].limits.max_samples, 16000);
	cr_expect_eq(item->parts[0].limits.max_seconds, 2.5);
	expect_end(list);
}

Test(list, long_form)
{
	omt_list *list =
		list_of("{\"id\":\"x\",\"role\":\"none\",\"content\":["
	                "{\"type\":\"text\",\"text\":\"a\"},"
	                "{\"type\":\"image\",\"image\":\"p.png\",\"min_pixels\":3136},"
	                "{\"type\":\"video\",\"video\":\"c.mp4\",\"use_audio\":\"interleaved\","
	                "\"fps\":1.5,\"max_frames\":16,\"min_frames\":2,\"recipe\":\"mteb16\","
	                "\"min_pixels\":100,\"max_pixels\":200},"
	                "{\"type\":\"audio\",\"audio\":\"-\"}]}\n");
	const omt_item *item = take(list);
	cr_expect_eq(item->role, OMT_ROLE_NONE);
	cr_assert_eq(item->part_count, 4);
	cr_expect_eq(item->parts[0].kind, OMT_TEXT);
	cr_expect_eq(item->parts[1].limits.image_min_pixels, 3136);
	const omt_part *video = &item->parts[2];
	cr_expect_eq(video->fusion, OMT_AUDIO_INTERLEAVED);
	cr_expect_eq(video->limits.recipe, OMT_RECIPE_MTEB16);
	cr_expect_eq(video->limits.fps, 1.5);
	cr_expect_eq(video->limits.max_frames, 16);
	cr_expect_eq(video->limits.min_frames, 2);
	cr_expect_eq(video->limits.video_min_pixels, 100);
	cr_expect_eq(video->limits.video_max_pixels, 200);
	cr_expect_str_eq(video->path, scratch_path("c.mp4"));
	cr_expect_str_eq(item->parts[3].path, "-");
	expect_end(list);
}

Test(list, preparation)
{
	omt_list *list = list_of(
		"{\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
		"{\"type\":\"image\",\"image\":\"p.png\",\"page\":true},"
		"{\"type\":\"video\",\"video\":\"c.mp4\",\"frames\":\"scene\","
		"\"scene_threshold\":0.4,\"subtitles\":\"on\",\"subtitle_language\":\"eng\","
		"\"max_characters\":99},"
		"{\"type\":\"audio\",\"audio\":\"a.wav\",\"transcript\":\"a.srt\"}]}\n"
		"{\"_id\":\"b\",\"video\":\"c.mp4\",\"audio\":\"a.wav\",\"transcript\":\"t\"}\n"
		"{\"video\":\"c.mp4\",\"frames\":\"some\"}\n"
		"{\"video\":\"c.mp4\",\"transcript\":7}\n"
		"{\"video\":\"c.mp4\",\"page\":true}\n"
		"{\"video\":\"c.mp4\",\"scene_threshold\":2}\n");
	omt_item *item = omt_item_copy(take(list)); /* lives on its own */
	cr_assert_eq(item->part_count, 4);
	cr_expect(item->parts[1].limits.page && !item->parts[2].limits.page);
	const omt_limits *clip = &item->parts[2].limits;
	cr_expect_eq(clip->frames, OMT_FRAMES_SCENE);
	cr_expect_eq(clip->scene_threshold, 0.4);
	cr_expect_eq(clip->subtitles, OMT_SUBTITLES_ON);
	cr_expect_eq(clip->max_characters, 99);
	cr_expect_null(item->parts[2].transcript);
	const omt_item *next = take(list);
	cr_expect_str_eq(clip->subtitle_language, "eng");
	cr_expect_str_eq(item->parts[3].transcript, scratch_path("a.srt"));
	cr_expect_eq(item->parts[3].limits.max_characters, 16384);
	free(item);
	cr_expect_str_eq(next->parts[0].transcript, scratch_path("t"));
	cr_expect_null(next->parts[1].transcript);
	take_failed(list, "frames is \"some\", expected one of uniform, scene");
	take_failed(list, "\"transcript\" is missing or not a string");
	take_failed(list, "page");
	take_failed(list, "scene_threshold");
	expect_end(list);
}

Test(list, ids)
{
	omt_list *list = list_of("{\"text\":\"a\"}\n{\"id\":7,\"text\":\"a\"}\n"
	                         "{\"id\":-1.5,\"text\":\"a\"}\n{\"id\":\"7\",\"text\":\"a\"}\n"
	                         "{\"id\":\"\",\"text\":\"a\"}\n"
	                         "{\"id\":\"a\\u0000b\",\"text\":\"a\"}\n"
	                         "{\"id\":null,\"text\":\"a\"}\n{\"text\":\"a\"}\n"
	                         "{\"id\":[],\"text\":\"a\"}\n");
	cr_expect_str_eq(take(list)->id, "1");
	cr_expect_str_eq(take(list)->id, "7");
	cr_expect_str_eq(take(list)->id, "-1.5");
	cr_expect_str_eq(take_failed(list, "list.jsonl:4: id \"7\" for the second time"), "7");
	for (int line = 5; line <= 7; line++) {
		char error[64];
		snprintf(error, sizeof error, "list.jsonl:%d: id is not a number or a", line);
		take_failed(list, error);
	}
	cr_expect_str_eq(take(list)->id, "8");
	take_failed(list, "list.jsonl:9: id is not a number or a");
	expect_end(list);
}

Test(list, bad_lines_do_not_end_it)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"not json", ":1:1:3: not JSON"},
		{"{\"text\":\"a\"", "not JSON"},
		{"{\"text\":\"\xff\"}", "not JSON"},
		{"{\"text\":\"\\ud800\"}", "not JSON"},
		{"[1]", "not an object"},
		{"7", "not an object"},
		{"{}", "none of content, text, image, video, audio"},
		{"{\"id\":\"n\"}", "none of content, text, image, video, audio"},
		{"{\"text\":1}", "\"text\" is missing or not a string"},
		{"{\"text\":null}", "\"text\" is missing or not a string"},
		{"{\"text\":\"a\",\"colour\":1}", "unknown key \"colour\""},
		{"{\"text\":\"a\",\"image\":\"b\"}", "both text and image; join them in content"},
		{"{\"text\":\"a\",\"fps\":1}", "unknown key \"fps\""},
		{"{\"text\":\"a\",\"role\":\"reader\"}",
	         "role is \"reader\", expected one of none, query, passage"},
		{"{\"text\":\"a\",\"role\":1}", "\"role\" is an integer, expected a string"},
		{"{\"image\":\"\"}", "\"image\" is not a path"},
		{"{\"image\":\"a\\u0000b\"}", "\"image\" is not a path"},
		{"{\"image\":\"a\",\"max_pixels\":0}", "\"max_pixels\" is 0, expected 1 to"},
		{"{\"image\":\"a\",\"max_pixels\":\"9\"}", "\"max_pixels\" is a string"},
		{"{\"image\":\"a\",\"use_audio\":\"off\"}", "unknown key \"use_audio\""},
		{"{\"video\":\"a\",\"max_frames\":15}",
	         "max_frames is 15, expected an even number"},
		{"{\"video\":\"a\",\"use_audio\":true}", "\"use_audio\" is true"},
		{"{\"video\":\"a\",\"use_audio\":\"on\"}",
	         "use_audio is \"on\", expected one of off, separate, interleaved"},
		{"{\"video\":\"a\",\"recipe\":\"best\"}",
	         "recipe is \"best\", expected one of card, st, cap, mteb16"},
		{"{\"video\":\"a\",\"fps\":0}", "\"fps\" is 0, expected"},
		{"{\"audio\":\"a\",\"max_seconds\":-1}", "\"max_seconds\" is -1, expected"},
		{"{\"content\":[]}", "content is not an array of parts"},
		{"{\"content\":\"a\"}", "content is not an array of parts"},
		{"{\"content\":[\"a\"]}", "content[0] is not an object"},
		{"{\"content\":[{\"text\":\"a\"}]}", "content[0] has no type"},
		{"{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"film\"}]}",
	         "type is \"film\", expected one of text, image, video, audio"},
		{"{\"content\":[{\"type\":\"image\",\"image\":\"a\"},{\"type\":\"audio\"}]}",
	         "\"audio\" is missing or not a string"},
		{"{\"content\":[{\"type\":\"text\",\"text\":\"a\",\"id\":\"b\"}]}",
	         "unknown key \"id\""},
		{"{\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"text\":\"a\"}",
	         "unknown key \"text\""},
	};
	size_t count = sizeof cases / sizeof *cases;
	FILE *file = fopen(scratch_path("list.jsonl"), "w");
	for (size_t i = 0; i < count; i++)
		fprintf(file, "%s\n{\"id\":\"good %zu\",\"text\":\"a\"}\n", cases[i].line, i);
	fclose(file);
	omt_list *list = open_list(scratch_path("list.jsonl"));
	for (size_t i = 0; i < count; i++) {
		const omt_item *item;
		char place[64];
		snprintf(place, sizeof place, "list.jsonl:%zu:", 2 * i + 1);
		cr_assert(omt_list_next(list, &item));
		cr_expect_neq(item->failed.status, OMT_OK, "%s", cases[i].line);
		cr_expect_not_null(strstr(item->failed.text, cases[i].error), "%s: %s",
		                   cases[i].line, item->failed.text);
		cr_expect_not_null(strstr(item->failed.text, place), "%s: %s", cases[i].line,
		                   item->failed.text);
		take(list);
	}
	expect_end(list);
}

Test(list, raw_nul_is_a_bad_line)
{
	static const char text[] = "{\"text\":\"a\0b\"}\n\0\n{\"text\":\"c\"}\n";
	omt_list *list = open_list(scratch_write("list.jsonl", text, sizeof text - 1));
	take_failed(list, "list.jsonl:1");
	take_failed(list, "list.jsonl:2");
	cr_expect_str_eq(take(list)->id, "3");
	expect_end(list);
}

Test(list, marks_blank_lines_and_line_ends)
{
	omt_list *list =
		list_of("\xef\xbb\xbf{\"text\":\"a\"}\r\n\r\n \t\n{\"text\":\"b\"}  \r\n\n");
	cr_expect_str_eq(take(list)->id, "1");
	cr_expect_str_eq(take(list)->id, "4");
	expect_end(list);
	expect_end(list_of(""));
	expect_end(list_of("\xef\xbb\xbf\n\n"));
	list = list_of("\n\xef\xbb\xbf{\"text\":\"a\"}\n");
	take_failed(list, "list.jsonl:2:1:");
	expect_end(list);
}

Test(list, long_lines_and_many_parts)
{
	size_t text_bytes = (size_t)65 << 20;
	char *text = malloc(text_bytes);
	FILE *file = fopen(scratch_path("list.jsonl"), "w");
	memset(text, 'x', text_bytes);
	fprintf(file, "{\"text\":\"");
	fwrite(text, 1, text_bytes, file);
	fprintf(file, "\"}\n{\"text\":\"");
	fwrite(text, 1, (size_t)3 << 20, file);
	fprintf(file, "\"}\n{\"content\":[{}");
	for (int i = 0; i < 1024; i++)
		fprintf(file, ",{}");
	fprintf(file, "]}\n");
	fclose(file);
	free(text);
	omt_list *list = open_list(scratch_path("list.jsonl"));
	take_failed(list, "list.jsonl:1: a line of more than 64 MB");
	cr_expect_eq(take(list)->parts[0].text_bytes, (size_t)3 << 20);
	take_failed(list, "list.jsonl:3: 1025 parts, at most 1024");
	expect_end(list);
}

Test(list, what_cannot_be_opened)
{
	omt_limits limits;
	omt_list *list;
	omt_error err;
	omt_limits_init(&limits);
	cr_expect_eq(omt_list_open(scratch_path("no"), OMT_ROLE_NONE, &limits, &list, &err),
	             OMT_IO);
	cr_expect_not_null(strstr(err.text, "/no: No such file"), "%s", err.text);
	cr_expect_eq(omt_list_open(scratch_folder, OMT_ROLE_NONE, &limits, &list, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "a folder, expected a list"), "%s", err.text);
	cr_expect_null(list);
}

Test(list, standard_input)
{
	cr_assert_not_null(freopen(scratch_text("in", "{\"image\":\"a.png\"}\n{\"image\":\"-\"}\n"
	                                              "{\"text\":\"b\"}\n"),
	                           "r", stdin));
	omt_list *list = open_list("-");
	cr_expect_str_eq(take(list)->parts[0].path, "./a.png");
	take_failed(list, "-:2: standard input is the list itself");
	take(list);
	expect_end(list);
}

/* Where reading fails in the middle the caller has to learn of it. */
Test(list, read_errors_are_reported)
{
	cr_assert_not_null(freopen("/proc/self/mem", "r", stdin));
	omt_list *list = open_list("-");
	take_failed(list, "-:0: the list ends here: ");
	expect_end(list);
}

Test(list, a_clip_that_does_not_say_takes_the_fusion_of_the_limits)
{
	omt_limits limits;
	omt_list *list;
	omt_error err;
	omt_limits_init(&limits);
	limits.fusion = OMT_AUDIO_SEPARATE;
	const char *path =
		scratch_text("list.jsonl", "{\"video\":\"a.mp4\"}\n"
	                                   "{\"video\":\"a.mp4\",\"use_audio\":\"off\"}\n");
	cr_assert_eq(omt_list_open(path, OMT_ROLE_NONE, &limits, &list, &err), OMT_OK);
	cr_expect_eq(take(list)->parts[0].fusion, OMT_AUDIO_SEPARATE);
	cr_expect_eq(take(list)->parts[0].fusion, OMT_AUDIO_OFF);
	omt_list_close(list);
}
