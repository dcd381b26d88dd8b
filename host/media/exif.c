#include "media/exif.h"

#include <stdbool.h>
#include <string.h>

#define ORIENTATION 0x112

typedef struct omt_bytes {
	const uint8_t *data;
	size_t bytes;
} omt_bytes;

static uint32_t big(const uint8_t *at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t little(const uint8_t *at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = bytes; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

static bool begins(omt_bytes in, size_t at, const char *text, size_t length)
{
	return at <= in.bytes && in.bytes - at >= length && !memcmp(in.data + at, text, length);
}

/* The three containers: a chain of blocks, one of which holds EXIF. */
static omt_bytes find_in_jpeg(omt_bytes in)
{
	size_t at = 2;
	/* A marker, two bytes of length that count themselves, content; SOS ends the chain. */
	while (at + 4 <= in.bytes && in.data[at] == 0xff && in.data[at + 1] != 0xda) {
		size_t length = big(in.data + at + 2, 2);
		if (length < 2 || length > in.bytes - at - 2)
			break;
		if (in.data[at + 1] == 0xe1 && length > 8 && begins(in, at + 4, "Exif\0\0", 6))
			return (omt_bytes){in.data + at + 10, length - 8};
		at += 2 + length;
	}
	return (omt_bytes){0};
}

static omt_bytes find_in_png(omt_bytes in)
{
	for (size_t at = 8, length; at + 12 <= in.bytes; at += 12 + length) {
		length = big(in.data + at, 4);
		if (length > in.bytes - at - 12)
			break;
		if (begins(in, at + 4, "eXIf", 4))
			return (omt_bytes){in.data + at + 8, length};
	}
	return (omt_bytes){0};
}

static omt_bytes find_in_webp(omt_bytes in)
{
	for (size_t at = 12, length; at + 8 <= in.bytes; at += 8 + length + length % 2) {
		length = little(in.data + at + 4, 4);
		if (length > in.bytes - at - 8)
			break;
		if (begins(in, at, "EXIF", 4)) {
			bool named = length >= 6 && begins(in, at + 8, "Exif\0\0", 6);
			size_t prefix = named ? 6 : 0;
			return (omt_bytes){in.data + at + 8 + prefix, length - prefix};
		}
	}
	return (omt_bytes){0};
}

/* The first directory of a TIFF structure (TIFF 6.0, section 2). */
static int orientation(omt_bytes tiff)
{
	bool intel = begins(tiff, 0, "II*\0", 4);
	if (tiff.bytes < 8 || (!intel && !begins(tiff, 0, "MM\0*", 4)))
		return 1;
	uint32_t (*read)(const uint8_t *, size_t) = intel ? little : big;
	size_t at = read(tiff.data + 4, 4);
	if (at > tiff.bytes - 2)
		return 1;
	uint32_t entries = read(tiff.data + at, 2);
	for (at += 2; entries-- > 0 && at <= tiff.bytes - 12 && tiff.bytes >= 12; at += 12) {
		if (read(tiff.data + at, 2) != ORIENTATION)
			continue;
		/* 3: a 16-bit value, at the start of the four bytes */
		uint32_t value = read(tiff.data + at + 8, read(tiff.data + at + 2, 2) == 3 ? 2 : 4);
		return value >= 1 && value <= 8 ? (int)value : 1;
	}
	return 1;
}

int omt_exif_orientation(const uint8_t *data, size_t bytes)
{
	omt_bytes in = {data, bytes};
	if (begins(in, 0, "\xff\xd8\xff", 3))
		return orientation(find_in_jpeg(in));
	if (begins(in, 0, "\x89PNG", 4))
		return orientation(find_in_png(in));
	if (begins(in, 0, "RIFF", 4) && begins(in, 8, "WEBP", 4))
		return orientation(find_in_webp(in));
	return orientation(in);
}
