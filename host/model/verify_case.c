#include "model/verify_case.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what to read -------------------------------------------------------------------------- */

/* The recipes as the generator words them; the first whose words begin the field is meant. */
static void set_recipe(const char *recipe, omt_limits *limits)
{
	static const struct {
		const char *words;
		omt_recipe recipe;
		int32_t max_frames;
		bool content_fps;
	} recipes[] = {
		{"card, fps from time stamps", OMT_RECIPE_CARD, 768, true},
		{"card", OMT_RECIPE_CARD, 768, false},
		{"st", OMT_RECIPE_ST, 768, false},
		{"cap64", OMT_RECIPE_CAP, 64, false},
		{"mteb16", OMT_RECIPE_MTEB16, 16, false},
	};
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
		if (!strncmp(recipe, recipes[i].words, strlen(recipes[i].words))) {
			limits->recipe = recipes[i].recipe;
			limits->max_frames = recipes[i].max_frames;
			limits->content_fps = recipes[i].content_fps;
			return;
		}
}

static bool is_lossless(const char *path)
{
	static const char *const endings[] = {".png", ".gif", ".bmp", ".wav", ".flac"};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
		if (!strcasecmp(dot, endings[i]))
			return true;
	return false;
}

static omt_status add_part(omt_case *into, omt_kind kind, const char *text, size_t bytes,
                           omt_error *err)
{
	if (into->part_count == OMT_CASE_PARTS)
		return OMT_FAIL(err, LIMIT, "%s: more than %d parts", into->in.place,
		                OMT_CASE_PARTS);
	char *copy = kind == OMT_TEXT ? malloc(bytes + 1) : omt_path_join(into->root, text);
	if (!copy)
		return OMT_FAIL(err, NO_MEMORY, "%s", into->in.place);
	omt_part *part = &into->parts[into->part_count];
	into->owned[into->part_count++] = copy;
	*part = (omt_part){.kind = kind};
	omt_limits_init(&part->limits);
	set_recipe("card", &part->limits);
	if (kind == OMT_TEXT) {
		memcpy(copy, text, bytes);
		copy[bytes] = '\0';
		part->text = copy;
		part->text_bytes = bytes;
	} else {
		part->path = copy;
		into->lossless &= is_lossless(copy);
	}
	return OMT_OK;
}

