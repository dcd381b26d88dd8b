#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "index/lines.h"
#include "index/list.h"
#include "index/seen.h"

#define MAX_PARTS   1024
#define PLACE_BYTES 512

struct omt_list {
	char *path, *folder;
	omt_lines lines;
	bool broken; /* reading failed, which was reported */
	omt_role role;
	omt_limits limits;
	omt_seen *seen; /* ids so far */
	bool again;     /* a line that was read before: its id is there */

	/* Of the current item. */
	char place[PLACE_BYTES], number_id[32];
	json_t *object;
	bool beir; /* a line with "_id" */
	omt_part *parts;
	char **owned; /* of each part its path or joined text and its transcript's, NULL: none */
	size_t part_count;
	omt_item item;
};

omt_status omt_list_open(const char *path, omt_role role, const omt_limits *limits,
                         omt_list **given, omt_error *err)
{
	omt_list *list = calloc(1, sizeof *list);
	*given = NULL;
	if (!list || !(list->path = strdup(path)) || !(list->seen = omt_seen_new()) ||
	    !(list->folder = omt_path_folder(path))) {
		omt_list_close(list);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	list->role = role;
	list->limits = *limits;
	omt_status status = omt_lines_open(path, &list->lines, err);
	if (status == OMT_OK)
		*given = list;
	else
		omt_list_close(list);
	return status;
}

static void clear_item(omt_list *list)
{
	for (size_t i = 0; i < 2 * list->part_count; i++)
		free(list->owned[i]);
	free(list->owned);
	free(list->parts);
	json_decref(list->object);
	list->owned = NULL;
	list->parts = NULL;
	list->object = NULL;
	list->part_count = 0;
	list->beir = false;
}

void omt_list_close(omt_list *list)
{
	if (!list)
		return;
	clear_item(list);
	omt_lines_close(&list->lines);
	omt_seen_free(list->seen);
	free(list->folder);
	free(list->path);
	free(list);
}

/* ---- words --------------------------------------------------------------------------------- */

/* Index of a word in a NULL-terminated list into *value; absent leaves it. */
static omt_status read_word(omt_json in, const char *key, const char *const *words, int *value,
                            omt_error *err)
{
	const char *word = NULL;
	char expected[80] = "";
	OMT_TRY(omt_json_string(in, key, &word, err));
	if (!word)
		return OMT_OK;
	for (int i = 0; words[i]; i++) {
		if (!strcmp(word, words[i])) {
			*value = i;
			return OMT_OK;
		}
		size_t used = strlen(expected);
		snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "", words[i]);
	}
	return OMT_FAIL(err, BAD_FORMAT, "%s: %s is \"%.40s\", expected one of %s", in.place, key,
	                word, expected);
}

const char *const omt_list_kinds[] = {[OMT_TEXT] = "text",
                                      [OMT_IMAGE] = "image",
                                      [OMT_VIDEO] = "video",
                                      [OMT_AUDIO] = "audio",
                                      NULL};
const char *const omt_list_roles[] = {
	[OMT_ROLE_NONE] = "none", [OMT_ROLE_QUERY] = "query", [OMT_ROLE_PASSAGE] = "passage", NULL};
const char *const omt_list_fusions[] = {[OMT_AUDIO_OFF] = "off",
                                        [OMT_AUDIO_SEPARATE] = "separate",
                                        [OMT_AUDIO_INTERLEAVED] = "interleaved",
                                        NULL};
const char *const omt_list_recipes[] = {[OMT_RECIPE_CARD] = "card",
                                        [OMT_RECIPE_ST] = "st",
                                        [OMT_RECIPE_CAP] = "cap",
                                        [OMT_RECIPE_MTEB16] = "mteb16",
                                        NULL};

const char *const omt_list_frames[] = {
	[OMT_FRAMES_UNIFORM] = "uniform", [OMT_FRAMES_SCENE] = "scene", NULL};
const char *const omt_list_subtitles[] = {
	[OMT_SUBTITLES_OFF] = "off", [OMT_SUBTITLES_ON] = "on", NULL};

/* ---- parts --------------------------------------------------------------------------------- */

