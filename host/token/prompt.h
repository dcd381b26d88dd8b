/* prompt.h - the chat prompt of Qwen2.5-Omni as the published template renders it.
 *
 *   <|im_start|>system\nYou are a helpful assistant.<|im_end|>\n
 *   <|im_start|>user\n PARTS <|im_end|>\n
 *
 * A text part is its text; a media part is <|vision_bos|><|IMAGE|><|vision_eos|> and so on. */
#ifndef OMT_TOKEN_PROMPT_H
#define OMT_TOKEN_PROMPT_H

#include "base/status.h"

/* Checks that the checkpoint's chat template is the published one (chat_template.json, then
 * chat_template.jinja, then the chat_template of tokenizer_config.json), by its text with white
 * space between Jinja tags aside. OMT_UNSUPPORTED names the file otherwise; a checkpoint without a
 * template is an error too. */
omt_status omt_prompt_check(const char *dir, omt_error *err);

/* Renders a prompt: prefix (may be "") goes before the first part. Given, free(); *bytes its
 * length; the text may hold NUL bytes. A part of kind OMT_VIDEO whose fusion is OMT_AUDIO_SEPARATE
 * is followed by an audio segment; the caller clears the fusion where the clip has no sound. */
omt_status omt_prompt_render(const char *prefix, const omt_part *parts, size_t part_count,
                             char **prompt, size_t *bytes, omt_error *err);

#endif
