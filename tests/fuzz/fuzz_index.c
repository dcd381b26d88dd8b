/* An index file whose checksum is set right, or nothing behind it would be reached. */
#include <string.h>

#include "tests/fuzz/input.h"

static uint32_t crc32_of(const uint8_t *data, size_t bytes)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void search(const omt_index *index)
{
	static const float query[64];
	omt_hit hits[4];
	size_t found;
	omt_error err;
	for (int32_t dimension = 1; dimension <= 64; dimension++)
		if (omt_index_search(index, query, 1, dimension, 4, hits, &found, &err) == OMT_OK)
			for (size_t i = 0; i < found; i++)
				if (!hits[i].id)
					abort();
	omt_free(omt_index_describe(index));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_index *index;
	omt_error err;
	char path[64];
	uint8_t *copy = malloc(size + 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (size >= 16) {
		uint32_t crc = crc32_of(data + 16, size - 16);
		for (int i = 0; i < 4; i++)
			copy[12 + i] = (uint8_t)(crc >> (8 * i));
	}
	int fd = fuzz_file(copy, size, path);
	if (omt_index_open(path, &index, &err) == OMT_OK) {
		search(index);
		omt_index_close(index);
	}
	close(fd);
	free(copy);
	return 0;
}