static omt_status read_video_limits(omt_json in, omt_part *part, omt_error *err)
{
	omt_limits *limits = &part->limits;
	int fusion = (int)part->fusion, recipe = (int)limits->recipe;
	int frames = (int)limits->frames, subtitles = (int)limits->subtitles;
	OMT_TRY(read_word(in, "frames", omt_list_frames, &frames, err));
	OMT_TRY(omt_json_real(in, "scene_threshold", 0, 1, &limits->scene_threshold, err));
	OMT_TRY(read_word(in, "subtitles", omt_list_subtitles, &subtitles, err));
	OMT_TRY(omt_json_string(in, "subtitle_language", &limits->subtitle_language, err));
	limits->frames = (omt_frame_choice)frames;
	limits->subtitles = (omt_subtitles)subtitles;
	OMT_TRY(read_word(in, "use_audio", omt_list_fusions, &fusion, err));
	OMT_TRY(read_word(in, "recipe", omt_list_recipes, &recipe, err));
	OMT_TRY(omt_json_real(in, "fps", 0.001, 1000, &limits->fps, err));
	OMT_TRY(omt_json_int(in, "min_frames", 2, 100000, &limits->min_frames, err));
	OMT_TRY(omt_json_int(in, "max_frames", 2, 100000, &limits->max_frames, err));
	OMT_TRY(omt_json_int64(in, "min_pixels", 1, 1 << 30, &limits->video_min_pixels, err));
	OMT_TRY(omt_json_int64(in, "max_pixels", 1, 1 << 30, &limits->video_max_pixels, err));
	OMT_TRY(omt_json_real(in, "max_seconds", 0, 1e9, &limits->max_seconds, err));
	OMT_TRY(omt_json_int64(in, "max_samples", 400, 1 << 30, &limits->max_samples, err));
	part->fusion = (omt_fusion)fusion;
	limits->recipe = (omt_recipe)recipe;
	if (limits->max_frames % 2)
		return OMT_FAIL(err, BAD_FORMAT, "%s: max_frames is %d, expected an even number",
		                in.place, limits->max_frames);
	return OMT_OK;
}

/* The keys beside "type" that say something of a part; `item`: those of a short form's line too. */
static omt_status check_keys(omt_json in, omt_kind kind, bool item, omt_error *err)
{
	static const char *const keys[OMT_KIND_COUNT][24] = {
		[OMT_TEXT] = {"text"},
		[OMT_IMAGE] = {"image", "min_pixels", "max_pixels", "page"},
		[OMT_VIDEO] = {"video", "use_audio", "recipe", "fps", "min_frames", "max_frames",
	                       "min_pixels", "max_pixels", "max_seconds", "max_samples", "frames",
	                       "scene_threshold", "subtitles", "subtitle_language", "transcript",
	                       "max_characters"},
		[OMT_AUDIO] = {"audio", "max_seconds", "max_samples", "transcript",
	                       "max_characters"},
	};
	const char *allowed[28];
	size_t count = 0;
	while (keys[kind][count]) {
		allowed[count] = keys[kind][count];
		count++;
	}
	allowed[count++] = item ? "id" : "type";
	if (item)
		allowed[count++] = "role";
	allowed[count] = NULL;
	return omt_json_only(in, allowed, err);
}

/* A part's file at `key`: relative to the list's folder, or standard input. */
static omt_status read_path(const omt_list *list, omt_json in, const char *key, char **given,
                            omt_error *err)
{
	const json_t *value = json_object_get(in.object, key);
	if (!json_is_string(value))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is missing or not a string", in.place,
		                key);
	const char *path = json_string_value(value);
	bool pipe = !strcmp(path, "-") || !strcmp(path, "pipe:");
	if (strlen(path) != json_string_length(value) || !*path)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is not a path", in.place, key);
	if (pipe && list->lines.standard)
		return OMT_FAIL(err, BAD_FORMAT, "%s: standard input is the list itself", in.place);
	*given = pipe ? strdup(path) : omt_path_join(list->folder, path);
	return *given ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", in.place);
}

/* What is said in a clip or sound; in a line of BEIR's that has both it is the clip's. */
static omt_status read_transcript(const omt_list *list, omt_json in, omt_part *part, char **given,
                                  omt_error *err)
{
	const json_t *value = json_object_get(in.object, "transcript");
	const bool clip = json_is_string(json_object_get(in.object, omt_list_kinds[OMT_VIDEO]));
	OMT_TRY(omt_json_int64(in, "max_characters", 1, 1 << 30, &part->limits.max_characters,
	                       err));
	if (!value || json_is_null(value) || (part->kind == OMT_AUDIO && clip))
		return OMT_OK;
	OMT_TRY(read_path(list, in, "transcript", given, err));
	part->transcript = *given;
	return OMT_OK;
}

