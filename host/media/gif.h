/* gif.h - the colour under a GIF's transparent pixels. */
#ifndef OMT_MEDIA_GIF_H
#define OMT_MEDIA_GIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PIL converts palette pictures without their transparency, FFmpeg's decoder gives transparent
 * pixels no colour. This finds the one that the first picture's palette has for them; false: the
 * file is no GIF, or nothing in it is transparent. */
bool omt_gif_hidden(const uint8_t *data, size_t bytes, uint8_t colour[3]);

#endif
