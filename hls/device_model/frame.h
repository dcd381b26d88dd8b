/* frame.h - calls and replies on the shim's socket.
 *
 * A call is the message {fixed64 size = 1, fixed32 api = 2}, then `size` bytes of the call's own
 * message; a reply is {fixed64 size = 1}, then `size` bytes. The shim sends both fields of its
 * header and reads a reply's header by its length with size alone, so both have one length only:
 * a tag and 8 bytes, and a tag and 4 more (little endian). Strictly one reply a call, in order. */
#ifndef OMT_HLS_DEVICE_MODEL_FRAME_H
#define OMT_HLS_DEVICE_MODEL_FRAME_H

#include <stddef.h>

#include "base/status.h"

enum { OMT_FRAME_CALL = 14, OMT_FRAME_REPLY = 9 };
/* A call's message at most: SW_EMU_PACKET_SIZE sets the payload of copies, 8 MiB by default. */
#define OMT_FRAME_LIMIT ((uint64_t)1 << 30)

/* Bytes that grow; start from {0}, free(data). */
typedef struct omt_frame_buffer {
	uint8_t *data;
	size_t bytes, capacity;
} omt_frame_buffer;

/* Makes room for `bytes` and sets the length to it; what was there is lost. */
omt_status omt_frame_resize(omt_frame_buffer *buffer, size_t bytes, omt_error *err);

omt_status omt_frame_parse(const uint8_t header[OMT_FRAME_CALL], uint64_t *bytes, uint32_t *api,
                           omt_error *err);
void omt_frame_header(uint8_t header[OMT_FRAME_REPLY], uint64_t bytes);

/* The next call. *open is false when the host closed its end, also within a call: a thread of XRT
 * goes on calling while its process ends. */
omt_status omt_frame_read(int fd, uint32_t *api, omt_frame_buffer *call, bool *open,
                          omt_error *err);
omt_status omt_frame_write(int fd, const uint8_t *data, size_t bytes, omt_error *err);

#endif
