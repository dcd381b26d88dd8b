#include "model/batch.h"

#include <stdlib.h>
#include <string.h>

#include "model/layout.h"

omt_batch_limits omt_batch_limits_of(const omt_config *config, int32_t items, int32_t tokens)
{
	size_t merged = (size_t)(config->vision.merge * config->vision.merge);
	/* Each sound of t tokens has at most 4 t + 2 mel frames, and two marker tokens beside. */
	return (omt_batch_limits){.items = (size_t)items,
	                          .tokens = (size_t)tokens,
	                          .patches = merged * (size_t)tokens,
	                          .pixels = omt_pixel_room(config, (size_t)tokens),
	                          .frames = 4 * (size_t)tokens};
}

/* What OMT_BATCH_LIST's sizes are made of. */
#define OMT_BATCH_SIZES(config)                                     \
	size_t text_half = (size_t)(config)->text.head_dim / 2;     \
	size_t vision_half = (size_t)(config)->vision.head_dim / 2; \
	size_t place = (size_t)(config)->vision.temporal_patch + 2; \
	size_t mel_bins = (size_t)(config)->audio.mel_bins

omt_status omt_batch_open(const omt_config *config, const omt_batch_limits *limits,
                          omt_batch *batch, omt_error *err)
{
	OMT_BATCH_SIZES(config);
	bool whole = true;
	*batch = (omt_batch){.limits = *limits, .config = config};
#define OMT_BATCH_NEW(type, name, most)                               \
	batch->host.name = malloc((most) * sizeof *batch->host.name); \
	whole = whole && batch->host.name;
	OMT_BATCH_LIST(OMT_BATCH_NEW)
#undef OMT_BATCH_NEW
	batch->scratch = malloc(3 * limits->tokens * sizeof *batch->scratch);
	if (whole && batch->scratch) {
		omt_batch_clear(batch);
		return OMT_OK;
	}
	omt_batch_close(batch);
	return OMT_FAIL(err, NO_MEMORY, "a batch of %zu tokens", limits->tokens);
}

void omt_batch_close(omt_batch *batch)
{
#define OMT_BATCH_FREE(type, name, most) free(batch->host.name);
	OMT_BATCH_LIST(OMT_BATCH_FREE)
#undef OMT_BATCH_FREE
	free(batch->scratch);
	*batch = (omt_batch){0};
}

