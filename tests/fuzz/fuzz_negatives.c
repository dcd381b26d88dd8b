#include <string.h>

#include "tests/fuzz/input.h"
#include "train/negatives.h"

static omt_status found(void *user, const char *query, const char *id, uint32_t rank,
                        omt_error *err)
{
	size_t *bytes = user;
	(void)rank;
	(void)err;
	*bytes += strlen(query) + strlen(id);
	return OMT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_error err;
	size_t bytes = 0;
	char path[64];
	int fd = fuzz_file(data, size, path);
	omt_negatives_read(path, found, &bytes, &err);
	close(fd);
	return 0;
}
