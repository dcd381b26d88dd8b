/* convert.h - decoded frames to 8-bit RGB. */
#ifndef OMT_MEDIA_CONVERT_H
#define OMT_MEDIA_CONVERT_H

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#include "media/demux.h"

/* Frames of a clip to RGB24 as swscale's bilinear default does, which is what PyAV, decord and
 * torchcodec give. `scaler` is kept between frames: NULL at first, sws_freeContext() at last. A
 * frame of another size is brought to width x height. */
omt_status omt_convert_frame(const omt_demux *demux, struct SwsContext **scaler,
                             const AVFrame *frame, int32_t width, int32_t height, uint8_t *rgb,
                             omt_error *err);

/* A picture to RGB as PIL's convert("RGB"): alpha is laid over white, or dropped. */
omt_status omt_convert_picture(const omt_demux *demux, const AVFrame *frame, bool drop_alpha,
                               uint8_t *rgb, omt_error *err);

#endif
