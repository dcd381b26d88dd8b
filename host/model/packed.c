#include "model/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "base/cache.h"
#include "base/file.h"
#include "device/contract.h"
#include "exec/backend.h"

#define FORMAT_VERSION 1
#define ALIGN          ((size_t)OMT_IN_PLACE_ALIGN)
#define SYNC_STEP      ((size_t)64 << 20) /* written to disk while the next ones are made */

typedef struct omt_packed_entry {
	size_t at, bytes; /* at: from the end of the head */
	uint8_t sum[OMT_CHECKSUM_BYTES];
} omt_packed_entry;

struct omt_packed {
	char *path, *head;
	size_t head_bytes; /* padded once listing is over */
	FILE *text;        /* writes the head while tensors are listed */
	omt_packed_entry *entries;
	size_t count, capacity;
	size_t end;        /* of the tensors, from the end of the head */
	size_t next, done; /* tensor to write or take, and how much of it was */
	omt_map map;
	omt_output output;
	size_t synced;
	omt_hash *hash;
};

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- the list ---- */

static char *make_path(const char *dir, const char *mark, const char *folder, int32_t panel,
                       const char *storage)
{
	char file[OMT_DIGEST_TEXT + 16], digest[OMT_DIGEST_TEXT];
	char *own = folder ? NULL : omt_cache_folder(), *whole = realpath(dir, NULL), *path = NULL;
	if (!folder)
		folder = own;
	const omt_piece pieces[] = {{whole, whole ? strlen(whole) : 0},
	                            {&panel, sizeof panel},
	                            {storage, strlen(storage)},
	                            {mark, strlen(mark)}};
	/* Without a mark as ever: files of earlier versions are found. */
	if (folder && whole && omt_digest_pieces(pieces, *mark ? 4 : 3, digest, NULL) == OMT_OK) {
		snprintf(file, sizeof file, "weights/%.32s", digest);
		path = omt_cache_path(folder, file);
	}
	free(own);
	free(whole);
	return path;
}

omt_status omt_packed_new(const omt_weights *weights, const char *dir, const char *folder,
                          int32_t panel, const char *storage, omt_packed **given, omt_error *err)
{
	omt_status status = OMT_OK;
	char *path = make_path(dir, omt_weights_marked(weights), folder, panel, storage);
	*given = NULL;
	if (!path)
		return OMT_OK;
	omt_packed *packed = calloc(1, sizeof *packed);
	if (!packed || !(packed->hash = omt_hash_new()) ||
	    !(packed->text = open_memstream(&packed->head, &packed->head_bytes))) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		free(path);
		goto done;
	}
	packed->path = path;
	fprintf(packed->text,
	        "omnitile packed weights %d\ncontract %d\npanel %d\nweights %s\nshards\n",
	        FORMAT_VERSION, OMT_CONTRACT_VERSION, panel, storage);
	OMT_GOTO(omt_weights_identify(weights, packed->text, err));
	fputs("tensors\n", packed->text);
	*given = packed;
	packed = NULL;
done:
	omt_packed_free(packed);
	return status;
}

void omt_packed_free(omt_packed *packed)
{
	if (!packed)
		return;
	(void)omt_packed_close(packed, false, NULL);
	omt_map_close(&packed->map);
	if (packed->text)
		fclose(packed->text);
	omt_hash_free(packed->hash);
	free(packed->entries);
	free(packed->head);
	free(packed->path);
	free(packed);
}

omt_status omt_packed_list(omt_packed *packed, const char *name, size_t bytes, omt_error *err)
{
	if (packed->count == packed->capacity) {
		size_t capacity = packed->capacity ? 2 * packed->capacity : 512;
		omt_packed_entry *grown =
			realloc(packed->entries, capacity * sizeof *packed->entries);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%zu tensors", capacity);
		packed->entries = grown;
		packed->capacity = capacity;
	}
	packed->entries[packed->count++] = (omt_packed_entry){.at = packed->end, .bytes = bytes};
	fprintf(packed->text, "%s %zu\n", name, bytes);
	packed->end += aligned(bytes);
	return OMT_OK;
}

/* Ends the head. False: no memory. */
static bool seal(omt_packed *packed)
{
	if (!packed->text)
		return packed->head;
	fprintf(packed->text, "end\n");
	long bytes = ftell(packed->text);
	for (size_t i = (size_t)bytes; i < aligned((size_t)bytes); i++)
		fputc('\n', packed->text);
	bool whole = bytes > 0 && !ferror(packed->text);
	whole = fclose(packed->text) == 0 && whole;
	packed->text = NULL;
	if (!whole) {
		free(packed->head);
		packed->head = NULL;
	}
	return whole;
}

size_t omt_packed_bytes(const omt_packed *packed)
{
	return packed->head_bytes + packed->end + packed->count * OMT_CHECKSUM_BYTES;
}

