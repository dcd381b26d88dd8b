/* layout.h - where things go: token positions, vision windows, audio chunks and rotary angles.
 *
 * Everything here is integer or table work on the host; kernels know no positions (DESIGN.md). The
 * rules are those of transformers 4.52.4's Qwen2_5Omni get_rope_index(), get_window_index() and
 * rot_pos_emb(); tests/golden/data/tables has their values. */
#ifndef OMT_MODEL_LAYOUT_H
#define OMT_MODEL_LAYOUT_H

#include "model/config.h"

/* Text: cosines, sines [tokens, head_dim / 2]; entry i takes the position row (time, height, width)
 * that mrope_section assigns it to. positions: [3][tokens]. */
void omt_rotary_text(const omt_text_config *config, const int32_t *positions, int32_t tokens,
                     float *cosines, float *sines);

/* The vision encoder's order of work for one picture or clip of t x h x w patches. */
typedef struct omt_windows {
	int32_t *order; /* [t * h * w / merge^2]: cell in window order -> cell in raster order */
	int32_t *ends;  /* [count]: where each window ends, in patches */
	int32_t count;
} omt_windows;

/* order and ends have room for t * h * w / merge^2 entries each; count is set. */
void omt_windows_fill(const omt_vision_config *config, int32_t t, int32_t h, int32_t w,
                      omt_windows *windows);

/* Angles of the patches of `cells` (raster order of merge blocks; a cell is merge^2 patches) into
 * cosines, sines [cell_count * merge^2, head_dim / 2]: height first, then width. */
void omt_rotary_vision(const omt_vision_config *config, int32_t h, int32_t w, const int32_t *cells,
                       int32_t cell_count, float *cosines, float *sines);

/* Entries of the op `patches` for the t x h x w patches of a picture or clip of `frames` frames, in
 * raster order of merge blocks: places[t * h * w, temporal_patch + 2]. Its first pixel is number
 * `first` of the buffer. */
void omt_places_fill(const omt_vision_config *config, int32_t t, int32_t h, int32_t w,
                     int32_t frames, int32_t format, int32_t first, int32_t *places);

/* Where the chunks of seconds_per_chunk begin in a row of time positions relative to the segment's
 * start (get_chunked_index): returns the end of the chunk that begins at `start`, the chunk's
 * number counted from 1 in *chunk, which is advanced. */
int32_t omt_chunk_end(const int32_t *times, int32_t count, int32_t start, int32_t per_chunk,
                      int32_t *chunk);

#endif
