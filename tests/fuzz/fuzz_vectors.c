/* A folder of shards: the input is manifest.json up to its first NUL, ids of a shard of three rows
 * up to the next one, and that shard's .npy. */
#include <string.h>

#include "index/manifest.h"
#include "index/shard_files.h"
#include "index/vectors.h"
#include "tests/fuzz/input.h"

static const char *write_part(const uint8_t **data, size_t *size, const char *name)
{
	const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
	size_t bytes = end ? (size_t)(end - *data) : *size;
	const char *folder = fuzz_folder(*data, bytes, name);
	bytes += end != NULL;
	*data += bytes;
	*size -= bytes;
	return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_vectors *vectors;
	const omt_vector *row;
	omt_manifest manifest;
	omt_error err;
	write_part(&data, &size, "manifest.json");
	write_part(&data, &size, "vectors-00000.ids.jsonl");
	const char *folder = fuzz_folder(data, size, "vectors-00000.npy");
	char *path = omt_manifest_path(folder);
	if (!path)
		abort();
	if (omt_manifest_load(path, &manifest, &err) == OMT_OK) {
		if (omt_manifest_compare(path, &manifest, &manifest, &err) != OMT_OK)
			abort();
		omt_manifest_free(&manifest);
	}
	free(path);
	omt_shard_whole(folder, 0, 2, NULL, NULL);
	if (omt_vectors_open(folder, &vectors, &err) == OMT_OK) {
		volatile float sum = 0;
		int64_t rows = 0;
		while (omt_vectors_next(vectors, &row, &err) == OMT_OK && row) {
			for (int32_t i = 0; row->vector && i < omt_vectors_dimension(vectors); i++)
				sum = sum + row->vector[i];
			if (!*row->id || rows++ > omt_vectors_rows(vectors))
				abort();
		}
		omt_vectors_close(vectors);
	}
	return 0;
}
