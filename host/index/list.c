#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/file.h"
#include "base/json.h"

#define MAX_LINE    ((size_t)64 << 20)
#define PLACE_BYTES 512

struct omt_list {
	char *path, *folder;
	FILE *file;
	bool close;
	omt_role role;
	omt_limits limits;
	char *line;
	size_t room, number;
	json_t *seen; /* ids so far */

	/* Of the current item. */
	char place[PLACE_BYTES], number_id[32];
	json_t *object;
	omt_part *parts;
	char **paths;
	size_t part_count;
	omt_item item;
};

omt_status omt_list_open(const char *path, omt_role role, const omt_limits *limits,
                         omt_list **given, omt_error *err)
{
	bool standard = !strcmp(path, "-");
	omt_list *list = calloc(1, sizeof *list);
	*given = NULL;
	if (!list || !(list->path = strdup(path)) || !(list->seen = json_object()) ||
	    !(list->folder = standard ? strdup(".") : omt_path_folder(path))) {
		omt_list_close(list);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	list->role = role;
	list->limits = *limits;
	list->file = standard ? stdin : fopen(path, "rbe");
	list->close = !standard;
	if (!list->file) {
		omt_status status = OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
		omt_list_close(list);
		return status;
	}
	*given = list;
	return OMT_OK;
}

static void clear_item(omt_list *list)
{
	for (size_t i = 0; i < list->part_count; i++)
		free(list->paths[i]);
	free(list->paths);
	free(list->parts);
	json_decref(list->object);
	list->paths = NULL;
	list->parts = NULL;
	list->object = NULL;
	list->part_count = 0;
}

void omt_list_close(omt_list *list)
{
	if (!list)
		return;
	clear_item(list);
	if (list->file && list->close)
		fclose(list->file);
	json_decref(list->seen);
	free(list->line);
	free(list->folder);
	free(list->path);
	free(list);
}

/* ---- words
 * ------------------------------------------------------------------------------------------ */

/* Index of a word in a NULL-terminated list into *value; absent leaves it. */
static omt_status read_word(omt_json in, const char *key, const char *const *words, int *value,
                            omt_error *err)
{
	const char *word = NULL;
	OMT_TRY(omt_json_string(in, key, &word, err));
	for (int i = 0; word && words[i]; i++)
		if (!strcmp(word, words[i])) {
			*value = i;
			return OMT_OK;
		}
	if (word)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %s is \"%.40s\"", in.place, key, word);
	return OMT_OK;
}

static const char *const kind_names[] = {[OMT_TEXT] = "text",
                                         [OMT_IMAGE] = "image",
                                         [OMT_VIDEO] = "video",
                                         [OMT_AUDIO] = "audio",
                                         NULL};
static const char *const role_names[] = {
	[OMT_ROLE_NONE] = "none", [OMT_ROLE_QUERY] = "query", [OMT_ROLE_PASSAGE] = "passage", NULL};
static const char *const fusion_names[] = {[OMT_AUDIO_OFF] = "off",
                                           [OMT_AUDIO_SEPARATE] = "separate",
                                           [OMT_AUDIO_INTERLEAVED] = "interleaved",
                                           NULL};
static const char *const recipe_names[] = {[OMT_RECIPE_CARD] = "card",
                                           [OMT_RECIPE_ST] = "st",
                                           [OMT_RECIPE_CAP] = "cap",
                                           [OMT_RECIPE_MTEB16] = "mteb16",
                                           NULL};

/* ---- parts
 * ------------------------------------------------------------------------------------------ */

static omt_status read_video_limits(omt_json in, omt_part *part, omt_error *err)
{
	omt_limits *limits = &part->limits;
	int fusion = (int)part->fusion, recipe = (int)limits->recipe;
	OMT_TRY(read_word(in, "use_audio", fusion_names, &fusion, err));
	OMT_TRY(read_word(in, "recipe", recipe_names, &recipe, err));
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
	static const char *const keys[OMT_KIND_COUNT][16] = {
		[OMT_TEXT] = {"text"},
		[OMT_IMAGE] = {"image", "min_pixels", "max_pixels"},
		[OMT_VIDEO] = {"video", "use_audio", "recipe", "fps", "min_frames", "max_frames",
	                       "min_pixels", "max_pixels", "max_seconds", "max_samples"},
		[OMT_AUDIO] = {"audio", "max_seconds", "max_samples"},
	};
	const char *allowed[20];
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

static omt_status read_part(omt_list *list, omt_json in, omt_kind kind, bool item, omt_error *err)
{
	omt_part *part = &list->parts[list->part_count];
	omt_limits *limits = &part->limits;
	const json_t *value = json_object_get(in.object, kind_names[kind]);
	OMT_TRY(check_keys(in, kind, item, err));
	if (!json_is_string(value))
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is missing or not a string", in.place,
		                kind_names[kind]);
	*part = (omt_part){.kind = kind, .limits = list->limits};
	if (kind == OMT_TEXT) {
		part->text = json_string_value(value);
		part->text_bytes = json_string_length(value);
		list->part_count++;
		return OMT_OK;
	}
	const char *path = json_string_value(value);
	if (strlen(path) != json_string_length(value) || !*path)
		return OMT_FAIL(err, BAD_FORMAT, "%s: \"%s\" is not a path", in.place,
		                kind_names[kind]);
	list->paths[list->part_count] =
		strcmp(path, "-") ? omt_path_join(list->folder, path) : strdup(path);
	part->path = list->paths[list->part_count++];
	if (!part->path)
		return OMT_FAIL(err, NO_MEMORY, "%s", in.place);
	if (kind == OMT_IMAGE) {
		OMT_TRY(omt_json_int64(in, "min_pixels", 1, 1 << 30, &limits->image_min_pixels,
		                       err));
		return omt_json_int64(in, "max_pixels", 1, 1 << 30, &limits->image_max_pixels, err);
	}
	if (kind == OMT_VIDEO)
		return read_video_limits(in, part, err);
	OMT_TRY(omt_json_real(in, "max_seconds", 0, 1e9, &limits->max_seconds, err));
	return omt_json_int64(in, "max_samples", 400, 1 << 30, &limits->max_samples, err);
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
		OMT_TRY(read_word(part, "type", kind_names, &kind, err));
		if (kind < 0)
			return OMT_FAIL(err, BAD_FORMAT, "%s: content[%zu] has no type", in.place,
			                index);
		OMT_TRY(read_part(list, part, (omt_kind)kind, false, err));
	}
	return OMT_OK;
}