const char *omt_packed_path(const omt_packed *packed)
{
	return packed->path;
}

/* ---- reading ---- */

static bool content_is_whole(const omt_packed *packed)
{
	const uint8_t *content = packed->map.data + packed->head_bytes;
	const uint8_t *sums = content + packed->end;
	for (size_t i = 0; i < packed->count; i++, sums += OMT_CHECKSUM_BYTES) {
		uint8_t sum[OMT_CHECKSUM_BYTES];
		omt_hash_begin(packed->hash);
		omt_hash_add(packed->hash, content + packed->entries[i].at,
		             packed->entries[i].bytes);
		omt_hash_end(packed->hash, sum);
		if (memcmp(sum, sums, sizeof sum) != 0)
			return false;
	}
	return true;
}

bool omt_packed_map(omt_packed *packed)
{
	const char *verify = getenv("OMT_CACHE_VERIFY");
	packed->next = packed->done = 0;
	if (!seal(packed) || omt_map_open(packed->path, &packed->map, NULL) != OMT_OK)
		return false;
	if (packed->map.bytes == omt_packed_bytes(packed) &&
	    memcmp(packed->map.data, packed->head, packed->head_bytes) == 0 &&
	    (!verify || strcmp(verify, "1") != 0 || content_is_whole(packed)))
		return true;
	omt_map_close(&packed->map);
	return false;
}

/* Counts `bytes` of the current tensor; true: it ends with them. */
static bool advance(omt_packed *packed, size_t bytes)
{
	packed->done += bytes;
	if (packed->done < packed->entries[packed->next].bytes)
		return false;
	packed->next++;
	packed->done = 0;
	return true;
}

const uint8_t *omt_packed_take(omt_packed *packed, size_t bytes)
{
	const size_t at = packed->entries[packed->next].at + packed->done;
	advance(packed, bytes);
	return packed->map.data + packed->head_bytes + at;
}

void omt_packed_release(const omt_packed *packed)
{
	if (packed->map.data)
		(void)madvise((void *)(uintptr_t)packed->map.data, packed->map.bytes,
		              MADV_DONTNEED);
}

/* ---- writing ---- */

omt_status omt_packed_create(omt_packed *packed, omt_error *err)
{
	struct statvfs disk;
	char *folder = omt_path_folder(packed->path);
	const uint64_t wanted = omt_packed_bytes(packed);
	bool known = folder && statvfs(folder, &disk) == 0;
	free(folder);
	packed->next = packed->done = packed->synced = 0;
	if (known && (uint64_t)disk.f_bavail * disk.f_frsize < wanted)
		return OMT_FAIL(err, IO, "%s: %.1f GB are wanted, the disk has %.1f GB left",
		                packed->path, (double)wanted * 1e-9,
		                (double)disk.f_bavail * (double)disk.f_frsize * 1e-9);
	OMT_TRY(omt_output_open(packed->path, &packed->output, err));
	omt_hash_begin(packed->hash);
	if (fwrite(packed->head, 1, packed->head_bytes, packed->output.stream) !=
	    packed->head_bytes)
		return OMT_FAIL(err, IO, "%s: %s", packed->path, strerror(errno));
	return OMT_OK;
}

omt_status omt_packed_put(omt_packed *packed, const void *data, size_t bytes, omt_error *err)
{
	static const uint8_t zeros[OMT_IN_PLACE_ALIGN];
	omt_packed_entry *entry = &packed->entries[packed->next];
	FILE *stream = packed->output.stream;
	const size_t gap = aligned(entry->bytes) - entry->bytes;
	const size_t end = entry->at + packed->done + bytes;
	omt_hash_add(packed->hash, data, bytes);
	bool whole = fwrite(data, 1, bytes, stream) == bytes;
	if (advance(packed, bytes)) {
		omt_hash_end(packed->hash, entry->sum);
		omt_hash_begin(packed->hash);
		whole = whole && fwrite(zeros, 1, gap, stream) == gap;
	}
	if (!whole)
		return OMT_FAIL(err, IO, "%s: %s", packed->path, strerror(errno));
	/* Or all of it would be left to the last fsync(), and be dirty memory until then. */
	if (end - packed->synced > SYNC_STEP) {
		(void)sync_file_range(fileno(stream), (off_t)packed->synced,
		                      (off_t)(end - packed->synced), SYNC_FILE_RANGE_WRITE);
		packed->synced = end;
	}
	return OMT_OK;
}

omt_status omt_packed_close(omt_packed *packed, bool commit, omt_error *err)
{
	if (!packed->output.stream)
		return OMT_OK;
	for (size_t i = 0; i < packed->count && commit; i++)
		fwrite(packed->entries[i].sum, 1, OMT_CHECKSUM_BYTES, packed->output.stream);
	return omt_output_close(&packed->output, commit, err);
}
