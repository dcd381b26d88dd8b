#include "hls/device_model/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Wire types of protobuf: field << 3 | 1 (64 bits) or 5 (32 bits). */
enum { TAG_SIZE = 1 << 3 | 1, TAG_API = 2 << 3 | 5 };

omt_status omt_frame_resize(omt_frame_buffer *buffer, size_t bytes, omt_error *err)
{
	if (bytes > buffer->capacity) {
		uint8_t *data = realloc(buffer->data, bytes);
		if (!data)
			return OMT_FAIL(err, NO_MEMORY, "no memory for a call of %zu bytes", bytes);
		buffer->data = data;
		buffer->capacity = bytes;
	}
	buffer->bytes = bytes;
	return OMT_OK;
}

static uint64_t little(const uint8_t *bytes, int count)
{
	uint64_t value = 0;
	while (count--)
		value = value << 8 | bytes[count];
	return value;
}

omt_status omt_frame_parse(const uint8_t header[OMT_FRAME_CALL], uint64_t *bytes, uint32_t *api,
                           omt_error *err)
{
	if (header[0] != TAG_SIZE || header[9] != TAG_API)
		return OMT_FAIL(err, BAD_FORMAT,
		                "the host's call does not begin as XRT 202210.2.13's do "
		                "(tags 0x%02x and 0x%02x)",
		                header[0], header[9]);
	*bytes = little(header + 1, 8);
	*api = (uint32_t)little(header + 10, 4);
	if (*bytes > OMT_FRAME_LIMIT)
		return OMT_FAIL(err, LIMIT, "a call of %llu bytes", (unsigned long long)*bytes);
	return OMT_OK;
}

void omt_frame_header(uint8_t header[OMT_FRAME_REPLY], uint64_t bytes)
{
	header[0] = TAG_SIZE;
	for (int i = 0; i < 8; i++)
		header[1 + i] = (uint8_t)(bytes >> 8 * i);
}

/* Up to `bytes`; fewer only at the end of the stream. */
static omt_status receive(int fd, uint8_t *data, size_t bytes, size_t *got, omt_error *err)
{
	for (*got = 0; *got < bytes;) {
		ssize_t n = recv(fd, data + *got, bytes - *got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return OMT_FAIL(err, IO, "reading from the host: %s", strerror(errno));
		if (n <= 0)
			break;
		*got += (size_t)n;
	}
	return OMT_OK;
}

omt_status omt_frame_read(int fd, uint32_t *api, omt_frame_buffer *call, bool *open, omt_error *err)
{
	uint8_t header[OMT_FRAME_CALL];
	uint64_t bytes = 0;
	size_t got;
	OMT_TRY(receive(fd, header, sizeof header, &got, err));
	*open = got == sizeof header;
	if (!*open)
		return OMT_OK;
	OMT_TRY(omt_frame_parse(header, &bytes, api, err));
	OMT_TRY(omt_frame_resize(call, (size_t)bytes, err));
	OMT_TRY(receive(fd, call->data, call->bytes, &got, err));
	*open = got == call->bytes;
	return OMT_OK;
}

static omt_status transmit(int fd, const uint8_t *data, size_t bytes, omt_error *err)
{
	while (bytes) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return OMT_OK;
		if (n < 0)
			return OMT_FAIL(err, IO, "writing to the host: %s", strerror(errno));
		data += n;
		bytes -= (size_t)n;
	}
	return OMT_OK;
}

/* A host that is gone is no mistake: the next read finds the end. */
omt_status omt_frame_write(int fd, const uint8_t *data, size_t bytes, omt_error *err)
{
	uint8_t header[OMT_FRAME_REPLY];
	omt_frame_header(header, bytes);
	OMT_TRY(transmit(fd, header, sizeof header, err));
	return transmit(fd, data, bytes, err);
}