static const struct {
	const char *name, *marker;
	omt_kind kind;
} kinds[] = {
	{"image", "<|vision_bos|><|IMAGE|><|vision_eos|>", OMT_IMAGE},
	{"video", "<|vision_bos|><|VIDEO|><|vision_eos|>", OMT_VIDEO},
	{"audio", "<|audio_bos|><|AUDIO|><|audio_eos|>", OMT_AUDIO},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* content: [["text", "..."], ["image", "inputs/a.png"], ...] */
static omt_status parts_from_content(omt_case *into, const json_t *content, omt_error *err)
{
	size_t index;
	json_t *entry;
	json_array_foreach(content, index, entry)
	{
		const char *type = json_string_value(json_array_get(entry, 0));
		const json_t *value = json_array_get(entry, 1);
		if (!type || !json_is_string(value))
			return OMT_FAIL(err, BAD_FORMAT, "%s: content[%zu] is not [type, value]",
			                into->in.place, index);
		omt_kind kind = OMT_TEXT;
		for (size_t i = 0; i < KINDS; i++)
			if (!strcmp(type, kinds[i].name))
				kind = kinds[i].kind;
		OMT_TRY(add_part(into, kind, json_string_value(value), json_string_length(value),
		                 err));
	}
	return OMT_OK;
}

/* A case without content: what lies between the user turn's markers, files in the prompt's order.
 */
static omt_status parts_from_prompt(omt_case *into, const char *prompt, const json_t *files,
                                    omt_error *err)
{
	static const char begin[] = "<|im_start|>user\n", finish[] = "<|im_end|>\n";
	const char *at = strstr(prompt, begin);
	size_t length = strlen(prompt), file = 0;
	if (!at || length < strlen(finish) || strcmp(prompt + length - strlen(finish), finish))
		return OMT_FAIL(err, BAD_FORMAT, "%s: prompt has no user turn", into->in.place);
	at += strlen(begin);
	const char *end = prompt + length - strlen(finish);
	while (at < end) {
		const char *next = end;
		size_t which = KINDS;
		for (size_t i = 0; i < KINDS; i++) {
			const char *found = strstr(at, kinds[i].marker);
			if (found && found < next) {
				next = found;
				which = i;
			}
		}
		if (next > at)
			OMT_TRY(add_part(into, OMT_TEXT, at, (size_t)(next - at), err));
		if (which == KINDS)
			break;
		/* One file may serve a clip and its sound. */
		size_t count = json_array_size(files);
		const char *path =
			json_string_value(json_array_get(files, file < count ? file : count - 1));
		if (!path)
			return OMT_FAIL(err, BAD_FORMAT, "%s: no file for part %zu", into->in.place,
			                into->part_count);
		OMT_TRY(add_part(into, kinds[which].kind, path, strlen(path), err));
		file++;
		at = next + strlen(kinds[which].marker);
	}
	return OMT_OK;
}

omt_status omt_case_read(omt_json in, const char *dir, const char *root, omt_case *into,
                         omt_error *err)
{
	omt_status status = OMT_OK;
	const char *prompt = NULL, *recipe = NULL, *text = NULL;
	bool interleaved = false;
	omt_json tolerance = {.place = in.place};
	*into = (omt_case){.in = in,
	                   .dir = dir,
	                   .root = root,
	                   .lossless = true,
	                   .modality = "",
	                   .embedding_abs = 1e-4,
	                   .cosine_min = 0.99999,
	                   .hidden_abs = 1e-3};
	OMT_GOTO(omt_json_string(in, "id", &into->id, err));
	OMT_GOTO(omt_json_string(in, "modality", &into->modality, err));
	OMT_GOTO(omt_json_string(in, "prompt", &prompt, err));
	OMT_GOTO(omt_json_string(in, "recipe", &recipe, err));
	OMT_GOTO(omt_json_string(in, "text", &text, err));
	OMT_GOTO(omt_json_bool(in, "use_audio_in_video", &interleaved, err));
	OMT_GOTO(omt_json_member(in, "tolerance", &tolerance, err));
	if (tolerance.object) {
		OMT_GOTO(
			omt_json_real(tolerance, "embedding_abs", 0, 1, &into->embedding_abs, err));
		OMT_GOTO(omt_json_real(tolerance, "cosine_min", -1, 1, &into->cosine_min, err));
		OMT_GOTO(omt_json_real(tolerance, "hidden_abs", 0, 1, &into->hidden_abs, err));
	}
	const json_t *content = json_object_get(in.object, "content");
	if (!into->id || (!prompt && !content && !text)) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: a case needs id and prompt", in.place);
		goto done;
	}
	if (json_is_array(content))
		OMT_GOTO(parts_from_content(into, content, err));
	else if (text)
		OMT_GOTO(add_part(into, OMT_TEXT, text,
		                  json_string_length(json_object_get(in.object, "text")), err));
	else
		OMT_GOTO(parts_from_prompt(into, prompt, json_object_get(in.object, "files"), err));
	for (size_t i = 0; i < into->part_count; i++) {
		if (recipe)
			set_recipe(recipe, &into->parts[i].limits);
		/* The variant of a case is the other loader's. */
		into->parts[i].limits.apply_exif = json_object_get(in.object, "variant") != NULL;
		if (into->parts[i].kind == OMT_VIDEO && interleaved)
			into->parts[i].fusion = OMT_AUDIO_INTERLEAVED;
	}
done:
	if (status != OMT_OK)
		omt_case_free(into);
	return status;
}

void omt_case_free(omt_case *into)
{
	for (size_t i = 0; i < into->part_count; i++)
		free(into->owned[i]);
	into->part_count = 0;
}

omt_item omt_case_item(const omt_case *from)
{
	return (omt_item){.id = from->id,
	                  .role = OMT_ROLE_NONE, /* the prefix is in the text */
	                  .parts = from->parts,
	                  .part_count = from->part_count};
}

/* ---- decoded tensors ----------------------------------------------------------------------- */

static omt_status open_array(const omt_case *from, const json_t *name, omt_npy *array,
                             bool *present, omt_error *err)
{
	*present = json_is_string(name);
	if (!*present)
		return OMT_OK;
	char *path = omt_path_join(from->dir, json_string_value(name));
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", from->in.place);
	omt_status status = omt_npy_open(path, array, err);
	free(path);
	return status;
}

omt_status omt_case_array(const omt_case *from, const char *key, omt_npy *array, bool *present,
                          omt_error *err)
{
	return open_array(from, json_object_get(from->in.object, key), array, present, err);
}

static omt_status wrong_array(const omt_case *from, const char *what, omt_error *err)
{
	return OMT_FAIL(err, BAD_FORMAT, "%s: %s has another type or shape than decoded media",
	                from->in.place, what);
}