omt_status omt_batch_device_open(const omt_config *config, const omt_batch_limits *limits,
                                 omt_exec *exec, omt_batch_device *device, omt_error *err)
{
	OMT_BATCH_SIZES(config);
	omt_status status = OMT_OK;
	*device = (omt_batch_device){0};
#define OMT_BATCH_NEW(type, name, most)                                                         \
	OMT_GOTO(omt_exec_alloc(exec, (most) * sizeof(omt_scalar_##type), OMT_USAGE_SLOT, NULL, \
	                        &device->name, err));
	OMT_BATCH_LIST(OMT_BATCH_NEW)
#undef OMT_BATCH_NEW
	OMT_GOTO(omt_exec_alloc(exec, limits->items * (size_t)config->text.hidden * sizeof(float),
	                        OMT_USAGE_SLOT, NULL, &device->vectors, err));
done:
	if (status != OMT_OK)
		omt_batch_device_close(exec, device);
	return status;
}

void omt_batch_device_close(omt_exec *exec, omt_batch_device *device)
{
#define OMT_BATCH_FREE(type, name, most) omt_exec_free(exec, device->name);
	OMT_BATCH_LIST(OMT_BATCH_FREE)
#undef OMT_BATCH_FREE
	omt_exec_free(exec, device->vectors);
	*device = (omt_batch_device){0};
}

void omt_batch_clear(omt_batch *batch)
{
	omt_batch empty = {.host = batch->host,
	                   .limits = batch->limits,
	                   .config = batch->config,
	                   .scratch = batch->scratch};
	*batch = empty;
	batch->host.cu_items[0] = batch->host.cu_windows[0] = batch->host.cu_frames[0] = 0;
	batch->host.cu_chunks[0] = batch->host.cu_convolved[0] = 0;
	batch->host.cu_clips[0] = batch->host.cu_clip_tokens[0] = 0;
}

bool omt_batch_fits(const omt_batch *batch, const omt_sample *sample)
{
	return (size_t)batch->items < batch->limits.items &&
	       (size_t)batch->tokens + (size_t)sample->tokens <= batch->limits.tokens &&
	       batch->pixel_bytes + sample->pixel_bytes <= batch->limits.pixels;
}

/* Appends the end of a sequence of `length` rows to cumulative lengths. */
static void append(int32_t *cumulative, int32_t *count, int32_t length, int32_t *longest)
{
	cumulative[*count + 1] = cumulative[*count] + length;
	(*count)++;
	if (longest && length > *longest)
		*longest = length;
}

/* tokens: where the segment's cells stand, in raster order, as indices of this sample. */
static void add_patches(omt_batch *batch, const omt_segment *segment, const int32_t *tokens)
{
	const omt_patches *patches = &segment->patches;
	const omt_vision_config *vision = &batch->config->vision;
	int32_t merged = vision->merge * vision->merge;
	int32_t rows = patches->t * patches->h * patches->w, cells = rows / merged;
	size_t half = (size_t)vision->head_dim / 2, first = (size_t)batch->patches;
	omt_windows windows = {.order = batch->scratch, .ends = batch->scratch + cells};

	memcpy(batch->host.pixels + batch->pixel_bytes, patches->data, segment->pixel_bytes);
	omt_places_fill(vision, patches->t, patches->h, patches->w, patches->frames,
	                patches->floats ? OMT_F32 : OMT_U8,
	                (int32_t)(batch->pixel_bytes / (patches->floats ? 12 : 3)),
	                batch->host.places + first * ((size_t)vision->temporal_patch + 2));
	omt_windows_fill(vision, patches->t, patches->h, patches->w, &windows);
	omt_rotary_vision(vision, patches->h, patches->w, windows.order, cells,
	                  batch->host.vision_cosines + first * half,
	                  batch->host.vision_sines + first * half);
	for (int32_t i = 0; i < cells; i++) {
		batch->host.cell_tokens[batch->cells + i] =
			batch->tokens + tokens[windows.order[i]];
		for (int32_t patch = 0; patch < merged; patch++)
			batch->host.patch_order[batch->patches + i * merged + patch] =
				batch->patches + windows.order[i] * merged + patch;
	}
	for (int32_t i = 0; i < windows.count; i++)
		append(batch->host.cu_windows, &batch->windows,
		       windows.ends[i] - (i ? windows.ends[i - 1] : 0), &batch->longest_window);
	for (int32_t frame = 0; frame < patches->t; frame++)
		append(batch->host.cu_frames, &batch->frames, patches->h * patches->w,
		       &batch->longest_frame);
	batch->patches += rows;
	batch->pixel_bytes += (segment->pixel_bytes + 11) / 12 * 12;
	batch->cells += cells;
}

static void add_mel(omt_batch *batch, const omt_mel *mel, const int32_t *tokens)
{
	const omt_audio_config *audio = &batch->config->audio;
	int32_t chunk = 2 * audio->n_window, before = batch->convolved;
	size_t bins = (size_t)audio->mel_bins;
	memcpy(batch->host.mel + (size_t)batch->mel_frames * bins, mel->data,
	       (size_t)mel->frames * bins * sizeof(float));
	for (int32_t at = 0; at < mel->frames; at += chunk) {
		int32_t length = mel->frames - at < chunk ? mel->frames - at : chunk;
		int32_t convolved = (length - 1) / 2 + 1, index = batch->chunks;
		for (int32_t i = 0; i < convolved; i++)
			batch->host.chunk_places[batch->convolved + i] = i;
		append(batch->host.cu_convolved, &index, convolved, &batch->longest_chunk);
		append(batch->host.cu_chunks, &batch->chunks, length, NULL);
		batch->convolved += convolved;
	}
	int32_t count = omt_audio_tokens(mel->frames), index = batch->clips;
	for (int32_t i = 0; i < count; i++)
		batch->host.audio_tokens[batch->audio_rows + i] = batch->tokens + tokens[i];
	append(batch->host.cu_clip_tokens, &index, count, NULL);
	append(batch->host.cu_clips, &batch->clips, batch->convolved - before, NULL);
	batch->mel_frames += mel->frames;
	batch->audio_rows += count;
}

/* Collects the next `count` places of media token `id` from *at on. */
static void collect(const omt_sample *sample, int32_t id, int32_t *at, int32_t count,
                    int32_t *places)
{
	for (int32_t found = 0; found < count; (*at)++)
		if (sample->ids[*at] == id)
			places[found++] = *at;
}

void omt_batch_add(omt_batch *batch, const omt_sample *sample)
{
	const omt_token_ids *ids = &batch->config->tokens;
	size_t half = (size_t)batch->config->text.head_dim / 2, first = (size_t)batch->tokens;
	int32_t image_at = 0, video_at = 0, audio_at = 0;
	memcpy(batch->host.ids + first, sample->ids, (size_t)sample->tokens * sizeof(int32_t));
	omt_rotary_text(&batch->config->text, sample->positions, sample->tokens,
	                batch->host.text_cosines + first * half,
	                batch->host.text_sines + first * half);
	for (size_t i = 0; i < sample->segment_count; i++) {
		const omt_segment *segment = &sample->segments[i];
		bool video = segment->kind == OMT_VIDEO;
		int32_t *places = batch->scratch + 2 * batch->limits.tokens;
		if (segment->patch_tokens) {
			collect(sample, video ? ids->video : ids->image,
			        video ? &video_at : &image_at, segment->patch_tokens, places);
			add_patches(batch, segment, places);
		}
		if (segment->audio_tokens) {
			collect(sample, ids->audio, &audio_at, segment->audio_tokens, places);
			add_mel(batch, &segment->mel, places);
		}
	}
	append(batch->host.cu_items, &batch->items, sample->tokens, &batch->longest_item);
	batch->tokens += sample->tokens;
}

omt_status omt_batch_upload(omt_exec *exec, const omt_batch *batch, uint64_t *first, uint64_t *last,
                            omt_error *err)
{
	const omt_config *config = batch->config;
	OMT_BATCH_SIZES(config);
	const struct {
		omt_buffer *to;
		const void *from;
		size_t bytes;
	} arrays[] = {
#define OMT_UP(name, count) \
	{batch->device.name, batch->host.name, (size_t)(count) * sizeof *batch->host.name}
		OMT_UP(ids, batch->tokens),
		OMT_UP(cu_items, batch->items + 1),
		OMT_UP(text_cosines, (size_t)batch->tokens * text_half),
		OMT_UP(text_sines, (size_t)batch->tokens * text_half),
		OMT_UP(pixels, batch->pixel_bytes),
		OMT_UP(places, (size_t)batch->patches * place),
		OMT_UP(patch_order, batch->patches),
		OMT_UP(vision_cosines, (size_t)batch->patches * vision_half),
		OMT_UP(vision_sines, (size_t)batch->patches * vision_half),
		OMT_UP(cu_windows, batch->windows ? batch->windows + 1 : 0),
		OMT_UP(cu_frames, batch->frames ? batch->frames + 1 : 0),
		OMT_UP(cell_tokens, batch->cells),
		OMT_UP(mel, (size_t)batch->mel_frames * mel_bins),
		OMT_UP(cu_chunks, batch->chunks ? batch->chunks + 1 : 0),
		OMT_UP(cu_convolved, batch->chunks ? batch->chunks + 1 : 0),
		OMT_UP(chunk_places, batch->convolved),
		OMT_UP(cu_clips, batch->clips ? batch->clips + 1 : 0),
		OMT_UP(cu_clip_tokens, batch->clips ? batch->clips + 1 : 0),
		OMT_UP(audio_tokens, batch->audio_rows),
#undef OMT_UP
	};
	size_t end = sizeof arrays / sizeof *arrays;
	while (!arrays[end - 1].bytes) /* a batch has ids */
		end--;
	for (size_t i = 0; i < end; i++)
		if (arrays[i].bytes)
			OMT_TRY(omt_exec_write(exec, arrays[i].to, 0, arrays[i].from,
			                       arrays[i].bytes,
			                       i == 0         ? first
			                       : i == end - 1 ? last
			                                      : NULL,
			                       err));
	return OMT_OK;
}
