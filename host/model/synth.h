/* synth.h - what a random checkpoint consists of. */
#ifndef OMT_MODEL_SYNTH_H
#define OMT_MODEL_SYNTH_H

#include "model/config.h"
#include "token/tokenizer.h"

/* The three parts of a config.json, as JSON text. */
typedef struct omt_synth_shape {
	const char *name, *audio, *vision, *text;
} omt_synth_shape;

extern const omt_synth_shape omt_synth_shapes[];
extern const size_t omt_synth_shape_count;

typedef enum omt_fill { OMT_FILL_MATRIX, OMT_FILL_NORM, OMT_FILL_BIAS } omt_fill;

typedef struct omt_synth_tensor {
	char name[160];
	int32_t dims;
	int64_t shape[5];
	omt_fill fill; /* what it is filled with */
} omt_synth_tensor;

/* The text of config.json of a shape by name, with the ids that the tokenizer gives to the markers,
 * or of a file of that name; given, free(). */
omt_status omt_synth_config(const char *like, const omt_tokenizer *tokenizer, char **text,
                            omt_error *err);

/* Visits every tensor of the layout, lm_head (where it is not tied) and the unused audio markers
 * included: with the real shapes they add up to the published 4,703,464,448 parameters. */
typedef omt_status omt_synth_visit(void *user, const omt_synth_tensor *tensor, omt_error *err);
omt_status omt_synth_walk(const omt_config *config, omt_synth_visit *visit, void *user,
                          omt_error *err);

#endif
