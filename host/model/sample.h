/* sample.h - an item made ready for the model: token ids, position ids and encoder inputs.
 *
 * omt_sample_make() decodes and preprocesses files; omt_sample_assemble() starts from media that
 * are already tensors (verify.c compares stages with it). Both run on preparation threads: they use
 * the immutable model only. */
#ifndef OMT_MODEL_SAMPLE_H
#define OMT_MODEL_SAMPLE_H

#include "model/model.h"

/* One media segment in the order of the prompt's placeholders. */
typedef struct omt_segment {
	omt_kind kind;                      /* OMT_IMAGE, OMT_VIDEO or OMT_AUDIO */
	omt_patches patches;                /* pictures and clips */
	omt_mel mel;                        /* sound; with a clip: interleaved with it */
	size_t pixel_bytes;                 /* of the patches' data */
	int32_t patch_tokens, audio_tokens; /* what the encoders make of them */
} omt_segment;

typedef struct omt_sample {
	int32_t *ids;       /* [tokens], placeholders expanded */
	int32_t *positions; /* [3][tokens]: time, height, width */
	int32_t tokens;
	size_t pixel_bytes; /* of its pictures and clips, each rounded up to 12 */
	omt_segment *segments;
	size_t segment_count;
	uint32_t kinds;  /* 1 << omt_kind */
	double decode_s; /* of its files */
} omt_sample;

/* `limit_tokens`: more is OMT_LIMIT (0: none). */
omt_status omt_sample_make(const omt_model *model, const omt_item *item, int32_t limit_tokens,
                           omt_sample *sample, omt_error *err);
/* From a rendered prompt (placeholders not expanded) and its segments, whose ownership is taken
 * also on failure; segments: malloc'd array. */
omt_status omt_sample_assemble(const omt_model *model, const char *prompt, size_t prompt_bytes,
                               omt_segment *segments, size_t segment_count, int32_t limit_tokens,
                               omt_sample *sample, omt_error *err);
void omt_sample_free(omt_sample *sample);

/* Room for the pixels of `tokens` tokens: enough for any pictures and clips of 8 bits; a clip of
 * recipe card takes four times as much. */
size_t omt_pixel_room(const omt_config *config, size_t tokens);

/* Tokens of a mel of `frames` frames: ((frames - 1) / 2 + 1 - 2) / 2 + 1, 0 when too short. */
int32_t omt_audio_tokens(int32_t frames);

#endif
