#include "token/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define MAX_FILE ((size_t)64 << 20)

/* The template that nvidia/omni-embed-nemotron-3b and Qwen2.5-Omni publish. omt_prompt_render()
 * does what it says for one user turn without add_vision_id, add_audio_id and
 * add_generation_prompt. */
static const char published[] =
	"{% set audio_count = namespace(value=0) %}"
	"{% set image_count = namespace(value=0) %}"
	"{% set video_count = namespace(value=0) %}"
	"{% for message in messages %}"
	"{% if loop.first and message['role'] != 'system' %}"
	"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
	"{% endif %}"
	"<|im_start|>{{ message['role'] }}\n"
	"{% if message['content'] is string %}"
	"{{ message['content'] }}<|im_end|>\n"
	"{% else %}"
	"{% for content in message['content'] %}"
	"{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
	"{% set image_count.value = image_count.value + 1 %}"
	"{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
	"<|vision_bos|><|IMAGE|><|vision_eos|>"
	"{% elif content['type'] == 'audio' or 'audio' in content or 'audio_url' in content %}"
	"{% set audio_count.value = audio_count.value + 1 %}"
	"{% if add_audio_id %}Audio {{ audio_count.value }}: {% endif %}"
	"<|audio_bos|><|AUDIO|><|audio_eos|>"
	"{% elif content['type'] == 'video' or 'video' in content %}"
	"{% set video_count.value = video_count.value + 1 %}"
	"{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
	"<|vision_bos|><|VIDEO|><|vision_eos|>"
	"{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
	"{% endfor %}"
	"<|im_end|>\n"
	"{% endif %}"
	"{% endfor %}"
	"{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

static const char head[] = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
			   "<|im_start|>user\n";
static const char tail[] = "<|im_end|>\n";

static const char *const markers[OMT_KIND_COUNT] = {
	[OMT_IMAGE] = "<|vision_bos|><|IMAGE|><|vision_eos|>",
	[OMT_VIDEO] = "<|vision_bos|><|VIDEO|><|vision_eos|>",
	[OMT_AUDIO] = "<|audio_bos|><|AUDIO|><|audio_eos|>",
};

/* White space at a file's end, and line breaks between two tags, print nothing that matters. */
static const char *skip_layout(const char *at, const char *begin)
{
	const char *next = at + strspn(at, "\r\n");
	bool between_tags = at - begin >= 2 && at[-1] == '}' && next[0] == '{';
	return !*next || between_tags ? next : at;
}

static bool is_published(const char *template)
{
	const char *a = template, *b = published;
	for (;;) {
		if (*a == *b) {
			if (!*a)
				return true;
			a++;
			b++;
			continue;
		}
		const char *next = skip_layout(a, template);
		if (next == a)
			return false;
		a = next;
	}
}

static omt_status check_template(const char *path, const char *template, omt_error *err)
{
	if (!is_published(template))
		return OMT_FAIL(
			err, UNSUPPORTED,
			"%s: the chat template is not Qwen2.5-Omni's published one, the only "
			"one that is rendered here",
			path);
	return OMT_OK;
}

/* *found: the file exists and has a template. */
static omt_status check_json(const char *path, bool *found, omt_error *err)
{
	json_t *root;
	const char *template = NULL;
	*found = false;
	if (!omt_file_exists(path))
		return OMT_OK;
	OMT_TRY(omt_json_load(path, MAX_FILE, &root, err));
	omt_status status =
		omt_json_string((omt_json){path, root}, "chat_template", &template, err);
	if (status == OMT_OK && template) {
		*found = true;
		status = check_template(path, template, err);
	}
	json_decref(root);
	return status;
}

static omt_status check_text(const char *path, bool *found, omt_error *err)
{
	char *text;
	*found = false;
	if (!omt_file_exists(path))
		return OMT_OK;
	OMT_TRY(omt_file_read(path, MAX_FILE, &text, NULL, err));
	omt_status status = check_template(path, text, err);
	*found = true;
	free(text);
	return status;
}

omt_status omt_prompt_check(const char *dir, omt_error *err)
{
	static const struct {
		const char *name;
		omt_status (*check)(const char *path, bool *found, omt_error *err);
	} files[] = {{"chat_template.json", check_json},
	             {"chat_template.jinja", check_text},
	             {"tokenizer_config.json", check_json}};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		bool found;
		char *path = omt_path_join(dir, files[i].name);
		if (!path)
			return OMT_FAIL(err, NO_MEMORY, "%s", dir);
		omt_status status = files[i].check(path, &found, err);
		free(path);
		if (status != OMT_OK || found)
			return status;
	}
	return OMT_FAIL(err, BAD_MODEL,
	                "%s: no chat template (chat_template.json, chat_template.jinja or "
	                "tokenizer_config.json)",
	                dir);
}

omt_status omt_prompt_render(const char *prefix, const omt_part *parts, size_t part_count,
                             char **prompt, size_t *bytes, omt_error *err)
{
	size_t room = sizeof head + strlen(prefix) + sizeof tail;
	for (size_t i = 0; i < part_count; i++)
		room += parts[i].kind == OMT_TEXT
		                ? parts[i].text_bytes
		                : strlen(markers[parts[i].kind]) + strlen(markers[OMT_AUDIO]);
	char *to = *prompt = malloc(room);
	if (!to)
		return OMT_FAIL(err, NO_MEMORY, "a prompt of %zu bytes", room);
	to = stpcpy(stpcpy(to, head), prefix);
	for (size_t i = 0; i < part_count; i++) {
		if (parts[i].kind == OMT_TEXT) {
			memcpy(to, parts[i].text, parts[i].text_bytes);
			to += parts[i].text_bytes;
			continue;
		}
		to = stpcpy(to, markers[parts[i].kind]);
		if (parts[i].kind == OMT_VIDEO && parts[i].fusion == OMT_AUDIO_SEPARATE)
			to = stpcpy(to, markers[OMT_AUDIO]);
	}
	to = stpcpy(to, tail);
	*bytes = (size_t)(to - *prompt);
	return OMT_OK;
}