static omt_status decoded_image(const omt_model *model, const omt_case *from, const omt_part *part,
                                omt_segment *segment, bool *present, omt_error *err)
{
	omt_npy array;
	const json_t *name = json_object_get(from->in.object, "resized_rgb");
	if (!json_is_string(name))
		name = json_object_get(json_object_get(from->in.object, "decoded"), "rgb");
	OMT_TRY(open_array(from, name, &array, present, err));
	if (!*present)
		return OMT_OK;
	omt_status status;
	if (array.type != 'u' || array.dims != 3 || array.shape[2] != 3)
		status = wrong_array(from, "the picture", err);
	else
		status = omt_prep_image(&model->prep, &part->limits,
		                        &(omt_image){.width = (int32_t)array.shape[1],
		                                     .height = (int32_t)array.shape[0],
		                                     .data = (uint8_t *)(uintptr_t)array.data},
		                        &segment->patches, err);
	omt_npy_close(&array);
	return status;
}

static omt_status decoded_clip(const omt_model *model, const omt_case *from, const omt_part *part,
                               omt_segment *segment, bool *present, omt_error *err)
{
	omt_npy array;
	OMT_TRY(omt_case_array(from, "decoded_frames", &array, present, err));
	if (!*present)
		return OMT_OK;
	omt_status status;
	if (array.type != 'u' || array.dims != 4 || array.shape[3] != 3)
		status = wrong_array(from, "decoded_frames", err);
	else
		status = omt_prep_clip(&model->prep, &part->limits,
		                       &(omt_clip){.count = (int32_t)array.shape[0],
		                                   .width = (int32_t)array.shape[2],
		                                   .height = (int32_t)array.shape[1],
		                                   .data = (uint8_t *)(uintptr_t)array.data},
		                       &segment->patches, err);
	omt_npy_close(&array);
	return status;
}

static omt_status decoded_sound(const omt_model *model, const omt_case *from, const omt_part *part,
                                omt_segment *segment, bool *present, omt_error *err)
{
	omt_npy array;
	int32_t stride = 0;
	omt_json audio = {.place = from->in.place};
	OMT_TRY(omt_json_member(from->in, "audio_16k", &audio, err));
	*present = false;
	if (!audio.object)
		return OMT_OK;
	OMT_TRY(omt_json_int(audio, "stride", 1, INT32_MAX, &stride, err));
	if (stride != 1)
		return OMT_OK;
	OMT_TRY(open_array(from, json_object_get(audio.object, "sample"), &array, present, err));
	if (!*present)
		return OMT_OK;
	omt_status status;
	if (array.type != 'f' || array.dims != 1)
		status = wrong_array(from, "audio_16k", err);
	else
		status = omt_prep_sound(&model->prep, &part->limits,
		                        &(omt_sound){.count = array.shape[0],
		                                     .samples = (float *)(uintptr_t)array.data},
		                        &segment->mel, err);
	omt_npy_close(&array);
	return status;
}

omt_status omt_case_decoded(const omt_model *model, const omt_case *from, omt_sample *sample,
                            bool *present, omt_error *err)
{
	typedef omt_status decoder(const omt_model *, const omt_case *, const omt_part *,
	                           omt_segment *, bool *, omt_error *);
	static decoder *const decoders[] = {[OMT_IMAGE] = decoded_image,
	                                    [OMT_VIDEO] = decoded_clip,
	                                    [OMT_AUDIO] = decoded_sound};
	omt_status status = OMT_OK;
	const char *prompt = NULL;
	size_t count = 0;
	*sample = (omt_sample){0};
	*present = false;
	OMT_TRY(omt_json_string(from->in, "prompt", &prompt, err));
	/* Arrays name one medium a kind: joined items of several are checked from their files. */
	if (!prompt || json_object_get(from->in.object, "content") ||
	    !strcmp(from->modality, "text"))
		return OMT_OK;
	omt_segment *segments = calloc(OMT_CASE_PARTS, sizeof *segments);
	if (!segments)
		return OMT_FAIL(err, NO_MEMORY, "%s", from->in.place);
	bool all = true;
	for (size_t i = 0; all && status == OMT_OK && i < from->part_count; i++) {
		const omt_part *part = &from->parts[i];
		if (part->kind == OMT_TEXT)
			continue;
		segments[count].kind = part->kind;
		all = part->fusion == OMT_AUDIO_OFF;
		if (all)
			status = decoders[part->kind](model, from, part, &segments[count++], &all,
			                              err);
	}
	if (status == OMT_OK && all && count) {
		*present = true;
		return omt_sample_assemble(model, prompt, strlen(prompt), segments, count, 0,
		                           sample, err);
	}
	for (size_t i = 0; i < count; i++) {
		free(segments[i].patches.data);
		free(segments[i].mel.data);
	}
	free(segments);
	return status;
}
