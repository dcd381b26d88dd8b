#include "model/sample.h"

#include <stdlib.h>
#include <string.h>

#include "model/layout.h"
#include "token/prompt.h"

int32_t omt_audio_tokens(int32_t frames)
{
	if (frames < 1)
		return 0;
	int32_t convolved = (frames - 1) / 2 + 1;
	return convolved < 2 ? 0 : (convolved - 2) / 2 + 1;
}

size_t omt_pixel_room(const omt_config *config, size_t tokens)
{
	const omt_vision_config *vision = &config->vision;
	size_t patch = (size_t)(3 * vision->temporal_patch * vision->patch * vision->patch);
	size_t room = tokens * ((size_t)(vision->merge * vision->merge) * patch + 12);
	size_t most = (size_t)3 * INT32_MAX / 12 * 12; /* pixels are counted in 32 bits */
	return room < most ? room : most;
}

static void segment_free(omt_segment *segment)
{
	free(segment->patches.data);
	free(segment->mel.data);
}

static void segments_free(omt_segment *segments, size_t count)
{
	for (size_t i = 0; segments && i < count; i++)
		segment_free(&segments[i]);
	free(segments);
}

void omt_sample_free(omt_sample *sample)
{
	free(sample->ids);
	free(sample->positions);
	segments_free(sample->segments, sample->segment_count);
	*sample = (omt_sample){0};
}

static omt_status segment_count_tokens(const omt_model *model, omt_segment *segment, omt_error *err)
{
	const omt_config *config = &model->config;
	const omt_patches *patches = &segment->patches;
	int32_t merge = config->vision.merge;
	int32_t row = config->vision.channels * config->vision.temporal_patch *
	              config->vision.patch * config->vision.patch;
	segment->patch_tokens = segment->audio_tokens = 0;
	segment->pixel_bytes = 0;
	if (patches->data) {
		if (patches->row != row || patches->h % merge || patches->w % merge)
			return OMT_FAIL(
				err, BAD_MODEL,
				"preprocessor_config.json gives patch rows of %d values in a "
				"grid of %d x %d, the vision encoder takes %d and multiples "
				"of %d",
				patches->row, patches->h, patches->w, row, merge);
		segment->pixel_bytes = omt_patches_bytes(&model->prep, patches);
		segment->patch_tokens = patches->t * (patches->h / merge) * (patches->w / merge);
	}
	if (segment->mel.data) {
		segment->audio_tokens = omt_audio_tokens(segment->mel.frames);
		if (!segment->audio_tokens)
			return OMT_FAIL(err, BAD_FORMAT,
			                "sound of %d mel frames is too short for one token",
			                segment->mel.frames);
	}
	return OMT_OK;
}

/* ---- expanding placeholders ----------------------------------------------------------------- */

/* Tokens and positions as they are laid down. `next` is the reference's running maximum + 1. */
typedef struct omt_layer {
	const omt_config *config;
	omt_sample *sample;
	int32_t at, next;
} omt_layer;

static void put(omt_layer *out, int32_t id, int32_t time, int32_t height, int32_t width)
{
	omt_sample *sample = out->sample;
	size_t at = (size_t)out->at++, stride = (size_t)sample->tokens;
	sample->ids[at] = id;
	sample->positions[at] = time;
	sample->positions[at + stride] = height;
	sample->positions[at + 2 * stride] = width;
}

static void put_text(omt_layer *out, int32_t id)
{
	put(out, id, out->next, out->next, out->next);
	out->next++;
}

static int32_t grid_time(const omt_layer *out, const omt_segment *segment, int32_t frame)
{
	double per_grid = segment->kind == OMT_VIDEO ? segment->patches.seconds_per_grid : 1.0;
	return (int32_t)((double)frame * per_grid * out->config->position_id_per_seconds);
}

/* Cells [begin, end) of a picture or clip that starts at position `start`. */
static void put_cells(omt_layer *out, const omt_segment *segment, int32_t start, int32_t begin,
                      int32_t end)
{
	int32_t merge = out->config->vision.merge;
	int32_t rows = segment->patches.h / merge, cols = segment->patches.w / merge;
	int32_t id =
		segment->kind == OMT_VIDEO ? out->config->tokens.video : out->config->tokens.image;
	for (int32_t cell = begin; cell < end; cell++)
		put(out, id, start + grid_time(out, segment, cell / (rows * cols)),
		    start + cell / cols % rows, start + cell % cols);
}

static void put_audio(omt_layer *out, int32_t start, int32_t begin, int32_t end)
{
	for (int32_t i = begin; i < end; i++)
		put(out, out->config->tokens.audio, start + i, start + i, start + i);
}

