/* config.h - config.json, 1_Pooling/config.json and config_sentence_transformers.json.
 *
 * config.json may be a Thinker's own (audio_config, vision_config, text_config at the top) or nest
 * it under thinker_config. Absent keys have the defaults of transformers' Qwen2_5OmniThinkerConfig,
 * Qwen2_5OmniTextConfig, Qwen2_5OmniVisionEncoderConfig and Qwen2_5OmniAudioEncoderConfig (4.52.4).
 * Unknown architectures, activations and combinations that this code would compute wrongly are
 * OMT_UNSUPPORTED; sizes are bounded so that products do not overflow. */
#ifndef OMT_MODEL_CONFIG_H
#define OMT_MODEL_CONFIG_H

#include "base/status.h"

#define OMT_MAX_LAYERS 256

typedef struct omt_text_config {
	int32_t vocab, hidden, inter, layers, heads, kv_heads, head_dim;
	int32_t mrope_section[3]; /* of head_dim / 2: time, height, width */
	double rope_theta, rms_eps;
	bool tied;   /* tie_word_embeddings: the checkpoint has no lm_head */
	bool causal; /* from the architecture: Qwen2_5OmniThinker* true, NVOmniEmbed* false; the key
	                is_causal of the text config or the top overrides */
} omt_text_config;

typedef struct omt_vision_config {
	int32_t depth, hidden, inter, heads, head_dim, channels, patch, temporal_patch, merge;
	int32_t window; /* pixels */
	int32_t out_hidden;
	bool full_attention[OMT_MAX_LAYERS]; /* fullatt_block_indexes */
	int32_t tokens_per_second;
} omt_vision_config;

typedef struct omt_audio_config {
	int32_t mel_bins, d_model, layers, heads, head_dim, ffn, max_positions, n_window,
		output_dim;
} omt_audio_config;

typedef struct omt_token_ids {
	int32_t audio, image, video, audio_start, audio_end, vision_start, vision_end;
} omt_token_ids;

typedef struct omt_config {
	char architecture[64]; /* architectures[0] */
	omt_text_config text;
	omt_vision_config vision;
	omt_audio_config audio;
	omt_token_ids tokens;
	int32_t position_id_per_seconds, seconds_per_chunk;
	int32_t pooling; /* OMT_POOL_* of device/contract.h */
	bool normalize;  /* a Normalize module in modules.json, or no modules.json */
	char *prefix[3]; /* by omt_role; "" for OMT_ROLE_NONE and where the checkpoint has none */
} omt_config;

omt_status omt_config_load(const char *dir, omt_config *config, omt_error *err);
/* config.json alone, without the Sentence-Transformers files. */
omt_status omt_config_load_model(const char *dir, omt_config *config, omt_error *err);
/* The text of a config.json alone: mean pooling, no prefixes. `place` is for messages. */
omt_status omt_config_parse(const char *place, const char *text, omt_config *config,
                            omt_error *err);
void omt_config_free(omt_config *config);

#endif
