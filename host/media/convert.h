/* convert.h - decoded frames to 8-bit RGB. */
#ifndef OMT_MEDIA_CONVERT_H
#define OMT_MEDIA_CONVERT_H

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#include "media/demux.h"

/* Frames of a clip to RGB24 as swscale's bilinear default does, which is what PyAV, decord and
 * torchcodec give. A frame of another size is brought to width x height. All zero at first. */
typedef struct omt_converter {
	struct SwsContext *scaler;
	uint8_t *rows; /* swscale writes beyond a row's end: a picture with room for that */
	size_t stride;
} omt_converter;

omt_status omt_convert_frame(const omt_demux *demux, omt_converter *converter, const AVFrame *frame,
                             int32_t width, int32_t height, uint8_t *rgb, omt_error *err);
void omt_converter_free(omt_converter *converter);

/* A picture to RGB as PIL's convert("RGB"): alpha is laid over white, or dropped. */
omt_status omt_convert_picture(const omt_demux *demux, const AVFrame *frame, bool drop_alpha,
                               uint8_t *rgb, omt_error *err);

#endif
