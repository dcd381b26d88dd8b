/* Lines of BEIR's corpus.jsonl and queries.jsonl, reading a list from its middle, and its ids. */
#include "index/list.h"
#include "index/seen.h"
#include "tests/unit/scratch.h"

TestSuite(beir, .init = scratch_make, .fini = scratch_drop);

static omt_list *list_of(const char *text)
{
	omt_limits limits;
	omt_list *list;
	omt_error err;
	omt_limits_init(&limits);
	cr_assert_eq(omt_list_open(scratch_text("corpus.jsonl", text), OMT_ROLE_PASSAGE, &limits,
	                           &list, &err),
	             OMT_OK, "%s", err.text);
	return list;
}

/* A line's only part is this text. */
static void expect_text(const char *line, const char *text)
{
	const omt_item *item;
	omt_list *list = list_of(line);
	cr_assert(omt_list_next(list, &item));
	cr_assert_eq(item->failed.status, OMT_OK, "%s: %s", line, item->failed.text);
	cr_assert_eq(item->part_count, 1);
	cr_expect_eq(item->parts[0].kind, OMT_TEXT);
	cr_expect_eq(item->parts[0].text_bytes, strlen(text), "%s", line);
	cr_expect_arr_eq(item->parts[0].text, text, strlen(text), "%s", line);
	omt_list_close(list);
}

Test(beir, title_and_text)
{
	expect_text("{\"_id\":\"a\",\"title\":\"T\",\"text\":\"x y\",\"metadata\":{\"u\":1}}",
	            "T x y");
	expect_text("{\"_id\":\"a\",\"title\":\"\",\"text\":\" x y\\n\"}", "x y");
	expect_text("{\"_id\":\"a\",\"title\":\"T\",\"text\":\"\"}", "T");
	expect_text("{\"_id\":\"a\",\"title\":\"T\",\"text\":null}", "T");
	expect_text("{\"_id\":\"a\",\"title\":null,\"text\":\" x \"}", " x ");
	expect_text("{\"_id\":7,\"text\":\" a query \",\"url\":\"u\",\"role\":\"of no kind\"}",
	            " a query ");
	expect_text("{\"_id\":\"a\",\"text\":\"\",\"image\":null}", "");
}

Test(beir, streams_stand_in_the_papers_order)
{
	static const omt_kind kinds[] = {OMT_TEXT, OMT_IMAGE, OMT_VIDEO, OMT_AUDIO};
	const omt_item *item;
	omt_list *list =
		list_of("{\"audio\":\"s.wav\",\"video\":\"c.mp4\",\"image\":\"p.png\","
	                "\"text\":\"x\",\"title\":\"T\",\"_id\":\"a\",\"max_frames\":8,"
	                "\"use_audio\":\"separate\",\"metadata\":null}\n"
	                "{\"_id\":\"b\",\"title\":\"\",\"text\":\" \",\"image\":\"/p.png\"}\n");
	cr_assert(omt_list_next(list, &item));
	cr_assert_eq(item->failed.status, OMT_OK, "%s", item->failed.text);
	cr_expect_str_eq(item->id, "a");
	cr_expect_eq(item->line, 1);
	cr_expect_eq(item->role, OMT_ROLE_PASSAGE);
	cr_assert_eq(item->part_count, 4);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(item->parts[i].kind, kinds[i]);
	cr_expect_arr_eq(item->parts[0].text, "T x", 3);
	cr_expect_str_eq(item->parts[1].path, scratch_path("p.png"));
	cr_expect_eq(item->parts[2].limits.max_frames, 8);
	cr_expect_eq(item->parts[2].fusion, OMT_AUDIO_SEPARATE);
	cr_expect_str_eq(item->parts[3].path, scratch_path("s.wav"));
	cr_assert(omt_list_next(list, &item));
	cr_assert_eq(item->part_count, 1, "an empty text beside a file is none");
	cr_expect_str_eq(item->parts[0].path, "/p.png");
	cr_expect_not(omt_list_next(list, &item));
	omt_list_close(list);
}

Test(beir, bad_lines)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"{\"_id\":\"a\"}", "none of title, text, image, video, audio"},
		{"{\"_id\":\"a\",\"text\":null}", "none of title, text, image, video, audio"},
		{"{\"_id\":\"a\",\"text\":5}", "\"text\" is not a string"},
		{"{\"_id\":\"a\",\"title\":[],\"text\":\"x\"}", "\"title\" is not a string"},
		{"{\"_id\":\"a\",\"text\":\"x\",\"image\":5}", "\"image\" is missing or not a"},
		{"{\"_id\":\"a\",\"image\":\"\"}", "\"image\" is not a path"},
		{"{\"_id\":\"a\",\"video\":\"c\",\"fps\":0}", "\"fps\" is 0, expected"},
		{"{\"_id\":\"a\",\"id\":\"b\",\"text\":\"x\"}", "\"_id\" beside \"id\""},
		{"{\"_id\":\"a\",\"content\":[]}", "\"_id\" beside \"content\""},
		{"{\"_id\":null,\"text\":\"x\"}", "id is not a number or a string"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const omt_item *item;
		omt_list *list = list_of(cases[i].line);
		cr_assert(omt_list_next(list, &item));
		cr_expect_neq(item->failed.status, OMT_OK, "%s", cases[i].line);
		cr_expect_not_null(strstr(item->failed.text, cases[i].error), "%s: %s",
		                   cases[i].line, item->failed.text);
		omt_list_close(list);
	}
}

Test(beir, an_id_twice_names_the_line)
{
	const omt_item *item;
	omt_list *list = list_of("{\"_id\":\"a\",\"text\":\"x\"}\n{\"id\":\"a\",\"text\":\"x\"}\n");
	cr_assert(omt_list_next(list, &item));
	cr_assert(omt_list_next(list, &item));
	cr_expect_not_null(strstr(item->failed.text, "corpus.jsonl:2: id \"a\" for the second"));
	omt_list_close(list);
}

/* After a skip everything is as if the lines had been read: numbers, ids, those seen. */
Test(beir, skipping)
{
	const omt_item *item;
	omt_error err;
	omt_list *list = list_of("\xef\xbb\xbf{\"id\":\"a\",\"text\":\"x\"}\nnot json\n\n"
	                         "{\"text\":\"x\"}\n{\"id\":\"a\",\"text\":\"x\"}\n"
	                         "{\"id\":4,\"text\":\"x\"}\n{\"text\":\"x\"}\n");
	cr_assert_eq(omt_list_skip(list, 4, &err), OMT_OK);
	cr_assert_eq(omt_list_skip(list, 2, &err), OMT_OK);
	cr_assert(omt_list_next(list, &item));
	cr_expect_eq(item->line, 5);
	cr_expect_not_null(strstr(item->failed.text, ":5: id \"a\" for the second time"));
	cr_assert(omt_list_next(list, &item));
	cr_expect_not_null(strstr(item->failed.text, ":6: id \"4\" for the second time"));
	cr_assert_eq(omt_list_skip(list, 100, &err), OMT_OK);
	cr_expect_not(omt_list_next(list, &item));
	omt_list_close(list);
}

Test(beir, seen_keeps_many)
{
	omt_seen *seen = omt_seen_new();
	bool again;
	cr_assert_not_null(seen);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100000; i++) {
			char id[16];
			snprintf(id, sizeof id, "%d", i);
			cr_assert(omt_seen_add(seen, id, &again));
			cr_assert_eq(again, round == 1, "%s", id);
		}
	cr_assert(omt_seen_add(seen, "", &again));
	cr_expect_not(again);
	omt_seen_free(seen);
}