/* Largest position a segment reaches, counted from its start. */
static int32_t cells_extent(const omt_layer *out, const omt_segment *segment)
{
	int32_t merge = out->config->vision.merge;
	int32_t extent = grid_time(out, segment, segment->patches.t - 1);
	if (segment->patches.h / merge - 1 > extent)
		extent = segment->patches.h / merge - 1;
	if (segment->patches.w / merge - 1 > extent)
		extent = segment->patches.w / merge - 1;
	return extent;
}

/* TMRoPE interleave (paper, Figure 3a): chunks of seconds_per_chunk of the clip, then of its sound,
 * on shared time positions; both begin markers share one position, and so do both end markers. */
static omt_status put_interleaved(omt_layer *out, const omt_segment *segment, omt_error *err)
{
	const omt_config *config = out->config;
	int32_t cells = segment->patch_tokens, sounds = segment->audio_tokens;
	int32_t per_chunk = config->position_id_per_seconds * config->seconds_per_chunk;
	int32_t frame_cells = cells / segment->patches.t;
	int32_t *times = malloc(((size_t)cells + (size_t)sounds) * sizeof *times);
	if (!times)
		return OMT_FAIL(err, NO_MEMORY, "%d positions", cells + sounds);
	int32_t *ticks = times + cells;
	for (int32_t i = 0; i < cells; i++)
		times[i] = grid_time(out, segment, i / frame_cells);
	for (int32_t i = 0; i < sounds; i++)
		ticks[i] = i;

	int32_t begin = out->next, start = begin + 1;
	put(out, config->tokens.vision_start, begin, begin, begin);
	put(out, config->tokens.audio_start, begin, begin, begin);
	int32_t cell = 0, tick = 0, cell_chunk = 1, tick_chunk = 1;
	while (cell < cells || tick < sounds) {
		if (cell < cells) {
			int32_t end = omt_chunk_end(times, cells, cell, per_chunk, &cell_chunk);
			put_cells(out, segment, start, cell, end);
			cell = end;
		}
		if (tick < sounds) {
			int32_t end = omt_chunk_end(ticks, sounds, tick, per_chunk, &tick_chunk);
			put_audio(out, start, tick, end);
			tick = end;
		}
	}
	int32_t extent = cells_extent(out, segment);
	int32_t end = start + (extent > sounds - 1 ? extent : sounds - 1) + 1;
	put(out, config->tokens.audio_end, end, end, end);
	put(out, config->tokens.vision_end, end, end, end);
	out->next = end + 1;
	free(times);
	return OMT_OK;
}

static omt_status put_segment(omt_layer *out, const omt_segment *segment, omt_error *err)
{
	int32_t start = out->next;
	if (segment->patch_tokens && segment->audio_tokens) {
		/* The begin marker that was laid down as text is taken back. */
		out->at--;
		out->next--;
		return put_interleaved(out, segment, err);
	}
	if (segment->patch_tokens) {
		put_cells(out, segment, start, 0, segment->patch_tokens);
		out->next = start + cells_extent(out, segment) + 1;
	} else {
		put_audio(out, start, 0, segment->audio_tokens);
		out->next = start + segment->audio_tokens;
	}
	return OMT_OK;
}

static bool is_placeholder(const omt_token_ids *tokens, int32_t id)
{
	return id == tokens->image || id == tokens->video || id == tokens->audio;
}

static bool fits_placeholder(const omt_token_ids *tokens, int32_t id, omt_kind kind)
{
	return (id == tokens->image && kind == OMT_IMAGE) ||
	       (id == tokens->video && kind == OMT_VIDEO) ||
	       (id == tokens->audio && kind == OMT_AUDIO);
}

/* Every placeholder has its segment, in order: a placeholder written in a user's text is an error,
 * as it is in the reference. */
static omt_status check_placeholders(const omt_config *config, const omt_ids *ids,
                                     const omt_segment *segments, size_t segment_count,
                                     omt_error *err)
{
	size_t seen = 0;
	for (size_t i = 0; i < ids->count; i++) {
		int32_t id = ids->data[i];
		if (id < 0 || id >= config->text.vocab)
			return OMT_FAIL(err, BAD_MODEL,
			                "tokenizer.json gives id %d, the vocabulary has %d", id,
			                config->text.vocab);
		if (!is_placeholder(&config->tokens, id))
			continue;
		if (seen == segment_count ||
		    !fits_placeholder(&config->tokens, id, segments[seen].kind) || i == 0)
			return OMT_FAIL(err, BAD_FORMAT,
			                "the text has a media placeholder (token %d) of its own",
			                id);
		seen++;
	}
	if (seen != segment_count)
		return OMT_FAIL(err, BAD_MODEL,
		                "the prompt has %zu media placeholders for %zu media parts", seen,
		                segment_count);
	return OMT_OK;
}

