#include "base/digest.h"

#include <stdio.h>

#include <libavutil/mem.h>
#include <libavutil/murmur3.h>
#include <libavutil/sha.h>

#include "base/file.h"

static void finish(struct AVSHA *sha, char text[OMT_DIGEST_TEXT])
{
	uint8_t digest[32];
	av_sha_final(sha, digest);
	for (int i = 0; i < 32; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	av_free(sha);
}

omt_status omt_digest_data(const void *data, size_t bytes, char text[OMT_DIGEST_TEXT],
                           omt_error *err)
{
	struct AVSHA *sha = av_sha_alloc();
	if (!sha)
		return OMT_FAIL(err, NO_MEMORY, "a digest");
	av_sha_init(sha, 256);
	if (bytes)
		av_sha_update(sha, data, bytes);
	finish(sha, text);
	return OMT_OK;
}

omt_status omt_digest_file(const char *path, char text[OMT_DIGEST_TEXT], omt_error *err)
{
	omt_map map;
	OMT_TRY(omt_map_open(path, &map, err));
	omt_status status = omt_digest_data(map.data, map.bytes, text, err);
	omt_map_close(&map);
	return status;
}

omt_status omt_digest_pieces(const omt_piece *pieces, size_t count, char text[OMT_DIGEST_TEXT],
                             omt_error *err)
{
	struct AVSHA *sha = av_sha_alloc();
	if (!sha)
		return OMT_FAIL(err, NO_MEMORY, "a digest");
	av_sha_init(sha, 256);
	for (size_t i = 0; i < count; i++) {
		const uint64_t bytes = pieces[i].bytes;
		av_sha_update(sha, (const uint8_t *)&bytes, sizeof bytes);
		if (bytes)
			av_sha_update(sha, pieces[i].data, pieces[i].bytes);
	}
	finish(sha, text);
	return OMT_OK;
}

omt_hash *omt_hash_new(void)
{
	return av_murmur3_alloc();
}

void omt_hash_free(omt_hash *hash)
{
	av_free(hash);
}

void omt_hash_begin(omt_hash *hash)
{
	av_murmur3_init(hash);
}

void omt_hash_add(omt_hash *hash, const void *data, size_t bytes)
{
	av_murmur3_update(hash, data, bytes);
}

void omt_hash_end(omt_hash *hash, uint8_t sum[OMT_CHECKSUM_BYTES])
{
	av_murmur3_final(hash, sum);
}
