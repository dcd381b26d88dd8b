#include "base/cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* Before the content. Integers are this machine's: the folder is too. */
typedef struct omt_cache_head {
	char magic[8];
	uint32_t version, head_bytes;
	char key[OMT_DIGEST_TEXT - 1];
	uint64_t bytes;
	uint8_t sum[OMT_CHECKSUM_BYTES];
} omt_cache_head;

#define VERSION    1
#define MOST_BYTES ((size_t)1 << 30)

char *omt_cache_folder(void)
{
	const char *named = getenv("OMT_CACHE_DIR");
	if (named)
		return *named ? strdup(named) : NULL;
	named = getenv("XDG_CACHE_HOME");
	if (named && named[0] == '/') /* others are to be ignored, says the specification */
		return omt_path_join(named, "omnitile");
	named = getenv("HOME");
	return named && *named ? omt_path_join(named, ".cache/omnitile") : NULL;
}

char *omt_cache_path(const char *folder, const char *name)
{
	char *path = omt_path_join(folder, name);
	for (char *slash = path ? strchr(path + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0777);
		*slash = '/';
	}
	return path;
}

static bool make_head(const char *key, const void *data, size_t bytes, omt_cache_head *head)
{
	memset(head, 0, sizeof *head);
	memcpy(head->magic, "OMTCACHE", sizeof head->magic);
	head->version = VERSION;
	head->head_bytes = sizeof *head;
	memcpy(head->key, key, sizeof head->key);
	head->bytes = bytes;
	omt_hash *hash = omt_hash_new();
	if (!hash)
		return false;
	omt_hash_begin(hash);
	omt_hash_add(hash, data, bytes);
	omt_hash_end(hash, head->sum);
	omt_hash_free(hash);
	return true;
}

bool omt_cache_load(const char *path, const char key[OMT_DIGEST_TEXT], uint8_t **data,
                    size_t *bytes)
{
	omt_cache_head head;
	char *text;
	size_t size;
	*data = NULL;
	if (omt_file_read(path, MOST_BYTES, &text, &size, NULL) != OMT_OK)
		return false;
	if (size < sizeof head || !make_head(key, text + sizeof head, size - sizeof head, &head) ||
	    memcmp(&head, text, sizeof head) != 0) {
		free(text);
		return false;
	}
	*bytes = size - sizeof head;
	memmove(text, text + sizeof head, *bytes);
	*data = (uint8_t *)text;
	return true;
}

void omt_cache_save(const char *path, const char key[OMT_DIGEST_TEXT], const void *data,
                    size_t bytes)
{
	omt_cache_head head;
	omt_output output;
	if (!make_head(key, data, bytes, &head) || omt_output_open(path, &output, NULL) != OMT_OK)
		return;
	bool whole = fwrite(&head, sizeof head, 1, output.stream) == 1 &&
	             fwrite(data, 1, bytes, output.stream) == bytes;
	(void)omt_output_close(&output, whole, NULL);
}
