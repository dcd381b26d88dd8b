/* batch.h - one batch of samples as packed arrays, on the host and on a device.
 *
 * Samples are joined without padding; cumulative lengths mark them. A preparation thread fills the
 * host arrays (omt_batch_add), then the batch goes to the arrays of the device that is to compute
 * it (omt_batch_upload). All arrays are made once, for the largest batch the limits allow. */
#ifndef OMT_MODEL_BATCH_H
#define OMT_MODEL_BATCH_H

#include "exec/exec.h"
#include "model/sample.h"

/* The most a batch can hold. Every media token comes from at most merge^2 patches or four mel
 * frames, so all follow from the tokens. pixels: bytes (omt_pixel_room). */
typedef struct omt_batch_limits {
	size_t items, tokens, patches, pixels, frames;
} omt_batch_limits;

omt_batch_limits omt_batch_limits_of(const omt_config *config, int32_t items, int32_t tokens);

/* X(type, name, most): the arrays. cu_*: cumulative lengths, beginning with 0. */
#define OMT_BATCH_LIST(X)                                                                  \
	X(i32, ids, limits->tokens)                                                        \
	X(i32, cu_items, limits->items + 1) /* in tokens */                                \
	X(f32, text_cosines, limits->tokens *text_half)                                    \
	X(f32, text_sines, limits->tokens *text_half)                                      \
	X(u8, pixels, limits->pixels)                                                      \
	X(i32, places, limits->patches *place) /* in pixels */                             \
	X(i32, patch_order, limits->patches)   /* window order -> raster order */          \
	X(f32, vision_cosines, limits->patches *vision_half)                               \
	X(f32, vision_sines, limits->patches *vision_half)                                 \
	X(i32, cu_windows, limits->tokens + 1) /* in patches, window attention */          \
	X(i32, cu_frames, limits->tokens + 1)  /* in patches, full attention */            \
	X(i32, cell_tokens, limits->tokens)    /* cell in window order -> token */         \
	X(f32, mel, limits->frames *mel_bins)                                              \
	X(i32, cu_chunks, limits->tokens + 1)      /* in mel frames */                     \
	X(i32, cu_convolved, limits->tokens + 1)   /* the chunks after the convolutions */ \
	X(i32, chunk_places, limits->frames)       /* row after conv2 -> place in chunk */ \
	X(i32, cu_clips, limits->tokens + 1)       /* clips after the convolutions */      \
	X(i32, cu_clip_tokens, limits->tokens + 1) /* clips after pooling by two */        \
	X(i32, audio_tokens, limits->tokens)       /* audio row -> token */

#define OMT_BATCH_DEVICE(type, name, most) omt_buffer *name;
typedef struct omt_batch_device {
	OMT_BATCH_LIST(OMT_BATCH_DEVICE)
	omt_buffer *vectors; /* [items, hidden], the result */
} omt_batch_device;
#undef OMT_BATCH_DEVICE

typedef struct omt_batch {
	/* Sizes of what is in it. */
	int32_t items, tokens, patches, windows, frames, cells; /* frames: grid frames */
	size_t pixel_bytes;
	int32_t mel_frames, chunks, convolved, clips, audio_rows;
	int32_t longest_item, longest_window, longest_frame, longest_chunk;

#define OMT_BATCH_HOST(type, name, most) omt_scalar_##type *name;
	struct {
		OMT_BATCH_LIST(OMT_BATCH_HOST)
	} host;
#undef OMT_BATCH_HOST
	omt_batch_device device; /* borrowed: where the batch is computed */

	omt_batch_limits limits;
	const omt_config *config;
	int32_t *scratch; /* [3 * tokens]: a segment's cells, window ends and token places */
} omt_batch;

omt_status omt_batch_open(const omt_config *config, const omt_batch_limits *limits,
                          omt_batch *batch, omt_error *err);
void omt_batch_close(omt_batch *batch);

omt_status omt_batch_device_open(const omt_config *config, const omt_batch_limits *limits,
                                 omt_exec *exec, omt_batch_device *device, omt_error *err);
void omt_batch_device_close(omt_exec *exec, omt_batch_device *device);

void omt_batch_clear(omt_batch *batch);
/* Whether a sample still fits; one that does not fit an empty batch never will. */
bool omt_batch_fits(const omt_batch *batch, const omt_sample *sample);
void omt_batch_add(omt_batch *batch, const omt_sample *sample);

/* Enqueues the transfer of all arrays in use; the host arrays must stay until it is done. The marks
 * of the first and the last transfer may be NULL. */
omt_status omt_batch_upload(omt_exec *exec, const omt_batch *batch, uint64_t *first, uint64_t *last,
                            omt_error *err);

#endif