static omt_status count_tokens(const omt_ids *ids, const omt_segment *segments,
                               size_t segment_count, int32_t limit, int32_t *tokens, omt_error *err)
{
	int64_t total = (int64_t)ids->count - (int64_t)segment_count;
	for (size_t i = 0; i < segment_count; i++) {
		bool both = segments[i].patch_tokens && segments[i].audio_tokens;
		total += (int64_t)segments[i].patch_tokens + segments[i].audio_tokens +
		         (both ? 2 : 0);
	}
	if ((limit && total > limit) || total > INT32_MAX / 8)
		return OMT_FAIL(err, LIMIT, "%lld tokens, the limit is %d (max_tokens)",
		                (long long)total, limit);
	*tokens = (int32_t)total;
	return OMT_OK;
}

static omt_status expand(const omt_config *config, const omt_ids *ids, omt_sample *sample,
                         omt_error *err)
{
	omt_layer out = {config, sample, 0, 0};
	size_t segment = 0;
	sample->ids = calloc((size_t)sample->tokens, sizeof *sample->ids);
	sample->positions = calloc((size_t)sample->tokens, 3 * sizeof *sample->positions);
	if (!sample->ids || !sample->positions)
		return OMT_FAIL(err, NO_MEMORY, "%d tokens", sample->tokens);
	for (size_t i = 0; i < ids->count; i++) {
		if (!is_placeholder(&config->tokens, ids->data[i])) {
			put_text(&out, ids->data[i]);
			continue;
		}
		const omt_segment *media = &sample->segments[segment++];
		OMT_TRY(put_segment(&out, media, err));
		if (media->patch_tokens && media->audio_tokens)
			i++; /* put_interleaved() laid down the end marker */
	}
	return OMT_OK;
}

omt_status omt_sample_assemble(const omt_model *model, const char *prompt, size_t prompt_bytes,
                               omt_segment *segments, size_t segment_count, int32_t limit_tokens,
                               omt_sample *sample, omt_error *err)
{
	const omt_config *config = &model->config;
	omt_status status = OMT_OK;
	omt_ids ids = {0};
	*sample = (omt_sample){.segments = segments, .segment_count = segment_count};
	for (size_t i = 0; i < segment_count; i++) {
		OMT_GOTO(segment_count_tokens(model, &segments[i], err));
		sample->kinds |= 1u << segments[i].kind;
		sample->pixel_bytes += (segments[i].pixel_bytes + 11) / 12 * 12;
		sample->decode_s += segments[i].patches.decode_s + segments[i].mel.decode_s;
		if (segments[i].audio_tokens)
			sample->kinds |= 1u << OMT_AUDIO;
	}
	OMT_GOTO(omt_tokenizer_encode(model->tokenizer, prompt, prompt_bytes, &ids, err));
	OMT_GOTO(check_placeholders(config, &ids, segments, segment_count, err));
	OMT_GOTO(count_tokens(&ids, segments, segment_count, limit_tokens, &sample->tokens, err));
	if (limit_tokens && sample->pixel_bytes > omt_pixel_room(config, (size_t)limit_tokens)) {
		status = OMT_FAIL(
			err, LIMIT,
			"%zu bytes of pixels, there is room for %zu (max_tokens %d; recipe "
			"card takes four bytes a value)",
			sample->pixel_bytes, omt_pixel_room(config, (size_t)limit_tokens),
			limit_tokens);
		goto done;
	}
	OMT_GOTO(expand(config, &ids, sample, err));
done:
	free(ids.data);
	if (status != OMT_OK)
		omt_sample_free(sample);
	return status;
}

/* ---- from files ------------------------------------------------------------------------------ */

/* What an item becomes: its parts, texts of clips and sounds before them, and its media. */
typedef struct omt_making {
	omt_part *parts;       /* [2 * parts of the item] */
	omt_segment *segments; /* the same: a clip with sound makes two */
	char **texts;          /* the same: those of parts that are owned here */
	size_t part_count, segment_count;
} omt_making;

static void making_free(omt_making *making)
{
	for (size_t i = 0; making->texts && i < making->part_count; i++)
		free(making->texts[i]);
	segments_free(making->segments, making->segment_count);
	free(making->texts);
	free(making->parts);
}

