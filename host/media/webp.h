/* webp.h - what FFmpeg leaves open about WebP. */
#ifndef OMT_MEDIA_WEBP_H
#define OMT_MEDIA_WEBP_H

#include <libavutil/frame.h>

#include "media/demux.h"

bool omt_webp_is(const omt_demux *demux);
/* An animation: FFmpeg 5.1 has no decoder. */
bool omt_webp_moves(const omt_demux *demux);

/* A lossy picture (YUV 4:2:0, alpha or not) to RGBA with the chroma filter and the fixed-point
 * arithmetic of libwebp, which PIL decodes with: swscale differs by up to 47 levels at edges. */
void omt_webp_convert(const AVFrame *frame, uint8_t *rgba);

#endif