static omt_status read_parts(omt_list *list, omt_json in, omt_error *err)
{
	const json_t *content = json_object_get(in.object, "content");
	size_t count = json_is_array(content) ? json_array_size(content) : 1;
	list->parts = calloc(count, sizeof *list->parts);
	list->paths = calloc(count, sizeof(char *));
	if (count && (!list->parts || !list->paths))
		return OMT_FAIL(err, NO_MEMORY, "%s", in.place);
	if (content) {
		if (!json_is_array(content) || !count)
			return OMT_FAIL(err, BAD_FORMAT, "%s: content is not an array of parts",
			                in.place);
		return read_content(list, in, content, err);
	}
	for (int kind = 0; kind < OMT_KIND_COUNT; kind++)
		if (json_object_get(in.object, kind_names[kind]))
			return read_part(list, in, (omt_kind)kind, true, err);
	return OMT_FAIL(err, BAD_FORMAT, "%s: none of content, text, image, video, audio",
	                in.place);
}

/* ---- lines
 * ------------------------------------------------------------------------------------------ */

static omt_status read_id(omt_list *list, omt_json in, omt_error *err)
{
	const json_t *id = json_object_get(in.object, "id");
	if (json_is_integer(id))
		snprintf(list->number_id, sizeof list->number_id, "%lld",
		         (long long)json_integer_value(id));
	else if (json_is_string(id) && strlen(json_string_value(id)) == json_string_length(id))
		list->item.id = json_string_value(id);
	else if (id)
		return OMT_FAIL(err, BAD_FORMAT, "%s: id is not a string", in.place);
	if (json_object_get(list->seen, list->item.id))
		return OMT_FAIL(err, BAD_FORMAT, "%s: id \"%.80s\" for the second time", in.place,
		                list->item.id);
	json_object_set_new(list->seen, list->item.id, json_true());
	return OMT_OK;
}

static omt_status read_item(omt_list *list, const char *text, size_t bytes, omt_error *err)
{
	int role = (int)list->role;
	OMT_TRY(omt_json_parse(list->place, text, bytes, &list->object, err));
	if (!json_is_object(list->object))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an object", list->place);
	omt_json in = {list->place, list->object};
	OMT_TRY(read_id(list, in, err));
	OMT_TRY(read_word(in, "role", role_names, &role, err));
	list->item.role = (omt_role)role;
	OMT_TRY(read_parts(list, in, err));
	list->item.parts = list->parts;
	list->item.part_count = list->part_count;
	return OMT_OK;
}

/* The next line that is not blank; its length, -1 at the end. What is beyond MAX_LINE is dropped,
 * and *whole tells. */
static ssize_t next_line(omt_list *list, bool *whole)
{
	for (;;) {
		ssize_t got = getline(&list->line, &list->room, list->file);
		if (got < 0)
			return -1;
		list->number++;
		while (got && strchr("\r\n \t", list->line[got - 1]) && list->line[got - 1])
			list->line[--got] = '\0';
		*whole = (size_t)got <= MAX_LINE;
		if (got)
			return got;
	}
}

bool omt_list_next(omt_list *list, const omt_item **item)
{
	static const char bom[] = "\xef\xbb\xbf";
	bool whole;
	clear_item(list);
	ssize_t bytes = next_line(list, &whole);
	if (bytes < 0)
		return false;
	const char *text = list->line;
	if (list->number == 1 && !strncmp(text, bom, 3)) {
		text += 3;
		bytes -= 3;
	}
	snprintf(list->place, sizeof list->place, "%s:%zu", list->path, list->number);
	snprintf(list->number_id, sizeof list->number_id, "%zu", list->number);
	list->item = (omt_item){.id = list->number_id, .role = list->role};
	omt_error *failed = &list->item.failed;
	if (!whole)
		OMT_FAIL(failed, LIMIT, "%s: a line of %zd bytes", list->place, bytes);
	else
		failed->status = read_item(list, text, (size_t)bytes, failed);
	if (failed->status != OMT_OK) {
		list->item.parts = NULL;
		list->item.part_count = 0;
	}
	*item = &list->item;
	return true;
}
