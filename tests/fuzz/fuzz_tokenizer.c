#include "tests/fuzz/input.h"
#include "token/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_tokenizer *tokenizer;
	omt_ids ids = {0};
	omt_error err;
	char path[64];
	int fd = fuzz_file(data, size, path);
	if (omt_tokenizer_open(path, &tokenizer, &err) == OMT_OK) {
		(void)omt_tokenizer_encode(tokenizer, (const char *)data, size, &ids, &err);
		omt_tokenizer_close(tokenizer);
	}
	free(ids.data);
	close(fd);
	return 0;
}
