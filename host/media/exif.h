/* exif.h - how a picture's stored rows lie. */
#ifndef OMT_MEDIA_EXIF_H
#define OMT_MEDIA_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The EXIF orientation, 1 to 8, of a JPEG, PNG, WebP or TIFF file; 1 when there is none. */
int omt_exif_orientation(const uint8_t *data, size_t bytes);

#endif
