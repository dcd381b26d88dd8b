#include "media/gif.h"

#include <string.h>

/* Bytes of a colour table, from the flags of the descriptor before it (GIF89a, section 18). */
static size_t table_bytes(uint8_t flags)
{
	return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Past a chain of sub-blocks, each with its length before it; 0 ends it. */
static size_t skip_blocks(const uint8_t *data, size_t bytes, size_t at)
{
	while (at < bytes && data[at])
		at += 1 + (size_t)data[at];
	return at + 1;
}

bool omt_gif_hidden(const uint8_t *data, size_t bytes, uint8_t colour[3])
{
	int hidden = -1;
	size_t table = 13, at;
	if (bytes < 13 || memcmp(data, "GIF8", 4))
		return false;
	/* Extensions up to the first picture; graphic control (0xf9) names the colour. */
	for (at = table + table_bytes(data[10]); at + 10 <= bytes && data[at] == 0x21;) {
		if (data[at + 1] == 0xf9)
			hidden = data[at + 3] & 1 ? data[at + 6] : -1;
		at = skip_blocks(data, bytes, at + 2);
	}
	if (hidden < 0 || at + 10 > bytes || data[at] != 0x2c)
		return false;
	if (data[at + 9] & 0x80)
		table = at + 10; /* a palette of its own */
	if (table + 3 * (size_t)hidden + 3 > bytes)
		return false;
	memcpy(colour, data + table + 3 * hidden, 3);
	return true;
}