static omt_status read_part(omt_list *list, omt_json in, omt_kind kind, bool item, omt_error *err)
{
	omt_part *part = &list->parts[list->part_count];
	omt_limits *limits = &part->limits;
	const json_t *value = json_object_get(in.object, omt_list_kinds[kind]);
	char **owned = &list->owned[2 * list->part_count];
	if (!list->beir)
		OMT_TRY(check_keys(in, kind, item, err));
	*part = (omt_part){.kind = kind, .limits = list->limits};
	if (kind == OMT_VIDEO)
		part->fusion = list->limits.fusion;
	list->part_count++;
	if (kind == OMT_TEXT) {
		if (!json_is_string(value))
			return OMT_FAIL(err, BAD_FORMAT, "%s: \"text\" is missing or not a string",
			                in.place);
		part->text = json_string_value(value);
		part->text_bytes = json_string_length(value);
		return OMT_OK;
	}
	OMT_TRY(read_path(list, in, omt_list_kinds[kind], &owned[0], err));
	part->path = owned[0];
	if (kind != OMT_IMAGE)
		OMT_TRY(read_transcript(list, in, part, &owned[1], err));
	switch (kind) {
	case OMT_IMAGE:
		OMT_TRY(omt_json_bool(in, "page", &limits->page, err));
		OMT_TRY(omt_json_int64(in, "min_pixels", 1, 1 << 30, &limits->image_min_pixels,
		                       err));
		return omt_json_int64(in, "max_pixels", 1, 1 << 30, &limits->image_max_pixels, err);
	case OMT_VIDEO:
		return read_video_limits(in, part, err);
	case OMT_AUDIO:
		OMT_TRY(omt_json_real(in, "max_seconds", 0, 1e9, &limits->max_seconds, err));
		return omt_json_int64(in, "max_samples", 400, 1 << 30, &limits->max_samples, err);
	default:
		return OMT_OK;
	}
}

static omt_status read_content(omt_list *list, omt_json in, const json_t *content, omt_error *err)
{
	static const char *const keys[] = {"id", "role", "content", NULL};
	size_t index;
	json_t *entry;
	OMT_TRY(omt_json_only(in, keys, err));
	json_array_foreach(content, index, entry)
	{
		int kind = -1;
		if (!json_is_object(entry))
			return OMT_FAIL(err, BAD_FORMAT, "%s: content[%zu] is not an object",
			                in.place, index);
		omt_json part = {in.place, entry};
		OMT_TRY(read_word(part, "type", omt_list_kinds, &kind, err));
		if (kind < 0)
			return OMT_FAIL(err, BAD_FORMAT, "%s: content[%zu] has no type", in.place,
			                index);
		OMT_TRY(read_part(list, part, (omt_kind)kind, false, err));
	}
	return OMT_OK;
}

/* ---- BEIR's lines -------------------------------------------------------------------------- */

/* A string's text; an absent or null one is empty. */
static omt_status read_text(omt_json in, const char *key, const char **text, size_t *bytes,
                            omt_error *err)
{
	const json_t *value = json_object_get(in.object, key);
	*text = "";
	*bytes = 0;
	if (!value || json_is_null(value))
		return OMT_OK;
	if (!json_is_string(value))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is not a string", in.place, key);
	*text = json_string_value(value);
	*bytes = json_string_length(value);
	return OMT_OK;
}

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Title and text as BEIR's own encoders join them: a space between, no white space at either end;
 * a line without a title (a query) keeps its text as it is. Beside a file an empty text is none. */
