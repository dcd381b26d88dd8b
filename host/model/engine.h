/* engine.h - the engine's inside, for verify.c, plan.c and tests. */
#ifndef OMT_MODEL_ENGINE_H
#define OMT_MODEL_ENGINE_H

#include "exec/exec.h"
#include "model/sample.h"

/* Gets the stages of a forward as they are made, as dense f32 [rows, cols] of the whole batch,
 * named as in tests/golden/data/expected/stages: "vision_patch_embed", "vision_block0",
 * "vision_merger_window_order", "vision_out", "audio_conv1_raw" ([frames, channels], before GELU),
 * "audio_conv2_raw", "audio_conv_out", "audio_layer0", "audio_out", "text_inputs_embeds",
 * "text_layer0", "text_final_norm", "pooled", "embedding". Costs a read each; NULL: none. */
typedef struct omt_tap {
	void (*stage)(void *user, const char *name, const float *data, int32_t rows, int32_t cols);
	void *user;
} omt_tap;

/* Runs a batch to the end: vectors[count * dimension]. The samples' tokens together must not exceed
 * the engine's max_tokens. */
omt_status omt_engine_forward(omt_engine *engine, const omt_sample *samples, size_t count,
                              const omt_tap *tap, float *vectors, omt_error *err);

omt_exec *omt_engine_exec(omt_engine *engine);

#endif
