/* jpeg.h - JPEG pictures through libjpeg-turbo, the library that PIL decodes with.
 *
 * FFmpeg's decoder differs from it by up to three levels in 4 % of the values (order of the inverse
 * transform's passes, chroma filter, CMYK rounding): enough to push an embedding of the tiny golden
 * checkpoint from cosine 1.000000 to 0.9999. */
#ifndef OMT_MEDIA_JPEG_H
#define OMT_MEDIA_JPEG_H

#include "media/demux.h"

/* Whether the file's bytes begin a JPEG. */
bool omt_jpeg_is(const omt_demux *demux);
/* Its RGB; grey and CMYK become RGB as PIL's convert("RGB"). */
omt_status omt_jpeg_decode(const omt_demux *demux, const omt_limits *limits, omt_image *image,
                           omt_error *err);

#endif