static omt_status read_beir_text(omt_list *list, omt_json in, bool alone, omt_error *err)
{
	const char *title, *text;
	char *joined = NULL;
	size_t title_bytes, bytes;
	OMT_TRY(read_text(in, "title", &title, &title_bytes, err));
	OMT_TRY(read_text(in, "text", &text, &bytes, err));
	if (json_is_string(json_object_get(in.object, "title"))) {
		joined = malloc(title_bytes + bytes + 2);
		if (!joined)
			return OMT_FAIL(err, NO_MEMORY, "%s", in.place);
		memcpy(joined, title, title_bytes);
		joined[title_bytes] = ' ';
		memcpy(joined + title_bytes + 1, text, bytes);
		text = joined;
		bytes += title_bytes + 1;
		for (; bytes && is_blank(*text); bytes--)
			text++;
		while (bytes && is_blank(text[bytes - 1]))
			bytes--;
	}
	if (!bytes && !alone) {
		free(joined);
		return OMT_OK;
	}
	list->owned[2 * list->part_count] = joined;
	list->parts[list->part_count++] = (omt_part){
		.kind = OMT_TEXT, .text = text, .text_bytes = bytes, .limits = list->limits};
	return OMT_OK;
}

/* {"_id", "title", "text", "image", "video", "audio"}: one part each, in this order. Keys that say
 * how a file is read hold for these; "metadata" and what else is there are left alone. */
static omt_status read_beir(omt_list *list, omt_json in, omt_error *err)
{
	bool text = json_is_string(json_object_get(in.object, "text")) ||
	            json_is_string(json_object_get(in.object, "title"));
	int files = 0;
	if (json_object_get(in.object, "id") || json_object_get(in.object, "content"))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"_id\" beside %s", in.place,
		                json_object_get(in.object, "id") ? "\"id\"" : "\"content\"");
	for (int kind = OMT_IMAGE; kind < OMT_KIND_COUNT; kind++) {
		const json_t *value = json_object_get(in.object, omt_list_kinds[kind]);
		files += value && !json_is_null(value);
	}
	OMT_TRY(read_beir_text(list, in, text && !files, err));
	/* The paper's order of streams: text, frames, sound. */
	for (int kind = OMT_IMAGE; kind < OMT_KIND_COUNT; kind++) {
		const json_t *value = json_object_get(in.object, omt_list_kinds[kind]);
		if (value && !json_is_null(value))
			OMT_TRY(read_part(list, in, (omt_kind)kind, true, err));
	}
	return list->part_count
	               ? OMT_OK
	               : OMT_FAIL(err, BAD_FORMAT, "%s: none of title, text, image, video, audio",
	                          in.place);
}

static omt_status read_parts(omt_list *list, omt_json in, omt_error *err)
{
	const json_t *content = json_object_get(in.object, "content");
	size_t count = json_is_array(content) ? json_array_size(content) : OMT_KIND_COUNT;
	int first = OMT_KIND_COUNT;
	if (count > MAX_PARTS)
		return OMT_FAIL(err, LIMIT, "%s: %zu parts, at most %d", in.place, count,
		                MAX_PARTS);
	list->parts = calloc(count, sizeof *list->parts);
	list->owned = calloc(2 * count, sizeof(char *));
	if (count && (!list->parts || !list->owned))
		return OMT_FAIL(err, NO_MEMORY, "%s", in.place);
	if (list->beir)
		return read_beir(list, in, err);
	if (content) {
		if (!json_is_array(content) || !count)
			return OMT_FAIL(err, BAD_FORMAT, "%s: content is not an array of parts",
			                in.place);
		return read_content(list, in, content, err);
	}
	for (int kind = OMT_KIND_COUNT - 1; kind >= 0; kind--)
		if (json_object_get(in.object, omt_list_kinds[kind])) {
			if (first != OMT_KIND_COUNT)
				return OMT_FAIL(
					err, BAD_FORMAT, "%s: both %s and %s; join them in content",
					in.place, omt_list_kinds[kind], omt_list_kinds[first]);
			first = kind;
		}
	if (first == OMT_KIND_COUNT)
		return OMT_FAIL(err, BAD_FORMAT, "%s: none of content, text, image, video, audio",
		                in.place);
	return read_part(list, in, (omt_kind)first, true, err);
}

/* ---- lines --------------------------------------------------------------------------------- */

