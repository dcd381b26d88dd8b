#include "base/digest.h"

#include <stdio.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "base/file.h"

omt_status omt_digest_file(const char *path, char text[OMT_DIGEST_TEXT], omt_error *err)
{
	omt_map map;
	uint8_t digest[32];
	struct AVSHA *sha = av_sha_alloc();
	if (!sha)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	omt_status status = omt_map_open(path, &map, err);
	if (status == OMT_OK) {
		av_sha_init(sha, 256);
		if (map.bytes)
			av_sha_update(sha, map.data, map.bytes);
		av_sha_final(sha, digest);
		omt_map_close(&map);
		for (int i = 0; i < 32; i++)
			sprintf(text + 2 * i, "%02x", digest[i]);
	}
	av_free(sha);
	return status;
}