static omt_status prepare_media(const omt_model *model, const omt_part *part, omt_segment *segment,
                                omt_words *words, omt_error *err)
{
	const bool spoken = part->limits.subtitles == OMT_SUBTITLES_ON && !part->transcript;
	segment->kind = part->kind;
	switch (part->kind) {
	case OMT_IMAGE:
		return omt_prep_image_file(&model->prep, &part->limits, part->path,
		                           &segment->patches, err);
	case OMT_VIDEO:
		return omt_prep_video_file(&model->prep, &part->limits, part->path,
		                           &segment->patches,
		                           part->fusion == OMT_AUDIO_OFF ? NULL : &segment->mel,
		                           spoken ? words : NULL, err);
	case OMT_AUDIO:
		return omt_prep_audio_file(&model->prep, &part->limits, part->path, &segment->mel,
		                           err);
	default:
		return OMT_FAIL(err, BAD_ARGUMENT, "part of unknown kind %d", (int)part->kind);
	}
}

/* What is said in a part, as a part of text before it. */
static omt_status put_words(omt_making *making, const omt_words *words, omt_error *err)
{
	const size_t at = making->part_count;
	const bool joins = at && making->parts[at - 1].kind == OMT_TEXT;
	char *text = malloc(words->bytes + 2);
	if (!text)
		return OMT_FAIL(err, NO_MEMORY, "%zu bytes of text", words->bytes);
	text[0] = ' ';
	memcpy(text + joins, words->text, words->bytes);
	making->texts[at] = text;
	making->parts[at] =
		(omt_part){.kind = OMT_TEXT, .text = text, .text_bytes = words->bytes + joins};
	making->part_count++;
	return OMT_OK;
}

/* A part of a file; its fusion is cleared where a clip has no sound. */
static omt_status make_media(const omt_model *model, const omt_part *part, omt_making *making,
                             omt_error *err)
{
	omt_status status = OMT_OK;
	omt_words words = {0};
	omt_segment *segment = &making->segments[making->segment_count++];
	if (part->transcript)
		OMT_GOTO(omt_media_transcript(part->transcript, &part->limits, &words, err));
	OMT_GOTO(prepare_media(model, part, segment, &words, err));
	if (words.text)
		OMT_GOTO(put_words(making, &words, err));
	omt_part *made = &making->parts[making->part_count++];
	*made = *part;
	if (part->kind == OMT_VIDEO && !segment->mel.data)
		made->fusion = OMT_AUDIO_OFF;
	if (part->kind == OMT_VIDEO && made->fusion == OMT_AUDIO_SEPARATE) {
		segment[1].kind = OMT_AUDIO;
		segment[1].mel = segment->mel;
		segment->mel = (omt_mel){0};
		making->segment_count++;
	}
done:
	free(words.text);
	return status;
}

omt_status omt_sample_make(const omt_model *model, const omt_item *item, int32_t limit_tokens,
                           omt_sample *sample, omt_error *err)
{
	omt_status status = OMT_OK;
	char *prompt = NULL;
	size_t prompt_bytes = 0;
	bool has_text = false;
	omt_making making = {0};
	*sample = (omt_sample){0};
	if (!item->part_count)
		return OMT_FAIL(err, BAD_ARGUMENT, "an item without parts");
	const size_t most = 2 * item->part_count;
	making.parts = malloc(most * sizeof *making.parts);
	making.segments = calloc(most, sizeof *making.segments);
	making.texts = calloc(most, sizeof(char *));
	if (!making.parts || !making.segments || !making.texts) {
		status = OMT_FAIL(err, NO_MEMORY, "an item of %zu parts", item->part_count);
		goto done;
	}
	for (size_t i = 0; i < item->part_count; i++) {
		if (item->parts[i].kind == OMT_TEXT)
			making.parts[making.part_count++] = item->parts[i];
		else
			OMT_GOTO(make_media(model, &item->parts[i], &making, err));
	}
	for (size_t i = 0; i < making.part_count; i++)
		has_text |= making.parts[i].kind == OMT_TEXT;
	OMT_GOTO(omt_prompt_render(model->config.prefix[item->role], making.parts,
	                           making.part_count, &prompt, &prompt_bytes, err));
	status = omt_sample_assemble(model, prompt, prompt_bytes, making.segments,
	                             making.segment_count, limit_tokens, sample, err);
	making.segments = NULL; /* taken */
	if (has_text)
		sample->kinds |= 1u << OMT_TEXT;
done:
	making_free(&making);
	free(prompt);
	return status;
}