/* A number as an id is the text of it; no id at all is the number of the line. */
static omt_status read_id(omt_list *list, omt_json in, omt_error *err)
{
	const json_t *id = json_object_get(in.object, "_id");
	bool again;
	list->beir = id != NULL;
	id = id ? id : json_object_get(in.object, "id");
	if (json_is_number(id)) {
		size_t room = sizeof list->number_id - 1;
		size_t length = json_dumpb(id, list->number_id, room, JSON_ENCODE_ANY);
		list->number_id[length < room ? length : room] = '\0';
	} else if (id) {
		const char *text = json_string_value(id);
		if (!text || !*text || strlen(text) != json_string_length(id))
			return OMT_FAIL(
				err, BAD_FORMAT,
				"%s: id is not a number or a string of at least one character",
				in.place);
		list->item.id = text;
	}
	if (list->again)
		return OMT_OK;
	if (!omt_seen_add(list->seen, list->item.id, &again))
		return OMT_FAIL(err, NO_MEMORY, "%s: ids so far", in.place);
	return again ? OMT_FAIL(err, BAD_FORMAT, "%s: id \"%.80s\" for the second time", in.place,
	                        list->item.id)
	             : OMT_OK;
}

/* The line's object and its id, which is noted. */
static omt_status read_object(omt_list *list, const char *text, size_t bytes, omt_error *err)
{
	OMT_TRY(omt_json_parse(list->place, text, bytes, &list->object, err));
	if (!json_is_object(list->object))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an object", list->place);
	return read_id(list, (omt_json){list->place, list->object}, err);
}

static omt_status read_item(omt_list *list, const char *text, size_t bytes, omt_error *err)
{
	int role = (int)list->role;
	OMT_TRY(read_object(list, text, bytes, err));
	omt_json in = {list->place, list->object};
	if (!list->beir)
		OMT_TRY(read_word(in, "role", omt_list_roles, &role, err));
	list->item.role = (omt_role)role;
	OMT_TRY(read_parts(list, in, err));
	list->item.parts = list->parts;
	list->item.part_count = list->part_count;
	return OMT_OK;
}

static void begin_item(omt_list *list)
{
	clear_item(list);
	const uint64_t line = list->lines.number;
	snprintf(list->place, sizeof list->place, "%s:%llu", list->path, (unsigned long long)line);
	snprintf(list->number_id, sizeof list->number_id, "%llu", (unsigned long long)line);
	list->item = (omt_item){.id = list->number_id, .role = list->role, .line = line};
}

bool omt_list_next(omt_list *list, const omt_item **item)
{
	omt_error *failed = &list->item.failed;
	const omt_lines *lines = &list->lines;
	bool found = !list->broken && omt_lines_next(&list->lines);
	int reason = errno;
	if (!found && (list->broken || !ferror(lines->file)))
		return false;
	list->broken = !found;
	begin_item(list);
	if (!found)
		OMT_FAIL(failed, IO, "%s: the list ends here: %s", list->place, strerror(reason));
	else if (!lines->whole)
		OMT_FAIL(failed, LIMIT, "%s: a line of more than %zu MB", list->place,
		         OMT_MAX_LINE >> 20);
	else
		failed->status = read_item(list, lines->text, lines->bytes, failed);
	if (failed->status != OMT_OK) {
		list->item.parts = NULL;
		list->item.part_count = 0;
	}
	*item = &list->item;
	return true;
}

uint64_t omt_list_place(const omt_list *list)
{
	return list->lines.begin;
}

omt_status omt_list_read_at(omt_list *list, uint64_t place, uint64_t line, const omt_item **item,
                            omt_error *err)
{
	omt_status status = omt_lines_seek(&list->lines, place, line, err);
	if (status != OMT_OK)
		return omt_fail_at(err, status, "%s", list->path);
	list->broken = false;
	list->again = true;
	const bool found = omt_list_next(list, item);
	list->again = false;
	if (!found || list->lines.number != line)
		return OMT_FAIL(err, IO, "%s:%llu: the line is gone: the list was changed",
		                list->path, (unsigned long long)line);
	return OMT_OK;
}

omt_status omt_list_skip(omt_list *list, uint64_t line, omt_error *err)
{
	omt_lines *lines = &list->lines;
	while (lines->number < line && !list->broken && omt_lines_read(lines)) {
		omt_error ignored; /* what is wrong with it was told by who made its item */
		if (!lines->bytes || !lines->whole)
			continue;
		begin_item(list);
		if (read_object(list, lines->text, lines->bytes, &ignored) == OMT_NO_MEMORY)
			return OMT_FAIL(err, NO_MEMORY, "%s", ignored.text);
	}
	return OMT_OK;
}

uint64_t omt_list_line(const omt_list *list)
{
	return list->lines.number;
}
